/**
 * Checks by the clock whether the files that the engine has open are still where they were: somebody may move or remove them under a
 * running server, and what is written to an unlinked file is gone with the process.
 *
 *   each second    the lock of the data directory: moved, removed, replaced, or unlocked by a removed lock file
 *                  partitions that were written to since, and some of the others by turns: the active segment
 *
 * The same is checked after each sync, before it is reported (engine.ts), so nothing is acknowledged that went into a file that was
 * unlinked by then. This watch finds what happens to partitions that are not written to, and what a sync cannot see: a file that was
 * moved keeps a name.
 *
 * What is lost stays so until the next start: nobody can know what happened at the path in the meantime.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { nextTurn } from "../../base/loop/turns.ts";
import { SECOND_MS } from "../../base/units.ts";
import { type FileLog, REMOVED_DETAIL } from "./log.ts";

export const WATCH_MS = SECOND_MS;
/** Checked in one turn: about 3 ms. */
const LOOKED_AT_A_TURN = 500;
/** Of the idle ones, checked each time: 1 ms of work, and 10,000 partitions within 40 s. */
const RESTING_AT_ONCE = 250;

export interface Watched {
  /** Whether the directory is no longer ours; then every partition is offline. */
  isDirectoryLost(): boolean;
  logs(): Iterable<FileLog>;
  logLost(log: FileLog, reason: string): void;
}

export class FileWatch {
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #watched: Watched;
  #timer: Timer;
  /** Where each log ended when it was checked last. */
  readonly #looked = new WeakMap<FileLog, number>();
  /** The slot of the first idle log to check next. */
  #turn = 0;
  #isStopped = false;
  #isLooking = false;

  constructor(files: Files, clock: Clock, watched: Watched) {
    this.#files = files;
    this.#clock = clock;
    this.#watched = watched;
    this.#timer = this.#next();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer.cancel();
  }

  #next(): Timer {
    return this.#clock.after(WATCH_MS, () => {
      loopTurns.enter("file watch");
      if (this.#watched.isDirectoryLost()) return;
      this.#timer = this.#next();
      if (!this.#isLooking) void this.#lookAtLogs();
    });
  }

  async #lookAtLogs(): Promise<void> {
    this.#isLooking = true;
    let count = 0;
    const logs = [...this.#watched.logs()];
    const first = this.#turn;
    this.#turn = first + RESTING_AT_ONCE < logs.length ? first + RESTING_AT_ONCE : 0;
    for (const [slot, log] of logs.entries()) {
      const hasGrown = this.#looked.get(log) !== log.endOffset;
      const isDue = hasGrown || (slot >= first && slot < first + RESTING_AT_ONCE);
      if (!isDue || log.isOffline) continue;
      count += 1;
      if (count % LOOKED_AT_A_TURN === 0) await nextTurn();
      if (this.#isStopped || log.isOffline) continue;
      this.#looked.set(log, log.endOffset);
      const reason = this.#lookAt(log);
      if (reason !== null) this.#watched.logLost(log, reason);
    }
    this.#isLooking = false;
  }

  /** Why the next append would go astray: the active segment's name does not lead to its file. Null when it does. */
  #lookAt({ activeFile: { path, descriptor } }: FileLog): string | null {
    try {
      const there = this.#files.identity(path);
      if (there === null) return REMOVED_DETAIL;
      if (descriptor < 0 || there === this.#files.identityOf(descriptor)) return null;
      return "the segment file was replaced by another while it was in use";
    } catch (thrown) {
      // It may be there and unreadable for us; a write or a sync will tell.
      if (errnoOf(thrown) === undefined) throw thrown;
      return null;
    }
  }
}

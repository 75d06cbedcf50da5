/**
 * Deletes the files of segments that were dropped from the front of their logs, for all logs of a data directory.
 *
 *     dropped ---> whoever reads it has ended, or `READERS_WAIT_MS` are over ---> index, time index, log, one name after another
 *
 *   - A file is truncated before it is unlinked (base/disk.ts), so nothing of it may be read any more then: whoever has an open
 *     descriptor is waited for, however long that takes. A peer that takes its response slowly is not: it is cut off, reads on, and is
 *     told OFFSET_OUT_OF_RANGE.
 *   - Large files one at a time, in the thread pool: records are synced by it too. Small ones side by side: what takes the time is the way
 *     there and back, and a thousand small logs drop hundreds of segments a second.
 *   - What a stop or a crash leaves lies below the stored log start, so the next start deletes it. So does it with what the
 *     disk refuses to delete now.
 */

import type { Clock } from "../../base/clock.ts";
import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { Turnstile } from "../../base/loop/turns.ts";
import { MiB, SECOND_MS } from "../../base/units.ts";
import type { DescriptorPool } from "./pool.ts";
import { isUnindexed, type Segment } from "./segment.ts";

/** A response is on its way for less, and at the largest write rates a log grows little over its bound meanwhile. */
export const READERS_WAIT_MS = SECOND_MS;
/** Their blocks are freed in less than a millisecond each. */
const SMALL_BYTES_MAX = 4 * MiB;
const SMALL_AT_ONCE = 16;

export class DroppedSegments {
  /** Bytes of logs that wait for their deletion. */
  bytes = 0;
  readonly #files: Files;
  readonly #pool: DescriptorPool;
  readonly #clock: Clock;
  readonly #refused: (path: string, error: Error) => void;
  readonly #large = new Turnstile(1);
  readonly #small = new Turnstile(SMALL_AT_ONCE);
  readonly #inFlight = new Set<Promise<void>>();
  readonly #waiting = new Set<Segment>();
  /** Those that are not deleted yet, by the directory of their partition. */
  readonly #pending = new Map<string, Set<Segment>>();
  #isClosed = false;

  /** `refused` is told what the disk refuses to delete. */
  constructor(
    files: Files,
    pool: DescriptorPool,
    clock: Clock,
    refused: (path: string, error: Error) => void,
  ) {
    this.#files = files;
    this.#pool = pool;
    this.#clock = clock;
    this.#refused = refused;
  }

  /** Takes over a segment that is in no list any more. */
  add(segment: Segment): void {
    segment.isLeaving = true;
    this.bytes += segment.bytes;
    const others = this.#pending.get(segment.directory);
    if (others === undefined) this.#pending.set(segment.directory, new Set([segment]));
    else others.add(segment);
    if (segment.openSpans === 0) {
      this.#release(segment);
      return;
    }
    this.#waiting.add(segment);
    this.#clock.after(READERS_WAIT_MS, () => {
      loopTurns.enter("log upkeep");
      if (this.#waiting.delete(segment)) this.#release(segment);
    });
  }

  /** A directory's name may lead to something else from now on: nothing in it is deleted any more once it resolves. */
  async forget(directory: string): Promise<void> {
    const forgotten = this.#pending.get(directory);
    if (forgotten === undefined) return;
    this.#pending.delete(directory);
    for (const segment of forgotten) {
      this.bytes -= segment.bytes;
      if (this.#waiting.delete(segment)) this.#release(segment);
    }
    await this.#ended();
  }

  /** Begins no more deletion. What is in flight has ended when it resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const segment of this.#waiting) this.#release(segment);
    this.#waiting.clear();
    await this.#ended();
  }

  /** What is in flight. */
  async #ended(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #release(segment: Segment): void {
    segment.onReleased = () => void this.#delete(segment);
    segment.release(this.#pool);
  }

  async #delete(segment: Segment): Promise<void> {
    const { directory, indexPath, timeIndexPath, logPath } = segment;
    const paths = isUnindexed(this.#files, segment) ? [logPath] : [indexPath, timeIndexPath, logPath];
    const isWanted = () => this.#pending.get(directory)?.has(segment) === true;
    const turnstile = segment.bytes > SMALL_BYTES_MAX ? this.#large : this.#small;
    await turnstile.run(async () => {
      const removal = this.#removeEach(paths, isWanted);
      this.#inFlight.add(removal);
      await removal;
      this.#inFlight.delete(removal);
    });
    if (!isWanted()) return;
    this.bytes -= segment.bytes;
    const others = this.#pending.get(directory)!;
    others.delete(segment);
    if (others.size === 0) this.#pending.delete(directory);
  }

  async #removeEach(paths: readonly string[], isWanted: () => boolean): Promise<void> {
    for (const path of paths) if (isWanted()) await this.#remove(path);
  }

  async #remove(path: string): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#files.removeFileLater(path);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined || !(thrown instanceof Error)) throw thrown;
      if (errno !== "ENOENT") this.#refused(path, thrown); // not every segment has its indexes, and a topic may be gone
    }
  }
}

/**
 * Writes a partition's snapshot in the background: one write at a time, and however often it is requested meanwhile,
 * one more behind it. The content is taken when the write begins. Other work on the partition's small files (sealing)
 * takes its turn in the same row.
 *
 * The old snapshot stays whole until the new one is synced and renamed over it. A disk that refuses is reported once: the
 * old snapshot is still true, a start would only read more of the log. So a full disk is no finding at all.
 */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { replaceLater } from "./replace-later.ts";
import { encodeSnapshot, SNAPSHOT_FILE, type Snapshot } from "./snapshot.ts";
import type { Store } from "./store.ts";

export class SnapshotWriter {
  readonly #store: Store;
  readonly #directory: string;
  readonly #path: string;
  readonly #take: () => Snapshot;
  #row: Promise<void> = Promise.resolve();
  #isRequested = false;
  #hasReported = false;
  #isStopped = false;

  constructor(store: Store, directory: string, take: () => Snapshot) {
    this.#store = store;
    this.#directory = directory;
    this.#path = `${directory}/${SNAPSHOT_FILE}`;
    this.#take = take;
  }

  /** Asks for the snapshot to be written soon. */
  request(): void {
    if (this.#isRequested) return;
    this.#isRequested = true;
    this.later(() => this.#write());
  }

  /** Writes the snapshot so that it survives a power cut, then does what must not happen before that. */
  requestThen(work: () => void): void {
    this.later(async () => {
      await this.#write();
      this.#store.files.syncDirectory(this.#directory);
      work();
    });
  }

  /** Runs other work on the partition's small files in its turn. */
  later(work: () => Promise<void>): void {
    if (this.#isStopped) return;
    this.#row = this.#row.then(work).catch((thrown) => this.#report(thrown));
  }

  /** Takes no more work; what is in the row is still done. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when everything that was asked for so far is done. */
  async idle(): Promise<void> {
    for (let row: Promise<void> | null = null; row !== this.#row; ) {
      row = this.#row;
      await row;
    }
  }

  async #write(): Promise<void> {
    this.#isRequested = false;
    await replaceLater(this.#store, this.#path, encodeSnapshot(this.#take()));
  }

  #report(thrown: unknown): void {
    const errno = errnoOf(thrown);
    if (errno === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    if (this.#isStopped || this.#hasReported || errno === "ENOSPC" || errno === "EDQUOT") return;
    this.#hasReported = true;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    this.#store.report(this.#path, 0, 0, "unreadable", `a small file could not be written: ${reason}`);
  }
}

/**
 * Writes a partition's snapshot in the background (stored-snapshots.ts): one write at a time, and however often it is requested
 * meanwhile, one more after that. The content is taken when the write begins. Other work on the partition's small files (sealing)
 * waits in the same queue.
 *
 * The old snapshot stays whole until the new one is synced and renamed over it. An error is reported once: the
 * old snapshot still holds, a start would only read more of the log. So a full disk is no finding at all. `isStale` says that
 * the file is out of date, so that a stop writes only the snapshots that have changed.
 */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { encodeSnapshot, SNAPSHOT_FILE, type Snapshot } from "./snapshot.ts";
import type { Store } from "./store.ts";

export class SnapshotWriter {
  readonly #store: Store;
  readonly #directory: string;
  readonly #path: string;
  readonly #take: () => Snapshot;
  #queue: Promise<void> = Promise.resolve();
  #isRequested = false;
  /** Whether the write that is requested is last in the queue. */
  #isLast = false;
  #isStale = false;
  #hasReported = false;
  #isStopped = false;
  /** Why the last write failed; null when it did not. */
  #failure: unknown = null;
  /** Somebody waits for the write that is requested to be durable. */
  #mustBeDurable = false;
  /** The last write is durable under its name. */
  #isDurable = false;

  constructor(store: Store, directory: string, take: () => Snapshot) {
    this.#store = store;
    this.#directory = directory;
    this.#path = `${directory}/${SNAPSHOT_FILE}`;
    this.#take = take;
  }

  /** The file on disk, if any, differs from what would be written now. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** A write is still to begin, after everything that was requested so far: it will hold what is true then. */
  get isPending(): boolean {
    return this.#isRequested && this.#isLast;
  }

  /** Something has changed that is not worth a write of its own. */
  touch(): void {
    this.#isStale = true;
  }

  /** Requests a write of the snapshot. */
  request(): void {
    this.#isStale = true;
    if (this.#isRequested) return;
    this.#isRequested = true;
    this.later(() => this.#write());
    this.#isLast = true;
  }

  /** Requests it if the file is out of date. */
  requestIfStale(): void {
    if (this.#isStale) this.request();
  }

  /**
   * Requests it, and resolves when a snapshot of what is true now, or of later, is durable under its name; `recorded` is called
   * before any later one is begun. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR: then the file is the old one or the new
   */
  durable(recorded: () => void): Promise<void> {
    this.#mustBeDurable = true;
    this.request();
    return new Promise((resolve, reject) => {
      if (this.#isStopped) reject(stopped());
      this.later(async () => {
        try {
          if (this.#failure !== null) throw this.#failure;
          if (!this.#isStopped && !this.#isDurable) await this.#store.directorySyncs.sync(this.#directory);
          if (this.#isStopped) throw stopped();
          recorded();
          resolve();
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
  }

  /** Runs other work on the partition's small files in its turn. */
  later(work: () => Promise<void>): void {
    if (this.#isStopped) return;
    this.#isLast = false;
    this.#queue = this.#queue.then(work).catch((thrown) => this.#report(thrown));
  }

  /** Takes no more work, and begins no more write. What waits for a write is told that there is none. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when everything that was requested so far is done. */
  async idle(): Promise<void> {
    for (let queue: Promise<void> | null = null; queue !== this.#queue; ) {
      queue = this.#queue;
      await queue;
    }
  }

  async #write(): Promise<void> {
    try {
      const content = () => {
        this.#isRequested = false;
        this.#mustBeDurable = false;
        if (this.#isStopped) return null;
        this.#isStale = false;
        return encodeSnapshot(this.#take());
      };
      this.#isDurable = await this.#store.snapshots.replace(this.#directory, content, this.#mustBeDurable);
      this.#failure = null;
    } catch (thrown) {
      this.#failure = thrown;
      this.#isRequested = false;
      this.#isStale = true;
      throw thrown;
    }
  }

  #report(thrown: unknown): void {
    const errno = errnoOf(thrown);
    if (errno === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    if (this.#isStopped || this.#hasReported || errno === "ENOSPC" || errno === "EDQUOT") return;
    this.#hasReported = true;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    this.#store.report(
      this.#path,
      0,
      0,
      "unreadable",
      `a snapshot or index file could not be written: ${reason}`,
    );
  }
}

function stopped(): ObeliskError {
  return new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the partition takes no more writes" });
}

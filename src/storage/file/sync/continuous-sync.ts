/**
 * Continuous syncing of the one partition that is written to all the time: a thread syncs its active segment again and again,
 * so that the disk does not wait for the event loop between two syncs (16 KiB batches, 5 in flight: about a quarter more).
 *
 *     append -> written      append -> written           written position: offsets of the segment that are in its file
 *     thread   [ sync ............][ sync ......]
 *     durable offset              ^             ^        moved by each report, which also completes waiting syncs
 *
 *   - Only a segment that is dirty alone. Which one gets the thread, and when it must let go, is decided in log-syncer.ts.
 *   - While it is held the segment stays pinned and dirty; letting go leaves it clean if everything was covered.
 *   - A report names the position that the thread had read before its sync began, so nothing is called durable too early.
 *   - A failure takes the log offline, as any failed sync does, whether a caller waits for it or not. ENOSYS: the thread cannot work
 *     here, or has no memory or descriptors now, and is not used for a while.
 */

import { fail } from "../../../base/assert.ts";
import { errnoOf } from "../../../base/errors.ts";
import type { SyncListener, SyncThread } from "../../../base/files.ts";
import type { FileLog } from "../log.ts";
import type { Segment } from "../segment.ts";
import { FAST_SYNC_BYTES_MAX } from "./disk-pace.ts";

/** So many syncs of one segment, with none of another in between, before the thread takes it on. */
export const CONTINUOUS_RUN_MIN = 8;
/** So many syncs of so few records in a row, and the thread lets go: a partition that is written now and then is synced faster in place. */
export const SPARSE_RUN_MAX = 64;
const SPARSE_RECORDS_MAX = 32;
/** So many busy syncs go without a thread that could not work: the shortage may be over then, and a try delays one sync by some ms. */
export const UNUSABLE_RUN = 1000;

/** The thread has let go before all was synced, or cannot work here. */
export const LET_GO: unique symbol = Symbol("let go");

/** null: all is durable. An error: the bytes may be lost. */
type Outcome = null | Error | typeof LET_GO;

export interface ContinuousSyncListener {
  /** A sync failed while no caller waited. */
  failed(log: FileLog, error: Error): void;
  /** Called after each sync, before it is reported: why it does not count, or null. */
  doubt(log: FileLog, segment: Segment): Error | null;
}

export class ContinuousSync implements SyncListener {
  readonly #open: () => SyncThread;
  readonly #listener: ContinuousSyncListener;
  #thread: SyncThread | null = null;
  #log: FileLog | null = null;
  #segment: Segment | null = null;
  #waiter: { offset: number; resolve: (outcome: Outcome) => void } | null = null;
  #sparseRun = 0;
  #candidate: Segment | null = null;
  #busyRun = 0;
  /** Busy syncs still to come without the thread. */
  #unusableRun = 0;
  #isClosed = false;
  /** The release in progress; only one may be. */
  #releasing: Promise<void> | null = null;

  constructor(open: () => SyncThread, listener: ContinuousSyncListener) {
    this.#open = open;
    this.#listener = listener;
  }

  /** Whether the thread holds a segment of the log. */
  holds(log: FileLog): boolean {
    return this.#log === log;
  }

  /** Whether the thread holds a segment with nothing to do. */
  get isResting(): boolean {
    const log = this.#log;
    return log !== null && this.#waiter === null && log.durableOffset === log.endOffset;
  }

  /** Counts that `segment` is about to be synced alone; true when the thread should do it. */
  wants(log: FileLog, segment: Segment): boolean {
    if (segment === this.#segment) {
      const isSparse = segment.endOffset - log.durableOffset <= SPARSE_RECORDS_MAX;
      this.#sparseRun = isSparse ? this.#sparseRun + 1 : 0;
      return this.#sparseRun <= SPARSE_RUN_MAX;
    }
    if (segment !== this.#candidate) {
      this.#candidate = segment;
      this.#busyRun = 0;
    }
    if (segment.bytes - segment.syncedBytes > FAST_SYNC_BYTES_MAX) {
      if (this.#unusableRun > 0) this.#unusableRun -= 1;
      else this.#busyRun += 1;
    }
    return !this.#isClosed && this.#busyRun > CONTINUOUS_RUN_MIN;
  }

  /** Resolves when everything appended so far is durable, or cannot be made so in this way. */
  async sync(log: FileLog, segment: Segment): Promise<Outcome> {
    if (this.#waiter !== null) fail("one at a time waits for the thread");
    if (this.#segment !== segment) {
      if (this.#log !== null || this.#releasing !== null) {
        await this.release();
        return LET_GO;
      }
      this.#hold(log, segment);
    }
    if (log.durableOffset >= segment.endOffset) return null;
    return new Promise((resolve) => {
      this.#waiter = { offset: segment.endOffset, resolve };
      this.#thread!.wake();
    });
  }

  /** Lets go of the segment: afterwards the thread does not touch it. */
  release(): Promise<void> {
    if (this.#log !== null) this.#releasing ??= this.#release();
    return this.#releasing ?? Promise.resolve();
  }

  /** Lets go, and ends the thread for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.release();
    this.#thread?.close();
    this.#thread = null;
  }

  synced(written: number): void {
    const log = this.#log;
    if (log === null) return;
    const segment = this.#segment!;
    const doubt = log.isOffline ? null : this.#listener.doubt(log, segment);
    if (doubt !== null) {
      this.#doubted(log, doubt);
      return;
    }
    if (!log.isOffline) log.syncedTo(segment.baseOffset + written);
    if (log.isOffline) this.#complete(LET_GO);
    else if (this.#waiter !== null && log.durableOffset >= this.#waiter.offset) this.#complete(null);
  }

  failed(error: Error): void {
    const log = this.#log;
    if (log === null) return;
    this.#letGo(log);
    this.#releasing ??= this.#release();
    if (errnoOf(error) === "ENOSYS") {
      this.#unusableRun = UNUSABLE_RUN;
      this.#complete(LET_GO);
    } else if (this.#waiter === null) this.#listener.failed(log, error);
    else this.#complete(error);
  }

  /** The log may be let go meanwhile, when the sync that runs fails. */
  async #release(): Promise<void> {
    await this.#thread!.detach();
    this.#releasing = null;
    if (this.#log === null) return;
    this.#letGo(this.#log);
    this.#complete(LET_GO);
  }

  /** The thread does not know of it and continues until it is detached. */
  #doubted(log: FileLog, doubt: Error): void {
    if (this.#waiter === null) this.#listener.failed(log, doubt);
    else this.#complete(doubt);
    void this.release();
  }

  #complete(outcome: Outcome): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve(outcome);
  }

  #hold(log: FileLog, segment: Segment): void {
    if (log.isOffline) fail("a log that is offline is never synced");
    this.#thread ??= this.#open();
    this.#log = log;
    this.#segment = segment;
    this.#sparseRun = 0;
    this.#thread.attach(segment.file.descriptor, log.durableOffset - segment.baseOffset, this);
    log.unsynced.startContinuous(segment, this.#thread);
  }

  #letGo(log: FileLog): void {
    log.unsynced.endContinuous();
    this.#log = null;
    this.#segment = null;
    this.#candidate = null;
  }
}

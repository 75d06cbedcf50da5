/**
 * Continuous syncing of the one partition that is written to all the time: a thread syncs its active segment again and again,
 * so that the disk does not wait for the event loop between two syncs (16 KiB batches, 5 in flight: about a quarter more).
 *
 *     append -> mark         append -> mark              mark: offsets of the segment that are written
 *     thread   [ sync ............][ sync ......]
 *     durable offset              ^             ^        moved by each report, whoever waits is answered then
 *
 *   - Only a segment that is alone dirty: once the log rolls, or another log needs a sync, the thread lets go first
 *     (`release`), because two syncs of one file at once could hide a failure from each other.
 *   - While it is held the segment stays pinned and dirty; letting go leaves it clean if everything was covered.
 *   - A report names what the thread had seen before its sync began, so nothing is called durable too early.
 *   - A failure takes the log offline, as any failed sync does. ENOSYS: the thread cannot work here, and is never asked again.
 */

import { errnoOf } from "../../base/errors.ts";
import type { SyncListener, SyncThread } from "../../base/files.ts";
import type { FileLog } from "./log.ts";
import type { Segment } from "./segment.ts";
import { FAST_SYNC_BYTES_MAX } from "./syncer.ts";

/** So many syncs of one segment, with none of another in between, before the thread takes it on. */
export const STREAM_RUN_MIN = 8;
/** So many syncs of so few records in a row, and the thread lets go: who writes now and then is served faster in place. */
export const LONELY_RUN_MAX = 64;
const LONELY_RECORDS_MAX = 32;

/** The thread has let go, or cannot work here. */
export const RETRY: unique symbol = Symbol("retry");

interface Waiter {
  offset: number;
  resolve: (outcome: unknown) => void;
}

export class SyncStream implements SyncListener {
  readonly #open: () => SyncThread;
  readonly #failed: (log: FileLog, error: Error) => void;
  readonly #check: (log: FileLog, segment: Segment) => Error | null;
  #thread: SyncThread | null = null;
  #log: FileLog | null = null;
  #segment: Segment | null = null;
  #waiter: Waiter | null = null;
  #lonelyRun = 0;
  #candidate: Segment | null = null;
  #busyRun = 0;
  #isUsable = true;
  /** Under way; only one may be. */
  #releasing: Promise<void> | null = null;

  /**
   * `failed` is told of a sync that failed while nobody waited for it. `check` is asked after each sync, before anybody hears of
   * it: an error when the file is not where it should be.
   */
  constructor(
    open: () => SyncThread,
    failed: (log: FileLog, error: Error) => void,
    check: (log: FileLog, segment: Segment) => Error | null,
  ) {
    this.#open = open;
    this.#failed = failed;
    this.#check = check;
  }

  /** Whether the thread holds the log's active segment. */
  holds(log: FileLog): boolean {
    return this.#log === log;
  }

  /** Whether the thread holds a segment with nothing to do. */
  get isResting(): boolean {
    const log = this.#log;
    return log !== null && this.#waiter === null && log.durableOffset === log.endOffset;
  }

  /** Notes that `segment` is about to be synced alone; true when the thread should do it. */
  wants(segment: Segment): boolean {
    if (segment === this.#segment) {
      const isLonely = segment.endOffset - this.#log!.durableOffset <= LONELY_RECORDS_MAX;
      this.#lonelyRun = isLonely ? this.#lonelyRun + 1 : 0;
      return this.#lonelyRun <= LONELY_RUN_MAX;
    }
    if (segment !== this.#candidate) {
      this.#candidate = segment;
      this.#busyRun = 0;
    }
    if (segment.bytes - segment.syncedBytes > FAST_SYNC_BYTES_MAX) this.#busyRun += 1;
    return this.#isUsable && this.#busyRun > STREAM_RUN_MIN;
  }

  /**
   * Resolves with null when everything appended so far is durable, with the error when it failed, with `RETRY` when it must
   * be synced in another way, if the log is still there.
   */
  async sync(log: FileLog, segment: Segment): Promise<unknown> {
    if (this.#segment !== segment) {
      await this.release();
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
    if (this.#log === null) return Promise.resolve();
    this.#releasing ??= this.#release(this.#log);
    return this.#releasing;
  }

  async #release(log: FileLog): Promise<void> {
    await this.#thread!.detach();
    this.#releasing = null;
    if (this.#log !== log) return;
    this.#letGo();
    this.#settle(RETRY);
  }

  close(): void {
    this.#thread?.close();
    this.#thread = null;
  }

  synced(mark: number): void {
    const log = this.#log;
    if (log === null) return;
    const segment = this.#segment!;
    const loss = log.isOffline ? null : this.#check(log, segment);
    if (loss !== null) {
      this.#lost(log, loss);
      return;
    }
    log.streamedTo(segment.baseOffset + mark);
    if (log.isOffline) this.#settle(RETRY);
    else if (this.#waiter !== null && log.durableOffset >= this.#waiter.offset) this.#settle(null);
  }

  failed(error: Error): void {
    const log = this.#log;
    if (log === null) return;
    this.#letGo();
    if (errnoOf(error) === "ENOSYS") {
      this.#isUsable = false;
      this.#settle(RETRY);
    } else if (this.#waiter === null) this.#failed(log, error);
    else this.#settle(error);
  }

  /** The thread knows nothing of it and goes on until it is sent away. */
  #lost(log: FileLog, loss: Error): void {
    if (this.#waiter === null) this.#failed(log, loss);
    else this.#settle(loss);
    void this.release();
  }

  #settle(outcome: unknown): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve(outcome);
  }

  #hold(log: FileLog, segment: Segment): void {
    this.#thread ??= this.#open();
    this.#log = log;
    this.#segment = segment;
    this.#lonelyRun = 0;
    this.#thread.attach(segment.file.descriptor, log.durableOffset - segment.baseOffset, this);
    log.startStream(segment, this.#thread);
  }

  #letGo(): void {
    this.#log!.endStream();
    this.#log = null;
    this.#segment = null;
    this.#candidate = null;
  }
}

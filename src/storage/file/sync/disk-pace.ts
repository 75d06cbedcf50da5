/**
 * How fast the disk has been lately, from which log-syncer.ts chooses how to sync. It only measures and remembers.
 *
 *   small syncs    a disk that has just shown `FAST_RUN_MIN` of them in a row within `FAST_SYNC_MS` is fast; one slow one ends that
 *   syncfs         waits for what other programs wrote to the file system too (measured: half a second beside a program that writes
 *                  without syncing); after one that was slow the next `ALL_PENALTY` groups had better go without,
 *                  but for large ones, which would take longer still
 */

import { KiB } from "../../../base/units.ts";

export const FAST_SYNC_MS = 0.5;
export const FAST_RUN_MIN = 16;
/** A few records. With more, a thread that syncs without pause is better (continuous-sync.ts). */
export const FAST_SYNC_BYTES_MAX = 8 * KiB;
/** After one sync this slow the disk has to prove itself for longer. */
const SLOW_SYNC_MS = 5;
const SLOW_PENALTY = 1000;
/** A syncfs is slow when it takes longer than this, and this for each file, which is more than the files would take singly. */
const SLOW_ALL_MS = 10;
const SLOW_ALL_EACH_MS = 0.5;
export const ALL_PENALTY = 64;
/** From so many files and directories on a syncfs is best whatever other programs write: singly 100 take 14 ms on an idle disk, 256 took 0.3 s on a busy one. */
export const LARGE_GROUP_MIN = 128;

export class DiskPace {
  /** Small syncs within the time, one after another. Negative: as many are owed. */
  #fastRun = 0;
  /** Groups that go without syncfs, because the last one was slow. */
  #allPenalty = 0;

  /** Whether `bytes` unsynced bytes of one file are on disk in less time than the way to another thread and back takes. */
  isFast(bytes: number): boolean {
    return this.#fastRun >= FAST_RUN_MIN && bytes <= FAST_SYNC_BYTES_MAX;
  }

  /** Whether a syncfs is the quickest way for `count` files and directories. Counts the calls. */
  isAllFast(count: number): boolean {
    if (this.#allPenalty === 0 || count >= LARGE_GROUP_MIN) return true;
    this.#allPenalty -= 1;
    return false;
  }

  /** One file with `bytes` unsynced bytes took so long. Large ones say nothing about small ones. */
  recordOne(bytes: number, durationMs: number): void {
    if (bytes > FAST_SYNC_BYTES_MAX) return;
    if (durationMs <= FAST_SYNC_MS) this.#fastRun += 1;
    else this.#fastRun = durationMs > SLOW_SYNC_MS ? -SLOW_PENALTY : 0;
  }

  /** A syncfs for `count` files and directories took so long. */
  recordAll(count: number, durationMs: number): void {
    const isSlow = durationMs > SLOW_ALL_MS + count * SLOW_ALL_EACH_MS;
    if (isSlow && count < LARGE_GROUP_MIN) this.#allPenalty = ALL_PENALTY;
  }
}

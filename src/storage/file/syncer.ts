/**
 * Makes dirty files durable in the cheapest way that the disk offers.
 *
 *   one file                                          fdatasync in the thread pool
 *   one file, little in it, on a disk that is fast    fdatasync in place, without the way to the pool and back
 *   up to `FILES_SYNCED_SINGLY_MAX` files             fdatasync for each, side by side in the pool, and few new names singly too
 *   more files, or many new names                     one syncfs for all; without it, one fdatasync for each
 *
 * Measured with 4 KiB in each file (ms): 2 files 0.6 side by side and 1.0 by syncfs, 4 files 1.0 and 1.0, 16 files 3.2 and
 * 1.0. A syncfs also waits for what other programs wrote to the file system (measured: half a second behind a neighbour that
 * does not sync). So it is for when it pays, and one that was slow sends the next `ALL_PENALTY` groups to their files one by one.
 *
 * In place: the event loop stands still while the disk works, so it is only for a disk that has just shown
 * `FAST_RUN_MIN` small syncs in a row within `FAST_SYNC_MS`, and one slow sync sends it back to the pool. Measured on an NVMe
 * disk: ping 0.18 ms instead of 0.25.
 *
 * A sync that failed is never tried again: the kernel may have dropped the bytes and would report success.
 */

import type { Clock } from "../../base/clock.ts";
import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { KiB } from "../../base/units.ts";

export const FILES_SYNCED_SINGLY_MAX = 3;
/** A new topic of one partition has three new names. */
export const NAMES_SYNCED_SINGLY_MAX = 4;
/** A syncfs is slow when it takes longer than this, and this for each file, which is more than the files would take singly. */
const SLOW_ALL_MS = 10;
const SLOW_ALL_EACH_MS = 0.5;
const ALL_PENALTY = 64;
export const FAST_SYNC_MS = 0.5;
export const FAST_RUN_MIN = 16;
/** A few records. With more, a thread that syncs without pause is better (sync-stream.ts). */
export const FAST_SYNC_BYTES_MAX = 8 * KiB;
/** One sync this slow is no hiccup: the disk has to prove itself for longer. */
const SLOW_SYNC_MS = 5;
const SLOW_PENALTY = 1000;

export class Syncer {
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #canSyncInPlace: boolean;
  /** Small syncs within the time, one after another. Negative: as many are owed. */
  #fastRun = 0;
  /** Groups that go without syncfs, because the last one was slow. */
  #allPenalty = 0;
  syncsInPlace = 0;
  syncsInPool = 0;
  syncsOfAll = 0;

  constructor(files: Files, clock: Clock, canSyncInPlace: boolean) {
    this.#files = files;
    this.#clock = clock;
    this.#canSyncInPlace = canSyncInPlace;
  }

  /** Whether so many dirty files and new names should be synced by `syncAll`. */
  prefersAll(files: number, names: number): boolean {
    if (this.#files.syncAll === undefined) return false;
    if (files <= FILES_SYNCED_SINGLY_MAX && names <= NAMES_SYNCED_SINGLY_MAX) return false;
    if (this.#allPenalty === 0) return true;
    this.#allPenalty -= 1;
    return false;
  }

  /** Whether one file with `bytes` unsynced bytes should be synced by `syncInPlace`. */
  isFast(bytes: number): boolean {
    return this.#canSyncInPlace && this.#fastRun >= FAST_RUN_MIN && bytes <= FAST_SYNC_BYTES_MAX;
  }

  /** @throws system errors: the bytes may be lost */
  syncInPlace(descriptor: number): void {
    const startedAtMs = this.#clock.monotonicMs();
    this.#files.syncNow(descriptor);
    this.syncsInPlace += 1;
    this.#note(this.#clock.monotonicMs() - startedAtMs);
  }

  /** @throws system errors: the bytes may be lost */
  async sync(descriptor: number, bytes: number): Promise<void> {
    const startedAtMs = this.#clock.monotonicMs();
    await this.#files.sync(descriptor);
    this.syncsInPool += 1;
    if (bytes <= FAST_SYNC_BYTES_MAX) this.#note(this.#clock.monotonicMs() - startedAtMs);
  }

  /** One sync for the whole file system, for `count` files and names; false when it could not even be tried. @throws system errors: the bytes may be lost */
  async syncAll(descriptor: number, count: number): Promise<boolean> {
    const { syncAll } = this.#files;
    if (syncAll === undefined) return false;
    const startedAtMs = this.#clock.monotonicMs();
    try {
      await syncAll.call(this.#files, descriptor);
      this.syncsOfAll += 1;
      const durationMs = this.#clock.monotonicMs() - startedAtMs;
      if (durationMs > SLOW_ALL_MS + count * SLOW_ALL_EACH_MS) this.#allPenalty = ALL_PENALTY;
      return true;
    } catch (thrown) {
      if (errnoOf(thrown) === "ENOSYS") return false;
      throw thrown;
    }
  }

  #note(durationMs: number): void {
    if (durationMs <= FAST_SYNC_MS) this.#fastRun += 1;
    else this.#fastRun = durationMs > SLOW_SYNC_MS ? -SLOW_PENALTY : 0;
  }
}

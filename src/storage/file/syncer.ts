/**
 * Makes dirty files durable in the cheapest way that the disk offers.
 *
 *   one file                                          fdatasync in the thread pool
 *   one file, little in it, on a disk that is fast    fdatasync in place, without the way to the pool and back
 *   up to `FILES_SYNCED_SINGLY_MAX` files             fdatasync for each, side by side in the pool
 *   more files, or new names                          one syncfs for all; without it, one fdatasync for each
 *
 * Measured with 4 KiB in each file (ms): 2 files 0.6 side by side and 1.0 by syncfs, 4 files 1.0 and 1.0, 16 files 3.2 and
 * 1.0. A syncfs also waits for what other programs wrote to the file system, so it is for when it pays.
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
export const FAST_SYNC_MS = 0.3;
export const FAST_RUN_MIN = 16;
export const FAST_SYNC_BYTES_MAX = 32 * KiB;
/** One sync this slow is no hiccup: the disk has to prove itself for longer. */
const SLOW_SYNC_MS = 5;
const SLOW_PENALTY = 1000;

export class Syncer {
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #canSyncInPlace: boolean;
  /** Small syncs within the time, one after another. Negative: as many are owed. */
  #fastRun = 0;
  syncsInPlace = 0;
  syncsInPool = 0;
  syncsOfAll = 0;

  constructor(files: Files, clock: Clock, canSyncInPlace: boolean) {
    this.#files = files;
    this.#clock = clock;
    this.#canSyncInPlace = canSyncInPlace;
  }

  get hasSyncAll(): boolean {
    return this.#files.syncAll !== undefined;
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

  /** One sync for the whole file system; false when it could not even be tried. @throws system errors: the bytes may be lost */
  async syncAll(descriptor: number): Promise<boolean> {
    const { syncAll } = this.#files;
    if (syncAll === undefined) return false;
    try {
      await syncAll.call(this.#files, descriptor);
      this.syncsOfAll += 1;
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

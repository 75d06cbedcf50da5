/**
 * Where fetches start, and what bounds all of them together. How one fetch looks, waits and reads is long-poll.ts.
 *
 *   openMax            fetches that wait at once; beyond it the response is empty at once and asks the client to wait
 *                      (throttleTimeMs), so that it does not come back in a circle
 *   responseBytesMax   records in one response, whatever the client allows
 */

import type { Clock } from "../base/clock.ts";
import { Histogram, SECONDS_BOUNDS } from "../base/histogram.ts";
import { SECOND_MS } from "../base/units.ts";
import type { FetchSlot } from "./fetch-slot.ts";
import {
  Fetch,
  type FetchHost,
  type FetchListener,
  type FetchOptions,
  type FetchRotation,
} from "./long-poll.ts";

export interface FetchLimits {
  /** Fetches that may wait at the same time. */
  readonly openMax: number;
  /** Records in one response, whatever the client allows. */
  readonly responseBytesMax: number;
}

/** A fetch with so many partitions holds so little that completing it early frees nothing. */
const SMALL_PARTITIONS = 16;

export class Fetches implements FetchHost {
  readonly clock: Clock;
  readonly responseBytesMax: number;
  readonly #openMax: number;
  readonly #open = new Set<Fetch>();
  #isStopping = false;
  /** What has been requested in this turn. */
  #missingPartitions = 0;
  /** Fetches that got an empty response because too many waited. */
  throttledCount = 0;
  /** How long those have waited that were answered. */
  readonly waitSeconds = new Histogram(SECONDS_BOUNDS);

  constructor(clock: Clock, limits: FetchLimits) {
    this.clock = clock;
    this.responseBytesMax = limits.responseBytesMax;
    this.#openMax = limits.openMax;
  }

  /** Fetches that wait now. */
  get openCount(): number {
    return this.#open.size;
  }

  /** A graceful shutdown: every fetch that waits is completed as if its time were over, and no further one waits. */
  respondToAll(): void {
    this.#isStopping = true;
    for (const fetch of [...this.#open]) fetch.expire();
  }

  /**
   * Others wait for memory: completes fetches that wait, as if their time were over, those with the most partitions first, until
   * `partitions` partitions are free. Those with a few stay. At the end of the turn, once for all who ask: O(fetches that wait).
   */
  respondToLarge(partitions: number): void {
    if (this.#missingPartitions === 0) setImmediate(this.#respondToMissing);
    this.#missingPartitions += partitions;
  }

  readonly #respondToMissing = (): void => {
    const large = [...this.#open].filter(({ slots }) => slots.length > SMALL_PARTITIONS);
    large.sort((left, right) => left.slots.length - right.slots.length);
    for (let fetch = large.pop(); fetch !== undefined; fetch = large.pop()) {
      this.#missingPartitions -= fetch.slots.length;
      fetch.expire();
      if (this.#missingPartitions <= 0) break;
    }
    this.#missingPartitions = 0;
  };

  enter(fetch: Fetch): boolean {
    if (this.#isStopping) return false;
    if (this.#open.size >= this.#openMax) {
      this.throttledCount += 1;
      return false;
    }
    this.#open.add(fetch);
    return true;
  }

  leave(fetch: Fetch): void {
    this.#open.delete(fetch);
  }

  fetchDone({ waitedMs }: Fetch): void {
    if (waitedMs > 0) this.waitSeconds.observe(waitedMs / SECOND_MS);
  }

  /**
   * Starts a fetch. `listener` is called once unless the fetch is cancelled, maybe before this returns.
   */
  start(
    slots: readonly FetchSlot[],
    options: FetchOptions,
    rotation: FetchRotation,
    listener: FetchListener,
  ): Fetch {
    const fetch = new Fetch(this, slots, options, rotation, listener);
    fetch.start();
    return fetch;
  }
}

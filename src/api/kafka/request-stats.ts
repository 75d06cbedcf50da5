/**
 * What is counted of the requests of one API: how many came, and how long they took until their responses were there to be sent. What a
 * fetch waits for records, as its client asks, is not in it (consumer/fetches.ts has that). One look at the clock for each request: its
 * begin is known from the watch over the loop's turns.
 */

import type { Clock } from "../../base/clock.ts";
import { Histogram, SECONDS_BOUNDS } from "../../base/histogram.ts";
import { SECOND_MS } from "../../base/units.ts";

export class RequestStats {
  count = 0;
  readonly seconds = new Histogram(SECONDS_BOUNDS);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A request that began at `startedMonotonicMs` is answered, or ends without a response. */
  ended(startedMonotonicMs: number, waitedMs: number): void {
    const ms = this.#clock.monotonicMs() - startedMonotonicMs - waitedMs;
    this.seconds.observe(Math.max(ms, 0) / SECOND_MS);
  }
}

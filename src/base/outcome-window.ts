/**
 * How many of the last operations succeeded: a ring of outcomes, as the Go Obelisk judged its health. Outcomes age out by the
 * clock, so that what went wrong once does not count for ever against a server that is idle.
 *
 *   successRate = successes among the last `size` operations that are younger than `OUTCOME_AGE_MS_MAX` (1 when there are none)
 */

import type { Clock } from "./clock.ts";
import { MINUTE_MS } from "./units.ts";

/** Longer than the pause between two probes or two retries of a client, so that a fault that lasts is seen all the time. */
export const OUTCOME_AGE_MS_MAX = MINUTE_MS;

export class OutcomeWindow {
  readonly #clock: Clock;
  readonly #outcomes: Uint8Array;
  /** When each came, by the monotonic clock. */
  readonly #times: Float64Array;
  #filled = 0;
  #next = 0;
  /** Operations since the start, not only those in the window. */
  operationCount = 0;
  /** Milliseconds since the Unix epoch of the last success; 0 when there was none. */
  lastSuccessAtMs = 0;
  /** The same by the monotonic clock; -Infinity when there was none. */
  lastSuccessMonotonicMs = Number.NEGATIVE_INFINITY;

  /** `size`: operations looked back at. */
  constructor(size: number, clock: Clock) {
    this.#clock = clock;
    this.#outcomes = new Uint8Array(size);
    this.#times = new Float64Array(size);
  }

  /** Looks at up to `size` outcomes. */
  get successRate(): number {
    const size = this.#outcomes.length;
    const oldestMs = this.#clock.monotonicMs() - OUTCOME_AGE_MS_MAX;
    let count = 0;
    let successes = 0;
    for (; count < this.#filled; count += 1) {
      const slot = (this.#next - 1 - count + size) % size;
      if (this.#times[slot]! < oldestMs) break;
      successes += this.#outcomes[slot]!;
    }
    return count === 0 ? 1 : successes / count;
  }

  record(isSuccess: boolean, atMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#outcomes[this.#next] = isSuccess ? 1 : 0;
    this.#times[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#outcomes.length;
    if (this.#filled < this.#outcomes.length) this.#filled += 1;
    this.operationCount += 1;
    if (!isSuccess) return;
    this.lastSuccessAtMs = atMs;
    this.lastSuccessMonotonicMs = nowMs;
  }
}

/** Holds a stream of records to a rate. Counts from the start, so that a late moment is made up for and the mean is right. */

import { type Clock, sleep } from "../src/base/clock.ts";

/** Waits shorter than this are not worth a timer: records go out in small groups. */
const WAIT_MS_MIN = 2;

export class Pacer {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #startedAtMs: number;
  #count = 0;

  /** `perSecond` 0: no limit. */
  constructor(perSecond: number, clock: Clock) {
    this.#clock = clock;
    this.#perMs = perSecond / 1000;
    this.#startedAtMs = clock.monotonicMs();
  }

  /** One record is about to go out; gives a promise when it is too early. */
  next(): Promise<void> | undefined {
    if (this.#perMs === 0) return undefined;
    const dueAtMs = this.#startedAtMs + this.#count / this.#perMs;
    this.#count += 1;
    const waitMs = dueAtMs - this.#clock.monotonicMs();
    return waitMs < WAIT_MS_MIN ? undefined : sleep(this.#clock, waitMs);
  }
}

/**
 * A warning that peers can provoke as often as they like: at most one line in `INTERVAL_MS`, and each says how many were
 * suppressed since the last, so that a hostile peer cannot fill the log and an operator still sees that it goes on.
 */

import type { Clock } from "./clock.ts";
import type { Facts, Log } from "./log.ts";
import { SECOND_MS } from "./units.ts";

/** Often enough to see when it starts and ends, seldom enough for a year of it: 3 million lines. */
const INTERVAL_MS = 10 * SECOND_MS;

export class RateLimitedWarning {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #message: string;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #keptBack = 0;

  constructor(log: Log, clock: Clock, message: string) {
    this.#log = log;
    this.#clock = clock;
    this.#message = message;
  }

  /** Facts that cost something are given as a function: it is called only for a line. */
  tell(facts: Facts | (() => Facts)): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextAtMs) {
      this.#keptBack += 1;
      return;
    }
    const told = typeof facts === "function" ? facts() : facts;
    this.#log.warn(this.#message, this.#keptBack === 0 ? told : { ...told, keptBack: this.#keptBack });
    this.#nextAtMs = nowMs + INTERVAL_MS;
    this.#keptBack = 0;
  }
}

/**
 * The lines by which an operator hears that appends to a partition fail, and that they succeed again. What ails the
 * disk ails all partitions, and where it changes its mind all the time (the last descriptors come and go) each of thousands would
 * have a line for each change: so the first `LINES_MAX` in `INTERVAL_MS` are told, and then how many were not.
 */

import type { Clock } from "../base/clock.ts";
import type { Facts, Log } from "../base/log.ts";
import { SECOND_MS } from "../base/units.ts";

/** Enough to see which topics it is about. */
export const LINES_MAX = 20;
const INTERVAL_MS = 10 * SECOND_MS;

export class DiskNews {
  readonly #log: Log;
  readonly #clock: Clock;
  #intervalEndsAtMs = Number.NEGATIVE_INFINITY;
  #told = 0;
  #keptBack = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  refuses(facts: Facts): void {
    const told = this.#tell(facts);
    if (told !== null) this.#log.error("append failed; produce requests get KAFKA_STORAGE_ERROR", told);
  }

  takesAgain(facts: Facts): void {
    const told = this.#tell(facts);
    if (told !== null) this.#log.info("appends succeed again", told);
  }

  /** What the line says; null: it is kept back. */
  #tell(facts: Facts): Facts | null {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#intervalEndsAtMs) {
      this.#intervalEndsAtMs = nowMs + INTERVAL_MS;
      this.#told = 0;
    }
    if (this.#told === LINES_MAX) {
      this.#keptBack += 1;
      return null;
    }
    this.#told += 1;
    if (this.#keptBack === 0) return facts;
    const keptBack = this.#keptBack;
    this.#keptBack = 0;
    return { ...facts, keptBack };
  }
}

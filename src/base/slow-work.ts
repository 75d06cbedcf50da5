/**
 * Work in steps that is usually over in a moment, as a stop is: while it goes on, a line in the log says every `TOLD_EACH_MS` which
 * step it is in and since when, so that an operator who waits knows what for.
 */

import type { Clock, Timer } from "./clock.ts";
import type { Facts, Log } from "./log.ts";
import { SECOND_MS } from "./units.ts";

/** Long enough that most work says nothing, and a few times before the usual patience is over (10 s). */
export const TOLD_EACH_MS = 2 * SECOND_MS;

export class SlowWork {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #message: string;
  readonly #startedAtMs: number;
  #step = "";
  #facts: () => Facts = () => ({});
  #timer: Timer;

  constructor(log: Log, clock: Clock, message: string) {
    this.#log = log;
    this.#clock = clock;
    this.#message = message;
    this.#startedAtMs = clock.monotonicMs();
    this.#timer = clock.after(TOLD_EACH_MS, () => this.#tell());
  }

  /** What is done from now on; `facts` is called when a line is written. */
  step(name: string, facts: () => Facts = () => ({})): void {
    this.#step = name;
    this.#facts = facts;
  }

  /** It is over, well or badly. */
  end(): void {
    this.#timer.cancel();
  }

  #tell(): void {
    const ms = Math.round(this.#clock.monotonicMs() - this.#startedAtMs);
    this.#log.info(this.#message, { step: this.#step, ms, ...this.#facts() });
    this.#timer = this.#clock.after(TOLD_EACH_MS, () => this.#tell());
  }
}

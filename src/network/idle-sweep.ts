/**
 * One coarse timer for all connections of a listener. It counts ticks; a connection records the tick of its last progress
 * (a field read, no clock) and checks at each tick whether it has been still for too long.
 *
 *     timeoutMs = TICKS ticks: a still connection is cut between timeoutMs and timeoutMs + one tick after its last progress
 *
 * The timer runs only while something is watched. A tick costs a few nanoseconds for each connection.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { KiB } from "../base/units.ts";

/** Precision of the timeout: one eighth of it. */
export const IDLE_TICKS = 8;

/** An incomplete frame is making progress when this much of it came: two KiB a second at the default timeout. */
const PROGRESS_BYTES = 64 * KiB;

export interface Watched {
  /** Called at each tick; `tick` has just grown by one. May unwatch itself. */
  tick(tick: number): void;
}

export class IdleSweep {
  /** The number of ticks so far. */
  now = 0;
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #watched = new Set<Watched>();
  #timer: Timer | null = null;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#tickMs = Math.max(1, Math.ceil(timeoutMs / IDLE_TICKS));
  }

  watch(watched: Watched): void {
    this.#watched.add(watched);
    if (this.#timer === null) this.#schedule();
  }

  unwatch(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size > 0 || this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = null;
  }

  #schedule(): void {
    this.#timer = this.#clock.after(this.#tickMs, () => {
      loopTurns.enter("idle connections");
      this.#timer = null;
      this.now += 1;
      for (const watched of this.#watched) watched.tick(this.now);
      if (this.#watched.size > 0 && this.#timer === null) this.#schedule();
    });
  }
}

/** How long one connection has been still. */
export class Stillness {
  readonly #sweep: IdleSweep;
  #progressTick: number;
  #stillBytes = 0;

  constructor(sweep: IdleSweep) {
    this.#sweep = sweep;
    this.#progressTick = sweep.now;
  }

  /** It has moved: a frame was whole, or output was taken. */
  end(): void {
    this.#progressTick = this.#sweep.now;
    this.#stillBytes = 0;
  }

  /** Some bytes came; many make a movement. */
  came(bytes: number): void {
    this.#stillBytes += bytes;
    if (this.#stillBytes >= PROGRESS_BYTES) this.end();
  }

  /** Time in which it waits for us does not count. */
  pass(): void {
    this.#progressTick = this.#sweep.now;
  }

  get isOver(): boolean {
    return this.#sweep.now - this.#progressTick > IDLE_TICKS;
  }
}

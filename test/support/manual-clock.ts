/**
 * A clock that the test advances: `advance` fires what falls due, in order. `setWallClock` does what an operator or NTP
 * does: it changes what time it is, and nothing that only waits notices.
 */

import type { Clock, Timer } from "../../src/base/clock.ts";

interface Alarm {
  atMs: number;
  callback: () => void;
}

export class ManualClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  /** How far the wall clock was set away from the time that passed. */
  #setMs = 0;
  readonly #alarms = new Set<Alarm>();

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs + this.#setMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  steadyMs(): number {
    return this.#nowMs;
  }

  /** Sets the wall clock forward, or back by a negative time. */
  setWallClock(byMs: number): void {
    this.#setMs += byMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const alarm = { atMs: this.#nowMs + delayMs, callback };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Moves the time on and calls back everything that falls due on the way. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let alarm = this.#nextDue(untilMs); alarm !== undefined; alarm = this.#nextDue(untilMs)) {
      this.#alarms.delete(alarm);
      this.#nowMs = Math.max(this.#nowMs, alarm.atMs);
      alarm.callback();
    }
    this.#nowMs = untilMs;
  }

  #nextDue(untilMs: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs <= untilMs && (next === undefined || alarm.atMs < next.atMs)) next = alarm;
    }
    return next;
  }
}

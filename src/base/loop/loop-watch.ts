/**
 * Watches the turns of the event loop while a server runs: long ones get a line in the log with the work that took them, and a
 * turn that nobody has named (loop-turns.ts) is noticed by a timer that fires late. A line for each such turn: at debug level above
 * `TOLD_MS`, as a rate-limited warning above `WARNED_MS`.
 */

import type { Clock, Timer } from "../clock.ts";
import { Histogram, SECONDS_BOUNDS } from "../histogram.ts";
import type { Log } from "../log.ts";
import { RateLimitedWarning } from "../rate-limited-warning.ts";
import { SECOND_MS } from "../units.ts";
import { LONG_TURN_MS, type LoopTurns, OTHER_WORK } from "./loop-turns.ts";

/** No turn is as long by design. */
export const TOLD_MS = 100;
/** Clients and probes begin to notice. */
export const WARNED_MS = SECOND_MS;
/** So long a stall is told after it, by whoever reports health: longer than the pause between two probes. */
export const STALL_AGE_MS: number = 10 * SECOND_MS;
/** A turn twice as long is seen whenever it comes; an idle process hardly notices 20 looks a second. */
export const LOOK_MS = LONG_TURN_MS;

/** A turn in which everybody has waited longer than `WARNED_MS`. */
export interface LoopStall {
  readonly work: string;
  readonly ms: number;
  /** When it was over, by the monotonic clock. */
  readonly atMs: number;
}

export class LoopWatch {
  /** How late its timer fires: what everybody waits whose turn it is. */
  readonly delaySeconds = new Histogram(SECONDS_BOUNDS);
  readonly #turns: LoopTurns;
  readonly #clock: Clock;
  readonly #unsubscribe: () => void;
  #stall: LoopStall | null = null;
  #dueAtMs = 0;
  /** What named turns had taken when the timer was set. */
  #namedMs = 0;
  #timer: Timer;

  constructor(turns: LoopTurns, clock: Clock, log: Log) {
    this.#turns = turns;
    this.#clock = clock;
    const warning = new RateLimitedWarning(log, clock, "the event loop was blocked: all clients have waited");
    this.#unsubscribe = turns.onLong((work, turnMs, pieceMs) => {
      if (turnMs <= TOLD_MS) return;
      const facts = { work, ms: Math.round(turnMs), pieceMs: Math.round(pieceMs) };
      if (turnMs > WARNED_MS) {
        this.#stall = { work, ms: Math.round(turnMs), atMs: clock.monotonicMs() };
        warning.tell(facts);
      } else log.debug("a turn of the event loop was long", facts);
    });
    this.#timer = this.#plan();
  }

  /** The last one, as long as it is not older than `STALL_AGE_MS`. */
  get recentStall(): LoopStall | null {
    const stall = this.#stall;
    return stall !== null && this.#clock.monotonicMs() - stall.atMs <= STALL_AGE_MS ? stall : null;
  }

  stop(): void {
    this.#timer.cancel();
    this.#unsubscribe();
  }

  #plan(): Timer {
    this.#dueAtMs = this.#clock.monotonicMs() + LOOK_MS;
    this.#namedMs = this.#turns.namedMs;
    return this.#clock.after(LOOK_MS, () => {
      this.#look();
      this.#timer = this.#plan();
    });
  }

  /**
   * A turn that is open reports itself, and one that has ended has done so: what is told here is the time since the last one, or what
   * is left of the delay without all of them. (After a pause of the whole process a socket may be served before the timer.)
   */
  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    const { isOpen, endedAtMs, namedMs } = this.#turns;
    this.delaySeconds.observe(Math.max(nowMs - this.#dueAtMs, 0) / SECOND_MS);
    const sinceMs = isOpen ? 0 : nowMs - Math.max(this.#dueAtMs, endedAtMs);
    const lateMs = Math.max(sinceMs, nowMs - this.#dueAtMs - (namedMs - this.#namedMs));
    if (lateMs > LONG_TURN_MS) this.#turns.record(OTHER_WORK, lateMs, lateMs);
  }
}

/**
 * Long work in slices of time, where pieces cannot be counted (`Slices` in turns.ts): after some milliseconds it leaves the loop to
 * the others, and goes on in a later turn.
 *
 *   turn 1   sockets, work A, work B        both have used up their share, and rest
 *   turn 2   sockets, A
 *   turn 3   sockets, B
 *
 * Of all that rest only one goes on in each turn, in order, so that a turn does not become longer with their number. What others can
 * see must be whole whenever work rests.
 */

import { type Clock, systemClock } from "../clock.ts";
import { Ring } from "../ring.ts";
import { loopTurns } from "./loop-turns.ts";

/**
 * So short that a small request has its response within 20 ms, for which it takes three turns or four: one that brings the record, one
 * that syncs it, one that tells. So long that a rest (some 10 us) costs nothing.
 */
const SHARE_MS = 3;

/** There is one loop, so there is one queue. */
const resting = new Ring<() => void>();

/**
 * One piece of long work; made when it begins. Who knows that it will be long rests first, or many that come in one turn would each
 * take a share of it.
 */
export class TurnShare {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** Its name in the watch over long turns. */
  readonly #work = loopTurns.work;
  #startedMs: number;

  constructor(clock: Pick<Clock, "monotonicMs"> = systemClock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  /** Whether the work should rest now. Costs a look at the clock. */
  get isUsedUp(): boolean {
    return this.#clock.monotonicMs() - this.#startedMs >= SHARE_MS;
  }

  /** Resolves in a later turn, when it is this work's turn. */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      resting.push(resolve);
      if (resting.count === 1) setImmediate(resumeOne);
    });
    loopTurns.enter(this.#work);
    this.#startedMs = this.#clock.monotonicMs();
  }
}

function resumeOne(): void {
  resting.shift()?.();
  if (resting.count > 0) setImmediate(resumeOne);
}

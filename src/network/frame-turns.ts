/**
 * Keeps a turn of the loop short when many peers send at once. Bun hands over what all sockets have received in one turn; frames of
 * which nobody is long make a turn of seconds together, in which nobody is answered. So once a turn has taken `SPENT_MS_MAX`, the
 * connections that still have frames wait for the following turns, first come first served, and their sockets are not read meanwhile.
 *
 *     turn 1   a a a b b b c c |  d, e wait
 *     turn 2   d d d e e       |  a waits again
 *
 * One turn lets at least one frame through, however long it takes.
 */

import { loopTurns } from "../base/loop-turns.ts";
import { Ring } from "../base/ring.ts";

/** An honest request waits for one such turn, and for what else is in it: half of the 20 ms that one in a hundred may take. */
const SPENT_MS_MAX = 10;

export interface TurnWaiter {
  /** It may deliver at least one frame now, and more while the turn is not spent. */
  turnCame(): void;
}

class FrameTurns {
  readonly #waiting = new Ring<TurnWaiter>();
  #isScheduled = false;

  /** Whether no further frame should be delivered in this turn. */
  get isSpent(): boolean {
    return loopTurns.spentMs >= SPENT_MS_MAX;
  }

  /** Calls `waiter.turnCame` once, in a later turn. */
  wait(waiter: TurnWaiter): void {
    this.#waiting.push(waiter);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.count === 0) return;
    this.#isScheduled = true;
    setImmediate(this.#goOn);
  }

  readonly #goOn = (): void => {
    this.#isScheduled = false;
    try {
      // Who has to wait again comes behind those that wait now.
      for (let left = this.#waiting.count; left > 0; left -= 1) {
        this.#waiting.shift()!.turnCame();
        if (this.isSpent) break;
      }
    } finally {
      this.#schedule();
    }
  };
}

/** There is one loop, so there is one of these. */
export const frameTurns = new FrameTurns();

/**
 * Keeps a turn of the loop short when many peers send at once. Bun hands over what all sockets have received in one turn; frames of
 * which nobody is long make a turn of seconds together, in which nobody is answered. So once a turn has taken `SPENT_MS_MAX`, the
 * connections that still have frames wait for the following turns, first come first served, and their sockets are not read meanwhile.
 *
 *     turn 1   a a a b b b c c |  d, e wait
 *     turn 2   d d d e e       |  a waits again
 *
 * Whoever is in the middle of a long frame does not wait until it has more of it: the system has more for it for certain, and Bun would
 * copy half a MiB for each in this turn still. A socket that is paused in a turn is passed over in it.
 *
 * Who is between frames, or in a short one, goes first: it asks for little. Of the others one goes on in each turn at least. One turn
 * lets at least one frame through, however long it takes.
 */

import { loopTurns } from "../base/loop/loop-turns.ts";
import { Ring } from "../base/ring.ts";

/**
 * A fifth of the 50 ms that a turn may take: what Bun has read already and one large request come behind it. About what 100 busy
 * producers need for a turn (500 requests of 25 us), because each connection that waits costs two system calls.
 */
const SPENT_MS_MAX = 10;

export interface TurnWaiter {
  /** In the middle of a long frame. */
  readonly isLong: boolean;
  /** It may deliver at least one frame now, and more while the turn is not spent. */
  turnCame(): void;
  /** The turn is spent: true when it reads no more now, and waits for another. */
  turnSpent(): boolean;
}

class FrameTurns {
  readonly #waiting = new Ring<TurnWaiter>();
  readonly #waitingLong = new Ring<TurnWaiter>();
  readonly #long = new Set<TurnWaiter>();
  #isScheduled = false;

  /** Whether no further frame should be delivered in this turn. */
  get isSpent(): boolean {
    return loopTurns.spentMs >= SPENT_MS_MAX;
  }

  /** Calls `waiter.turnCame` once, in a later turn. The first one of a turn ends it for those in the middle of long frames too. */
  wait(waiter: TurnWaiter): void {
    (waiter.isLong ? this.#waitingLong : this.#waiting).push(waiter);
    if (!this.#isScheduled) this.#endForLong();
    this.#schedule();
  }

  /** `waiter` is in the middle of a long frame, until `forget`. */
  add(waiter: TurnWaiter): void {
    this.#long.add(waiter);
  }

  evict(waiter: TurnWaiter): void {
    this.#long.delete(waiter);
  }

  #endForLong(): void {
    for (const waiter of this.#long) if (waiter.turnSpent()) this.#waitingLong.push(waiter);
  }

  #schedule(): void {
    if (this.#isScheduled || (this.#waiting.count === 0 && this.#waitingLong.count === 0)) return;
    this.#isScheduled = true;
    setImmediate(this.#goOn);
  }

  readonly #goOn = (): void => {
    this.#isScheduled = false;
    try {
      this.#serve(this.#waiting);
      this.#serve(this.#waitingLong);
    } finally {
      this.#schedule();
    }
  };

  /** One at least, and more while the turn is not spent. Who has to wait again comes behind those that wait now. */
  #serve(waiting: Ring<TurnWaiter>): void {
    for (let left = waiting.count; left > 0; left -= 1) {
      waiting.shift()!.turnCame();
      if (this.isSpent) return;
    }
  }
}

/** There is one loop, so there is one of these. */
export const frameTurns = new FrameTurns();

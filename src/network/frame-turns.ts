/**
 * Keeps a turn of the loop short when many peers send at once. Bun hands over what all sockets have received in one turn; frames of
 * which none is long make a turn of seconds together, in which nobody gets a response. So once a turn has taken its share, the
 * connections that still have frames wait for the following turns, first come first served, and their sockets are not read meanwhile.
 *
 *     turn 1   a a a b b b c c |  d, e wait
 *     turn 2   d d d e e       |  a waits again
 *
 * A connection between frames, or in a short one, needs little: it has `SPENT_MS_MAX`, and goes first. One in the middle of a long frame
 * has only `LONG_SPENT_MS_MAX`, or hundreds of them would make every turn as long as that, and those that need little wait for two or
 * three turns. Of each kind one goes on in every turn at least. One turn lets at least one frame through, however long it takes.
 *
 * The system has more of a long frame for certain, and Bun would copy half a MiB of it for each of them before we see it. So the first
 * who has to wait ends the turn for all of them (a socket that is paused in a turn is skipped in it), and of those that wait only some
 * are read in the next one. Who has sent no frame yet counts as one of them: nobody knows what will come, and a storm of connections
 * that all begin a long frame would be read in one turn.
 */

import { loopTurns } from "../base/loop/loop-turns.ts";
import { Ring } from "../base/ring.ts";

/**
 * A fifth of the 50 ms that a turn may take: what Bun has read already and one large request come after it. About what 100 busy
 * producers need for a turn (500 requests of 25 us), because each connection that waits costs two system calls.
 */
const SPENT_MS_MAX = 10;
/** A response takes some three turns (the request, its sync, the reader): so 20 ms are kept beside any number of long frames. */
const LONG_SPENT_MS_MAX = 4;
/** Each may bring half a MiB, which takes some 0.3 ms: they fill their share of a turn. */
const LONG_AT_ONCE_MAX = 16;
/** Pausing one costs 2 us. Of more that have sent no frame yet, the eldest are read whatever the turn has taken. */
const NEWCOMERS_MAX = 1000;

export interface TurnWaiter {
  /** In the middle of a long frame, or has sent no frame yet. */
  readonly isLong: boolean;
  /** It may deliver at least one frame now, and more while the turn is not spent. */
  turnCame(): void;
  /** The turn is spent: true when it reads no more now, and waits for another. */
  turnSpent(): boolean;
}

export class FrameTurns {
  readonly #turns: { readonly spentMs: number };
  readonly #waiting = new Ring<TurnWaiter>();
  readonly #waitingLong = new Ring<TurnWaiter>();
  readonly #long = new Set<TurnWaiter>();
  readonly #newcomers = new Set<TurnWaiter>();
  #isScheduled = false;
  /** This turn has ended for long frames. */
  #hasEnded = false;

  constructor(turns: { readonly spentMs: number }) {
    this.#turns = turns;
  }

  /** Whether no further frame of such a connection should be delivered in this turn. */
  isSpent({ isLong }: TurnWaiter): boolean {
    return this.#turns.spentMs >= (isLong ? LONG_SPENT_MS_MAX : SPENT_MS_MAX);
  }

  /** Calls `waiter.turnCame` once, in a later turn. The first one of a turn ends it for those in the middle of long frames too. */
  wait(waiter: TurnWaiter): void {
    (waiter.isLong ? this.#waitingLong : this.#waiting).push(waiter);
    if (!this.#hasEnded) this.#endForLong();
    this.#schedule();
  }

  /** `waiter` has sent no frame yet, until `remove`. */
  addNewcomer(waiter: TurnWaiter): void {
    this.#newcomers.add(waiter);
    if (this.#newcomers.size <= NEWCOMERS_MAX) return;
    for (const eldest of this.#newcomers) {
      this.#newcomers.delete(eldest);
      return;
    }
  }

  /** `waiter` is in the middle of a long frame, until `remove`. */
  addLong(waiter: TurnWaiter): void {
    this.#newcomers.delete(waiter);
    this.#long.add(waiter);
  }

  remove(waiter: TurnWaiter): void {
    this.#newcomers.delete(waiter);
    this.#long.delete(waiter);
  }

  #endForLong(): void {
    this.#hasEnded = true;
    for (const waiter of this.#long) this.#end(waiter);
    for (const waiter of this.#newcomers) this.#end(waiter);
  }

  #end(waiter: TurnWaiter): void {
    if (waiter.turnSpent()) this.#waitingLong.push(waiter);
  }

  #schedule(): void {
    if (this.#isScheduled || (this.#waiting.count === 0 && this.#waitingLong.count === 0)) return;
    this.#isScheduled = true;
    setImmediate(this.#goOn);
  }

  readonly #goOn = (): void => {
    this.#isScheduled = false;
    this.#hasEnded = false;
    try {
      this.#serve(this.#waiting, this.#waiting.count);
      this.#serve(this.#waitingLong, LONG_AT_ONCE_MAX);
    } finally {
      this.#schedule();
    }
  };

  /** One at least, and more while the turn is not spent. A waiter that has to wait again comes after those that wait now. */
  #serve(waiting: Ring<TurnWaiter>, countMax: number): void {
    for (let left = Math.min(waiting.count, countMax); left > 0; left -= 1) {
      const waiter = waiting.shift()!;
      waiter.turnCame();
      if (this.isSpent(waiter)) return;
    }
  }
}

/** There is one loop, so there is one of these. */
export const frameTurns = new FrameTurns(loopTurns);

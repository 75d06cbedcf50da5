/**
 * Long work on the event loop that everybody shares: in turns, so that sockets are served between, and few at a time, so that what
 * each holds in memory stays bounded.
 */

import { Ring } from "../ring.ts";
import { loopTurns } from "./loop-turns.ts";

/** Resolves when the loop has come round once: what has arrived meanwhile is served first. */
export function nextTurn(): Promise<void> {
  const { work } = loopTurns;
  return new Promise((resolve) => {
    setImmediate(() => {
      loopTurns.enter(work);
      resolve();
    });
  });
}

/**
 * Cuts work into slices: at most `piecesMax` pieces are done in one turn, by everybody who shares these slices together, and the others
 * wait for the next turns, first come first served.
 */
export class Slices {
  readonly #piecesMax: number;
  readonly #nextTurn: () => Promise<void>;
  #left: number;
  #isTurning = false;
  readonly #queue = new Ring<() => void>();

  /** `turn` resolves when the loop has come round; for tests. */
  constructor(piecesMax: number, turn: () => Promise<void> = nextTurn) {
    this.#piecesMax = piecesMax;
    this.#nextTurn = turn;
    this.#left = piecesMax;
  }

  /** Resolves when one more piece may be done. */
  next(): Promise<void> {
    if (this.#left > 0) {
      this.#left -= 1;
      return Promise.resolve();
    }
    if (!this.#isTurning) void this.#turn();
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    do {
      await this.#nextTurn();
      this.#left = this.#piecesMax;
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#left -= 1;
        next();
        if (this.#left === 0) break;
      }
    } while (this.#queue.count > 0);
    this.#isTurning = false;
  }
}

/** Lets at most `places` pieces of work be under way; the others wait, first come first served. Work must not wait for itself. */
export class Turnstile {
  readonly #places: number;
  #taken = 0;
  readonly #queue = new Ring<() => void>();

  constructor(places: number) {
    this.#places = places;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#taken < this.#places) this.#taken += 1;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** The place goes to whoever waits longest. */
  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
  }
}

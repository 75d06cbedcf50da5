/**
 * Long work on the event loop that everybody shares: in turns, so that sockets are served between, and few at a time, so that what
 * each holds in memory stays bounded.
 */

import { loopTurns } from "./loop-turns.ts";
import { Ring } from "./ring.ts";

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

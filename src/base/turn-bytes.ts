/**
 * How many bytes of records all together read, check and send in one turn of the event loop. Many peers may ask for something in the
 * same turn, and each piece of work be short: then the turn is as long as all of them.
 *
 *     turn 1   A  B  C | D E wait          spend: until `TURN_BYTES_MAX` are spent
 *     turn 2   D  E  A | B C wait          first come first served; nobody overtakes who waits
 *
 * The last one may pass the limit by its own piece: callers ask for pieces of a few MiB at most.
 */

import { loopTurns } from "./loop-turns.ts";
import { Ring } from "./ring.ts";
import { MiB } from "./units.ts";

/** Some 5 ms of checking, copying to sockets and clearing their pages. */
const TURN_BYTES_MAX = 8 * MiB;

export class TurnBytes {
  readonly #bytesMax: number;
  readonly #waiting = new Ring<() => void>();
  #spentBytes = 0;
  #isServing = false;
  #isScheduled = false;
  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#spentBytes = 0;
    this.#isServing = true;
    while (this.#waiting.count > 0 && this.#spentBytes < this.#bytesMax) this.#waiting.shift()!();
    this.#isServing = false;
    if (this.#waiting.count > 0 || this.#spentBytes > 0) this.#schedule();
  };

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether the caller may go on in this turn. */
  get hasRoom(): boolean {
    return this.#spentBytes < this.#bytesMax && (this.#isServing || this.#waiting.count === 0);
  }

  spend(bytes: number): void {
    this.#spentBytes += bytes;
    this.#schedule();
  }

  /** Calls back once in a later turn, when there is room; `goOn` catches its own mistakes. */
  wait(goOn: () => void): void {
    this.#waiting.push(goOn);
    this.#schedule();
  }

  /** Does a piece of work in a later turn, when there is room; it belongs to what runs now. */
  run<Result>(work: () => Result): Promise<Result> {
    const word = loopTurns.work;
    return new Promise((resolve, reject) => {
      this.wait(() => {
        loopTurns.enter(word);
        try {
          resolve(work());
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#next);
  }
}

/** There is one loop. */
export const turnBytes = new TurnBytes(TURN_BYTES_MAX);

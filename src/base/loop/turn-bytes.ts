/**
 * How many bytes of records all together read, check and send in one turn of the event loop. Many peers may request something in the
 * same turn, and each piece of work be short: then the turn is as long as all of them.
 *
 *     turn 1   A  B  C | D E wait          spend: until the turn has no room
 *     turn 2   D  E  A | B C wait          first come first served; nobody overtakes who waits
 *
 * Small before large: what is up to `SMALL_BYTES_MAX` waits only for others of its size, and large ones leave it the last quarter of
 * a turn. One large one goes on in every turn all the same.
 *
 * The last one may pass the limit by its own piece: callers take pieces of a few MiB at most.
 */

import { Ring } from "../ring.ts";
import { MiB } from "../units.ts";
import { loopTurns } from "./loop-turns.ts";

/** Some 5 ms of checking, copying to sockets and clearing their pages. */
const TURN_BYTES_MAX = 8 * MiB;
const LARGE_PART = 0.75;
/** What most consumers request of one partition. */
const SMALL_BYTES_MAX = 1 * MiB;

export class TurnBytes {
  readonly #bytesMax: number;
  readonly #small = new Ring<() => void>();
  readonly #large = new Ring<() => void>();
  #spentBytes = 0;
  #isServing = false;
  #isScheduled = false;
  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#spentBytes = 0;
    this.#isServing = true;
    this.#large.shift()?.();
    this.#serve(this.#small, false);
    this.#serve(this.#large, true);
    this.#isServing = false;
    if (this.#small.count + this.#large.count > 0 || this.#spentBytes > 0) this.#schedule();
  };

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether a caller that has so many bytes to do in all may go on in this turn. */
  hasRoom(workBytes: number): boolean {
    const isLarge = workBytes > SMALL_BYTES_MAX;
    if (this.#isSpent(isLarge)) return false;
    return this.#isServing || this.#small.count + (isLarge ? this.#large.count : 0) === 0;
  }

  spend(bytes: number): void {
    this.#spentBytes += bytes;
    this.#schedule();
  }

  /** Calls back once in a later turn, when there is room; `goOn` catches its own errors. */
  wait(workBytes: number, goOn: () => void): void {
    (workBytes > SMALL_BYTES_MAX ? this.#large : this.#small).push(goOn);
    this.#schedule();
  }

  /** Does a piece of work in a later turn, when there is room; it belongs to what runs now. */
  run<Result>(workBytes: number, work: () => Result): Promise<Result> {
    const word = loopTurns.work;
    return new Promise((resolve, reject) => {
      this.wait(workBytes, () => {
        loopTurns.enter(word);
        try {
          resolve(work());
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
  }

  #isSpent(isLarge: boolean): boolean {
    return this.#spentBytes >= this.#bytesMax * (isLarge ? LARGE_PART : 1);
  }

  #serve(waiting: Ring<() => void>, isLarge: boolean): void {
    while (waiting.count > 0 && !this.#isSpent(isLarge)) waiting.shift()!();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#next);
  }
}

/** There is one loop. */
export const turnBytes = new TurnBytes(TURN_BYTES_MAX);

/**
 * A byte budget that many askers share: what they hold together never passes `limitBytes`.
 *
 *     reserve(bytes) fits and nobody waits  ->  held at once
 *     otherwise                             ->  the asker joins a queue, first come first served
 *     release(bytes)                        ->  the queue is served from the front, as far as it fits
 *
 * Invariants
 *   - 0 <= usedBytes <= limitBytes.
 *   - Nobody overtakes: a small request behind a large one waits too, so that a large one is never starved.
 *   - No deadlock: a request larger than the whole budget is refused (`canHold`), nobody holds one part while waiting for
 *     another, and whoever holds is expected to finish or to be cut off by its own timeout.
 *
 * It moves no bytes and knows no sockets: it counts.
 */

import { fail } from "./assert.ts";
import { Ring } from "./ring.ts";

export interface BudgetWaiter {
  /** The bytes asked for are held from now on. Called within another holder's `release`: do no work here, schedule it. */
  budgetGranted(bytes: number): void;
}

interface Wait {
  waiter: BudgetWaiter | null;
  bytes: number;
}

export class MemoryBudget {
  readonly limitBytes: number;
  #usedBytes = 0;
  #waitingCount = 0;
  readonly #queue = new Ring<Wait>();

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get waitingCount(): number {
    return this.#waitingCount;
  }

  /** Whether such a request can ever be granted. */
  canHold(bytes: number): boolean {
    return bytes <= this.limitBytes;
  }

  /** True: held now. False: queued, and `waiter.budgetGranted` will be called. One wait for each waiter at a time. */
  reserve(bytes: number, waiter: BudgetWaiter): boolean {
    if (!this.canHold(bytes)) fail("a reservation larger than the whole budget");
    if (this.#waitingCount === 0 && this.#usedBytes + bytes <= this.limitBytes) {
      this.#usedBytes += bytes;
      return true;
    }
    this.#queue.push({ waiter, bytes });
    this.#waitingCount += 1;
    return false;
  }

  release(bytes: number): void {
    if (bytes > this.#usedBytes) fail("more bytes were released than were reserved");
    this.#usedBytes -= bytes;
    this.#serve();
  }

  /** Takes a waiter out of the queue; nothing happens when it does not wait. O(waiting). */
  cancel(waiter: BudgetWaiter): void {
    for (let index = 0; index < this.#queue.count; index += 1) {
      const wait = this.#queue.at(index)!;
      if (wait.waiter !== waiter) continue;
      wait.waiter = null;
      this.#waitingCount -= 1;
      this.#serve();
      return;
    }
  }

  #serve(): void {
    for (let wait = this.#queue.peek(); wait !== undefined; wait = this.#queue.peek()) {
      if (wait.waiter !== null) {
        if (this.#usedBytes + wait.bytes > this.limitBytes) return;
        this.#usedBytes += wait.bytes;
        this.#waitingCount -= 1;
      }
      this.#queue.shift();
      wait.waiter?.budgetGranted(wait.bytes);
    }
  }
}

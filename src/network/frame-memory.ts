/**
 * One connection's part of the memory budget: what its large frames hold, from before they are read until their request is
 * done (`RESERVED_FROM_BYTES` and less is not counted). When the connection closes, everything is given back at once; a
 * handler that releases a frame later releases nothing.
 */

import { fail } from "../base/assert.ts";
import type { BudgetWaiter, MemoryBudget } from "../base/memory-budget.ts";
import { RESERVED_FROM_BYTES } from "./framing.ts";

export class FrameMemory {
  readonly #budget: MemoryBudget;
  #heldBytes = 0;
  #isWaiting = false;
  #isClosed = false;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** True: held. False: `waiter.budgetGranted` will be called, and has to call `granted`. */
  reserve(frameBytes: number, waiter: BudgetWaiter): boolean {
    this.#isWaiting = !this.#budget.reserve(frameBytes, waiter);
    if (!this.#isWaiting) this.#heldBytes += frameBytes;
    return !this.#isWaiting;
  }

  granted(frameBytes: number): void {
    this.#isWaiting = false;
    this.#heldBytes += frameBytes;
  }

  /** Stops waiting, if it does. */
  cancel(waiter: BudgetWaiter): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#budget.cancel(waiter);
  }

  release(frameBytes: number): void {
    if (frameBytes <= RESERVED_FROM_BYTES || this.#isClosed) return;
    if (frameBytes > this.#heldBytes) fail("a frame was released twice");
    this.#heldBytes -= frameBytes;
    this.#budget.release(frameBytes);
  }

  close(): void {
    this.#isClosed = true;
    this.#budget.release(this.#heldBytes);
    this.#heldBytes = 0;
  }
}

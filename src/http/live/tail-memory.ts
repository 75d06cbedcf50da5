/**
 * What one live tail holds of the memory for responses (base/memory): what it has read, and what its reader has not taken yet.
 *
 *     begin ---> a step ---> hold(bytes) ---> the reader takes it ---> release ---> wait, or begin
 *      waits for room                |
 *                                     `-- only its peer can bring that to an end: who takes nothing while others wait is cut (`evict`)
 */

import type { BudgetWaiter, MemoryAccount, MemoryHolder } from "../../base/memory/memory-account.ts";
import type { MemoryBudget } from "../../base/memory/memory-budget.ts";
import { KiB } from "../../base/units.ts";

/** A usual step: one read of the log, and the text of its records. */
const STEP_HELD_BYTES = 512 * KiB;

export class TailMemory implements MemoryHolder {
  readonly host: string;
  movedBytes = 0;
  /** Whether it waits for its reader to take what there is. */
  isResting = false;
  readonly #account: MemoryAccount;
  readonly #onEvict: () => void;
  #isClosed = false;

  constructor(budget: MemoryBudget, host: string, onEvict: () => void) {
    this.host = host;
    this.#account = budget.open(this);
    this.#onEvict = onEvict;
  }

  get unfinishedBytes(): number {
    return this.isResting ? this.#account.bytes : 0;
  }

  evict(): void {
    this.close();
    this.#onEvict();
  }

  /** Resolves when there is room for a step; at once when it is closed. */
  async begin(): Promise<void> {
    this.isResting = false;
    if (this.#isClosed || this.#account.bytes >= STEP_HELD_BYTES) return;
    const waiter: BudgetWaiter = { budgetGranted: () => {} };
    const granted = new Promise<void>((resolve) => {
      waiter.budgetGranted = () => resolve();
      this.#resolve = resolve;
    });
    if (!this.#account.reserve(STEP_HELD_BYTES - this.#account.bytes, waiter)) await granted;
  }

  #resolve: () => void = () => {};

  /** A step is done: so much is held of it, `sentBytes` of which its reader is to take now. */
  hold(bytes: number, sentBytes: number): void {
    const more = bytes - this.#account.bytes;
    if (more > 0) this.#account.charge(more, bytes);
    else this.#account.release(-more);
    this.movedBytes += sentBytes;
    this.isResting = true;
  }

  /** Nothing is held: it waits for records. */
  release(): void {
    this.#account.release(this.#account.bytes);
    this.isResting = false;
  }

  /** May be called again. */
  close(): void {
    this.#isClosed = true;
    this.#account.close();
    this.#resolve();
  }
}

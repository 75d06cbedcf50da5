/**
 * What one request over HTTP holds of the memory for requests or for responses (base/memory): its body and what is made of it, or what
 * was read for it. Bun reads nothing of a body before it is asked to, so what has no room is not read: its peer waits.
 *
 * What is incomplete of a body, or not taken of an answer, only the peer can bring to an end. Whose memory goes to others is refused:
 * `evicted` rejects with the refusal, and the request must end.
 */

import { ObeliskError } from "../base/errors.ts";
import type { BudgetWaiter, MemoryAccount, MemoryHolder } from "../base/memory/memory-account.ts";
import type { MemoryBudget } from "../base/memory/memory-budget.ts";

export class RequestMemory implements MemoryHolder, Disposable {
  readonly host: string;
  movedBytes = 0;
  /** Whether it is the peer who has to go on: to send, or to take. */
  isPeerAwaited = false;
  /** Rejects when the memory goes to others. */
  readonly evicted: Promise<never>;
  readonly #account: MemoryAccount;
  #reject: (reason: ObeliskError) => void = () => {};

  constructor(budget: MemoryBudget, host: string) {
    this.host = host;
    this.#account = budget.open(this);
    this.evicted = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    this.evicted.catch(() => {}); // whoever waits hears of it
  }

  get unfinishedBytes(): number {
    return this.isPeerAwaited ? this.#account.bytes : 0;
  }

  get isResting(): boolean {
    return this.isPeerAwaited;
  }

  evict(heldBytes: number): void {
    this.#account.close();
    this.#reject(
      new ObeliskError("TOO_MANY_REQUESTS", {
        detail: "it went on too slowly while others waited for memory",
        bytes: heldBytes,
      }),
    );
  }

  /** Resolves when the bytes are held. @throws ObeliskError BODY_TOO_LARGE for what can never be, TOO_MANY_REQUESTS */
  async reserve(bytes: number): Promise<void> {
    if (!this.#account.canHold(bytes)) {
      throw new ObeliskError("BODY_TOO_LARGE", {
        detail: "it takes more than there is memory for: give the server more `memory`",
        bytes,
      });
    }
    const waiter: BudgetWaiter = { budgetGranted: () => {} };
    const granted = new Promise<void>((resolve) => {
      waiter.budgetGranted = () => resolve();
    });
    if (!this.#account.reserve(bytes, waiter)) await Promise.race([granted, this.evicted]);
  }

  /** Counts what has come and could not be refused. */
  charge(bytes: number): void {
    this.#account.charge(bytes);
  }

  release(bytes: number): void {
    this.#account.release(bytes);
  }

  [Symbol.dispose](): void {
    this.#account.close();
  }
}

/**
 * One holder's part of a memory budget (memory-budget.ts): what it holds, what it waits for, and the calls.
 *
 *     reserve(bytes, waiter)          before memory is taken: now, or later by `waiter.budgetGranted`
 *     grow(bytes, waiter, whole)      the same for the next piece of something that is `whole` bytes when it is complete; until
 *                                     `complete` it is under way, and has its place in the order of age (growth-order.ts)
 *     charge(bytes)                   what is there already and could not be refused: never waits, may pass the limit
 *     release(bytes)                  gives back; `close` gives back everything, and whoever releases later releases nothing
 *
 * A holder is a peer's connection. The budget queries it, seldom and never on the path of a request: how far its peer has moved and
 * how much only the peer can bring to an end; by that it may be evicted (`evict`). Who holds for our own work never is.
 */

import { fail } from "../assert.ts";

export interface BudgetWaiter {
  /** The bytes requested are held from now on. Called within another holder's `release`: do no work here, schedule it. */
  budgetGranted(bytes: number): void;
}

export interface MemoryHolder {
  /** The peer's host: what it holds over all its connections decides who of those that wait comes next. */
  readonly host: string;
  /** Bytes that the peer has moved so far; only the difference between two looks counts. */
  readonly movedBytes: number;
  /** Of what is held, what only the peer can bring to an end (an incomplete frame, an unread response); 0 while all of it is our work. */
  readonly unfinishedBytes: number;
  /** Nothing of it is on its way: it waits for what the peer itself does, or does not do (a long poll, an unread response). */
  readonly isResting: boolean;
  /** The memory goes to others: gives everything back before it returns, by closing the account. `heldBytes` is for its warning. */
  evict(heldBytes: number): void;
}

/** Who requested what, while it has to wait. */
export interface MemoryWait {
  readonly account: MemoryAccount;
  readonly waiter: BudgetWaiter;
  readonly bytes: number;
  readonly isLarge: boolean;
  /** Of something that is under way, or begins with it. */
  readonly isPart: boolean;
  readonly sinceMs: number;
}

/** The budget that an account belongs to; `MemoryBudget` is it. */
export interface AccountOwner {
  canHold(bytes: number): boolean;
  reserve(
    account: MemoryAccount,
    bytes: number,
    waiter: BudgetWaiter,
    wholeBytes: number,
    cameBytes: number,
  ): boolean;
  charge(account: MemoryAccount, bytes: number, wholeBytes: number): void;
  release(account: MemoryAccount, bytes: number): void;
  complete(account: MemoryAccount): void;
  cancel(wait: MemoryWait): void;
}

export class MemoryAccount {
  readonly holder: MemoryHolder;
  readonly #owner: AccountOwner;
  #isClosed = false;

  // Kept by the budget.
  /** Everything held, and of that what belongs to large things. */
  bytes = 0;
  largeBytes = 0;
  /** What is under way, when it is complete, and what it holds so far; 0 when nothing is. */
  wholeBytes = 0;
  partBytes = 0;
  readonly waits: MemoryWait[] = [];
  /** `movedBytes` when the holder was last seen to move, and when that was; -1 before the first look. */
  lastMovedBytes = 0;
  stillSinceMs = -1;

  constructor(owner: AccountOwner, holder: MemoryHolder) {
    this.#owner = owner;
    this.holder = holder;
  }

  /** It waits for the next piece of what is under way: that it stands still is not its peer's fault. */
  get isGrowing(): boolean {
    return this.waits.some((wait) => wait.isPart);
  }

  /** Whether so much can ever be granted. */
  canHold(bytes: number): boolean {
    return this.#owner.canHold(bytes);
  }

  /** True: held now. False: `waiter.budgetGranted` will be called, unless `cancel` or `close` comes first. */
  reserve(bytes: number, waiter: BudgetWaiter): boolean {
    if (this.#isClosed) fail("a closed account requests memory");
    return this.#owner.reserve(this, bytes, waiter, 0, 0);
  }

  /**
   * As `reserve`, for the next piece of what is under way. One thing is under way at a time. `cameBytes` of the piece have come
   * already and are held in any case: if it has to wait, they are counted at once, and only the others are waited for.
   */
  grow(bytes: number, waiter: BudgetWaiter, wholeBytes: number, cameBytes: number): boolean {
    if (this.#isClosed) fail("a closed account requests memory");
    if (this.partBytes + bytes > wholeBytes) fail("a part is larger than the whole");
    if (cameBytes >= bytes) fail("a piece that has come already needs no memory");
    return this.#owner.reserve(this, bytes, waiter, wholeBytes, cameBytes);
  }

  /** What was under way is complete, or is dropped: what it holds is held until it is released. */
  complete(): void {
    if (this.wholeBytes > 0) this.#owner.complete(this);
  }

  /** Counts what is there already. `wholeBytes`: what it is a part of, which decides whether it is small or large. */
  charge(bytes: number, wholeBytes = bytes): void {
    if (!this.#isClosed && bytes > 0) this.#owner.charge(this, bytes, wholeBytes);
  }

  release(bytes: number): void {
    if (!this.#isClosed && bytes > 0) this.#owner.release(this, bytes);
  }

  /** Takes what `waiter` requested out of the queue; nothing happens when it does not wait. */
  cancel(waiter: BudgetWaiter): void {
    const wait = this.waits.find((each) => each.waiter === waiter);
    if (wait !== undefined) this.#owner.cancel(wait);
  }

  /** Gives everything back, waits for nothing more, and requests nothing more. May be called again. */
  close(): void {
    if (this.#isClosed) return;
    for (let wait = this.waits.at(-1); wait !== undefined; wait = this.waits.at(-1)) this.#owner.cancel(wait);
    this.complete();
    if (this.bytes > 0) this.#owner.release(this, this.bytes);
    this.#isClosed = true;
  }
}

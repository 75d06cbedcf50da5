/**
 * Who waits until a partition's records are committed: told once, when the high watermark has come so far, or that it never will.
 *
 * Ends are waited for in ascending order, except those of duplicates and of whoever waits for the first record, which may stand
 * behind a later one and are then told with it.
 */

import type { ErrorCode } from "../base/errors.ts";
import { Ring } from "../base/ring.ts";

/** Told once: null when everything that was waited for is committed, else why it never will be. */
export type DurableListener = (error: ErrorCode | null) => void;

interface DurableWaiter {
  readonly endOffset: number;
  readonly listener: DurableListener;
}

export class DurableWaiters {
  readonly #waiters = new Ring<DurableWaiter>();

  add(endOffset: number, listener: DurableListener): void {
    this.#waiters.push({ endOffset, listener });
  }

  /** Everything below `highWatermark` is committed. */
  committed(highWatermark: number): void {
    for (let waiter = this.#waiters.peek(); waiter !== undefined; waiter = this.#waiters.peek()) {
      if (waiter.endOffset > highWatermark) return;
      this.#waiters.shift();
      waiter.listener(null);
    }
  }

  /** Nothing that is waited for will ever be committed. */
  failed(error: ErrorCode): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift())
      waiter.listener(error);
  }
}

/**
 * Trying again: waits that double from `RETRY_WAIT_MIN_MS` to `RETRY_WAIT_MAX_MS`, each drawn between half and the whole
 * of it (so that clients that failed together do not come back together), until a total time has passed.
 *
 *   attempt   1     2      3      4      5      6 ...
 *   wait       50    100    200    400    800    1000 ms (at most)
 *
 * `onRetry` is called before every wait. A `signal` can end the waits: its abort throws the last failure as `RetryInterrupted`,
 * at once, and from then on every work has one attempt.
 */

import type { Clock } from "../base/clock.ts";
import { ObeliskError, toObeliskError } from "../base/errors.ts";
import { canRetry } from "./broker-errors.ts";
import { holdProcess } from "./process-hold.ts";

const RETRY_WAIT_MIN_MS = 50;
const RETRY_WAIT_MAX_MS = 1000;

export interface RetryOptions {
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random`. */
  readonly random: () => number;
  /** After this long no further attempt begins. 0: one attempt. */
  readonly totalMs: number;
  /** Aborted when nobody wants to wait any longer. */
  readonly signal?: AbortSignal | undefined;
  /** Called with a failure that will be retried: how many attempts there were, and for how long they go on in all. */
  readonly onRetry?: ((error: ObeliskError, attempts: number, totalMs: number) => void) | undefined;
}

/** The last failure of something that would have been retried, had the caller not been interrupted. */
export class RetryInterrupted extends ObeliskError {
  constructor(error: ObeliskError) {
    super(error.code, { ...error.facts, remedy: "interrupted, so it is not retried" }, error.cause);
  }

  override get retriable(): boolean {
    return false;
  }
}

/** How long to wait before attempt `attempt + 1`; the first attempt is 1. */
export function retryWaitMs(attempt: number, random: () => number): number {
  const full = Math.min(RETRY_WAIT_MAX_MS, RETRY_WAIT_MIN_MS * 2 ** Math.min(attempt - 1, 10));
  return full / 2 + (random() * full) / 2;
}

/** Runs `work` until it succeeds, fails for good, or the time is up; then the last error is thrown. */
export async function retry<Result>(options: RetryOptions, work: () => Promise<Result>): Promise<Result> {
  const { clock, signal, totalMs } = options;
  const deadlineMs = clock.monotonicMs() + totalMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (thrown) {
      const error = toObeliskError(thrown);
      const waitMs = retryWaitMs(attempt, options.random);
      if (!canRetry(error) || clock.monotonicMs() + waitMs > deadlineMs) throw error;
      if (signal?.aborted !== true) {
        options.onRetry?.(error, attempt, totalMs);
        await wait(clock, waitMs, signal);
      }
      if (signal?.aborted === true) throw new RetryInterrupted(error);
    }
  }
}

/** Waits until then or until the abort, and keeps the process alive meanwhile: no socket may be open that would. */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  const release = holdProcess();
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      signal?.removeEventListener("abort", end);
      release();
      resolve();
    };
    const timer = clock.after(delayMs, end);
    signal?.addEventListener("abort", end);
  });
}

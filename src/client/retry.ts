/**
 * Trying again: waits that double from `RETRY_WAIT_MIN_MS` to `RETRY_WAIT_MAX_MS`, each drawn between half and the whole
 * of it (so that clients that failed together do not come back together), until a total time has passed.
 *
 *   attempt   1     2      3      4      5      6 ...
 *   wait       50    100    200    400    800    1000 ms (at most)
 */

import type { Clock } from "../base/clock.ts";
import { toObeliskError } from "../base/errors.ts";
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
}

/** How long to wait before attempt `attempt + 1`; the first attempt is 1. */
export function retryWaitMs(attempt: number, random: () => number): number {
  const full = Math.min(RETRY_WAIT_MAX_MS, RETRY_WAIT_MIN_MS * 2 ** Math.min(attempt - 1, 10));
  return full / 2 + (random() * full) / 2;
}

/** Runs `work` until it succeeds, fails for good, or the time is up; then the last error is thrown. */
export async function retry<Result>(options: RetryOptions, work: () => Promise<Result>): Promise<Result> {
  const deadlineMs = options.clock.monotonicMs() + options.totalMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (thrown) {
      const error = toObeliskError(thrown);
      const waitMs = retryWaitMs(attempt, options.random);
      if (!canRetry(error) || options.clock.monotonicMs() + waitMs > deadlineMs) throw error;
      await wait(options.clock, waitMs);
    }
  }
}

/** Waits, and keeps the process alive meanwhile: no socket may be open that would. */
export function wait(clock: Clock, delayMs: number): Promise<void> {
  const release = holdProcess();
  return new Promise((resolve) => {
    clock.after(delayMs, () => {
      release();
      resolve();
    });
  });
}

/**
 * The only access to time. Everything that waits or stamps gets a `Clock`, so that tests can advance it
 * themselves (`ManualClock` in test/support). Hot paths read it once per turn of the event loop, not per record.
 *
 *     nowMs         a point in time that people and clients read: timestamps, dates
 *     monotonicMs   how long something takes or waits, within this process
 *     steadyMs      since when something is so, where that is stored: an age that goes on after a restart
 *
 * The wall clock may be set, by hours and in both directions, while the server runs: no duration, age or expiry may be counted
 * by it. Only over a restart there is no other clock; what is stored then may lie ahead of it, and whoever reads it back takes
 * the earlier of both.
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch. May jump when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. For durations and deadlines. */
  monotonicMs(): number;
  /** The wall clock as it was when the process started, carried on by the monotonic clock; never goes back. */
  steadyMs(): number;
  /** Calls back once, `delayMs` from now. Does not keep the process alive by itself. */
  after(delayMs: number, callback: () => void): Timer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  steadyMs: () => Math.floor(performance.timeOrigin + performance.now()),
  after: (delayMs, callback) => {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Waits without blocking. For clients and commands; the server reacts to events instead. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

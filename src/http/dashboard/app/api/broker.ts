/**
 * Whether the broker answers. As soon as a request finds nobody, the page says so, keeps what it shows, and asks again until somebody
 * answers: after a second, then in ever longer steps.
 *
 *     reachable --- a request fails ---> lost --- /health/live answers ---> reachable, and everything is asked for again
 */

import { signal } from "@preact/signals";
import { after, nowMs } from "../base/time.ts";

const RETRY_MS_FIRST = 1000;
const RETRY_MS_MAX = 10_000;

/** Null while it answers; since when it does not, and when it is asked again. */
export const outage = signal<{ readonly sinceMs: number; readonly nextTryMs: number } | null>(null);
/** Counts how often it has come back. */
export const returns = signal(0);

let retryMs = RETRY_MS_FIRST;
let cancel = () => {};

export function brokerIsLost(): void {
  if (outage.value !== null) return;
  retryMs = RETRY_MS_FIRST;
  planTry(nowMs());
}

export function tryNow(): void {
  cancel();
  void look();
}

async function look(): Promise<void> {
  const since = outage.value?.sinceMs;
  if (since === undefined) return;
  try {
    const response = await fetch("/health/live", { cache: "no-store" });
    if (!response.ok) throw new TypeError(`answered ${response.status}`);
    outage.value = null;
    returns.value += 1;
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    retryMs = Math.min(retryMs * 1.5, RETRY_MS_MAX);
    planTry(since);
  }
}

function planTry(sinceMs: number): void {
  outage.value = { sinceMs, nextTryMs: nowMs() + retryMs };
  cancel();
  cancel = after(retryMs, () => void look());
}

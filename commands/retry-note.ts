/**
 * What a command prints while its client retries: what it waits for, and for how long. A broker that is down or whose disk is
 * full should not look like a command that hangs. Each reason is printed once, on standard error.
 */

import type { ObeliskError } from "../src/base/errors.ts";
import { formatDuration } from "../src/base/units.ts";
import { note } from "./output.ts";

/** Fewer attempts pass in the blink of a restart. */
const SAID_AT_ATTEMPT = 4;

/** For the client's `onRetry`. */
export function sayRetries(say: (line: string) => void = note): OnRetry {
  const said = new Set<string>();
  return (error, attempts, totalMs) => {
    const reason = `${error.code} ${totalMs}`;
    if (attempts < SAID_AT_ATTEMPT || said.has(reason)) return;
    said.add(reason);
    say(`obelisk: ${error.message}; retrying for up to ${formatDuration(totalMs)}`);
  };
}

type OnRetry = (error: ObeliskError, attempts: number, totalMs: number) => void;

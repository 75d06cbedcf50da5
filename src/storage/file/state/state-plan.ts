/**
 * Decides what a transaction of many calls writes, without touching the file: each call's expected versions are compared
 * with the result of the calls before it, and with its own earlier changes; a call with a mismatch changes nothing.
 * Versions ascend over all entries, so that one which was removed and created again has another than before.
 */

import type { StateChange, StateUpdate } from "../../contract.ts";

export interface StatePlan {
  /** One for each call, in order. */
  verdicts: boolean[];
  /** At most one for each key. */
  writes: StateUpdate[];
  /** The last version that is assigned then. */
  lastVersion: number;
}

/**
 * `versions` holds the present version of every key that exists, all of them up to `lastVersion`; it is changed to what holds
 * afterwards.
 */
export function planChanges(
  calls: readonly (readonly StateChange[])[],
  versions: Map<string, number>,
  lastVersion: number,
): StatePlan {
  const verdicts: boolean[] = [];
  const writes = new Map<string, StateUpdate>();
  let last = lastVersion;
  for (const changes of calls) {
    const call = planCall(changes, versions, last);
    verdicts.push(call !== null);
    if (call === null) continue;
    last = call.lastVersion;
    for (const write of call.writes.values()) {
      writes.set(write.key, write);
      versions.set(write.key, versionOf(write));
    }
  }
  return { verdicts, writes: [...writes.values()], lastVersion: last };
}

/** What one call writes; null when an expected version does not match. Version 0 stands for "no entry". */
function planCall(
  changes: readonly StateChange[],
  versions: ReadonlyMap<string, number>,
  lastVersion: number,
): { writes: Map<string, StateUpdate>; lastVersion: number } | null {
  const writes = new Map<string, StateUpdate>();
  let last = lastVersion;
  for (const { key, value, expectedVersion } of changes) {
    const own = writes.get(key);
    const version = own === undefined ? (versions.get(key) ?? 0) : versionOf(own);
    if (expectedVersion !== undefined && expectedVersion !== version) return null;
    last += 1;
    writes.set(key, { key, value, version: last });
  }
  return { writes, lastVersion: last };
}

/** What an expected version is compared with from then on. */
function versionOf({ value, version }: StateUpdate): number {
  return value === null ? 0 : version;
}

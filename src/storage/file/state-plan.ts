/**
 * Decides what a transaction of many calls writes, without touching the file: each call's expected versions are judged
 * against what the calls before it leave behind, and against its own earlier changes; a call that does not hold changes nothing.
 */

import type { StateChange } from "../contract.ts";

export interface PlannedWrite {
  key: string;
  /** null removes the entry. */
  value: string | null;
  version: number;
}

export interface StatePlan {
  /** One for each call, in order. */
  verdicts: boolean[];
  /** At most one for each key. */
  writes: PlannedWrite[];
}

/** `versions` holds the present version of every key that exists; it is changed to what holds afterwards. */
export function planChanges(
  calls: readonly (readonly StateChange[])[],
  versions: Map<string, number>,
): StatePlan {
  const verdicts: boolean[] = [];
  const writes = new Map<string, PlannedWrite>();
  for (const changes of calls) {
    const call = planCall(changes, versions);
    verdicts.push(call !== null);
    for (const write of call?.values() ?? []) {
      writes.set(write.key, write);
      versions.set(write.key, write.version);
    }
  }
  return { verdicts, writes: [...writes.values()] };
}

/** What one call writes; null when an expected version does not hold. Version 0 stands for "no entry". */
function planCall(
  changes: readonly StateChange[],
  versions: ReadonlyMap<string, number>,
): Map<string, PlannedWrite> | null {
  const writes = new Map<string, PlannedWrite>();
  for (const { key, value, expectedVersion } of changes) {
    const version = writes.get(key)?.version ?? versions.get(key) ?? 0;
    if (expectedVersion !== undefined && expectedVersion !== version) return null;
    writes.set(key, { key, value, version: value === null ? 0 : version + 1 });
  }
  return writes;
}

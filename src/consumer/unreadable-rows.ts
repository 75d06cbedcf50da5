/**
 * What is told of rows of groups and offsets that cannot be read at the start: in one line, with the first of them, what follows and what is
 * to be done. They stop nothing, and stay in the store until they are overwritten.
 */

import type { Log } from "../base/log.ts";

export interface UnreadableRows {
  readonly what: string;
  readonly effect: string;
  readonly remedy: string;
}

export const UNREADABLE_GROUPS: UnreadableRows = {
  what: "stored groups",
  effect: "their members join again",
  remedy: "none is needed: a member that joins overwrites its group, and committed offsets are not touched",
};

export const UNREADABLE_CONSUMER_GROUPS: UnreadableRows = {
  what: "stored groups of the consumer protocol",
  effect: "their members join again",
  remedy:
    "none is needed: a member that joins overwrites what is its own, and committed offsets are not touched",
};

export const UNREADABLE_OFFSETS: UnreadableRows = {
  what: "committed offsets",
  effect: "consumers of these partitions begin where auto.offset.reset says",
  remedy: "stop the consumers of the group and set its offsets with `obelisk group seek`",
};

export function warnOfUnreadable(log: Log, keys: readonly string[], rows: UnreadableRows): void {
  const [first] = keys;
  if (first === undefined) return;
  log.warn(`${rows.what} cannot be read: ${rows.effect}`, {
    rows: keys.length,
    first,
    cause: "they are not as this version writes them",
    remedy: rows.remedy,
  });
}

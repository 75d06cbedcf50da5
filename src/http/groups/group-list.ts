/**
 * `GET /groups`: a page of groups by name, each with its state, its members and how far it is behind.
 *
 * Names are in no order where they are kept, and there may be a hundred thousand: the first ones of a page are found in one pass, in
 * slices of the loop's time. Lag is looked for in the groups of the page alone.
 */

import type { Clock } from "../../base/clock.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { GroupParts } from "./group-parts.ts";

/** Groups of one page: about 100 bytes each, and what it takes to sum their lag. */
export const GROUPS_PAGE_MAX = 1000;
/** Names between two looks at the clock. */
const NAMES_AT_ONCE = 256;

export interface GroupQuery {
  readonly prefix?: string | undefined;
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

export interface ListedGroup {
  readonly group: string;
  readonly type: string;
  readonly state: string;
  readonly protocolType: string;
  readonly members: number;
  /** Null: not known of any partition, or nothing is committed. */
  readonly lag: number | null;
  readonly isLagComplete: boolean;
}

export async function listGroups(
  parts: GroupParts,
  { prefix = "", after = "", limit = GROUPS_PAGE_MAX }: GroupQuery,
  clock: Clock,
): Promise<{ groups: ListedGroup[]; next?: string }> {
  const share = new TurnShare(clock);
  const names = await firstNames(parts.groups.names(), prefix, after, limit + 1, share);
  const groups: ListedGroup[] = [];
  for (const name of names.slice(0, limit)) {
    if (share.isUsedUp) await share.rest();
    const listed = await listedGroup(parts, name);
    if (listed !== null) groups.push(listed);
  }
  return names.length > limit ? { groups, next: names[limit - 1]! } : { groups };
}

/** The first `count` names after `after`, sorted. */
async function firstNames(
  names: Iterable<string>,
  prefix: string,
  after: string,
  count: number,
  share: TurnShare,
): Promise<string[]> {
  let found: string[] = [];
  let looked = 0;
  const keepFirst = () => {
    found = found.sort().slice(0, count);
  };
  for (const name of names) {
    looked += 1;
    if (looked % NAMES_AT_ONCE === 0 && share.isUsedUp) await share.rest();
    if (!name.startsWith(prefix) || name <= after) continue;
    found.push(name);
    if (found.length >= 2 * count) keepFirst();
  }
  keepFirst();
  return found;
}

/** Null: it has gone meanwhile. */
async function listedGroup(parts: GroupParts, group: string): Promise<ListedGroup | null> {
  const view = parts.groups.find(group);
  if (view === undefined) return null;
  const { type, state, protocolType } = view;
  const members = parts.groups.classic(group)?.members.count ?? parts.heartbeatGroups.get(group)?.memberCount;
  const { lag, unknown } = await parts.groupLag.total(group);
  return { group, type, state, protocolType, members: members ?? 0, lag, isLagComplete: unknown === 0 };
}

/** Groups of the consumer protocol as the store has them at the start. What cannot be read is left out and named. */

import type { StateEntry, StateStore } from "../../storage/contract.ts";
import { ConsumerGroup } from "./group.ts";
import {
  GROUP_KEY_PREFIX,
  MEMBER_KEY_PREFIX,
  readGroup,
  readMember,
  type StoredMember,
} from "./stored-group.ts";

/** Rows that are read together. */
const LOAD_ROWS = 10_000;

export interface LoadedGroups {
  readonly groups: readonly ConsumerGroup[];
  /** Ids of members by a group that is not there: they are to go before the name is a group's again. */
  readonly orphans: Map<string, readonly string[]>;
  /** Keys of rows that cannot be read. */
  readonly unreadable: readonly string[];
}

export async function loadGroups(state: StateStore): Promise<LoadedGroups> {
  const groups: ConsumerGroup[] = [];
  const unreadable: string[] = [];
  const membersByGroup = new Map<string, StoredMember[]>();
  await eachRow(state, MEMBER_KEY_PREFIX, (entry) => {
    const read = readMember(entry);
    if (read === null) {
      unreadable.push(entry.key);
      return;
    }
    const own = membersByGroup.get(read.group);
    if (own === undefined) membersByGroup.set(read.group, [read.stored]);
    else own.push(read.stored);
  });
  await eachRow(state, GROUP_KEY_PREFIX, (entry) => {
    const read = readGroup(entry);
    if (read === null) {
      unreadable.push(entry.key);
      return;
    }
    groups.push(ConsumerGroup.restore(read.id, read.stored, membersByGroup.get(read.id) ?? []));
    membersByGroup.delete(read.id);
  });
  const orphans = new Map<string, readonly string[]>();
  for (const [groupId, members] of membersByGroup)
    orphans.set(
      groupId,
      members.map(({ member }) => member.id),
    );
  return { groups, orphans, unreadable };
}

async function eachRow(state: StateStore, prefix: string, take: (entry: StateEntry) => void): Promise<void> {
  for (let after = ""; ; ) {
    const page = await state.page(prefix, after, LOAD_ROWS);
    for (const entry of page) take(entry);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.key;
  }
}

/**
 * A group of the consumer protocol as the state store keeps it: one row for the group, one for each member with its target.
 *
 *     "consumer-group/GROUP"                  -> {"epoch":3,"assignmentEpoch":3,"topics":{"t":["ID",4]},"regexes":{"t.*":["t"]}}
 *     "consumer-group-member/GROUP/MEMBER"    -> {"epoch":3, ..., "assigned":{"ID":[[2,[0,1]],[3,[2]]]},"target":{"ID":[0,1,2]}}
 *
 * (names percent-encoded; `assigned` lists partitions by the epoch at which they were assigned). Rows that do not read, and members whose
 * partitions another one has, are left out: such a member is told that it is unknown, and joins again.
 */

import type { StateEntry } from "../../storage/contract.ts";
import type { AssignedPartitions, Partitions } from "./assignment.ts";
import type { StoredGroup } from "./group.ts";
import type { ClassicPart, Member, MemberState } from "./member.ts";

export const GROUP_KEY_PREFIX = "consumer-group/";
export const MEMBER_KEY_PREFIX = "consumer-group-member/";

export interface StoredMember {
  readonly member: Member;
  readonly target: Partitions;
}

export function groupKey(group: string): string {
  return GROUP_KEY_PREFIX + encode(group);
}

export function memberKey(group: string, member: string): string {
  return `${MEMBER_KEY_PREFIX}${encode(group)}/${encode(member)}`;
}

export function encodeGroup({ epoch, assignmentEpoch, regexes, topics }: StoredGroup): string {
  return JSON.stringify({
    epoch,
    assignmentEpoch,
    topics: Object.fromEntries(Array.from(topics, ([name, { id, partitions }]) => [name, [id, partitions]])),
    regexes: Object.fromEntries(regexes),
  });
}

export function encodeMember(member: Member, target: Partitions): string {
  const { id: _, assigned, revoking, classic, ...plain } = member;
  return JSON.stringify({
    ...plain,
    classic: classic === null ? null : encodeClassic(classic),
    assigned: encodeAssigned(assigned),
    revoking: encodeAssigned(revoking),
    target: Object.fromEntries(Array.from(target, ([topic, partitions]) => [topic, [...partitions]])),
  });
}

/** Null when the row is none that can be read. */
export function readGroup({ key, value }: StateEntry): { id: string; stored: StoredGroup } | null {
  return attempt(() => {
    const row = JSON.parse(value) as {
      epoch: number;
      assignmentEpoch: number;
      topics: Record<string, [id: string, partitions: number]>;
      regexes: Record<string, string[]>;
    };
    check(isEpoch(row.epoch) && isEpoch(row.assignmentEpoch) && row.assignmentEpoch <= row.epoch);
    const topics = new Map(
      Object.entries(row.topics).map(([name, [id, partitions]]) => [name, { id, partitions }]),
    );
    const { epoch, assignmentEpoch } = row;
    const regexes = new Map(Object.entries(row.regexes));
    return {
      id: decodeURIComponent(key.slice(GROUP_KEY_PREFIX.length)),
      stored: { epoch, assignmentEpoch, topics, regexes },
    };
  });
}

/** Null when the row is none that can be read. */
export function readMember({ key, value }: StateEntry): { group: string; stored: StoredMember } | null {
  return attempt(() => {
    const [group, id, ...rest] = key.slice(MEMBER_KEY_PREFIX.length).split("/");
    check(group !== undefined && id !== undefined && rest.length === 0);
    const row = JSON.parse(value) as MemberRow;
    check(isEpoch(row.previousEpoch) || row.previousEpoch === 0);
    check(Number.isInteger(row.epoch) && STATES.includes(row.state) && Array.isArray(row.topicNames));
    const { target, assigned, revoking, classic, ...plain } = row;
    const member: Member = {
      ...plain,
      id: decodeURIComponent(id!),
      classic: classic === null ? null : readClassic(classic),
      assigned: readAssigned(assigned),
      revoking: readAssigned(revoking),
    };
    const partitions = new Map(Object.entries(target).map(([topic, own]) => [topic, new Set(own)]));
    return { group: decodeURIComponent(group!), stored: { member, target: partitions } };
  });
}

interface MemberRow extends Omit<Member, "id" | "assigned" | "revoking" | "classic"> {
  readonly classic: ClassicRow | null;
  readonly assigned: AssignedRow;
  readonly revoking: AssignedRow;
  readonly target: Record<string, number[]>;
}

interface ClassicRow {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly { readonly name: string; readonly metadata: string }[];
}

type AssignedRow = Record<string, [epoch: number, partitions: number[]][]>;

const STATES: readonly MemberState[] = ["stable", "unrevoked", "unreleased"];

function encodeClassic({ sessionTimeoutMs, protocols }: ClassicPart): ClassicRow {
  return {
    sessionTimeoutMs,
    protocols: protocols.map(({ name, metadata }) => ({ name, metadata: metadata.toString("base64") })),
  };
}

function readClassic({ sessionTimeoutMs, protocols }: ClassicRow): ClassicPart {
  return {
    sessionTimeoutMs,
    protocols: protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata, "base64") })),
  };
}

function encodeAssigned(assigned: AssignedPartitions): AssignedRow {
  const row: AssignedRow = {};
  for (const [topic, partitions] of assigned) {
    const byEpoch = new Map<number, number[]>();
    for (const [partition, epoch] of partitions) {
      const own = byEpoch.get(epoch);
      if (own === undefined) byEpoch.set(epoch, [partition]);
      else own.push(partition);
    }
    row[topic] = [...byEpoch];
  }
  return row;
}

function readAssigned(row: AssignedRow): AssignedPartitions {
  const assigned = new Map<string, Map<number, number>>();
  for (const [topic, byEpoch] of Object.entries(row)) {
    const own = new Map<number, number>();
    for (const [epoch, partitions] of byEpoch) for (const partition of partitions) own.set(partition, epoch);
    assigned.set(topic, own);
  }
  return assigned;
}

class Unreadable extends Error {}

function check(holds: boolean): void {
  if (!holds) throw new Unreadable();
}

/** What another version or a damaged row makes of reading. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof Unreadable || thrown instanceof SyntaxError) return null;
    if (thrown instanceof TypeError || thrown instanceof URIError) return null;
    throw thrown;
  }
}

function isEpoch(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1;
}

function encode(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

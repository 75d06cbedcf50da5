/**
 * Who may commit and fetch offsets of a group of the consumer protocol, as Kafka decides it.
 *
 *   - Without members, whoever has no membership (a negative epoch) may commit: consumers with assigned partitions, and tools.
 *   - A member commits with its epoch, or with an earlier one for partitions that it had been assigned by then and still has: its epoch may
 *     have gone up while the request was on its way, and what it read of a partition that it has kept is right all the same (KIP-1251).
 *   - A member of the consumer protocol needs version 9, since older ones cannot tell it that its epoch is stale.
 */

import type { ErrorCode } from "../../base/errors.ts";
import type { ConsumerGroup } from "./group.ts";
import type { Member } from "./member.ts";

/** The first version of OffsetCommit and OffsetFetch that tells STALE_MEMBER_EPOCH. */
const MEMBER_EPOCH_FROM = 9;

export interface Committer {
  readonly memberId: string;
  readonly epoch: number;
  readonly version: number;
}

/** Why all of these commits are refused; null: they are taken. */
export function commitFault(
  group: ConsumerGroup,
  { memberId, epoch, version }: Committer,
  partitions: Iterable<{ readonly topicId: string; readonly partition: number }>,
): ErrorCode | null {
  if (epoch < 0 && group.memberCount === 0) return null;
  const member = group.member(memberId);
  if (member === undefined) return "UNKNOWN_MEMBER_ID";
  if (member.classic === null && version < MEMBER_EPOCH_FROM) return "UNSUPPORTED_VERSION";
  if (epoch === member.epoch) return null;
  const stale = member.classic === null ? "STALE_MEMBER_EPOCH" : "ILLEGAL_GENERATION";
  if (epoch > member.epoch) return stale;
  for (const { topicId, partition } of partitions) {
    const assignedAt = assignmentEpoch(member, topicId, partition);
    if (assignedAt === undefined || epoch < assignedAt) return stale;
  }
  return null;
}

/** Why offsets are not told; null: they are. Who is no member may ask for them. */
export function fetchFault(group: ConsumerGroup, memberId: string | null, epoch: number): ErrorCode | null {
  if (memberId === null && epoch < 0) return null;
  const member = group.member(memberId ?? "");
  if (member === undefined) return "UNKNOWN_MEMBER_ID";
  if (epoch === member.epoch) return null;
  return member.classic === null ? "STALE_MEMBER_EPOCH" : "ILLEGAL_GENERATION";
}

function assignmentEpoch(
  { assigned, revoking }: Member,
  topicId: string,
  partition: number,
): number | undefined {
  return assigned.get(topicId)?.get(partition) ?? revoking.get(topicId)?.get(partition);
}

/**
 * The offsets that a group has committed, kept by the group's coordinator. The group is only a name here: commits carry no
 * generation and no member, which brokers accept as long as the group has no active members and refuse with
 * UNKNOWN_MEMBER_ID (25) when it has. Members of a group commit with the generation and member that they hold.
 */

import { ObeliskError, toObeliskError } from "../base/errors.ts";
import { groupByTopic, type TopicPartition } from "../protocol/group/consumer-protocol.ts";
import { offsetCommitApi } from "../protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../protocol/kafka/apis/offset-fetch.ts";
import { brokerError, checkResponse } from "./broker-errors.ts";
import type { Cluster } from "./cluster.ts";

/** From this version on OffsetFetch takes several groups at once. */
const FETCH_BATCHES_FROM = 8;

export interface CommittedOffset extends TopicPartition {
  /** The offset of the next record to read. */
  readonly offset: number;
  readonly leaderEpoch?: number;
  readonly metadata?: string;
}

/** Whose commit it is; the default is nobody's, of a group without members. */
export interface GroupMemberId {
  readonly generation: number;
  readonly memberId: string;
  /** Null: not a static member. */
  readonly instanceId: string | null;
}

const NO_MEMBER: GroupMemberId = { generation: -1, memberId: "", instanceId: null };

/** A member's commit was refused because the group has moved on: it is to join again, and not to try the commit again. */
export class GroupMovedOn extends ObeliskError {
  constructor(error: ObeliskError) {
    super(error.code, error.facts, error);
  }

  override get retriable(): boolean {
    return false;
  }
}

/** ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS and FENCED_INSTANCE_ID, by their numbers. */
const MOVED_ON: readonly number[] = [22, 25, 27, 82];

/** Commits offsets. @throws GroupMovedOn for a member; ObeliskError UNKNOWN_MEMBER_ID when the group has members and nobody's commit is refused */
export async function commitGroupOffsets(
  cluster: Cluster,
  group: string,
  offsets: readonly CommittedOffset[],
  member: GroupMemberId = NO_MEMBER,
): Promise<void> {
  if (offsets.length === 0) return;
  await withCoordinator(cluster, group, async () => {
    const connection = await cluster.coordinator(group);
    const response = await connection.request(offsetCommitApi, {
      groupId: group,
      generationIdOrMemberEpoch: member.generation,
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      topics: groupByTopic(offsets).map(([name, entries]) => ({
        name,
        partitions: entries.map((entry) => ({
          partitionIndex: entry.partition,
          committedOffset: entry.offset,
          committedLeaderEpoch: entry.leaderEpoch ?? -1,
          committedMetadata: entry.metadata ?? "",
        })),
      })),
    });
    for (const { name, partitions } of response.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        if (member.generation >= 0 && MOVED_ON.includes(errorCode))
          throw new GroupMovedOn(brokerError(errorCode));
        checkResponse(errorCode, { topic: name, partition: partitionIndex });
      }
    }
  });
}

/** The committed offsets of these partitions (null: of all that the group has); those without one are left out. */
export async function fetchGroupOffsets(
  cluster: Cluster,
  group: string,
  partitions: readonly TopicPartition[] | null,
): Promise<CommittedOffset[]> {
  if (partitions?.length === 0) return [];
  return await withCoordinator(cluster, group, async () => {
    const connection = await cluster.coordinator(group);
    const topics =
      partitions === null
        ? null
        : groupByTopic(partitions).map(([name, entries]) => ({
            name,
            partitionIndexes: entries.map((entry) => entry.partition),
          }));
    const hasBatches = connection.versionOf(offsetFetchApi) >= FETCH_BATCHES_FROM;
    const response = await connection.request(
      offsetFetchApi,
      hasBatches ? { groups: [{ groupId: group, topics }] } : { groupId: group, topics },
    );
    const found = hasBatches ? response.groups[0] : response;
    if (found === undefined)
      throw new ObeliskError("PROTOCOL_ERROR", { detail: "the response leaves out the group" });
    checkResponse(found.errorCode, { detail: `the offsets of the group ${group} cannot be read` });
    return found.topics.flatMap(({ name, partitions: entries }) =>
      entries.flatMap((entry) => {
        checkResponse(entry.errorCode, { topic: name, partition: entry.partitionIndex });
        if (entry.committedOffset < 0) return [];
        return [
          {
            topic: name,
            partition: entry.partitionIndex,
            offset: entry.committedOffset,
            leaderEpoch: entry.committedLeaderEpoch,
            metadata: entry.metadata ?? "",
          },
        ];
      }),
    );
  });
}

/** Runs `work` with retries; an error that may pass makes the next attempt look for the coordinator again. */
export function withCoordinator<Result>(
  cluster: Cluster,
  group: string,
  work: () => Promise<Result>,
): Promise<Result> {
  return cluster.attempt(async () => {
    try {
      return await work();
    } catch (thrown) {
      if (toObeliskError(thrown).retriable) cluster.evictCoordinator(group);
      throw thrown;
    }
  });
}

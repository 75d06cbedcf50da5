/**
 * OffsetFetch: what a group has committed. Null topics mean everything it has. A partition without a commit, known or
 * not, is offset -1 with an empty note and no error: the client then starts by its own policy.
 *
 * Up to version 7 one group at the top; version 8 asks for several. `requireStable` asks to wait for open transactions;
 * there are none, so what is stored is always stable.
 */

import { NO_ERROR } from "../../base/errors.ts";
import type { CommittedOffset } from "../../consumer/offset-table.ts";
import type { GroupOffsets } from "../../consumer/offsets.ts";
import type { OffsetFetchRequest, OffsetFetchResponseInput } from "../../protocol/kafka/apis/offset-fetch.ts";
import type { KafkaContext } from "./context.ts";

/** The first version that asks for several groups. */
const BATCHED_FROM = 8;

type TopicQuestions = OffsetFetchRequest["topics"];

interface PartitionAnswer {
  partitionIndex: number;
  committedOffset: number;
  committedLeaderEpoch: number;
  metadata: string;
  errorCode: number;
}

interface TopicAnswer {
  name: string;
  partitions: PartitionAnswer[];
}

export function offsetFetch(
  { offsets }: KafkaContext,
  request: OffsetFetchRequest,
  version: number,
): OffsetFetchResponseInput {
  if (version < BATCHED_FROM) return { topics: find(offsets, request.groupId, request.topics) };
  const groups = request.groups.map(({ groupId, topics }) => ({
    groupId,
    topics: find(offsets, groupId, topics),
    errorCode: NO_ERROR,
  }));
  return { groups };
}

export function refuseOffsetFetch(
  request: OffsetFetchRequest,
  errorCode: number,
  version: number,
): OffsetFetchResponseInput {
  if (version < BATCHED_FROM) return { errorCode };
  return { groups: request.groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })) };
}

function find(offsets: GroupOffsets, group: string, asked: TopicQuestions): TopicAnswer[] {
  if (asked === null) return findAll(offsets, group);
  return asked.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((index) => answerOf(index, offsets.fetch(group, name, index))),
  }));
}

function findAll(offsets: GroupOffsets, group: string): TopicAnswer[] {
  const topics: TopicAnswer[] = [];
  for (const { topic, partition, committed } of offsets.list(group)) {
    const last = topics.at(-1);
    const answer = answerOf(partition, committed);
    if (last?.name === topic) last.partitions.push(answer);
    else topics.push({ name: topic, partitions: [answer] });
  }
  return topics;
}

function answerOf(partitionIndex: number, committed: CommittedOffset | null): PartitionAnswer {
  return {
    partitionIndex,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? "",
    errorCode: NO_ERROR,
  };
}

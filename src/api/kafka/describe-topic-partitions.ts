/**
 * DescribeTopicPartitions: topics in the order of their names, with at most so many partitions in a response; a cursor says where the next
 * page begins. No names mean all topics. As in Kafka a topic that is not there takes no room, a page is never empty while there is
 * something, and a cursor must lie within what is asked for: else INVALID_REQUEST, which ends the connection (the response has no
 * place for an error).
 */

import { NO_ERROR, ObeliskError, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Topic } from "../../broker/topic.ts";
import type {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponseInput,
} from "../../protocol/kafka/apis/describe-topic-partitions.ts";
import { TOPIC_OPERATIONS } from "../../protocol/kafka/apis/metadata.ts";
import { ZERO_UUID } from "../../protocol/kafka/schema.ts";
import { isTopicName } from "../../storage/names.ts";
import type { KafkaContext } from "./context.ts";
import { describePartition } from "./metadata.ts";

type TopicResponse = DescribeTopicPartitionsResponseInput["topics"][number];

/** Partitions in a response, whatever the client allows (Kafka's max.request.partition.size.limit). */
const PARTITIONS_MAX = 2000;

export async function describeTopicPartitions(
  context: KafkaContext,
  request: DescribeTopicPartitionsRequest,
): Promise<DescribeTopicPartitionsResponseInput> {
  const { cursor, responsePartitionLimit } = request;
  const names = namesRequested(context, request);
  const share = new TurnShare(context.clock);
  let room = Math.max(Math.min(PARTITIONS_MAX, responsePartitionLimit), 1);
  const topics: TopicResponse[] = [];
  for (const name of names) {
    if (share.isUsedUp) await share.rest();
    if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } };
    const topic = context.broker.topics.get(name);
    if (topic === undefined) {
      if (request.topics.length > 0) topics.push(unknown(name));
      continue;
    }
    const first = name === cursor?.topicName ? cursor.partitionIndex : 0;
    const described = describe(context, topic, first, room);
    topics.push(described);
    const next = first + described.partitions.length;
    if (next < topic.partitions.length)
      return { topics, nextCursor: { topicName: name, partitionIndex: next } };
    room -= described.partitions.length;
  }
  return { topics };
}

export function refuseDescribeTopicPartitions(
  { topics }: DescribeTopicPartitionsRequest,
  errorCode: number,
): DescribeTopicPartitionsResponseInput {
  return { topics: topics.map(({ name }) => ({ errorCode, name, topicId: ZERO_UUID, partitions: [] })) };
}

/** Each once, from the cursor's topic on. @throws ObeliskError INVALID_REQUEST */
function namesRequested(
  { broker }: KafkaContext,
  { topics, cursor }: DescribeTopicPartitionsRequest,
): string[] {
  const isAll = topics.length === 0;
  const named = isAll ? broker.topics.all() : topics;
  const first = cursor?.topicName ?? "";
  const names = [...new Set(named.map(({ name }) => name))].filter((name) => name >= first).sort();
  if (cursor === null) return names;
  if (!isAll && names[0] !== cursor.topicName)
    throw invalid("the cursor's topic is not among those asked for");
  if (cursor.partitionIndex < 0) throw invalid("the cursor's partition is below 0");
  return names;
}

function describe(context: KafkaContext, topic: Topic, first: number, room: number): TopicResponse {
  const partitions = topic.partitions.slice(first, first + room).map((partition) => ({
    ...describePartition(context, partition),
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
  }));
  const { name, id: topicId } = topic;
  return { errorCode: NO_ERROR, name, topicId, partitions, topicAuthorizedOperations: TOPIC_OPERATIONS };
}

function unknown(name: string): TopicResponse {
  const code = isTopicName(name) ? "UNKNOWN_TOPIC_OR_PARTITION" : "INVALID_TOPIC_EXCEPTION";
  return {
    errorCode: wireCode(code),
    name,
    topicId: ZERO_UUID,
    partitions: [],
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  };
}

function invalid(detail: string): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", { detail });
}

/**
 * Requests that change topics: creating and deleting them, adding partitions, and deleting the records before an offset.
 * Creating or deleting that was retried may report what its first attempt did.
 */

import { NO_ERROR } from "../../base/errors.ts";
import { SECOND_MS } from "../../base/units.ts";
import { groupByTopic, type TopicPartition } from "../../protocol/group/consumer-protocol.ts";
import { createPartitionsApi } from "../../protocol/kafka/apis/create-partitions.ts";
import { createTopicsApi } from "../../protocol/kafka/apis/create-topics.ts";
import { deleteRecordsApi } from "../../protocol/kafka/apis/delete-records.ts";
import { deleteTopicsApi } from "../../protocol/kafka/apis/delete-topics.ts";
import { brokerError, checkResponse } from "../broker-errors.ts";
import type { Cluster } from "../cluster.ts";

/** How long the broker may take. */
const TOPIC_TIMEOUT_MS = 30 * SECOND_MS;
/** From this version on DeleteTopics takes structures instead of names. */
const DELETE_BY_STRUCTURE_FROM = 6;

export interface NewTopic {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
  /** Only checks whether it could be created. */
  readonly isDryRun?: boolean;
}

/** The records of a partition below `offset`. */
export interface RecordsBefore extends TopicPartition {
  readonly offset: number;
}

export async function createTopic(cluster: Cluster, topic: NewTopic): Promise<void> {
  await cluster.attempt(async () => {
    const connection = await cluster.controller();
    const response = await connection.request(createTopicsApi, {
      topics: [
        {
          name: topic.name,
          numPartitions: topic.partitions ?? -1,
          replicationFactor: topic.replicationFactor ?? -1,
          configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
        },
      ],
      timeoutMs: TOPIC_TIMEOUT_MS,
      validateOnly: topic.isDryRun ?? false,
    });
    cluster.evict(topic.name);
    checkTopic(response.topics[0], topic.name);
  });
}

export async function deleteTopic(cluster: Cluster, name: string): Promise<void> {
  await cluster.attempt(async () => {
    const connection = await cluster.controller();
    const byStructure = connection.versionOf(deleteTopicsApi) >= DELETE_BY_STRUCTURE_FROM;
    const response = await connection.request(deleteTopicsApi, {
      ...(byStructure ? { topics: [{ name }] } : { topicNames: [name] }),
      timeoutMs: TOPIC_TIMEOUT_MS,
    });
    cluster.evict(name);
    checkTopic(response.responses[0], name);
  });
}

/** Raises the number of partitions of a topic to `count`. */
export async function createPartitions(
  cluster: Cluster,
  topic: string,
  count: number,
  isDryRun: boolean,
): Promise<void> {
  await cluster.attempt(async () => {
    const connection = await cluster.controller();
    const response = await connection.request(createPartitionsApi, {
      topics: [{ name: topic, count }],
      timeoutMs: TOPIC_TIMEOUT_MS,
      validateOnly: isDryRun,
    });
    cluster.evict(topic);
    checkTopic(response.results[0], topic);
  });
}

/** The log start offsets afterwards. */
export async function deleteRecords(
  cluster: Cluster,
  ranges: readonly RecordsBefore[],
): Promise<RecordsBefore[]> {
  return await cluster.attempt(async () => {
    const byLeader = new Map<number, RecordsBefore[]>();
    for (const range of ranges) {
      const leader = await cluster.leaderId(range.topic, range.partition);
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), range]);
    }
    const starts: RecordsBefore[] = [];
    for (const [leader, own] of byLeader) {
      const connection = await cluster.node(leader);
      const response = await connection.request(deleteRecordsApi, {
        topics: groupByTopic(own).map(([name, entries]) => ({
          name,
          partitions: entries.map(({ partition, offset }) => ({ partitionIndex: partition, offset })),
        })),
        timeoutMs: TOPIC_TIMEOUT_MS,
      });
      for (const { name, partitions } of response.topics) {
        for (const { partitionIndex, lowWatermark, errorCode } of partitions) {
          checkResponse(errorCode, { topic: name, partition: partitionIndex });
          starts.push({ topic: name, partition: partitionIndex, offset: lowWatermark });
        }
      }
    }
    return starts;
  });
}

function checkTopic(
  response: { errorCode: number; errorMessage: string | null } | undefined,
  topic: string,
): void {
  if (response === undefined || response.errorCode === NO_ERROR) return;
  const facts = { topic };
  throw brokerError(
    response.errorCode,
    response.errorMessage === null ? facts : { ...facts, detail: response.errorMessage },
  );
}

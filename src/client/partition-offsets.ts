/**
 * Offsets that partitions have: their first, their end, and the first record at or after a time (ListOffsets).
 * One request to each leader for all of its partitions.
 */

import { NO_ERROR, ObeliskError, toObeliskError } from "../base/errors.ts";
import { groupByTopic, type TopicPartition } from "../protocol/group/consumer-protocol.ts";
import { listOffsetsApi } from "../protocol/kafka/apis/list-offsets.ts";
import { brokerError } from "./broker-errors.ts";
import type { Cluster } from "./cluster.ts";

/** As the protocol names the two ends. Any other value is a time in milliseconds. */

export interface OffsetQuery extends TopicPartition {
  /** `TIMESTAMP_EARLIEST`, `TIMESTAMP_LATEST` (the offset of the next record to come), or a time in ms. */
  readonly at: number;
}

export interface PartitionOffset extends TopicPartition {
  /** -1: no record is that new. */
  readonly offset: number;
  /** Of the record found by time; else -1. */
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

/** Results in the order of the queries. `isCommittedOnly`: the end is that of what read_committed consumers see. */
export async function listPartitionOffsets(
  cluster: Cluster,
  queries: readonly OffsetQuery[],
  options: { isCommittedOnly?: boolean } = {},
): Promise<PartitionOffset[]> {
  return await cluster.attempt(async () => {
    try {
      return await askLeaders(cluster, queries, options.isCommittedOnly === true ? 1 : 0);
    } catch (thrown) {
      if (toObeliskError(thrown).retriable) for (const { topic } of queries) cluster.evict(topic);
      throw thrown;
    }
  });
}

async function askLeaders(
  cluster: Cluster,
  queries: readonly OffsetQuery[],
  isolationLevel: number,
): Promise<PartitionOffset[]> {
  const byLeader = new Map<number, OffsetQuery[]>();
  for (const query of queries) {
    const leader = await cluster.leaderId(query.topic, query.partition);
    const list = byLeader.get(leader);
    if (list === undefined) byLeader.set(leader, [query]);
    else list.push(query);
  }
  const found = new Map<string, PartitionOffset>();
  for (const [leader, requested] of byLeader) {
    for (const response of await askLeader(cluster, leader, requested, isolationLevel)) {
      found.set(`${response.topic}/${response.partition}`, response);
    }
  }
  return queries.map(({ topic, partition }) => {
    const response = found.get(`${topic}/${partition}`);
    if (response !== undefined) return response;
    throw new ObeliskError("PROTOCOL_ERROR", {
      detail: "the response leaves out a partition",
      topic,
      partition,
    });
  });
}

async function askLeader(
  cluster: Cluster,
  leader: number,
  queries: readonly OffsetQuery[],
  isolationLevel: number,
): Promise<PartitionOffset[]> {
  const connection = await cluster.node(leader);
  const response = await connection.request(listOffsetsApi, {
    isolationLevel,
    topics: groupByTopic(queries).map(([name, entries]) => ({
      name,
      partitions: entries.map((entry) => ({ partitionIndex: entry.partition, timestamp: entry.at })),
    })),
  });
  return response.topics.flatMap(({ name, partitions }) =>
    partitions.map((entry) => {
      const place = { topic: name, partition: entry.partitionIndex };
      if (entry.errorCode !== NO_ERROR) throw brokerError(entry.errorCode, place);
      return { ...place, offset: entry.offset, timestampMs: entry.timestamp, leaderEpoch: entry.leaderEpoch };
    }),
  );
}

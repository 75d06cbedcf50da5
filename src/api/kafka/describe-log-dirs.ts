/**
 * DescribeLogDirs: the one place where records are kept, with the bytes of each partition, and what the disk has in all and free. What
 * is not there is left out, as in Kafka. Records that are kept in memory have no disk: then the sizes of it are -1.
 */

import { resolve } from "node:path";
import { NO_ERROR } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Topic } from "../../broker/topic.ts";
import {
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponseInput,
  describeLogDirsApi,
} from "../../protocol/kafka/apis/describe-log-dirs.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import type { KafkaContext } from "./context.ts";

type TopicResponse = DescribeLogDirsResponseInput["results"][number]["topics"][number];
type PartitionResponse = TopicResponse["partitions"][number];

const PARTITION_BYTES = 30;
const TOPIC_BYTES = 260;

export async function describeLogDirs(
  context: KafkaContext,
  request: DescribeLogDirsRequest,
  version: number,
): Promise<DescribeLogDirsResponseInput> {
  const { broker, clock } = context;
  const share = new TurnShare(clock);
  const topics = new LongArray<TopicResponse>(() =>
    describeLogDirsApi.responseArray(version, "results", "topics"),
  );
  for (const [topic, indexes] of requestedOf(context, request)) {
    const partitions = new LongArray<PartitionResponse>(() =>
      describeLogDirsApi.responseArray(version, "results", "topics", "partitions"),
    );
    let count = 0;
    for (const index of indexes ?? topic.partitions.keys()) {
      if (share.isUsedUp) await share.rest();
      const partition = topic.partitions[index];
      if (partition === undefined) continue;
      partitions.push({ partitionIndex: index, partitionSize: partition.bytes });
      count += 1;
    }
    if (count > 0) topics.push({ name: topic.name, partitions: partitions.finish() });
  }
  const space = broker.engine.space();
  const totalBytes = space?.totalBytes ?? -1;
  const usableBytes = space?.freeBytes ?? -1;
  return {
    results: [
      { errorCode: NO_ERROR, logDir: logDirOf(context), topics: topics.finish(), totalBytes, usableBytes },
    ],
  };
}

/** The absolute path of the one directory. */
export function logDirOf({ serverSettings }: KafkaContext): string {
  return resolve(serverSettings().find(({ name }) => name === "log.dirs")?.value ?? "");
}

/** What a response takes. */
export function describeLogDirsBytes(
  { broker: { topics } }: KafkaContext,
  request: DescribeLogDirsRequest,
): number {
  if (request.topics !== null) return 0;
  return topics.partitionCount * PARTITION_BYTES + topics.count * TOPIC_BYTES;
}

export function refuseDescribeLogDirs(
  _request: DescribeLogDirsRequest,
  errorCode: number,
): DescribeLogDirsResponseInput {
  return { errorCode, results: [] };
}

/** Topics that are there, each once, with the partitions that are asked for; null: all. */
function requestedOf(
  { broker: { topics } }: KafkaContext,
  request: DescribeLogDirsRequest,
): Map<Topic, Set<number> | null> {
  if (request.topics === null) return new Map(topics.all().map((topic) => [topic, null]));
  const requested = new Map<Topic, Set<number>>();
  for (const { topic: name, partitions } of request.topics) {
    const topic = topics.get(name);
    if (topic === undefined) continue;
    const indexes = requested.get(topic) ?? new Set();
    requested.set(topic, indexes);
    for (const index of partitions) indexes.add(index);
  }
  return requested;
}

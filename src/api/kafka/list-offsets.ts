/**
 * ListOffsets: the offset for a timestamp, or for one of the special ones:
 *
 *   -1 latest (the high watermark)    -2 earliest    -3 the record with the largest timestamp (from version 7)
 *   -4 earliest on this machine (from version 8): the same as the earliest, because nothing is tiered
 *
 * For a timestamp it is the first record at or behind it; nothing there is timestamp -1 and offset -1, no error.
 * A special one that the version does not have is UNSUPPORTED_VERSION.
 */

import { NO_ERROR, toObeliskError, wireCode } from "../../base/errors.ts";
import type { Partition } from "../../broker/partition.ts";
import {
  type ListOffsetsRequest,
  type ListOffsetsResponseInput,
  TIMESTAMP_EARLIEST,
  TIMESTAMP_EARLIEST_LOCAL,
  TIMESTAMP_LATEST,
  TIMESTAMP_MAX,
} from "../../protocol/kafka/apis/list-offsets.ts";
import type { TimestampedOffset } from "../../storage/contract.ts";
import type { KafkaContext } from "./context.ts";
import { partitionError, partitionOf } from "./epochs.ts";

/** The first version of a special timestamp. */
const VERSIONS: Readonly<Record<number, number>> = {
  [TIMESTAMP_LATEST]: 0,
  [TIMESTAMP_EARLIEST]: 0,
  [TIMESTAMP_MAX]: 7,
  [TIMESTAMP_EARLIEST_LOCAL]: 8,
};

type PartitionQuestion = ListOffsetsRequest["topics"][number]["partitions"][number];
type PartitionAnswer = ListOffsetsResponseInput["topics"][number]["partitions"][number];

export async function listOffsets(
  context: KafkaContext,
  request: ListOffsetsRequest,
  version: number,
): Promise<ListOffsetsResponseInput> {
  const topics: { name: string; partitions: PartitionAnswer[] }[] = [];
  for (const { name, partitions } of request.topics) {
    const topic = context.broker.topics.get(name);
    const answers = partitions.map((asked) =>
      answerFor(partitionOf(topic, asked.partitionIndex), asked, version),
    );
    topics.push({ name, partitions: await Promise.all(answers) });
  }
  return { topics };
}

export function refuseListOffsets(request: ListOffsetsRequest, errorCode: number): ListOffsetsResponseInput {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => refused(partitionIndex, errorCode)),
  }));
  return { topics };
}

async function answerFor(
  partition: Partition | undefined,
  { partitionIndex, currentLeaderEpoch, timestamp }: PartitionQuestion,
  version: number,
): Promise<PartitionAnswer> {
  if (partition === undefined) return refused(partitionIndex, wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
  const fault = partitionError(partition, currentLeaderEpoch);
  if (fault !== NO_ERROR) return refused(partitionIndex, fault);
  if (timestamp < 0 && !(version >= (VERSIONS[timestamp] ?? Number.POSITIVE_INFINITY))) {
    return refused(partitionIndex, wireCode("UNSUPPORTED_VERSION"));
  }
  try {
    const found = await lookUp(partition, timestamp);
    return {
      partitionIndex,
      errorCode: NO_ERROR,
      timestamp: found?.timestampMs ?? -1,
      offset: found?.offset ?? -1,
      leaderEpoch: found?.leaderEpoch ?? -1,
    };
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    return refused(partitionIndex, error.wire);
  }
}

function lookUp(
  partition: Partition,
  timestamp: number,
): TimestampedOffset | Promise<TimestampedOffset | null> {
  const { leaderEpoch, highWatermark, startOffset } = partition;
  if (timestamp === TIMESTAMP_LATEST) return { offset: highWatermark, timestampMs: -1, leaderEpoch };
  if (timestamp === TIMESTAMP_EARLIEST || timestamp === TIMESTAMP_EARLIEST_LOCAL) {
    return { offset: startOffset, timestampMs: -1, leaderEpoch };
  }
  return timestamp === TIMESTAMP_MAX
    ? partition.offsetOfMaxTimestamp()
    : partition.offsetForTimestamp(timestamp);
}

function refused(partitionIndex: number, errorCode: number): PartitionAnswer {
  return { partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 };
}

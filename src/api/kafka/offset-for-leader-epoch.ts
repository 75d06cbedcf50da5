/**
 * OffsetForLeaderEpoch: where a leader epoch ended. A client that finds its position behind that place knows that
 * recovery took away what it had read. An epoch that is not known is answered with -1 and -1.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import type { Partition } from "../../broker/partition.ts";
import type {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponseInput,
} from "../../protocol/kafka/apis/offset-for-leader-epoch.ts";
import type { KafkaContext } from "./context.ts";
import { partitionError, partitionOf } from "./epochs.ts";

type PartitionQuestion = OffsetForLeaderEpochRequest["topics"][number]["partitions"][number];
type PartitionAnswer = OffsetForLeaderEpochResponseInput["topics"][number]["partitions"][number];

export function offsetForLeaderEpoch(
  context: KafkaContext,
  request: OffsetForLeaderEpochRequest,
): OffsetForLeaderEpochResponseInput {
  const topics = request.topics.map(({ topic: name, partitions }) => {
    const topic = context.broker.topics.get(name);
    const answers = partitions.map((asked) => answerFor(partitionOf(topic, asked.partition), asked));
    return { topic: name, partitions: answers };
  });
  return { topics };
}

export function refuseOffsetForLeaderEpoch(
  request: OffsetForLeaderEpochRequest,
  errorCode: number,
): OffsetForLeaderEpochResponseInput {
  const topics = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => unknownEpoch(partition, errorCode)),
  }));
  return { topics };
}

function answerFor(partition: Partition | undefined, asked: PartitionQuestion): PartitionAnswer {
  if (partition === undefined) return unknownEpoch(asked.partition, wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
  const errorCode = partitionError(partition, asked.currentLeaderEpoch);
  const found = errorCode === NO_ERROR ? partition.endOffsetForEpoch(asked.leaderEpoch) : null;
  if (found === null) return unknownEpoch(asked.partition, errorCode);
  return {
    errorCode,
    partition: asked.partition,
    leaderEpoch: found.leaderEpoch,
    endOffset: found.endOffset,
  };
}

function unknownEpoch(partition: number, errorCode: number): PartitionAnswer {
  return { errorCode, partition, leaderEpoch: -1, endOffset: -1 };
}

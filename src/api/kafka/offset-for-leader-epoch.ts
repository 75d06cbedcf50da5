/**
 * OffsetForLeaderEpoch: where a leader epoch ended. A client that finds its position behind that place knows that
 * recovery took away what it had read. An epoch that is not known is answered with -1 and -1.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Partition } from "../../broker/partition.ts";
import type {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponseInput,
} from "../../protocol/kafka/apis/offset-for-leader-epoch.ts";
import type { KafkaContext } from "./context.ts";
import { partitionError, partitionOf } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";

type PartitionQuestion = OffsetForLeaderEpochRequest["topics"][number]["partitions"][number];
type PartitionAnswer = OffsetForLeaderEpochResponseInput["topics"][number]["partitions"][number];

export async function offsetForLeaderEpoch(
  context: KafkaContext,
  request: OffsetForLeaderEpochRequest,
  _version: number,
  exchange: Exchange<OffsetForLeaderEpochResponseInput>,
): Promise<OffsetForLeaderEpochResponseInput> {
  const share = new TurnShare(context.clock);
  const topics: { topic: string; partitions: PartitionAnswer[] }[] = [];
  for (const { topic: name, partitions } of request.topics) {
    const topic = context.broker.topics.get(name);
    const answers: PartitionAnswer[] = [];
    topics.push({ topic: name, partitions: answers });
    for (const asked of partitions) {
      if (share.isUsedUp) await share.rest();
      // Nobody is left to be answered.
      if (exchange.isDropped) return { topics };
      answers.push(answerFor(partitionOf(topic, asked.partition), asked));
    }
  }
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

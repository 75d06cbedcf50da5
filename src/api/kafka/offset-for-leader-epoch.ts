/**
 * OffsetForLeaderEpoch: where a leader epoch ended. A client that finds its position after that place knows that
 * recovery took away what it had read. An epoch that is not known is answered with -1 and -1.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { EpochEnd, Partition } from "../../broker/partition.ts";
import type {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponseInput,
} from "../../protocol/kafka/apis/offset-for-leader-epoch.ts";
import type { KafkaContext } from "./context.ts";
import { partitionError, partitionOf } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";
import { lookedUp } from "./look-up.ts";

type PartitionRequest = OffsetForLeaderEpochRequest["topics"][number]["partitions"][number];
type PartitionResponse = OffsetForLeaderEpochResponseInput["topics"][number]["partitions"][number];

export async function offsetForLeaderEpoch(
  context: KafkaContext,
  request: OffsetForLeaderEpochRequest,
  _version: number,
  exchange: Exchange<OffsetForLeaderEpochResponseInput>,
): Promise<OffsetForLeaderEpochResponseInput> {
  const share = new TurnShare(context.clock);
  const topics: { topic: string; partitions: PartitionResponse[] }[] = [];
  for (const { topic: name, partitions } of request.topics) {
    const topic = context.broker.topics.get(name);
    const responses: PartitionResponse[] = [];
    topics.push({ topic: name, partitions: responses });
    for (const requested of partitions) {
      if (share.isUsedUp) await share.rest();
      // Nobody is left to be answered.
      if (exchange.isDropped) return { topics };
      const response = responseFor(partitionOf(topic, requested.partition), requested);
      responses.push(response instanceof Promise ? await response : response);
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

function responseFor(
  partition: Partition | undefined,
  requested: PartitionRequest,
): PartitionResponse | Promise<PartitionResponse> {
  if (partition === undefined)
    return unknownEpoch(requested.partition, wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
  const errorCode = partitionError(partition, requested.currentLeaderEpoch);
  if (errorCode !== NO_ERROR) return unknownEpoch(requested.partition, errorCode);
  const found = partition.endOffsetForEpoch(requested.leaderEpoch);
  const respond = (end: EpochEnd | null) => endOfEpoch(requested.partition, end);
  if (!(found instanceof Promise)) return respond(found);
  return lookedUp(found, respond, (refusal) => unknownEpoch(requested.partition, refusal));
}

function endOfEpoch(partition: number, found: EpochEnd | null): PartitionResponse {
  if (found === null) return unknownEpoch(partition, NO_ERROR);
  const { leaderEpoch, endOffset } = found;
  return { errorCode: NO_ERROR, partition, leaderEpoch, endOffset };
}

function unknownEpoch(partition: number, errorCode: number): PartitionResponse {
  return { errorCode, partition, leaderEpoch: -1, endOffset: -1 };
}

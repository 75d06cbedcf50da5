/**
 * DescribeProducers: the idempotent producers that partitions remember. There are no transactions, so the coordinator's epoch is -1 and no
 * transaction is open. The last timestamp is when the producer last sent a batch (Kafka: the last timestamp in that batch).
 */

import { NO_ERROR, ObeliskError, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { ActiveProducer, Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import {
  type DescribeProducersRequest,
  type DescribeProducersResponseInput,
  describeProducersApi,
} from "../../protocol/kafka/apis/describe-producers.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import { isTopicName } from "../../storage/names.ts";
import type { KafkaContext } from "./context.ts";
import { pushInTurns } from "./encode-turns.ts";
import { partitionOf } from "./epochs.ts";
import { lookedUp } from "./look-up.ts";

type TopicResponse = DescribeProducersResponseInput["topics"][number];
type PartitionResponse = TopicResponse["partitions"][number];
type ProducerResponse = PartitionResponse["activeProducers"][number];

const NO_COORDINATOR = -1;

export async function describeProducers(
  { broker, clock }: KafkaContext,
  request: DescribeProducersRequest,
  version: number,
): Promise<DescribeProducersResponseInput> {
  const share = new TurnShare(clock);
  const topics: TopicResponse[] = [];
  for (const { name, partitionIndexes } of request.topics) {
    const partitions: PartitionResponse[] = [];
    const fault = faultOfTopic(broker.topics.get(name), name);
    for (const index of partitionIndexes) {
      if (share.isUsedUp) await share.rest();
      const partition = partitionOf(broker.topics.get(name), index);
      if (fault !== null) partitions.push(refused(index, fault.wire, fault.message));
      else if (partition === undefined)
        partitions.push(refused(index, wireCode("UNKNOWN_TOPIC_OR_PARTITION")));
      else partitions.push(await responseFor(partition, version, share));
    }
    topics.push({ name, partitions });
  }
  return { topics };
}

export function refuseDescribeProducers(
  request: DescribeProducersRequest,
  errorCode: number,
): DescribeProducersResponseInput {
  const topics = request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((index) => refused(index, errorCode)),
  }));
  return { topics };
}

function faultOfTopic(topic: Topic | undefined, name: string): ObeliskError | null {
  if (topic !== undefined) return null;
  return new ObeliskError(isTopicName(name) ? "UNKNOWN_TOPIC_OR_PARTITION" : "INVALID_TOPIC_EXCEPTION");
}

function responseFor(partition: Partition, version: number, share: TurnShare): Promise<PartitionResponse> {
  const search = async () => {
    const producers = new LongArray<ProducerResponse>(() =>
      describeProducersApi.responseArray(version, "topics", "partitions", "activeProducers"),
    );
    await pushInTurns((await partition.activeProducers()).map(described), producers, share);
    return producers.finish();
  };
  return lookedUp(
    search(),
    (activeProducers) => ({ partitionIndex: partition.index, errorCode: NO_ERROR, activeProducers }),
    (errorCode) => refused(partition.index, errorCode),
  );
}

function described({ producerId, epoch, lastSequence, lastAtMs }: ActiveProducer): ProducerResponse {
  return {
    producerId,
    producerEpoch: epoch,
    lastSequence,
    lastTimestamp: lastAtMs,
    coordinatorEpoch: NO_COORDINATOR,
  };
}

function refused(
  partitionIndex: number,
  errorCode: number,
  errorMessage: string | null = null,
): PartitionResponse {
  return { partitionIndex, errorCode, errorMessage, activeProducers: [] };
}

/**
 * DeleteRecords: moves the log start of partitions up to an offset, durably; -1 is the high watermark. The response tells where each
 * log starts afterwards: an offset below that changes nothing.
 *
 * As in Kafka: OFFSET_OUT_OF_RANGE above the high watermark and for every other negative offset, POLICY_VIOLATION where the topic's
 * cleanup.policy does not have "delete", and of a partition that is named twice the last offset counts. Answered when it is durable,
 * whatever the timeout says: there is no replica to wait for.
 */

import { NO_ERROR, ObeliskError, toObeliskError, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Partition } from "../../broker/partition.ts";
import type {
  DeleteRecordsRequest,
  DeleteRecordsResponseInput,
} from "../../protocol/kafka/apis/delete-records.ts";
import type { KafkaContext } from "./context.ts";
import { partitionOf } from "./epochs.ts";

const HIGH_WATERMARK = -1;
const UNKNOWN_START = -1;
/** Log starts that are stored side by side: their files make one group. */
const AT_ONCE = 128;

type PartitionResponse = DeleteRecordsResponseInput["topics"][number]["partitions"][number];

export async function deleteRecords(
  context: KafkaContext,
  request: DeleteRecordsRequest,
): Promise<DeleteRecordsResponseInput> {
  const share = new TurnShare(context.clock);
  const topics: { name: string; partitions: PartitionResponse[] }[] = [];
  let underWay: Promise<void>[] = [];
  for (const [name, offsets] of offsetsByTopic(request)) {
    const topic = context.broker.topics.get(name);
    const partitions: PartitionResponse[] = [];
    topics.push({ name, partitions });
    for (const [partitionIndex, offset] of offsets) {
      if (share.isUsedUp) await share.rest();
      const response = refused(partitionIndex, wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
      partitions.push(response);
      const partition = partitionOf(topic, partitionIndex);
      if (partition !== undefined) underWay.push(complete(response, partition, offset));
      if (underWay.length < AT_ONCE) continue;
      await Promise.all(underWay);
      underWay = [];
    }
  }
  await Promise.all(underWay);
  return { topics };
}

export function refuseDeleteRecords(
  request: DeleteRecordsRequest,
  errorCode: number,
): DeleteRecordsResponseInput {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => refused(partitionIndex, errorCode)),
  }));
  return { topics };
}

function offsetsByTopic({ topics }: DeleteRecordsRequest): Map<string, Map<number, number>> {
  const found = new Map<string, Map<number, number>>();
  for (const { name, partitions } of topics) {
    if (partitions.length === 0) continue; // as Kafka, which answers partitions
    const offsets = found.get(name) ?? new Map<number, number>();
    found.set(name, offsets);
    for (const { partitionIndex, offset } of partitions) offsets.set(partitionIndex, offset);
  }
  return found;
}

async function complete(response: PartitionResponse, partition: Partition, offset: number): Promise<void> {
  try {
    response.lowWatermark = await startAfter(partition, offset);
    response.errorCode = NO_ERROR;
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    response.errorCode = error.wire;
  }
}

async function startAfter(partition: Partition, offset: number): Promise<number> {
  partition.checkWritable();
  if (!partition.isDeletable) {
    const { topic, index } = partition;
    throw new ObeliskError("POLICY_VIOLATION", {
      detail: "cleanup.policy does not allow its records to be deleted",
      topic,
      partition: index,
    });
  }
  return await partition.deleteBefore(offset === HIGH_WATERMARK ? await partition.latestOffset() : offset);
}

function refused(partitionIndex: number, errorCode: number): PartitionResponse {
  return { partitionIndex, lowWatermark: UNKNOWN_START, errorCode };
}

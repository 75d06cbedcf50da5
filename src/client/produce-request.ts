/** Batches of several lanes in one produce request, and each lane's part of the response. */

import { NO_ERROR, ObeliskError } from "../base/errors.ts";
import { SECOND_MS } from "../base/units.ts";
import type { ProduceRequestInput, ProduceResponse } from "../protocol/kafka/apis/produce.ts";
import { brokerError } from "./broker-errors.ts";
import type { Acks } from "./delivery.ts";
import type { OutgoingBatch, ProducerLane } from "./producer-lane.ts";

/** How long the broker may take. */
const PRODUCE_TIMEOUT_MS = 30 * SECOND_MS;
/** The broker stored this batch already, and no longer knows at which offset. */
const DUPLICATE_SEQUENCE_NUMBER = 46;

export interface LaneBatch {
  readonly lane: ProducerLane;
  readonly batch: OutgoingBatch;
}

/** What became of a batch; `baseOffset` counts only without an error. */
export interface BatchResponse {
  readonly baseOffset: number;
  readonly error: ObeliskError | null;
}

/** At most one batch of each lane. The batches' bytes are not copied. */
export function produceRequest(entries: readonly LaneBatch[], acks: Acks): ProduceRequestInput {
  const topics = new Map<string, { index: number; records: Buffer }[]>();
  for (const { lane, batch } of entries) {
    const partitions = topics.get(lane.topic) ?? [];
    partitions.push({ index: lane.partition, records: batch.records! });
    topics.set(lane.topic, partitions);
  }
  const topicData = [...topics].map(([name, partitionData]) => ({ name, partitionData }));
  return { acks, timeoutMs: PRODUCE_TIMEOUT_MS, topicData };
}

/** The part of the response that is about a lane's batch. */
export function responseFor(lane: ProducerLane, response: ProduceResponse): BatchResponse {
  const place = { topic: lane.topic, partition: lane.partition };
  const partitionResponse = response.responses
    .find((topic) => topic.name === lane.topic)
    ?.partitionResponses.find((partition) => partition.index === lane.partition);
  if (partitionResponse === undefined) {
    const detail = "the response leaves out a partition that was requested";
    return { baseOffset: -1, error: new ObeliskError("PROTOCOL_ERROR", { detail, ...place }) };
  }
  const { errorCode, errorMessage, baseOffset } = partitionResponse;
  if (errorCode === NO_ERROR || errorCode === DUPLICATE_SEQUENCE_NUMBER) return { baseOffset, error: null };
  const facts = errorMessage === null ? place : { ...place, detail: errorMessage };
  return { baseOffset: -1, error: brokerError(errorCode, facts) };
}

/**
 * AlterPartitionReassignments and ListPartitionReassignments: partitions are never moved, because there is one broker.
 *
 * What changes nothing succeeds: a partition that is to lie where it lies, on this broker alone. Any other placing is
 * INVALID_REPLICA_ASSIGNMENT, and cancelling a move NO_REASSIGNMENT_IN_PROGRESS, both as Kafka with one broker says. No move is ever
 * listed.
 */

import { NO_ERROR, ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponseInput,
} from "../../protocol/kafka/apis/alter-partition-reassignments.ts";
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponseInput,
} from "../../protocol/kafka/apis/list-partition-reassignments.ts";
import type { KafkaContext } from "./context.ts";
import { partitionOf } from "./epochs.ts";

type TopicResponse = AlterPartitionReassignmentsResponseInput["responses"][number];
type PartitionRequest = AlterPartitionReassignmentsRequest["topics"][number]["partitions"][number];
type PartitionResponse = TopicResponse["partitions"][number];

export async function alterPartitionReassignments(
  context: KafkaContext,
  request: AlterPartitionReassignmentsRequest,
): Promise<AlterPartitionReassignmentsResponseInput> {
  const share = new TurnShare(context.clock);
  const responses: TopicResponse[] = [];
  for (const { name, partitions } of request.topics) {
    const partitionResponses: PartitionResponse[] = [];
    for (const requested of partitions) {
      if (share.isUsedUp) await share.rest();
      partitionResponses.push(responseFor(context, name, requested));
    }
    responses.push({ name, partitions: partitionResponses });
  }
  return { allowReplicationFactorChange: request.allowReplicationFactorChange, responses };
}

export function refuseAlterPartitionReassignments(
  _request: AlterPartitionReassignmentsRequest,
  errorCode: number,
): AlterPartitionReassignmentsResponseInput {
  return { errorCode, responses: [] };
}

export function listPartitionReassignments(): ListPartitionReassignmentsResponseInput {
  return { topics: [] };
}

export function refuseListPartitionReassignments(
  _request: ListPartitionReassignmentsRequest,
  errorCode: number,
): ListPartitionReassignmentsResponseInput {
  return { errorCode, topics: [] };
}

function responseFor(
  context: KafkaContext,
  topic: string,
  { partitionIndex, replicas }: PartitionRequest,
): PartitionResponse {
  const fault = faultOf(context, topic, partitionIndex, replicas);
  if (fault === null) return { partitionIndex, errorCode: NO_ERROR, errorMessage: null };
  const isPlain = fault.code === "NO_REASSIGNMENT_IN_PROGRESS"; // its code says everything, as in Kafka
  return { partitionIndex, errorCode: fault.wire, errorMessage: isPlain ? null : fault.message };
}

function faultOf(
  { broker }: KafkaContext,
  topic: string,
  partition: number,
  replicas: readonly number[] | null,
): ObeliskError | null {
  if (partitionOf(broker.topics.get(topic), partition) === undefined) {
    return new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic, partition });
  }
  if (replicas === null) return new ObeliskError("NO_REASSIGNMENT_IN_PROGRESS", { topic, partition });
  if (replicas.length === 1 && replicas[0] === broker.nodeId) return null;
  const detail = `a partition is assigned to broker ${broker.nodeId}, once: it is the only one`;
  return new ObeliskError("INVALID_REPLICA_ASSIGNMENT", { detail, topic, partition });
}

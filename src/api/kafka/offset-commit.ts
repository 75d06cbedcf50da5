/**
 * OffsetCommit: keeps how far a group has read; answered when it is durable.
 *
 * Groups have no members here, so only a commit without membership is taken: a negative generation, as consumers with
 * assigned partitions and tools send it. A generation is ILLEGAL_GENERATION. A member id without one means nothing, and the
 * empty group name is a group like any other, both as in Kafka.
 *
 * Partition by partition: unknown ones are UNKNOWN_TOPIC_OR_PARTITION, whatever the generation; then a long note
 * OFFSET_METADATA_TOO_LARGE, an offset that no record can have (negative, or beyond 53 bits) INVALID_REQUEST; the others are
 * kept all the same. The retention time is not obeyed.
 *
 * A disk that refuses is NOT_COORDINATOR, as in Kafka, and a state that takes nothing until the next start COORDINATOR_NOT_AVAILABLE:
 * clients know no storage error here (Java's consumer would end), and try again.
 */

import { isStorageError, NO_ERROR, toObeliskError, wireCode } from "../../base/errors.ts";
import { OFFSET_METADATA_LENGTH_MAX, type OffsetToCommit } from "../../consumer/offsets.ts";
import type {
  OffsetCommitRequest,
  OffsetCommitResponseInput,
} from "../../protocol/kafka/apis/offset-commit.ts";
import type { KafkaContext } from "./context.ts";
import { partitionOf } from "./epochs.ts";

type PartitionCommit = OffsetCommitRequest["topics"][number]["partitions"][number];

interface PartitionResponse {
  partitionIndex: number;
  errorCode: number;
}

export async function offsetCommit(
  context: KafkaContext,
  request: OffsetCommitRequest,
): Promise<OffsetCommitResponseInput> {
  const commits: OffsetToCommit[] = [];
  const accepted: PartitionResponse[] = [];
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((commit): PartitionResponse => {
      const partitionFault = faultOf(context, request, name, commit);
      const response = { partitionIndex: commit.partitionIndex, errorCode: partitionFault };
      if (partitionFault !== NO_ERROR) return response;
      commits.push(toCommit(name, commit));
      accepted.push(response);
      return response;
    }),
  }));
  const outcome = await commitAll(context, request.groupId, commits);
  for (const response of accepted) response.errorCode = outcome;
  return { topics };
}

export function refuseOffsetCommit(
  request: OffsetCommitRequest,
  errorCode: number,
): OffsetCommitResponseInput {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }));
  return { topics };
}

function faultOf(
  context: KafkaContext,
  { generationIdOrMemberEpoch }: OffsetCommitRequest,
  topic: string,
  commit: PartitionCommit,
): number {
  const { partitionIndex, committedOffset, committedMetadata } = commit;
  if (partitionOf(context.broker.topics.get(topic), partitionIndex) === undefined) {
    return wireCode("UNKNOWN_TOPIC_OR_PARTITION");
  }
  if (generationIdOrMemberEpoch >= 0) return wireCode("ILLEGAL_GENERATION");
  if (committedMetadata !== null && committedMetadata.length > OFFSET_METADATA_LENGTH_MAX) {
    return wireCode("OFFSET_METADATA_TOO_LARGE");
  }
  const isOffset = committedOffset >= 0 && Number.isSafeInteger(committedOffset);
  return isOffset ? NO_ERROR : wireCode("INVALID_REQUEST");
}

function toCommit(topic: string, commit: PartitionCommit): OffsetToCommit {
  return {
    topic,
    partition: commit.partitionIndex,
    offset: commit.committedOffset,
    leaderEpoch: commit.committedLeaderEpoch,
    metadata: commit.committedMetadata ?? "",
  };
}

/** Kafka's number for how it went. */
async function commitAll(context: KafkaContext, group: string, commits: OffsetToCommit[]): Promise<number> {
  try {
    await context.offsets.commit(group, commits);
    return NO_ERROR;
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    if (error.code === "STATE_UNUSABLE") return wireCode("COORDINATOR_NOT_AVAILABLE");
    return isStorageError(error) ? wireCode("NOT_COORDINATOR") : error.wire;
  }
}

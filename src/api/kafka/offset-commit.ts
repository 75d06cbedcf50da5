/**
 * OffsetCommit: keeps how far a group has read; answered when it is durable.
 *
 * The group decides for the request as a whole (groups.ts): its members commit in their generation or epoch, which is a sign of life of a
 * classic member, and whoever has no membership (a negative generation, as consumers with assigned partitions and tools send it) commits
 * as long as the group has no members. It is asked before and after a request is looked at, which may take turns: a member that was
 * replaced meanwhile must not put its offsets over those of the next. The empty group name is a group like any other, as in Kafka.
 *
 * Partition by partition: unknown ones are UNKNOWN_TOPIC_OR_PARTITION, whatever the group says; then long metadata
 * OFFSET_METADATA_TOO_LARGE, an offset beyond 53 bits INVALID_REQUEST; the others are
 * kept all the same. A negative one is kept, as in Kafka: kafkajs commits -2 for the beginning and -1 for the end. The retention time is not obeyed.
 *
 * A partition that is named again counts as it stands last. A request for many is looked at and responded to in slices of time; what it
 * keeps becomes durable and is seen all at once.
 *
 * A disk that refuses is NOT_COORDINATOR, as in Kafka, and a state that takes nothing until the next start COORDINATOR_NOT_AVAILABLE:
 * clients know no storage error here (Java's consumer would end), and try again.
 */

import {
  type ErrorCode,
  isStorageError,
  NO_ERROR,
  ObeliskError,
  toObeliskError,
  wireCode,
} from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Topic } from "../../broker/topic.ts";
import { OFFSET_METADATA_LENGTH_MAX } from "../../consumer/commit-room.ts";
import type { TopicPartition } from "../../consumer/group-kinds.ts";
import type { OffsetToCommit } from "../../consumer/offsets.ts";
import {
  type OffsetCommitRequest,
  type OffsetCommitResponseInput,
  offsetCommitApi,
} from "../../protocol/kafka/apis/offset-commit.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import type { KafkaContext } from "./context.ts";
import { pushInTurns } from "./encode-turns.ts";
import { partitionOf, topicNamed, unknownTopic } from "./epochs.ts";

type PartitionCommit = OffsetCommitRequest["topics"][number]["partitions"][number];

interface PartitionResponse {
  partitionIndex: number;
  errorCode: number;
}

interface TopicResponse {
  name: string;
  topicId: string;
  partitions: readonly PartitionResponse[];
}

/** The first version that names topics by id. */
const IDS_FROM = 10;

/** Partitions whose response is made in the turn that made their commits durable. */
const TOLD_AT_ONCE = 500;

export async function offsetCommit(
  context: KafkaContext,
  request: OffsetCommitRequest,
  version: number,
): Promise<OffsetCommitResponseInput> {
  const share = new TurnShare(context.clock);
  const gathering = new CommitGathering(context, request, version, share);
  const outcome = await commitAll(context, request.groupId, () => gathering.gather());
  const topics = new LongArray<TopicResponse>(() => offsetCommitApi.responseArray(version, "topics"));
  if (gathering.count > TOLD_AT_ONCE) await share.rest();
  for (const { name, topicId, partitions } of gathering.tell(outcome)) {
    if (share.isUsedUp) await share.rest();
    const told = new LongArray<PartitionResponse>(() =>
      offsetCommitApi.responseArray(version, "topics", "partitions"),
    );
    await pushInTurns(partitions, told, share);
    topics.push({ name, topicId, partitions: told.finish() });
  }
  return { topics: topics.finish() };
}

export function refuseOffsetCommit(
  request: OffsetCommitRequest,
  errorCode: number,
): OffsetCommitResponseInput {
  const topics = request.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }));
  return { topics };
}

/** Which of a request's commits are to be kept, looked at in slices of time, and the response for each. */
class CommitGathering {
  readonly #context: KafkaContext;
  readonly #request: OffsetCommitRequest;
  readonly #version: number;
  /** Why the group takes nothing from whoever commits. */
  #groupFault: ErrorCode | null = null;
  readonly #share: TurnShare;
  readonly #commits: OffsetToCommit[] = [];
  /** Where a partition's commit stands, by topic: what is named again takes its place. */
  readonly #places = new Map<string, Map<number, number>>();
  readonly #topics: TopicResponse[] = [];
  readonly #accepted: PartitionResponse[] = [];
  count = 0;

  constructor(context: KafkaContext, request: OffsetCommitRequest, version: number, share: TurnShare) {
    this.#context = context;
    this.#request = request;
    this.#version = version;
    this.#share = share;
  }

  /** @throws ObeliskError what the group refuses them all with */
  async gather(): Promise<readonly OffsetToCommit[]> {
    this.#groupFault = this.#fault([]);
    const isById = this.#version >= IDS_FROM;
    for (const { name, topicId, partitions } of this.#request.topics) {
      const topic = topicNamed(this.#context.broker.topics, { name, topicId }, isById);
      const responses: PartitionResponse[] = [];
      this.#topics.push({ name, topicId, partitions: responses });
      for (const commit of partitions) {
        if (this.#share.isUsedUp) await this.#share.rest();
        responses.push(this.#take(topic, commit, unknownTopic(isById)));
      }
    }
    const fault = this.#commits.length === 0 ? null : this.#fault(this.#commits);
    if (fault !== null) throw new ObeliskError(fault);
    return this.#commits;
  }

  /** The responses, when `outcome` is how it went for the commits that were gathered. */
  tell(outcome: number): readonly TopicResponse[] {
    for (const response of this.#accepted) response.errorCode = outcome;
    return this.#topics;
  }

  #fault(partitions: Iterable<TopicPartition>): ErrorCode | null {
    const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch } = this.#request;
    const committer = {
      memberId,
      instanceId: groupInstanceId,
      generationId: generationIdOrMemberEpoch,
      version: this.#version,
    };
    return this.#context.groups.commitFault(groupId, committer, partitions);
  }

  /** `unknown`: what it is answered when there is no such topic. */
  #take(topic: Topic | undefined, commit: PartitionCommit, unknown: ErrorCode): PartitionResponse {
    this.count += 1;
    const fault = topic === undefined ? wireCode(unknown) : faultOf(this.#groupFault, topic, commit);
    const response = { partitionIndex: commit.partitionIndex, errorCode: fault };
    if (topic === undefined || fault !== NO_ERROR) return response;
    this.#accepted.push(response);
    const places = this.#placesOf(topic.name);
    const place = places.get(commit.partitionIndex) ?? this.#commits.length;
    places.set(commit.partitionIndex, place);
    this.#commits[place] = toCommit(topic.name, commit);
    return response;
  }

  #placesOf(topic: string): Map<number, number> {
    let places = this.#places.get(topic);
    if (places === undefined) {
      places = new Map();
      this.#places.set(topic, places);
    }
    return places;
  }
}

function faultOf(groupFault: ErrorCode | null, topic: Topic, commit: PartitionCommit): number {
  const { partitionIndex, committedOffset, committedMetadata } = commit;
  if (partitionOf(topic, partitionIndex) === undefined) {
    return wireCode("UNKNOWN_TOPIC_OR_PARTITION");
  }
  if (groupFault !== null) return wireCode(groupFault);
  if (committedMetadata !== null && committedMetadata.length > OFFSET_METADATA_LENGTH_MAX) {
    return wireCode("OFFSET_METADATA_TOO_LARGE");
  }
  return Number.isSafeInteger(committedOffset) ? NO_ERROR : wireCode("INVALID_REQUEST");
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
async function commitAll(
  context: KafkaContext,
  group: string,
  gather: () => Promise<readonly OffsetToCommit[]>,
): Promise<number> {
  try {
    await context.offsets.commitGathered(group, gather);
    return NO_ERROR;
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    if (error.code === "STATE_UNUSABLE") return wireCode("COORDINATOR_NOT_AVAILABLE");
    return isStorageError(error) ? wireCode("NOT_COORDINATOR") : error.wire;
  }
}

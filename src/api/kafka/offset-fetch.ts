/**
 * OffsetFetch: what a group has committed. Null topics mean everything it has. A partition without a commit, known or
 * not, is offset -1 with empty metadata and no error: the client then starts by its own policy.
 *
 * From version 9 a member of a group of the consumer protocol says which it is, and is told UNKNOWN_MEMBER_ID or STALE_MEMBER_EPOCH when
 * it is no member, or has another epoch by now.
 *
 * Up to version 7 one group at the top; version 8 asks for several.
 *
 * What is told is durable, and never older than a commit that was acknowledged before the request came. With `requireStable`, which
 * Java's consumer always sets, the response waits for the group's commits that are on their way, as Kafka's does: a member that takes a
 * partition over sees what the one before it sent, if not yet heard of. Whether it may be told is asked when it is told. There are no
 * transactions to wait for.
 *
 * What is asked for twice is answered twice, as in Kafka; everything of a group that is asked for again and again is looked up and
 * encoded once. A long response is encoded in slices: each offset is what it is when its turn comes.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Topics } from "../../broker/topics.ts";
import type { CommittedOffset } from "../../consumer/offset-table.ts";
import type { GroupOffsets } from "../../consumer/offsets.ts";
import {
  type OffsetFetchRequest,
  type OffsetFetchResponseInput,
  offsetFetchApi,
} from "../../protocol/kafka/apis/offset-fetch.ts";
import { type ArrayEncoder, LongArray } from "../../protocol/kafka/array-encoder.ts";
import { ZERO_UUID } from "../../protocol/kafka/schema.ts";
import type { KafkaContext } from "./context.ts";
import { topicNamed, unknownTopic } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";

/** The first version that asks for several groups. */
const BATCHED_FROM = 8;
/** The first version that names topics by id. */
const IDS_FROM = 10;
/** Topics and partitions that are looked up in the turn that brought the request. */
const SHORT_MAX = 500;

/** What a partition takes in a response of any version beside its metadata, and a topic beside its name. */
const PARTITION_BYTES = 24;
const TOPIC_BYTES = 8;

type GroupRequest = OffsetFetchRequest["groups"][number];

interface PartitionResponse {
  partitionIndex: number;
  committedOffset: number;
  committedLeaderEpoch: number;
  metadata: string;
  errorCode: number;
}

interface TopicResponse {
  name: string;
  topicId: string;
  partitions: readonly PartitionResponse[];
}

interface GroupResponse {
  groupId: string;
  topics: readonly TopicResponse[];
  errorCode: number;
}

export function offsetFetch(
  context: KafkaContext,
  request: OffsetFetchRequest,
  version: number,
  exchange: Exchange<OffsetFetchResponseInput>,
): OffsetFetchResponseInput | Promise<OffsetFetchResponseInput> {
  const groups = groupsRequested(request, version);
  const settled = request.requireStable ? settledOf(context, groups) : null;
  if (settled !== null) return settled.then(() => tell(context, groups, version, exchange));
  return tell(context, groups, version, exchange);
}

/** Resolves when no commit that was called before is on its way to the groups any more; null: none is. */
function settledOf({ offsets }: KafkaContext, groups: readonly GroupRequest[]): Promise<unknown> | null {
  const waiting: Promise<unknown>[] = [];
  for (const name of new Set(groups.map(({ groupId }) => groupId))) {
    const settled = offsets.settled(name);
    if (settled !== null) waiting.push(settled);
  }
  return waiting.length === 0 ? null : Promise.all(waiting);
}

function tell(
  context: KafkaContext,
  groups: readonly GroupRequest[],
  version: number,
  exchange: Exchange<OffsetFetchResponseInput>,
): OffsetFetchResponseInput | Promise<OffsetFetchResponseInput> {
  if (!isShort(groups)) return new LongResponse(context, version).find(groups, exchange);
  return respondWith(
    groups.map((requested) => find(context, requested, version >= IDS_FROM)),
    version,
  );
}

/** What a response takes beside the names of groups and topics that stand in the request. */
export function offsetFetchBytes(
  { broker, offsets }: KafkaContext,
  request: OffsetFetchRequest,
  version: number,
): number {
  const wholeBytes = new Map<string, number>();
  let bytes = 0;
  for (const { groupId, topics } of groupsRequested(request, version)) {
    if (topics === null) {
      const known = wholeBytes.get(groupId) ?? bytesOfAll(offsets, groupId);
      wholeBytes.set(groupId, known);
      bytes += known;
      continue;
    }
    for (const requested of topics) {
      const { name } = named(broker.topics, requested, version >= IDS_FROM);
      for (const index of requested.partitionIndexes)
        bytes += PARTITION_BYTES + offsets.metadataBytes(groupId, name, index);
    }
  }
  return bytes;
}

function bytesOfAll(offsets: GroupOffsets, group: string): number {
  const { rows, textBytes } = offsets.measure(group);
  return rows * (PARTITION_BYTES + TOPIC_BYTES) + textBytes;
}

export function refuseOffsetFetch(
  request: OffsetFetchRequest,
  errorCode: number,
  version: number,
): OffsetFetchResponseInput {
  if (version < BATCHED_FROM) return { errorCode };
  return { groups: request.groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })) };
}

function groupsRequested(request: OffsetFetchRequest, version: number): readonly GroupRequest[] {
  if (version < BATCHED_FROM) {
    const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null;
    return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics }];
  }
  return request.groups;
}

/** Whether so little is asked for that it is answered in the turn that brought the request. */
function isShort(groups: readonly GroupRequest[]): boolean {
  let count = 0;
  for (const { topics } of groups) {
    if (topics === null) return false;
    for (const { partitionIndexes } of topics) count += 1 + partitionIndexes.length;
  }
  return count <= SHORT_MAX;
}

function respondWith(groups: readonly GroupResponse[], version: number): OffsetFetchResponseInput {
  if (version < BATCHED_FROM) return { topics: groups[0]?.topics ?? [] };
  return { groups };
}

/** Why the group tells whoever asks nothing. */
function faultOf({ groups }: KafkaContext, { groupId, memberId, memberEpoch }: GroupRequest): number {
  const fault = groups.find(groupId)?.fetchFault(memberId, memberEpoch) ?? null;
  return fault === null ? NO_ERROR : wireCode(fault);
}

/** What a topic is answered by: its name, "" when it is asked for by an id that is not there, and the error of its partitions. */
function named(
  topics: Topics,
  requested: { readonly name: string; readonly topicId: string },
  isById: boolean,
): { name: string; errorCode: number } {
  if (!isById) return { name: requested.name, errorCode: NO_ERROR };
  const topic = topicNamed(topics, requested, isById);
  return topic === undefined
    ? { name: "", errorCode: wireCode(unknownTopic(isById)) }
    : { name: topic.name, errorCode: NO_ERROR };
}

function find(context: KafkaContext, requested: GroupRequest, isById: boolean): GroupResponse {
  const { offsets, broker } = context;
  const { groupId, topics } = requested;
  const errorCode = faultOf(context, requested);
  if (errorCode !== NO_ERROR) return { groupId, topics: [], errorCode };
  const found = (topics ?? []).map((topic) => {
    const { name, errorCode: fault } = named(broker.topics, topic, isById);
    return {
      name,
      topicId: topic.topicId,
      partitions: topic.partitionIndexes.map((index) =>
        responseOf(index, offsets.fetch(groupId, name, index), fault),
      ),
    };
  });
  return { groupId, topics: found, errorCode };
}

/** A response that is looked up and encoded in slices. */
class LongResponse {
  readonly #context: KafkaContext;
  readonly #offsets: GroupOffsets;
  readonly #version: number;
  readonly #share: TurnShare;
  /** Where topics stand in a response. */
  readonly #place: readonly string[];

  constructor(context: KafkaContext, version: number) {
    const { offsets, clock } = context;
    this.#context = context;
    this.#offsets = offsets;
    this.#version = version;
    this.#share = new TurnShare(clock);
    this.#place = version < BATCHED_FROM ? ["topics"] : ["groups", "topics"];
  }

  async find(
    groups: readonly GroupRequest[],
    exchange: Exchange<OffsetFetchResponseInput>,
  ): Promise<OffsetFetchResponseInput> {
    const found: GroupResponse[] = [];
    const whole = new Map<string, readonly TopicResponse[]>();
    await this.#share.rest();
    for (const requested of groups) {
      // Nobody is left to be answered.
      if (exchange.isDropped) break;
      const { groupId, topics } = requested;
      const errorCode = faultOf(this.#context, requested);
      if (errorCode !== NO_ERROR) {
        found.push({ groupId, topics: [], errorCode });
        continue;
      }
      let responses = topics === null ? whole.get(groupId) : undefined;
      responses ??= topics === null ? await this.#findAll(groupId) : await this.#find(groupId, topics);
      if (topics === null) whole.set(groupId, responses);
      found.push({ groupId, topics: responses, errorCode });
    }
    return respondWith(found, this.#version);
  }

  async #find(
    group: string,
    requested: NonNullable<GroupRequest["topics"]>,
  ): Promise<readonly TopicResponse[]> {
    const topics = offsetFetchApi.responseArray<TopicResponse>(this.#version, ...this.#place);
    for (const topic of requested) {
      const { name, errorCode } = named(this.#context.broker.topics, topic, this.#version >= IDS_FROM);
      const responses = new LongArray<PartitionResponse>(() => this.#partitions());
      for (const index of topic.partitionIndexes) {
        if (this.#share.isUsedUp) await this.#share.rest();
        responses.push(responseOf(index, this.#offsets.fetch(group, name, index), errorCode));
      }
      topics.push({ name, topicId: topic.topicId, partitions: responses.finish() });
    }
    return topics.finish();
  }

  async #findAll(group: string): Promise<readonly TopicResponse[]> {
    const topics = offsetFetchApi.responseArray<TopicResponse>(this.#version, ...this.#place);
    const listing = await this.#offsets.listing(group);
    for (let found = listing.next(); found !== null; found = listing.next()) {
      const responses = new LongArray<PartitionResponse>(() => this.#partitions());
      for (const { partition, committed } of found.partitions)
        responses.push(responseOf(partition, committed));
      const topicId = this.#context.broker.topics.get(found.topic)?.id ?? ZERO_UUID;
      topics.push({ name: found.topic, topicId, partitions: responses.finish() });
      if (this.#share.isUsedUp) await this.#share.rest();
    }
    return topics.finish();
  }

  #partitions(): ArrayEncoder<PartitionResponse> {
    return offsetFetchApi.responseArray(this.#version, ...this.#place, "partitions");
  }
}

function responseOf(
  partitionIndex: number,
  committed: CommittedOffset | null,
  errorCode: number = NO_ERROR,
): PartitionResponse {
  return {
    partitionIndex,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? "",
    errorCode,
  };
}

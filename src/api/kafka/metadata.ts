/**
 * Metadata: this broker, and the topics that the client asks for. Null topics mean all (version 0: an empty array).
 *
 * A topic that does not exist is created on the way when both the client and the server allow it; a name that is not
 * allowed is INVALID_TOPIC_EXCEPTION and creates nothing. The response waits until the topic is there, so that the first
 * Produce finds it.
 *
 * When the disk refuses the new topic it is LEADER_NOT_AVAILABLE, which clients take as "not yet" and ask again; a storage error
 * here makes librdkafka give up the messages that wait. It is so too while a topic of that name is being deleted, and for a
 * second: a producer at work would else bring it back with default settings before whoever deletes it can make it anew.
 *
 * A partition that could not be opened has no leader (LEADER_NOT_AVAILABLE, leader -1), as Kafka tells of one whose log directory
 * is offline: clients wait and look again, and go on with the other partitions. One whose disk failed later keeps its leader,
 * because what was committed can still be read; both name this node among the offline replicas.
 *
 * Up to version 9 a topic is asked for by name; from 10 an id that is not zero decides, whatever name stands beside it (Java
 * sends an empty one). As in Kafka, one id makes the request one for ids: names without an id are then not answered.
 * What is requested twice is answered once. There are no permissions yet, so who asks what it may do may do everything.
 *
 * A long response is encoded topic by topic in slices. A topic that is deleted meanwhile is still described as it was: the client learns
 * of it from the next response, as it would had it asked a moment earlier.
 */

import { isStorageError, NO_ERROR, ObeliskError, toObeliskError, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Partition } from "../../broker/partition.ts";
import { Topic } from "../../broker/topic.ts";
import {
  CLUSTER_OPERATIONS,
  type MetadataRequest,
  type MetadataResponseInput,
  metadataApi,
  OPERATIONS_UNKNOWN,
  TOPIC_OPERATIONS,
} from "../../protocol/kafka/apis/metadata.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import { ZERO_UUID } from "../../protocol/kafka/schema.ts";
import { isTopicName } from "../../storage/names.ts";
import { type KafkaContext, placeFor } from "./context.ts";
import type { Exchange } from "./exchange.ts";

const NO_LEADER = -1;
const EPOCH_UNKNOWN = -1;

/** The first version in which a response can say that it knows no name. */
const NULL_NAME_FROM = 12;

/** Topics and partitions that are described in the turn that brought the request. */
const SHORT_MAX = 500;
/** Topics that are created at once, so that they share the syncs of the state. */
const CREATED_AT_ONCE = 100;

/** What a partition takes in a response of any version, at most, and a topic with a name of usual length. */
const PARTITION_BYTES = 40;
const TOPIC_BYTES = 100;

type TopicResponse = MetadataResponseInput["topics"][number];
type PartitionResponse = TopicResponse["partitions"][number];
type TopicRequest = NonNullable<MetadataRequest["topics"]>[number];
/** What was found for a request: a topic, or why there is none. */
type Found = Topic | TopicResponse;
/** What is asked for, each once: a topic, or a name or id that `find` looks up when its turn comes. */
interface Wanted {
  readonly keys: readonly (string | Topic)[];
  readonly find: (key: string) => Found;
}

export function metadata(
  context: KafkaContext,
  request: MetadataRequest,
  version: number,
  exchange: Exchange<MetadataResponseInput>,
): MetadataResponseInput | Promise<MetadataResponseInput> {
  const wanted = topicsRequested(context, request, version);
  if (wanted instanceof Promise) {
    return wanted.then((created) => describeInSlices(context, request, exchange, created));
  }
  if (wanted.keys.length > SHORT_MAX) return describeInSlices(context, request, exchange, wanted);
  const found = wanted.keys.map((key) => lookUp(wanted, key));
  if (!isShort(found)) return describeInSlices(context, request, exchange, wanted);
  const topics = found.map((each) => describeFound(context, request, each));
  return response(context, exchange, request, topics);
}

/** What a response takes, names of usual length included. */
export function metadataBytes(
  { broker: { topics } }: KafkaContext,
  { topics: requested }: MetadataRequest,
  version: number,
): number {
  if (isAll(requested, version)) return topics.partitionCount * PARTITION_BYTES + topics.count * TOPIC_BYTES;
  const seen = new Set<Topic>();
  let partitions = 0;
  for (const { name, topicId } of requested) {
    const topic = topicId === ZERO_UUID ? topics.get(name ?? "") : topics.byId(topicId);
    if (topic === undefined || seen.has(topic)) continue;
    seen.add(topic);
    partitions += topic.partitions.length;
  }
  return partitions * PARTITION_BYTES + seen.size * TOPIC_BYTES;
}

function isAll(topics: MetadataRequest["topics"], version: number): topics is null {
  return topics === null || (version === 0 && topics.length === 0);
}

function topicsRequested(
  context: KafkaContext,
  request: MetadataRequest,
  version: number,
): Wanted | Promise<Wanted> {
  const find = (name: string) => findByName(context, name, NO_FAULTS);
  if (isAll(request.topics, version)) return { keys: context.broker.topics.all(), find };
  const ids = new Set(request.topics.map(({ topicId }) => topicId));
  ids.delete(ZERO_UUID);
  if (ids.size > 0) return { keys: [...ids], find: (id) => findById(context, id, version) };
  const names = namesRequested(request.topics);
  const missing = request.allowAutoTopicCreation ? missingNames(context, names) : [];
  return missing.length > 0 ? createMissing(context, names, missing) : { keys: names, find };
}

function lookUp({ find }: Wanted, key: string | Topic): Found {
  return typeof key === "string" ? find(key) : key;
}

function isShort(found: readonly Found[]): boolean {
  let count = found.length;
  for (const { partitions } of found) count += partitions.length;
  return count <= SHORT_MAX;
}

async function describeInSlices(
  context: KafkaContext,
  request: MetadataRequest,
  exchange: Exchange<MetadataResponseInput>,
  wanted: Wanted,
): Promise<MetadataResponseInput> {
  const { version } = exchange;
  const share = new TurnShare(context.clock);
  await share.rest();
  const topics = metadataApi.responseArray<TopicResponse>(version, "topics");
  for (const key of wanted.keys) {
    if (share.isUsedUp) await share.rest();
    // Nobody is left to be answered.
    if (exchange.isDropped) break;
    const each = lookUp(wanted, key);
    if (!(each instanceof Topic)) {
      topics.push(describeFound(context, request, each));
      continue;
    }
    const partitions = new LongArray<PartitionResponse>(() =>
      metadataApi.responseArray(version, "topics", "partitions"),
    );
    for (const partition of each.partitions) {
      if (share.isUsedUp) await share.rest();
      partitions.push(describePartition(context, partition));
    }
    topics.push(withOperations(request, { ...describeTopic(each), partitions: partitions.finish() }));
  }
  return response(context, exchange, request, topics.finish());
}

export function refuseMetadata(request: MetadataRequest, errorCode: number): MetadataResponseInput {
  const topics = (request.topics ?? []).map(({ name, topicId }) => failed(name ?? "", topicId, errorCode));
  return { brokers: [], topics };
}

const NO_FAULTS: ReadonlyMap<string, number> = new Map();

/** @throws ObeliskError INVALID_REQUEST for a topic without name and id */
function namesRequested(requested: readonly TopicRequest[]): string[] {
  const names = new Set<string>();
  for (const { name } of requested) {
    if (name === null)
      throw new ObeliskError("INVALID_REQUEST", { detail: "a topic without a name and an id" });
    names.add(name);
  }
  return [...names];
}

function missingNames({ broker: { topics } }: KafkaContext, names: readonly string[]): string[] {
  return names.filter((name) => topics.get(name) === undefined && isTopicName(name));
}

async function createMissing(
  context: KafkaContext,
  names: readonly string[],
  missing: readonly string[],
): Promise<Wanted> {
  const faults = new Map<string, number>();
  const share = new TurnShare(context.clock);
  for (let start = 0; start < missing.length; start += CREATED_AT_ONCE) {
    if (share.isUsedUp) await share.rest();
    const some = missing.slice(start, start + CREATED_AT_ONCE);
    await Promise.all(some.map((name) => create(context, name, faults)));
  }
  return { keys: names, find: (name) => findByName(context, name, faults) };
}

async function create(
  { broker: { topics } }: KafkaContext,
  name: string,
  faults: Map<string, number>,
): Promise<void> {
  if (topics.isLeftAlone(name)) {
    faults.set(name, wireCode("LEADER_NOT_AVAILABLE"));
    return;
  }
  try {
    await topics.ensure(name);
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    faults.set(name, isStorageError(error) ? wireCode("LEADER_NOT_AVAILABLE") : error.wire);
  }
}

function findByName(context: KafkaContext, name: string, faults: ReadonlyMap<string, number>): Found {
  const topic = context.broker.topics.get(name);
  if (topic !== undefined) return topic;
  if (!isTopicName(name)) return failed(name, ZERO_UUID, wireCode("INVALID_TOPIC_EXCEPTION"));
  return failed(name, ZERO_UUID, faults.get(name) ?? wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
}

function findById(context: KafkaContext, id: string, version: number): Found {
  const topic = context.broker.topics.byId(id);
  if (topic !== undefined) return topic;
  return failed(version >= NULL_NAME_FROM ? null : "", id, wireCode("UNKNOWN_TOPIC_ID"));
}

function describeFound(context: KafkaContext, request: MetadataRequest, found: Found): TopicResponse {
  if (!(found instanceof Topic)) return withOperations(request, found);
  const partitions = found.partitions.map((partition) => describePartition(context, partition));
  return withOperations(request, { ...describeTopic(found), partitions });
}

function describeTopic({ name, id: topicId }: Topic): TopicResponse {
  return { errorCode: NO_ERROR, name, topicId, partitions: [] };
}

/** What a partition is like for clients. */
export function describePartition(
  { broker: { nodeId } }: KafkaContext,
  partition: Partition,
): PartitionResponse {
  const nodes = [nodeId];
  const hasLeader = partition.refusal === null;
  return {
    errorCode: hasLeader ? NO_ERROR : wireCode("LEADER_NOT_AVAILABLE"),
    partitionIndex: partition.index,
    leaderId: hasLeader ? nodeId : NO_LEADER,
    leaderEpoch: hasLeader ? partition.leaderEpoch : EPOCH_UNKNOWN,
    replicaNodes: nodes,
    isrNodes: hasLeader ? nodes : [],
    offlineReplicas: partition.isUnavailable ? nodes : [],
  };
}

function failed(name: string | null, topicId: string, errorCode: number): TopicResponse {
  return { errorCode, name, topicId, partitions: [] };
}

function response(
  context: KafkaContext,
  exchange: Exchange<MetadataResponseInput>,
  request: MetadataRequest,
  topics: readonly TopicResponse[],
): MetadataResponseInput {
  const { nodeId, clusterId } = context.broker;
  return {
    brokers: [{ ...placeFor(context, exchange.session.localHost), rack: null }],
    clusterId,
    controllerId: nodeId,
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? CLUSTER_OPERATIONS
      : OPERATIONS_UNKNOWN,
  };
}

function withOperations(
  { includeTopicAuthorizedOperations }: MetadataRequest,
  topic: TopicResponse,
): TopicResponse {
  const isKnown = topic.errorCode !== wireCode("UNKNOWN_TOPIC_ID");
  if (!includeTopicAuthorizedOperations || !isKnown) return topic;
  return { ...topic, topicAuthorizedOperations: TOPIC_OPERATIONS };
}

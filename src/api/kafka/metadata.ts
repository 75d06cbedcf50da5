/**
 * Metadata: this broker, and the topics that the client asks for. Null topics mean all (version 0: an empty array).
 *
 * A topic that does not exist is created on the way when both the client and the server allow it; a name that is not
 * allowed is INVALID_TOPIC_EXCEPTION and creates nothing. The answer waits until the topic is there, so that the first
 * Produce finds it.
 *
 * When the disk refuses the new topic it is LEADER_NOT_AVAILABLE, which clients take as "not yet" and ask again; a storage error
 * here makes librdkafka give up the messages that wait. It is so too while a topic of that name is being deleted, and for a
 * second: a producer at work would else bring it back with standard settings before whoever deletes it can make it anew.
 *
 * A partition that could not be opened has no leader (LEADER_NOT_AVAILABLE, leader -1), as Kafka tells of one whose log directory
 * is offline: clients wait and look again, and go on with the other partitions. One whose disk failed later keeps its leader,
 * because what was committed can still be read; both name this node among the offline replicas.
 *
 * Up to version 9 a topic is asked for by name; from 10 an id that is not zero decides, whatever name stands beside it (Java
 * sends an empty one). As in Kafka, one id makes the request one for ids: names without an id are then not answered.
 * What is asked for twice is answered once. There are no permissions yet, so who asks what it may do may do everything.
 */

import { isStorageError, NO_ERROR, ObeliskError, toObeliskError, wireCode } from "../../base/errors.ts";
import type { Topic } from "../../broker/topic.ts";
import {
  CLUSTER_OPERATIONS,
  type MetadataRequest,
  type MetadataResponseInput,
  OPERATIONS_UNKNOWN,
  TOPIC_OPERATIONS,
} from "../../protocol/kafka/apis/metadata.ts";
import { ZERO_UUID } from "../../protocol/kafka/schema.ts";
import { isTopicName } from "../../storage/names.ts";
import { type KafkaContext, placeFor } from "./context.ts";
import type { Exchange } from "./exchange.ts";

const NO_LEADER = -1;
const EPOCH_UNKNOWN = -1;

/** The first version in which an answer can say that it knows no name. */
const NULL_NAME_FROM = 12;

type TopicAnswer = MetadataResponseInput["topics"][number];
type TopicQuestion = NonNullable<MetadataRequest["topics"]>[number];

export function metadata(
  context: KafkaContext,
  request: MetadataRequest,
  version: number,
  exchange: Exchange<MetadataResponseInput>,
): MetadataResponseInput | Promise<MetadataResponseInput> {
  const topics = topicsAsked(context, request, version);
  if (topics instanceof Promise) return topics.then((found) => answer(context, exchange, request, found));
  return answer(context, exchange, request, topics);
}

function topicsAsked(
  context: KafkaContext,
  request: MetadataRequest,
  version: number,
): TopicAnswer[] | Promise<TopicAnswer[]> {
  if (request.topics === null || (version === 0 && request.topics.length === 0)) {
    return context.broker.topics.all().map((topic) => describeTopic(context, topic));
  }
  const ids = new Set(request.topics.map(({ topicId }) => topicId));
  ids.delete(ZERO_UUID);
  if (ids.size > 0) return [...ids].map((id) => findById(context, id, version));
  const names = namesAsked(request.topics);
  const missing = request.allowAutoTopicCreation ? missingNames(context, names) : [];
  if (missing.length > 0) return createMissing(context, names, missing);
  return names.map((name) => find(context, name, NO_FAULTS));
}

export function refuseMetadata(request: MetadataRequest, errorCode: number): MetadataResponseInput {
  const topics = (request.topics ?? []).map(({ name, topicId }) => failed(name ?? "", topicId, errorCode));
  return { brokers: [], topics };
}

const NO_FAULTS: ReadonlyMap<string, number> = new Map();

/** @throws ObeliskError INVALID_REQUEST for a topic without name and id */
function namesAsked(asked: readonly TopicQuestion[]): string[] {
  const names = new Set<string>();
  for (const { name } of asked) {
    if (name === null)
      throw new ObeliskError("INVALID_REQUEST", { detail: "a topic without a name and an id" });
    names.add(name);
  }
  return [...names];
}

function missingNames({ broker: { topics } }: KafkaContext, names: readonly string[]): string[] {
  return names.filter((name) => topics.get(name) === undefined && isTopicName(name));
}

/** All at once, so that they share the syncs of the state. */
async function createMissing(
  context: KafkaContext,
  names: readonly string[],
  missing: readonly string[],
): Promise<TopicAnswer[]> {
  const faults = new Map<string, number>();
  const { topics } = context.broker;
  const creations = missing.map(async (name) => {
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
  });
  await Promise.all(creations);
  return names.map((name) => find(context, name, faults));
}

function find(context: KafkaContext, name: string, faults: ReadonlyMap<string, number>): TopicAnswer {
  const topic = context.broker.topics.get(name);
  if (topic !== undefined) return describeTopic(context, topic);
  if (!isTopicName(name)) return failed(name, ZERO_UUID, wireCode("INVALID_TOPIC_EXCEPTION"));
  return failed(name, ZERO_UUID, faults.get(name) ?? wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
}

function findById(context: KafkaContext, id: string, version: number): TopicAnswer {
  const topic = context.broker.topics.byId(id);
  if (topic !== undefined) return describeTopic(context, topic);
  return failed(version >= NULL_NAME_FROM ? null : "", id, wireCode("UNKNOWN_TOPIC_ID"));
}

function describeTopic({ broker: { nodeId } }: KafkaContext, topic: Topic): TopicAnswer {
  const nodes = [nodeId];
  return {
    errorCode: NO_ERROR,
    name: topic.name,
    topicId: topic.id,
    partitions: topic.partitions.map((partition) => {
      const hasLeader = partition.refusal === null;
      return {
        errorCode: hasLeader ? NO_ERROR : wireCode("LEADER_NOT_AVAILABLE"),
        partitionIndex: partition.index,
        leaderId: hasLeader ? nodeId : NO_LEADER,
        leaderEpoch: hasLeader ? partition.leaderEpoch : EPOCH_UNKNOWN,
        replicaNodes: nodes,
        isrNodes: hasLeader ? nodes : [],
        offlineReplicas: partition.isOffline ? nodes : [],
      };
    }),
  };
}

function failed(name: string | null, topicId: string, errorCode: number): TopicAnswer {
  return { errorCode, name, topicId, partitions: [] };
}

function answer(
  context: KafkaContext,
  exchange: Exchange<MetadataResponseInput>,
  request: MetadataRequest,
  topics: TopicAnswer[],
): MetadataResponseInput {
  const { nodeId, clusterId } = context.broker;
  const brokers = [{ ...placeFor(context, exchange.session.localHost), rack: null }];
  return {
    brokers,
    clusterId,
    controllerId: nodeId,
    topics: request.includeTopicAuthorizedOperations ? topics.map(withOperations) : topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? CLUSTER_OPERATIONS
      : OPERATIONS_UNKNOWN,
  };
}

function withOperations(topic: TopicAnswer): TopicAnswer {
  const isKnown = topic.errorCode !== wireCode("UNKNOWN_TOPIC_ID");
  return isKnown ? { ...topic, topicAuthorizedOperations: TOPIC_OPERATIONS } : topic;
}

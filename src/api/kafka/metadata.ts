/**
 * Metadata: this broker, and the topics that the client asks for. Null topics mean all (version 0: an empty array).
 *
 * A topic that does not exist is created on the way when both the client and the server allow it; a name that is not
 * allowed is INVALID_TOPIC_EXCEPTION and creates nothing. The answer waits until the topic is there, so that the first
 * Produce finds it.
 *
 * A partition that could not be opened has no leader (LEADER_NOT_AVAILABLE, leader -1), as Kafka tells of one whose log directory
 * is offline: clients wait and look again, and go on with the other partitions. One whose disk failed later keeps its leader,
 * because what was committed can still be read; both name this node among the offline replicas.
 *
 * Up to version 9 a topic is asked for by name; from 10 an id may stand instead.
 */

import { NO_ERROR, toObeliskError, wireCode } from "../../base/errors.ts";
import type { Topic } from "../../broker/topics.ts";
import type { MetadataRequest, MetadataResponseInput } from "../../protocol/kafka/apis/metadata.ts";
import { isTopicName } from "../../storage/names.ts";
import { type KafkaContext, placeFor } from "./context.ts";
import type { Exchange } from "./exchange.ts";

const NO_LEADER = -1;
const EPOCH_UNKNOWN = -1;

type TopicAnswer = MetadataResponseInput["topics"][number];
type TopicQuestion = NonNullable<MetadataRequest["topics"]>[number];

export function metadata(
  context: KafkaContext,
  request: MetadataRequest,
  version: number,
  exchange: Exchange<MetadataResponseInput>,
): MetadataResponseInput | Promise<MetadataResponseInput> {
  const topics = topicsAsked(context, request, version);
  if (topics instanceof Promise) return topics.then((found) => answer(context, exchange, found));
  return answer(context, exchange, topics);
}

function topicsAsked(
  context: KafkaContext,
  request: MetadataRequest,
  version: number,
): TopicAnswer[] | Promise<TopicAnswer[]> {
  if (request.topics === null || (version === 0 && request.topics.length === 0)) {
    return context.broker.topics.all().map((topic) => describeTopic(context, topic));
  }
  const asked = request.topics;
  const missing = request.allowAutoTopicCreation ? missingNames(context, asked) : [];
  if (missing.length > 0) return createMissing(context, asked, missing);
  return asked.map((question) => find(context, question, NO_FAULTS));
}

export function refuseMetadata(request: MetadataRequest, errorCode: number): MetadataResponseInput {
  const topics = (request.topics ?? []).map(({ name, topicId }) => failed(name ?? "", topicId, errorCode));
  return { brokers: [], topics };
}

const NO_FAULTS: ReadonlyMap<string, number> = new Map();

function missingNames(context: KafkaContext, asked: readonly TopicQuestion[]): string[] {
  const names = new Set<string>();
  for (const { name } of asked) {
    if (name !== null && context.broker.topics.get(name) === undefined && isTopicName(name)) names.add(name);
  }
  return [...names];
}

/** All at once, so that they share the syncs of the state. */
async function createMissing(
  context: KafkaContext,
  asked: readonly TopicQuestion[],
  names: readonly string[],
): Promise<TopicAnswer[]> {
  const faults = new Map<string, number>();
  const creations = names.map(async (name) => {
    try {
      await context.broker.topics.ensure(name);
    } catch (thrown) {
      const error = toObeliskError(thrown);
      if (error.wire < 0) throw thrown;
      faults.set(name, error.wire);
    }
  });
  await Promise.all(creations);
  return asked.map((question) => find(context, question, faults));
}

function find(context: KafkaContext, asked: TopicQuestion, faults: ReadonlyMap<string, number>): TopicAnswer {
  const { name, topicId } = asked;
  const { topics } = context.broker;
  const topic = name === null ? topics.byId(topicId) : topics.get(name);
  if (topic !== undefined) return describeTopic(context, topic);
  if (name === null) return failed("", topicId, wireCode("UNKNOWN_TOPIC_ID"));
  if (!isTopicName(name)) return failed(name, topicId, wireCode("INVALID_TOPIC_EXCEPTION"));
  return failed(name, topicId, faults.get(name) ?? wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
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
        isrNodes: nodes,
        offlineReplicas: partition.isOffline ? nodes : [],
      };
    }),
  };
}

function failed(name: string, topicId: string, errorCode: number): TopicAnswer {
  return { errorCode, name, topicId, partitions: [] };
}

function answer(
  context: KafkaContext,
  exchange: Exchange<MetadataResponseInput>,
  topics: TopicAnswer[],
): MetadataResponseInput {
  const { nodeId, clusterId } = context.broker;
  const brokers = [{ ...placeFor(context, exchange.session.localHost), rack: null }];
  return { brokers, clusterId, controllerId: nodeId, topics };
}

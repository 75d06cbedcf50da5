/**
 * CreateTopics. A replication factor above 1 is accepted and 1 is stored, with a line in the log: manifests written for
 * a cluster work unchanged, and the response (from version 5) says what the topic really has. 0 is refused.
 *
 * Manual assignments fix the number of partitions; they must number them from 0 without a gap and name this broker alone.
 * Which settings a topic may have is the broker's to say (topic-configs.ts); one without a value is INVALID_CONFIG, and
 * spaces around a value do not count, as in Kafka.
 *
 * A name that occurs twice in a request is refused, and answered once. Of several faults the first is told: the name, a
 * topic that is there already, settings, replicas or assignments, the number of partitions. With `validateOnly` the same is
 * checked and nothing done. A request for more than 10,000 partitions, and so for more topics than that, is refused as a whole.
 * Topics are taken up in slices.
 */

import { NO_ERROR, ObeliskError, toObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { Slices } from "../../base/loop/turns.ts";
import { trimmed } from "../../broker/config-kinds.ts";
import type { TopicOptions } from "../../broker/topic.ts";
import { checkTopicConfigs } from "../../broker/topic-configs.ts";
import {
  type CreateTopicsRequest,
  type CreateTopicsResponseInput,
  createTopicsApi,
} from "../../protocol/kafka/apis/create-topics.ts";
import { topicEntries } from "./config-entries.ts";
import type { KafkaContext } from "./context.ts";
import { encodedInTurns } from "./encode-turns.ts";

type CreatableTopic = CreateTopicsRequest["topics"][number];
type TopicResponse = CreateTopicsResponseInput["topics"][number];

const DEFAULT = -1;
const REPLICATION_FACTOR = 1;
/** As in Kafka; and so many topics, for those that ask for none. */
const REQUEST_PARTITIONS_MAX = 10_000;
/** Topics that are checked, or begun, in one turn: about 2 ms. */
const SLICES = new Slices(100);

export async function createTopics(
  context: KafkaContext,
  request: CreateTopicsRequest,
  version: number,
): Promise<CreateTopicsResponseInput> {
  const { orders, duplicates } = await ordersByName(context, request.topics);
  const tooMany = faultOfTotal(
    context,
    orders.filter(({ name }) => !duplicates.has(name)),
  );
  const duplicateName = invalid("the request names the topic twice");
  const topics = orders.map((order) => {
    const fault = duplicates.has(order.name) ? duplicateName : tooMany;
    return fault === null ? createOne(context, order, request.validateOnly) : refused(order.name, fault);
  });
  const all = await Promise.all(topics);
  return {
    topics: await encodedInTurns(context, all, () => createTopicsApi.responseArray(version, "topics")),
  };
}

export function refuseCreateTopics(
  request: CreateTopicsRequest,
  errorCode: number,
): CreateTopicsResponseInput {
  return { topics: request.topics.map(({ name }) => ({ name, errorCode, errorMessage: null })) };
}

/** One order for each name, and the names that stand there more than once. */
async function ordersByName(
  context: KafkaContext,
  requested: readonly CreatableTopic[],
): Promise<{ orders: CreatableTopic[]; duplicates: ReadonlySet<string> }> {
  const share = new TurnShare(context.clock);
  const orders = new Map<string, CreatableTopic>();
  const duplicates = new Set<string>();
  for (const order of requested) {
    if (share.isUsedUp) await share.rest();
    if (orders.has(order.name)) duplicates.add(order.name);
    orders.set(order.name, order);
  }
  return { orders: [...orders.values()], duplicates };
}

/** POLICY_VIOLATION when there are too many topics, or all of them together ask for too many partitions. */
function faultOfTotal({ broker }: KafkaContext, orders: readonly CreatableTopic[]): ObeliskError | null {
  let total = 0;
  for (const { numPartitions, assignments } of orders) {
    if (assignments.length > 0) total += assignments.length;
    else total += numPartitions === DEFAULT ? broker.options.partitionsDefault : Math.max(numPartitions, 0);
  }
  if (Math.max(total, orders.length) <= REQUEST_PARTITIONS_MAX) return null;
  const what = total > REQUEST_PARTITIONS_MAX ? `${total} partitions` : `${orders.length} topics`;
  return new ObeliskError("POLICY_VIOLATION", {
    detail: `the request asks for ${what} at once`,
    remedy: "create the topics in several requests",
    limit: REQUEST_PARTITIONS_MAX,
  });
}

async function createOne(
  context: KafkaContext,
  order: CreatableTopic,
  isValidateOnly: boolean,
): Promise<TopicResponse> {
  const { name } = order;
  await SLICES.next();
  try {
    context.broker.topics.validateName(name);
    const options = optionsOf(context, order);
    if (isValidateOnly) {
      context.broker.topics.validate(name, options);
      return created(context, name, options, options.partitions);
    }
    const topic = await context.broker.topics.create(name, options);
    if (order.replicationFactor > REPLICATION_FACTOR) warnOfReplication(context, order);
    return { ...created(context, name, options, topic.partitions.length), topicId: topic.id };
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    return refused(name, error);
  }
}

function refused(name: string, { wire, message }: ObeliskError): TopicResponse {
  return { name, errorCode: wire, errorMessage: message };
}

/** @throws ObeliskError INVALID_REPLICATION_FACTOR, INVALID_REPLICA_ASSIGNMENT, INVALID_REQUEST, INVALID_CONFIG */
function optionsOf(context: KafkaContext, order: CreatableTopic): TopicOptions {
  const { numPartitions, replicationFactor, assignments } = order;
  const configs = configsOf(context, order);
  if (assignments.length === 0) {
    if (replicationFactor !== DEFAULT && replicationFactor < 1) {
      throw new ObeliskError("INVALID_REPLICATION_FACTOR", {
        detail: "the replication factor must be 1 or more",
      });
    }
    return { partitions: numPartitions, configs };
  }
  if (numPartitions !== DEFAULT || replicationFactor !== DEFAULT) {
    throw invalid("assignments exclude a number of partitions and a replication factor");
  }
  checkAssignments(context, assignments);
  return { partitions: assignments.length, configs };
}

function checkAssignments({ broker }: KafkaContext, assignments: CreatableTopic["assignments"]): void {
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
  for (let index = 0; index < assignments.length; index += 1) {
    if (!indexes.has(index)) throw misassigned("partitions must be numbered from 0 without a gap");
  }
  for (const { brokerIds } of assignments) {
    if (brokerIds.length !== 1 || brokerIds[0] !== broker.nodeId) {
      throw misassigned(`a partition is assigned to broker ${broker.nodeId}, once: it is the only one`);
    }
  }
}

/** @throws ObeliskError INVALID_CONFIG */
function configsOf({ broker }: KafkaContext, { configs }: CreatableTopic): Record<string, string> {
  const given = configs.map(({ name, value }) => {
    if (value === null) throw new ObeliskError("INVALID_CONFIG", { detail: `${name} has no value` });
    return [name, trimmed(value)] as const;
  });
  const settings = Object.fromEntries(given);
  checkTopicConfigs(settings, broker.options.messageBytesLimit);
  return settings;
}

function created(
  context: KafkaContext,
  name: string,
  { configs }: TopicOptions,
  partitions: number,
): TopicResponse {
  const { partitionsDefault } = context.broker.options;
  const numPartitions = partitions === DEFAULT ? partitionsDefault : partitions;
  const described = topicEntries(context.broker, configs).map(
    ({ name: configName, value, readOnly, configSource, isSensitive }) => ({
      name: configName,
      value,
      readOnly,
      configSource,
      isSensitive,
    }),
  );
  const replicationFactor = REPLICATION_FACTOR;
  return {
    name,
    errorCode: NO_ERROR,
    errorMessage: null,
    numPartitions,
    replicationFactor,
    configs: described,
  };
}

function warnOfReplication({ log }: KafkaContext, { name, replicationFactor }: CreatableTopic): void {
  log.warn("a topic asked for more replicas than there are brokers, it has one", {
    topic: name,
    requested: replicationFactor,
  });
}

function invalid(detail: string): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", { detail });
}

function misassigned(detail: string): ObeliskError {
  return new ObeliskError("INVALID_REPLICA_ASSIGNMENT", { detail });
}

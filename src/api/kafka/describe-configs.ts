/**
 * DescribeConfigs: the settings of topics and brokers, each with value, source, type, synonyms and documentation. Without names it
 * is all of them; a name that does not exist is left out, as in Kafka. Broker "" is what was changed for all brokers.
 *
 * A type of resource that does not exist refuses the whole request, as in Kafka. Client metrics have no settings and broker loggers none that could be changed: they are answered with none, so that tools which ask
 * for everything work.
 */

import { NO_ERROR, ObeliskError, toObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { KiB } from "../../base/units.ts";
import {
  type DescribeConfigsRequest,
  type DescribeConfigsResponseInput,
  describeConfigsApi,
} from "../../protocol/kafka/apis/describe-configs.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import { checkTopicName } from "../../storage/names.ts";
import {
  brokerEntries,
  type ConfigEntry,
  changedEntries,
  groupEntries,
  topicEntries,
} from "./config-entries.ts";
import { brokerNamed, CONFIG_RESOURCES, unsupportedResource } from "./config-resources.ts";
import type { KafkaContext } from "./context.ts";

type Resource = DescribeConfigsRequest["resources"][number];
type Result = DescribeConfigsResponseInput["results"][number];

const DESCRIBED: readonly number[] = Object.values(CONFIG_RESOURCES);

/** All settings of one resource, with synonyms and documentation. */
const RESOURCE_BYTES = 24 * KiB;

export function describeConfigsBytes(_context: KafkaContext, { resources }: DescribeConfigsRequest): number {
  return resources.length * RESOURCE_BYTES;
}

export async function describeConfigs(
  context: KafkaContext,
  request: DescribeConfigsRequest,
  version: number,
): Promise<DescribeConfigsResponseInput> {
  const unknown = request.resources.find(({ resourceType }) => !DESCRIBED.includes(resourceType));
  if (unknown !== undefined) {
    const { wire, message } = unsupportedResource(unknown.resourceType);
    return refused(request, wire, message);
  }
  const share = new TurnShare(context.clock);
  const results = new LongArray<Result>(() => describeConfigsApi.responseArray(version, "results"));
  for (const resource of request.resources) {
    if (share.isUsedUp) await share.rest();
    results.push(describeOne(context, resource, request));
  }
  return { results: results.finish() };
}

export function refuseDescribeConfigs(
  request: DescribeConfigsRequest,
  errorCode: number,
): DescribeConfigsResponseInput {
  return refused(request, errorCode, null);
}

function refused(
  { resources }: DescribeConfigsRequest,
  errorCode: number,
  errorMessage: string | null,
): DescribeConfigsResponseInput {
  const results = resources.map(({ resourceType, resourceName }) => ({
    errorCode,
    errorMessage,
    resourceType,
    resourceName,
    configs: [],
  }));
  return { results };
}

function describeOne(context: KafkaContext, resource: Resource, request: DescribeConfigsRequest): Result {
  const { resourceType, resourceName, configurationKeys } = resource;
  try {
    const entries = entriesOf(context, resource);
    const wanted =
      configurationKeys === null || configurationKeys.length === 0 ? null : new Set(configurationKeys);
    const configs = entries.filter(({ name }) => wanted === null || wanted.has(name));
    return {
      errorCode: NO_ERROR,
      errorMessage: "",
      resourceType,
      resourceName,
      configs: configs.map((entry) => toldOf(entry, request)),
    };
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    const { wire, message } = error;
    return { errorCode: wire, errorMessage: message, resourceType, resourceName, configs: [] };
  }
}

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST */
function entriesOf(context: KafkaContext, { resourceType, resourceName }: Resource): ConfigEntry[] {
  const { broker, groupConfigs, serverSettings } = context;
  switch (resourceType) {
    case CONFIG_RESOURCES.topic: {
      checkTopicName(resourceName);
      const topic = broker.topics.get(resourceName);
      if (topic === undefined) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: resourceName });
      return topicEntries(broker, topic.configs);
    }
    case CONFIG_RESOURCES.broker:
      return brokerNamed(context, resourceName) === null
        ? changedEntries(broker)
        : brokerEntries(broker, serverSettings());
    case CONFIG_RESOURCES.brokerLogger:
      brokerNamed(context, resourceName);
      return [];
    case CONFIG_RESOURCES.clientMetrics:
      return [];
    case CONFIG_RESOURCES.group:
      if (resourceName === "") throw new ObeliskError("INVALID_REQUEST", { detail: "a group has a name" });
      return groupEntries(groupConfigs, resourceName);
    default:
      throw unsupportedResource(resourceType);
  }
}

function toldOf(
  entry: ConfigEntry,
  { includeSynonyms, includeDocumentation }: DescribeConfigsRequest,
): Result["configs"][number] {
  return {
    ...entry,
    synonyms: includeSynonyms ? entry.synonyms : [],
    documentation: includeDocumentation ? entry.documentation : null,
  };
}

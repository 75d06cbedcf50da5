/** ListConfigResources: what has settings. Topics and brokers have; without types, and in version 0, Kafka's rules for what is meant. */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import type {
  ListConfigResourcesRequest,
  ListConfigResourcesResponseInput,
} from "../../protocol/kafka/apis/list-config-resources.ts";
import { CONFIG_RESOURCES } from "./config-resources.ts";
import type { KafkaContext } from "./context.ts";

type Resource = ListConfigResourcesResponseInput["configResources"][number];

const TYPES: readonly number[] = Object.values(CONFIG_RESOURCES);

export function listConfigResources(
  { broker, groupConfigs }: KafkaContext,
  { resourceTypes }: ListConfigResourcesRequest,
  version: number,
): ListConfigResourcesResponseInput {
  if (version === 0) return { errorCode: NO_ERROR, configResources: [] };
  if (resourceTypes.some((type) => !TYPES.includes(type)))
    return { errorCode: wireCode("UNSUPPORTED_VERSION"), configResources: [] };
  const wanted = resourceTypes.length === 0 ? TYPES : resourceTypes;
  const configResources: Resource[] = [];
  const node = String(broker.nodeId);
  if (wanted.includes(CONFIG_RESOURCES.topic)) {
    for (const { name } of broker.topics.all())
      configResources.push({ resourceName: name, resourceType: CONFIG_RESOURCES.topic });
  }
  for (const type of [CONFIG_RESOURCES.broker, CONFIG_RESOURCES.brokerLogger])
    if (wanted.includes(type)) configResources.push({ resourceName: node, resourceType: type });
  if (wanted.includes(CONFIG_RESOURCES.group)) {
    for (const name of groupConfigs.names())
      configResources.push({ resourceName: name, resourceType: CONFIG_RESOURCES.group });
  }
  return { errorCode: NO_ERROR, configResources };
}

export function refuseListConfigResources(
  _request: ListConfigResourcesRequest,
  errorCode: number,
): ListConfigResourcesResponseInput {
  return { errorCode, configResources: [] };
}

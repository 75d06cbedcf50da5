/**
 * AlterConfigs and IncrementalAlterConfigs: change the settings of topics, and those of brokers that are the defaults of topics. The
 * first gives a resource exactly what it names; the second sets, deletes, appends to a list and subtracts from one.
 *
 * Each resource is changed as a whole or not at all, durably when it is answered, and answered on its own. A resource that stands
 * twice in a request is refused, and so is a setting that stands twice in a resource. With `validateOnly` everything is checked and
 * nothing changed.
 */

import { NO_ERROR, ObeliskError, toObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { type ConfigKind, listElements, trimmed } from "../../broker/config-kinds.ts";
import { TOPIC_CONFIGS, type TopicConfigValues, topicConfigNamed } from "../../broker/topic-configs.ts";
import type {
  AlterConfigsRequest,
  AlterConfigsResponseInput,
} from "../../protocol/kafka/apis/alter-configs.ts";
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponseInput,
} from "../../protocol/kafka/apis/incremental-alter-configs.ts";
import { checkTopicName } from "../../storage/names.ts";
import { brokerNamed, CONFIG_RESOURCES, unsupportedResource } from "./config-resources.ts";
import type { KafkaContext } from "./context.ts";

type Change = (values: TopicConfigValues) => TopicConfigValues;
type Response = AlterConfigsResponseInput["responses"][number];
type Operation = IncrementalAlterConfigsRequest["resources"][number]["configs"][number];

interface ResourceName {
  readonly resourceType: number;
  readonly resourceName: string;
}

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

export async function alterConfigs(
  context: KafkaContext,
  request: AlterConfigsRequest,
): Promise<AlterConfigsResponseInput> {
  const responses = await alterAll(context, request.resources, request.validateOnly, ({ configs }) => {
    checkNames(configs);
    return () => Object.fromEntries(configs.map(({ name, value }) => [name, givenValue(name, value)]));
  });
  return { responses };
}

export async function incrementalAlterConfigs(
  context: KafkaContext,
  request: IncrementalAlterConfigsRequest,
): Promise<IncrementalAlterConfigsResponseInput> {
  const responses = await alterAll(context, request.resources, request.validateOnly, (resource) => {
    checkNames(resource.configs);
    return (values) => changed(context, values, resource);
  });
  return { responses };
}

export function refuseAlterConfigs(
  { resources }: AlterConfigsRequest | IncrementalAlterConfigsRequest,
  errorCode: number,
): AlterConfigsResponseInput {
  return { responses: resources.map((resource) => responseFor(resource, errorCode, null)) };
}

async function alterAll<Resource extends ResourceName>(
  context: KafkaContext,
  resources: readonly Resource[],
  isValidateOnly: boolean,
  changeFor: (resource: Resource) => Change,
): Promise<Response[]> {
  const share = new TurnShare(context.clock);
  const responses: Response[] = [];
  const repeated = repeatedAmong(resources);
  for (const resource of resources) {
    if (share.isUsedUp) await share.rest();
    try {
      if (repeated.has(keyOf(resource))) throw invalid("the request names the resource twice");
      await alterOne(context, resource, changeFor(resource), isValidateOnly);
      responses.push(responseFor(resource, NO_ERROR, null));
    } catch (thrown) {
      const error = toObeliskError(thrown);
      if (error.wire < 0) throw thrown;
      responses.push(responseFor(resource, error.wire, error.message));
    }
  }
  return responses;
}

/** @throws ObeliskError */
async function alterOne(
  context: KafkaContext,
  { resourceType, resourceName }: ResourceName,
  change: Change,
  isValidateOnly: boolean,
): Promise<void> {
  const { topics, configs } = context.broker;
  if (resourceType === CONFIG_RESOURCES.topic) {
    if (resourceName === "") throw invalid("a topic has a name");
    checkTopicName(resourceName);
    await topics.alter(resourceName, change, isValidateOnly);
  } else if (resourceType === CONFIG_RESOURCES.broker)
    await configs.alter(brokerNamed(context, resourceName), change, isValidateOnly);
  else if (resourceType === CONFIG_RESOURCES.group)
    await context.groupConfigs.alter(resourceName, change, isValidateOnly);
  else throw unsupportedResource(resourceType);
}

/** The values after the operations. @throws ObeliskError INVALID_CONFIG, INVALID_REQUEST */
function changed(
  context: KafkaContext,
  values: TopicConfigValues,
  resource: ResourceName & { readonly configs: readonly Operation[] },
): TopicConfigValues {
  const after: Record<string, string> = { ...values };
  for (const { name, configOperation, value } of resource.configs) {
    if (resource.resourceType === CONFIG_RESOURCES.broker) checkChangeable(context, name);
    const topicName = resource.resourceType === CONFIG_RESOURCES.topic ? name : topicNameOf(name);
    if (configOperation === DELETE) delete after[name];
    else if (configOperation === SET) after[name] = givenValue(name, value);
    else if (configOperation === APPEND || configOperation === SUBTRACT) {
      const { kind } = topicConfigNamed(topicName);
      checkList(name, kind);
      const inForce = after[name] ?? context.broker.topicDefaults.valueFor({}, topicName);
      after[name] = listAfter(inForce, configOperation, givenValue(name, value));
    } else throw invalid(`there is no operation ${configOperation} on a setting`);
  }
  return after;
}

/** @throws ObeliskError INVALID_REQUEST for a setting that the broker has, and that is set where it is started */
function checkChangeable({ serverSettings }: KafkaContext, name: string): void {
  if (serverSettings().some((setting) => setting.name === name))
    throw invalid(`the broker setting ${name} is set where the server is started`);
}

/** The topic setting whose default a broker setting is; its own name when there is none, which is refused then. */
function topicNameOf(brokerName: string): string {
  for (const config of TOPIC_CONFIGS.values()) if (config.brokerName === brokerName) return config.name;
  return brokerName;
}

function listAfter(list: string, operation: number, value: string): string {
  const elements = listElements(list);
  const given = listElements(value);
  if (operation === SUBTRACT) return elements.filter((element) => !given.includes(element)).join(",");
  return [...elements, ...given.filter((element) => !elements.includes(element))].join(",");
}

function checkList(name: string, { type }: ConfigKind): void {
  if (type === "list") return;
  throw new ObeliskError("INVALID_CONFIG", {
    detail: `the setting ${name} is no list: nothing can be appended to it or subtracted from it`,
  });
}

function checkNames(configs: readonly { readonly name: string }[]): void {
  const names = new Set(configs.map(({ name }) => name));
  if (names.size < configs.length) throw invalid("the request names a setting twice");
}

/** Spaces around a value do not count. */
function givenValue(name: string, value: string | null): string {
  if (value !== null) return trimmed(value);
  throw invalid(`the setting ${name} has no value`);
}

function repeatedAmong(resources: readonly ResourceName[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const resource of resources) {
    const key = keyOf(resource);
    if (seen.has(key)) repeated.add(key);
    seen.add(key);
  }
  return repeated;
}

function keyOf({ resourceType, resourceName }: ResourceName): string {
  return `${resourceType}/${resourceName}`;
}

function responseFor(
  { resourceType, resourceName }: ResourceName,
  errorCode: number,
  errorMessage: string | null,
): Response {
  return { errorCode, errorMessage, resourceType, resourceName };
}

function invalid(detail: string): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", { detail });
}

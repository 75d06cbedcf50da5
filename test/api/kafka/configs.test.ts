/** DescribeConfigs, AlterConfigs, IncrementalAlterConfigs and ListConfigResources, over a broker in memory. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { TOPIC_CONFIGS } from "../../../src/broker/topic-configs.ts";
import { alterConfigsApi } from "../../../src/protocol/kafka/apis/alter-configs.ts";
import { consumerGroupHeartbeatApi } from "../../../src/protocol/kafka/apis/consumer-group-heartbeat.ts";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { describeConfigsApi } from "../../../src/protocol/kafka/apis/describe-configs.ts";
import { incrementalAlterConfigsApi } from "../../../src/protocol/kafka/apis/incremental-alter-configs.ts";
import { listConfigResourcesApi } from "../../../src/protocol/kafka/apis/list-config-resources.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

const TOPIC = 2;
const BROKER = 4;
const GROUP = 32;
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

let api: TestKafkaApi;
let client: WireClient;
beforeEach(async () => {
  api = await openKafkaApi();
  client = await api.connect();
  await create("t");
});
afterEach(() => api.stop());

async function create(name: string, configs: { name: string; value: string }[] = []): Promise<void> {
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs };
  await client.ask(createTopicsApi, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false });
}

async function describe(resourceType: number, resourceName: string, names: string[] | null = null) {
  const { results } = await client.ask(describeConfigsApi, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: names }],
    includeSynonyms: true,
    includeDocumentation: true,
  });
  return results[0]!;
}

/** Value and source of one setting. */
async function settingOf(resourceType: number, resourceName: string, name: string) {
  const { configs } = await describe(resourceType, resourceName, [name]);
  return configs.map(({ value, configSource }) => [value, configSource])[0];
}

async function alter(
  resourceType: number,
  resourceName: string,
  configs: [name: string, operation: number, value: string | null][],
  validateOnly = false,
) {
  const operations = configs.map(([name, configOperation, value]) => ({ name, configOperation, value }));
  const { responses } = await client.ask(incrementalAlterConfigsApi, 1, {
    resources: [{ resourceType, resourceName, configs: operations }],
    validateOnly,
  });
  return responses[0]!.errorCode;
}

test("a topic has every setting that Kafka's topics have, with source, type, synonyms and documentation", async () => {
  const { errorCode, configs } = await describe(TOPIC, "t");
  expect(errorCode).toBe(0);
  expect(configs.map(({ name }) => name)).toEqual([...TOPIC_CONFIGS.keys()]);
  expect(configs.find(({ name }) => name === "retention.ms")).toEqual({
    name: "retention.ms",
    value: "-1",
    readOnly: false,
    configSource: 5,
    isSensitive: false,
    synonyms: [{ name: "log.retention.ms", value: "-1", source: 5 }],
    configType: 5,
    documentation: TOPIC_CONFIGS.get("retention.ms")!.documentation,
  });
});

test("only the names that are asked for are told, and what does not exist is left out", async () => {
  const { configs } = await describe(TOPIC, "t", ["cleanup.policy", "no.such"]);
  expect(configs.map(({ name }) => name)).toEqual(["cleanup.policy"]);
});

test("a topic that is not there, and a kind of resource that is not, are errors of their own", async () => {
  expect((await describe(TOPIC, "none")).errorCode).toBe(wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
  expect((await describe(99, "t")).errorCode).toBe(wireCode("INVALID_REQUEST"));
  expect((await describe(BROKER, "77")).errorCode).toBe(wireCode("INVALID_REQUEST"));
});

test("settings are set and deleted one by one, and the topic's partitions obey at once", async () => {
  const { topics } = api.context.broker;
  expect(await alter(TOPIC, "t", [["max.message.bytes", SET, " 2000 "]])).toBe(0);
  expect(await settingOf(TOPIC, "t", "max.message.bytes")).toEqual(["2000", 1]);
  expect(topics.get("t")!.partitions[0]!.messageBytesMax).toBe(2000);
  expect(await alter(TOPIC, "t", [["max.message.bytes", DELETE, null]])).toBe(0);
  expect(topics.get("t")!.partitions[0]!.messageBytesMax).toBeGreaterThan(2000);
});

test("a list is appended to and subtracted from, beginning with the value in force", async () => {
  expect(await alter(TOPIC, "t", [["cleanup.policy", APPEND, "compact"]])).toBe(0);
  expect(await settingOf(TOPIC, "t", "cleanup.policy")).toEqual(["delete,compact", 1]);
  expect(await alter(TOPIC, "t", [["cleanup.policy", SUBTRACT, "delete"]])).toBe(0);
  expect(await settingOf(TOPIC, "t", "cleanup.policy")).toEqual(["compact", 1]);
  expect(await alter(TOPIC, "t", [["retention.ms", APPEND, "1"]])).toBe(wireCode("INVALID_CONFIG"));
});

test("a change is made as a whole or not at all", async () => {
  const code = await alter(TOPIC, "t", [
    ["retention.ms", SET, "1000"],
    ["retention.bytes", SET, "many"],
  ]);
  expect(code).toBe(wireCode("INVALID_CONFIG"));
  expect(await settingOf(TOPIC, "t", "retention.ms")).toEqual(["-1", 5]);
});

test("with validateOnly everything is checked and nothing changed", async () => {
  expect(await alter(TOPIC, "t", [["retention.ms", SET, "-2"]], true)).toBe(wireCode("INVALID_CONFIG"));
  expect(await alter(TOPIC, "t", [["retention.ms", SET, "1000"]], true)).toBe(0);
  expect(await settingOf(TOPIC, "t", "retention.ms")).toEqual(["-1", 5]);
});

test("AlterConfigs gives a topic exactly what it names", async () => {
  await alter(TOPIC, "t", [["retention.ms", SET, "1000"]]);
  const configs = [{ name: "segment.ms", value: "60000" }];
  const resources = [{ resourceType: TOPIC, resourceName: "t", configs }];
  const { responses } = await client.ask(alterConfigsApi, 2, { resources, validateOnly: false });
  expect(responses.map(({ errorCode }) => errorCode)).toEqual([0]);
  expect(api.context.broker.topics.get("t")!.configs).toEqual({ "segment.ms": "60000" });
});

test("a resource or a setting that stands twice is refused", async () => {
  const resource = { resourceType: TOPIC, resourceName: "t", configs: [] };
  const { responses } = await client.ask(alterConfigsApi, 2, {
    resources: [resource, resource],
    validateOnly: false,
  });
  const invalid = wireCode("INVALID_REQUEST");
  expect(responses.map(({ errorCode }) => errorCode)).toEqual([invalid, invalid]);
  expect(
    await alter(TOPIC, "t", [
      ["retention.ms", SET, "1"],
      ["retention.ms", SET, "2"],
    ]),
  ).toBe(invalid);
});

test("what is changed for all brokers counts for topics that say nothing, and for one broker before it", async () => {
  expect(await alter(BROKER, "", [["log.retention.ms", SET, "5000"]])).toBe(0);
  expect(await settingOf(TOPIC, "t", "retention.ms")).toEqual(["5000", 3]);
  expect(await settingOf(BROKER, "1", "log.retention.ms")).toEqual(["5000", 3]);
  expect(await alter(BROKER, "1", [["log.retention.ms", SET, "6000"]])).toBe(0);
  const { configs } = await describe(TOPIC, "t", ["retention.ms"]);
  expect(configs[0]!.synonyms).toEqual([
    { name: "log.retention.ms", value: "6000", source: 2 },
    { name: "log.retention.ms", value: "5000", source: 3 },
    { name: "log.retention.ms", value: "-1", source: 5 },
  ]);
  expect((await describe(BROKER, "")).configs.map(({ name, value }) => [name, value])).toEqual([
    ["log.retention.ms", "5000"],
  ]);
});

test("a broker setting that is no topic's default is refused by name", async () => {
  expect(await alter(BROKER, "1", [["no.such", SET, "8"]])).toBe(wireCode("INVALID_CONFIG"));
  expect(await alter(BROKER, "9", [["log.retention.ms", SET, "8"]])).toBe(wireCode("INVALID_REQUEST"));
});

test("a broker setting that tunes what is not here is kept, with a value that it can have", async () => {
  expect(await alter(BROKER, "1", [["num.io.threads", SET, "none"]])).toBe(wireCode("INVALID_CONFIG"));
  expect(await settingOf(BROKER, "1", "num.io.threads")).toEqual(["8", 5]);
  expect(await alter(BROKER, "1", [["num.io.threads", SET, "4"]])).toBe(0);
  expect(await settingOf(BROKER, "1", "num.io.threads")).toEqual(["4", 2]);
});

test("a group has settings before it is there, and its members are told of them", async () => {
  const session = "consumer.session.timeout.ms";
  expect(await settingOf(GROUP, "g", session)).toEqual(["45000", 5]);
  expect(await alter(GROUP, "g", [[session, SET, "50000"]])).toBe(0);
  expect(await alter(GROUP, "g", [["consumer.heartbeat.interval.ms", SET, "7000"]])).toBe(0);
  expect(await settingOf(GROUP, "g", session)).toEqual(["50000", 8]);
  const join = { groupId: "g", memberId: "m", memberEpoch: 0, rebalanceTimeoutMs: 1000, topicPartitions: [] };
  const joined = await client.ask(consumerGroupHeartbeatApi, 1, { ...join, subscribedTopicNames: ["t"] });
  expect(joined).toMatchObject({ errorCode: 0, heartbeatIntervalMs: 7000 });
  expect(await alter(GROUP, "g", [[session, DELETE, null]])).toBe(0);
  expect(await settingOf(GROUP, "g", session)).toEqual(["45000", 5]);
  expect(await alter(GROUP, "g", [[session, SET, "1"]])).toBe(wireCode("INVALID_CONFIG"));
  expect(await alter(GROUP, "g", [["retention.ms", SET, "1"]])).toBe(wireCode("INVALID_CONFIG"));
  expect(await alter(GROUP, "", [[session, SET, "50000"]])).toBe(wireCode("INVALID_REQUEST"));
});

test("changes are there after the next start", async () => {
  await api.stop();
  const engine = new MemoryEngine();
  api = await openKafkaApi({ engine });
  client = await api.connect();
  await create("t");
  await alter(TOPIC, "t", [["retention.ms", SET, "1000"]]);
  await alter(BROKER, "", [["log.segment.bytes", SET, "2000000"]]);
  await api.stop();
  api = await openKafkaApi({ engine });
  client = await api.connect();
  expect(await settingOf(TOPIC, "t", "retention.ms")).toEqual(["1000", 1]);
  expect(await settingOf(TOPIC, "t", "segment.bytes")).toEqual(["2000000", 3]);
});

test("what has settings is listed by type", async () => {
  const list = async (version: number, resourceTypes: number[]) =>
    client.ask(listConfigResourcesApi, version, { resourceTypes });
  expect(await list(0, [])).toMatchObject({ errorCode: 0, configResources: [] });
  expect((await list(1, [TOPIC])).configResources).toEqual([{ resourceName: "t", resourceType: TOPIC }]);
  expect((await list(1, [])).configResources.length).toBe(3);
  expect(await list(1, [77])).toMatchObject({ errorCode: wireCode("UNSUPPORTED_VERSION") });
});

/**
 * Responses that are long, or asked for again and again in one request: made in slices, with the loop free between, and equal to what
 * short requests are told.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import type { TimestampedOffset } from "../../../src/storage/contract.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";

const PARTITIONS = 1_200;
const COMMITTED = 700;

let api: TestKafkaApi;
beforeAll(async () => {
  api = await openKafkaApi({ broker: { isAutoCreating: true, partitionsMax: 10_000, topicsMax: 400 } });
  const { topics } = api.context.broker;
  await topics.create("large", { partitions: PARTITIONS, configs: {} });
  await topics.create("small", { partitions: 3, configs: {} });
  const commits = (topic: string, count: number) =>
    range(count).map((partition) => ({
      topic,
      partition,
      offset: partition * 2,
      leaderEpoch: 1,
      metadata: `${partition}`,
    }));
  await api.context.offsets.commit("g", [...commits("large", COMMITTED), ...commits("small", 3)]);
});
afterAll(() => api.stop());

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

for (const version of [0, 5, 9, 12]) {
  test(`Metadata ${version} tells of every partition, once for each topic, however often it is named`, async () => {
    const client = await api.connect();
    const creation = version < 4 ? {} : { allowAutoTopicCreation: false };
    const small = await client.ask(metadataApi, version, { topics: [{ name: "small" }], ...creation });
    const names = range(3_000).flatMap(() => [{ name: "large" }, { name: "small" }, { name: "absent" }]);
    const response = await client.ask(metadataApi, version, { topics: names, ...creation });
    const [large, again, absent] = response.topics;
    expect(response.topics.length).toBe(3);
    expect(again).toEqual(small.topics[0]);
    expect(absent!.name).toBe("absent");
    const first = small.topics[0]!.partitions[0]!;
    expect({ ...large, topicId: "" }).toEqual({
      ...small.topics[0]!,
      name: "large",
      topicId: "",
      partitions: range(PARTITIONS).map((partitionIndex) => ({ ...first, partitionIndex })),
    });
    const all = await client.ask(metadataApi, version, { topics: version === 0 ? [] : null });
    expect(all.topics.filter(({ name }) => name === "large")).toEqual([large!]);
  });
}

test("Metadata that would create more topics than there may be creates as many, and says so of the others", async () => {
  const client = await api.connect();
  const names = range(500).map((index) => ({ name: `new-${index}` }));
  const { topics } = await client.ask(metadataApi, 4, { topics: names, allowAutoTopicCreation: true });
  const codes = topics.map(({ errorCode }) => errorCode);
  const created = api.context.broker.topics.all().filter(({ name }) => name.startsWith("new-")).length;
  expect(codes).toEqual(range(500).map((index) => (index < created ? 0 : wireCode("POLICY_VIOLATION"))));
  expect(api.context.broker.topics.count).toBe(400);
});

for (const version of [2, 7, 8]) {
  const requests = (groupId: string, topics: { name: string; partitionIndexes: number[] }[] | null) =>
    version < 8 ? { groupId, topics } : { groups: [{ groupId, topics }] };
  const topicsOf = (response: Awaited<ReturnType<typeof ask>>) =>
    (version < 8 ? response.topics : response.groups[0]!.topics).map(({ name, partitions }) => ({
      name,
      partitions,
    }));
  const ask = async (topics: { name: string; partitionIndexes: number[] }[] | null) =>
    (await api.connect()).ask(offsetFetchApi, version, requests("g", topics));

  test(`OffsetFetch ${version} gives the same one by one, in one question, and for everything`, async () => {
    const one = async (partition: number) =>
      topicsOf(await ask([{ name: "large", partitionIndexes: [partition] }]))[0]!;
    const single = [(await one(0)).partitions[0]!, (await one(COMMITTED)).partitions[0]!];
    expect(single.map(({ committedOffset, metadata }) => [committedOffset, metadata])).toEqual([
      [0, "0"],
      [-1, ""],
    ]);
    const many = topicsOf(
      await ask([{ name: "large", partitionIndexes: [...range(COMMITTED + 1), 0, COMMITTED] }]),
    );
    const partitions = range(COMMITTED).map((partitionIndex) => ({
      ...single[0]!,
      partitionIndex,
      committedOffset: partitionIndex * 2,
      metadata: `${partitionIndex}`,
    }));
    expect(many).toEqual([{ name: "large", partitions: [...partitions, single[1]!, ...single] }]);
    expect(topicsOf(await ask(null))).toEqual([
      { name: "large", partitions },
      { name: "small", partitions: partitions.slice(0, 3) },
    ]);
  });
}

test("OffsetFetch of a group that is named 300 times answers as often", async () => {
  const client = await api.connect();
  const group = { groupId: "g", topics: null };
  const { groups } = await client.ask(offsetFetchApi, 8, { groups: range(300).map(() => group) });
  const [first] = groups;
  expect(first!.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([
    ["large", COMMITTED],
    ["small", 3],
  ]);
  expect(groups).toEqual(range(300).map(() => first!));
});

test("ListOffsets has a few searches under way at a time, answers in order, and stops when nobody waits any more", async () => {
  const { partitions } = api.context.broker.topics.get("large")!;
  const waiting: ((found: TimestampedOffset | null) => void)[] = [];
  let begun = 0;
  for (const partition of partitions) {
    partition.offsetForTimestamp = () => {
      begun += 1;
      return new Promise((resolve) => waiting.push(resolve));
    };
  }
  const requests = range(100).map((partitionIndex) => ({
    partitionIndex,
    timestamp: partitionIndex % 3 === 0 ? -1 : 5,
  }));
  const request = { topics: [{ name: "large", partitions: requests }] };
  const client = await api.connect();
  client.send(listOffsetsApi, 4, request);
  let most = 0;
  while (begun < 66) {
    await until(() => waiting.length > 0);
    most = Math.max(most, waiting.length);
    for (const found of waiting.splice(0).reverse()) found({ offset: begun, timestampMs: 5, leaderEpoch: 0 });
    await until(() => waiting.length > 0 || begun === 66);
  }
  for (const found of waiting.splice(0)) found(null);
  const response = await client.takeAs(listOffsetsApi, 4);
  expect(response.topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual(range(100));
  expect(most).toBe(8);

  const before = api.listener.connections.size;
  const leaver = await api.connect();
  leaver.send(listOffsetsApi, 4, request);
  await until(() => waiting.length === 8);
  leaver.close();
  await until(() => api.listener.connections.size === before);
  for (const found of waiting.splice(0)) found(null);
  await until(() => waiting.length === 0);
  expect(begun).toBe(66 + 8);
});

test("ListOffsets that meets a fault of ours in one of many searches says so, and the server goes on", async () => {
  const { partitions } = api.context.broker.topics.get("large")!;
  for (const partition of partitions) {
    partition.offsetForTimestamp = async () => {
      if (partition.index === 3) throw new Error("a mistake");
      await new Promise<void>((resolve) => setImmediate(resolve));
      return null;
    };
  }
  const client = await api.connect();
  const requests = range(PARTITIONS).map((partitionIndex) => ({ partitionIndex, timestamp: 5 }));
  const { topics } = await client.ask(listOffsetsApi, 4, {
    topics: [{ name: "large", partitions: requests }],
  });
  const codes = new Set(topics[0]!.partitions.map(({ errorCode }) => errorCode));
  expect([...codes]).toEqual([wireCode("UNKNOWN_SERVER_ERROR")]);
  expect((await client.ask(metadataApi, 4, { topics: [{ name: "small" }] })).topics.length).toBe(1);
});

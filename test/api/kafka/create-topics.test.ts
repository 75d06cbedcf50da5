/** CreateTopics and DeleteTopics. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type ErrorCode, wireCode } from "../../../src/base/errors.ts";
import { MiB } from "../../../src/base/units.ts";
import {
  type CreateTopicsRequestInput,
  createTopicsApi,
} from "../../../src/protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../../../src/protocol/kafka/apis/delete-topics.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { ZERO_UUID } from "../../../src/protocol/kafka/schema.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    beforeEach(async () => {
      api = await openKafkaApi({ ...kind.create(), broker: { partitionsDefault: 3 } });
      client = await api.connect();
    });
    afterEach(() => api.stop());

    type Order = CreateTopicsRequestInput["topics"][number];

    function order(name: string, rest: Partial<Order> = {}): Order {
      return { name, numPartitions: 1, replicationFactor: 1, ...rest };
    }

    async function create(version: number, topics: Order[], validateOnly = false) {
      return (await client.ask(createTopicsApi, version, { topics, timeoutMs: 1000, validateOnly })).topics;
    }

    async function codeOf(requested: Order, version = 7): Promise<number> {
      return (await create(version, [requested]))[0]!.errorCode;
    }

    function partitionsOf(name: string): number | undefined {
      return api.context.broker.topics.get(name)?.partitions.length;
    }

    for (let version = 2; version <= 7; version += 1) {
      test(`version ${version} creates topics, and says from 5 what they are like`, async () => {
        const topics = await create(version, [
          order("a", { numPartitions: 2 }),
          order("b", { numPartitions: -1, replicationFactor: -1 }),
        ]);
        expect([partitionsOf("a"), partitionsOf("b")]).toEqual([2, 3]);
        expect(
          topics.map(({ name, errorCode, numPartitions, replicationFactor, topicId }) => ({
            name,
            errorCode,
            numPartitions,
            replicationFactor,
            topicId,
          })),
        ).toEqual(
          ["a", "b"].map((name) => ({
            name,
            errorCode: 0,
            numPartitions: version >= 5 ? partitionsOf(name)! : -1,
            replicationFactor: version >= 5 ? 1 : -1,
            topicId: version >= 7 ? api.context.broker.topics.get(name)!.id : ZERO_UUID,
          })),
        );
      });
    }

    test("the answer lists every setting with its value and where it comes from", async () => {
      const configs = [{ name: "max.message.bytes", value: "5000" }];
      const [topic] = await create(7, [order("a", { configs })]);
      const listed = Object.fromEntries(
        topic!.configs!.map(({ name, value, configSource }) => [name, [value, configSource]]),
      );
      expect(listed["max.message.bytes"]).toEqual(["5000", 1]);
      expect(listed["cleanup.policy"]).toEqual(["delete", 5]);
      const [plain] = await create(7, [order("b")]);
      const defaultValue = plain!.configs!.find(({ name }) => name === "max.message.bytes");
      expect([defaultValue!.value, defaultValue!.configSource]).toEqual([String(11 * MiB), 5]);
    });

    test("max.message.bytes may be anything that a request can carry, written as Kafka reads numbers", async () => {
      const codeFor = (value: string) =>
        codeOf(order(`t${value.length}`, { configs: [{ name: "max.message.bytes", value }] }));
      const { messageBytesLimit } = api.context.broker.options;
      const refused = ["-1", "", "1.5", "1e3", "0x10", "many", String(messageBytesLimit + 1), "99999999999"];
      for (const value of refused)
        expect([value, await codeFor(value)]).toEqual([value, wireCode("INVALID_CONFIG")]);
      for (const [index, value] of [
        "0",
        "1",
        "1023",
        " 100",
        "+5",
        "007",
        String(messageBytesLimit),
      ].entries()) {
        const [topic] = await create(7, [
          order(`m${index}`, { configs: [{ name: "max.message.bytes", value }] }),
        ]);
        expect([value, topic!.errorCode]).toEqual([value, 0]);
      }
      expect(api.context.broker.topics.get("m3")!.partitions[0]!.messageBytesMax).toBe(100);
      expect(await codeOf(order("s", { configs: [{ name: "cleanup.policy", value: " delete " }] }))).toBe(0);
    });

    test("a replication factor above 1 is accepted, 1 is stored and a line is logged", async () => {
      const [topic] = await create(7, [order("a", { replicationFactor: 3 })]);
      expect(topic).toMatchObject({ errorCode: 0, replicationFactor: 1 });
      expect(api.lines.at(-1)).toMatchObject({ level: "warn", facts: { topic: "a", requested: 3 } });
    });

    test("what cannot be is refused with its own error, and nothing is created", async () => {
      expect(await codeOf(order("a", { replicationFactor: 0 }))).toBe(wireCode("INVALID_REPLICATION_FACTOR"));
      expect(await codeOf(order("a", { numPartitions: 0 }))).toBe(wireCode("INVALID_PARTITIONS"));
      expect(await codeOf(order("a", { numPartitions: -2 }))).toBe(wireCode("INVALID_PARTITIONS"));
      expect(await codeOf(order("a/b"))).toBe(wireCode("INVALID_TOPIC_EXCEPTION"));
      expect(await codeOf(order("a", { configs: [{ name: "no.such", value: "1" }] }))).toBe(
        wireCode("INVALID_CONFIG"),
      );
      expect(await codeOf(order("a", { configs: [{ name: "max.message.bytes", value: "x" }] }))).toBe(
        wireCode("INVALID_CONFIG"),
      );
      expect(await codeOf(order("a", { configs: [{ name: "retention.ms", value: null }] }))).toBe(
        wireCode("INVALID_CONFIG"),
      );
      expect(await codeOf(order("a", { numPartitions: 100_000 }))).toBe(wireCode("POLICY_VIOLATION"));
      expect(api.context.broker.topics.count).toBe(0);
      await create(7, [order("a")]);
      expect(await codeOf(order("a", { numPartitions: 0 }))).toBe(wireCode("TOPIC_ALREADY_EXISTS"));
      const [again] = await create(7, [order("a")]);
      expect(again).toMatchObject({
        errorCode: wireCode("TOPIC_ALREADY_EXISTS"),
        errorMessage: expect.stringContaining("topic a"),
      });
    });

    test("of several faults the first is told, in Kafka's order", async () => {
      await create(7, [order("there")]);
      const unknown = { configs: [{ name: "no.such", value: "1" }] };
      const empty = { configs: [{ name: "retention.ms", value: null }] };
      const assigned = {
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [9] }],
      };
      const none = { numPartitions: 0, replicationFactor: 0 };
      const cases: [Order, ErrorCode][] = [
        [order("a/b", { ...unknown, ...none }), "INVALID_TOPIC_EXCEPTION"],
        [order("a/b", { ...empty, ...assigned }), "INVALID_TOPIC_EXCEPTION"],
        [order("there", { ...unknown, ...none }), "TOPIC_ALREADY_EXISTS"],
        [order("there", { ...empty, ...assigned }), "TOPIC_ALREADY_EXISTS"],
        [order("a", { ...unknown, ...none }), "INVALID_CONFIG"],
        [order("a", { ...empty, ...assigned }), "INVALID_CONFIG"],
        [order("a", none), "INVALID_REPLICATION_FACTOR"],
        [order("a", { ...assigned, numPartitions: 3 }), "INVALID_REQUEST"],
      ];
      for (const [requested, code] of cases) expect(await codeOf(requested)).toBe(wireCode(code));
      for (const name of ["__proto__", "constructor", "toString", ""]) {
        expect(await codeOf(order("a", { configs: [{ name, value: "1" }] }))).toBe(
          wireCode("INVALID_CONFIG"),
        );
      }
      expect(api.context.broker.topics.count).toBe(1);
      expect(api.lines.filter(({ level }) => level === "error")).toEqual([]);
    });

    test("a request for too many partitions is refused as a whole, whatever else is wrong in it", async () => {
      await create(7, [order("there")]);
      const topics = await create(7, [
        order("a", { numPartitions: 9_996 }),
        order("b", { numPartitions: -1 }),
        order("there", { numPartitions: 2 }),
        order("c", { numPartitions: -5, replicationFactor: 0 }),
        order("d", { numPartitions: 9_000 }),
        order("d"),
      ]);
      expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
        ["a", 44],
        ["b", 44],
        ["there", 44],
        ["c", 44],
        ["d", 42],
      ]);
      expect(topics[0]!.errorMessage).toContain("asks for 10001 partitions at once");
      expect(api.context.broker.topics.count).toBe(1);
    });

    test("a request for too many topics is refused as a whole, also when they ask for no partitions", async () => {
      const orders = Array.from({ length: 10_001 }, (_, index) => order(`t${index}`, { numPartitions: 0 }));
      const topics = await create(7, orders);
      expect(new Set(topics.map(({ errorCode }) => errorCode))).toEqual(new Set([44]));
      expect(topics[10_000]).toMatchObject({ name: "t10000" });
      expect(topics[0]!.errorMessage).toContain("asks for 10001 topics at once");
    });

    test("requests about thousands of topics let others be answered before they are", async () => {
      const names = Array.from({ length: 10_000 }, (_, index) => `t${index}`);
      const other = await api.connect();
      const responded: string[] = [];
      const ask = async (name: string, work: Promise<unknown>) => {
        await work;
        responded.push(name);
      };
      await Promise.all([
        ask(
          "create",
          create(
            7,
            names.map((name) => order(name, { numPartitions: 0, replicationFactor: 0 })),
          ),
        ),
        ask("other", other.ask(metadataApi, 4, { topics: [], allowAutoTopicCreation: false })),
      ]);
      await Promise.all([
        ask("delete", client.ask(deleteTopicsApi, 5, { topicNames: names, timeoutMs: 1000 })),
        ask("other", other.ask(metadataApi, 4, { topics: [], allowAutoTopicCreation: false })),
      ]);
      expect(responded).toEqual(["other", "create", "other", "delete"]);
    });

    test("a name that occurs twice is refused once, the other topics are created", async () => {
      const topics = await create(7, [order("a"), order("b"), order("a")]);
      expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
        ["a", 42],
        ["b", 0],
      ]);
      expect([partitionsOf("a"), partitionsOf("b")]).toEqual([undefined, 1]);
    });

    test("validate_only answers the same and creates nothing", async () => {
      const [good, bad] = await create(
        7,
        [order("a", { numPartitions: -1 }), order("b", { numPartitions: 0 })],
        true,
      );
      expect(good).toMatchObject({ errorCode: 0, numPartitions: 3, topicId: ZERO_UUID });
      expect(bad!.errorCode).toBe(wireCode("INVALID_PARTITIONS"));
      expect(api.context.broker.topics.count).toBe(0);
    });

    test("manual assignments fix the partitions; gaps, other brokers and a number beside them are refused", async () => {
      const assign = (...pairs: [number, number[]][]) => ({
        numPartitions: -1,
        replicationFactor: -1,
        assignments: pairs.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
      });
      const misassigned = wireCode("INVALID_REPLICA_ASSIGNMENT");
      expect(await codeOf(order("a", assign([0, [1]], [2, [1]])))).toBe(misassigned);
      expect(await codeOf(order("a", assign([0, [1]], [0, [1]])))).toBe(misassigned);
      expect(await codeOf(order("a", assign([0, [2]])))).toBe(misassigned);
      expect(await codeOf(order("a", assign([0, []])))).toBe(misassigned);
      expect(await codeOf(order("a", assign([0, [1, 1]])))).toBe(misassigned);
      expect(await codeOf(order("a", assign([0, [1, 2]])))).toBe(misassigned);
      expect(await codeOf(order("a", assign([0, [1]], [1, [2, 1]])))).toBe(misassigned);
      expect(await codeOf(order("a", assign([-1, [1]])))).toBe(misassigned);
      expect(await codeOf(order("a", { ...assign([0, [1]]), numPartitions: 1 }))).toBe(
        wireCode("INVALID_REQUEST"),
      );
      expect(await codeOf(order("a", assign([1, [1]], [0, [1]])))).toBe(0);
      expect(partitionsOf("a")).toBe(2);
    });

    for (let version = 1; version <= 6; version += 1) {
      test(`DeleteTopics ${version} removes by name, and says what it does not know`, async () => {
        await create(7, [order("a")]);
        const names = ["a", "nobody"];
        const request = version >= 6 ? { topics: names.map((name) => ({ name })) } : { topicNames: names };
        const response = await client.ask(deleteTopicsApi, version, { ...request, timeoutMs: 1000 });
        expect(response.responses.map(({ name, errorCode }) => [name, errorCode])).toEqual([
          ["a", 0],
          ["nobody", 3],
        ]);
        expect(partitionsOf("a")).toBeUndefined();
      });
    }

    test("DeleteTopics by id, by an unknown id, by both and by neither", async () => {
      await create(7, [order("a"), order("b")]);
      const idOf = (name: string) => api.context.broker.topics.get(name)!.id;
      const topics = [
        { name: null, topicId: idOf("a") },
        { name: null, topicId: crypto.randomUUID() },
        { name: "b", topicId: idOf("b") },
        { name: null },
      ];
      const response = await client.ask(deleteTopicsApi, 6, { topics, timeoutMs: 1000 });
      expect(response.responses.map(({ errorCode }) => errorCode)).toEqual([0, 100, 42, 42]);
      expect([partitionsOf("a"), partitionsOf("b")]).toEqual([undefined, 1]);
    });

    for (const version of [5, 6]) {
      test(`DeleteTopics ${version} leaves what is named twice, and answers it once`, async () => {
        await create(7, [order("a"), order("b")]);
        const names = ["a", "b", "a"];
        const request = version >= 6 ? { topics: names.map((name) => ({ name })) } : { topicNames: names };
        const response = await client.ask(deleteTopicsApi, version, { ...request, timeoutMs: 1000 });
        expect(response.responses.map(({ name, errorCode }) => [name, errorCode])).toEqual([
          ["a", 42],
          ["b", 0],
        ]);
        expect([partitionsOf("a"), partitionsOf("b")]).toEqual([1, undefined]);
      });
    }

    test("DeleteTopics leaves what is named by its name and by its id, and answers it once with both", async () => {
      await create(7, [order("a"), order("b")]);
      const idOf = (name: string) => api.context.broker.topics.get(name)!.id;
      const byName = { name: "a", topicId: ZERO_UUID };
      const byId = { name: null, topicId: idOf("a") };
      for (const topics of [
        [byName, byId],
        [byId, byName],
      ]) {
        const response = await client.ask(deleteTopicsApi, 6, { topics, timeoutMs: 1000 });
        expect(response.responses.map(({ errorMessage, ...rest }) => rest)).toEqual([
          { name: "a", topicId: idOf("a"), errorCode: 42 },
        ]);
      }
      const duplicates = await client.ask(deleteTopicsApi, 6, { topics: [byId, byId], timeoutMs: 1000 });
      expect(duplicates.responses).toMatchObject([{ name: null, topicId: idOf("a"), errorCode: 42 }]);
      expect([partitionsOf("a"), partitionsOf("b")]).toEqual([1, 1]);
    });

    test("a topic that is created again has another id", async () => {
      const [first] = await create(7, [order("a")]);
      await client.ask(deleteTopicsApi, 5, { topicNames: ["a"], timeoutMs: 1000 });
      const [second] = await create(7, [order("a")]);
      expect(second!.topicId).not.toBe(first!.topicId);
      const metadata = await client.ask(metadataApi, 12, { topics: [{ name: "a" }] });
      expect(metadata.topics[0]!.topicId).toBe(second!.topicId);
    });
  });
}

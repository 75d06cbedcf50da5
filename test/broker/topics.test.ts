import { expect, test } from "bun:test";
import type { ErrorCode } from "../../src/base/errors.ts";
import { ObeliskError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker, removing } from "../support/broker.ts";
import { appendTo, logOf } from "../support/partitions.ts";

async function codeOf(work: () => Promise<unknown>): Promise<ErrorCode | null> {
  try {
    await work();
    return null;
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown.code;
    throw thrown;
  }
}

test("a topic is created once, however many ask for it at the same time", async () => {
  const { topics } = await openBroker();
  const created = await Promise.all([topics.ensure("t"), topics.ensure("t"), topics.ensure("t")]);
  expect(new Set(created.map((topic) => topic.id)).size).toBe(1);
  expect([topics.count, topics.partitionCount, topics.byId(created[0]!.id)?.name]).toEqual([1, 1, "t"]);
  const attempts = await Promise.all(
    [1, 2, 3].map(() => codeOf(() => topics.create("u", { partitions: 1, configs: {} }))),
  );
  expect(attempts).toEqual([null, "TOPIC_ALREADY_EXISTS", "TOPIC_ALREADY_EXISTS"]);
});

test("names that would leave the directory or are not Kafka's are refused", async () => {
  const { topics } = await openBroker();
  for (const name of ["", ".", "..", "../x", "a/b", "a b", "ä", "x".repeat(250), "a\0b"]) {
    expect([name, await codeOf(() => topics.ensure(name))]).toEqual([name, "INVALID_TOPIC_EXCEPTION"]);
  }
  expect(await codeOf(() => topics.ensure("x".repeat(249)))).toBe(null);
});

test("topics and partitions are limited, and removing makes room", async () => {
  const { topics } = await openBroker({ topicsMax: 2, partitionsMax: 5 });
  await topics.create("a", { partitions: 3, configs: {} });
  expect(await codeOf(() => topics.create("b", { partitions: 3, configs: {} }))).toBe("POLICY_VIOLATION");
  await topics.create("b", { partitions: 2, configs: {} });
  expect(await codeOf(() => topics.ensure("c"))).toBe("POLICY_VIOLATION");
  await topics.remove("a");
  expect(await codeOf(() => topics.ensure("c"))).toBe(null);
});

test("topics that are created at the same time count against the limit", async () => {
  const { topics } = await openBroker({ topicsMax: 2 });
  const codes = await Promise.all(["a", "b", "c", "d"].map((name) => codeOf(() => topics.ensure(name))));
  expect(codes).toEqual([null, null, "POLICY_VIOLATION", "POLICY_VIOLATION"]);
});

test("settings that there are not, or that cannot have their value, are refused", async () => {
  const { topics } = await openBroker();
  const create = (configs: Record<string, string>) =>
    codeOf(() => topics.create("t", { partitions: 1, configs }));
  expect(await create({ "retention.ms": "-2" })).toBe("INVALID_CONFIG");
  expect(await create({ "remote.storage.enable": "true" })).toBe("INVALID_CONFIG");
  expect(await create({ "max.message.bytes": "many" })).toBe("INVALID_CONFIG");
  expect(await create({ "max.message.bytes": "999999999" })).toBe("INVALID_CONFIG");
  expect(await create({ "no.such.setting": "1" })).toBe("INVALID_CONFIG");
  expect(await create({ "max.message.bytes": "2048", "retention.ms": "-1" })).toBe(null);
});

test("the log says of a topic that is to be compacted that this comes later", async () => {
  const lines: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void lines.push(message) };
  const { topics } = await openBroker({}, { log });
  await topics.create("t", { partitions: 1, configs: { "cleanup.policy": "compact,delete" } });
  await topics.create("u", { partitions: 1, configs: {} });
  await topics.alter("u", () => ({ "cleanup.policy": "compact" }));
  const line = "a topic is to be compacted, which comes later: until then it keeps everything";
  expect(lines).toEqual([line, line]);
});

test("a removed topic is gone, and the same name later gets another id and an empty log", async () => {
  const { topics } = await openBroker();
  const first = await topics.ensure("t");
  const batch = batchOf(["v"]);
  appendTo(first.partitions[0]!, batch);
  const told: string[] = [];
  topics.onRemoved(removing(async (name) => void told.push(name)));
  await topics.remove("t");
  expect(await codeOf(() => topics.remove("t"))).toBe("UNKNOWN_TOPIC_OR_PARTITION");
  const second = await topics.ensure("t");
  expect([told, second.id === first.id, logOf(second.partitions[0]!).endOffset]).toEqual([["t"], false, 0]);
});

test("topics keep id, partitions and settings when the broker opens again", async () => {
  const engine = new MemoryEngine();
  const before = await openBroker({}, { engine });
  const topic = await before.topics.create("t", { partitions: 3, configs: { "max.message.bytes": "2048" } });
  const after = await openBroker({}, { engine });
  const found = after.topics.get("t")!;
  expect([found.id, found.partitions.length, found.configs]).toEqual([
    topic.id,
    3,
    { "max.message.bytes": "2048" },
  ]);
});

test("partitions that the state does not know are adopted, and keep everything", async () => {
  const engine = new MemoryEngine();
  const before = await openBroker({}, { engine });
  const topic = await before.topics.create("t", { partitions: 2, configs: {} });
  const batch = batchOf(["kept"]);
  appendTo(topic.partitions[1]!, batch);
  await before.close();
  await engine.state.change([{ key: "topic/t", value: null }]);
  const after = await openBroker({}, { engine });
  expect(after.topics.get("t")!.partitions.map((partition) => logOf(partition).endOffset)).toEqual([0, 1]);
  expect(after.topics.get("t")!.configs).toEqual({ "retention.ms": "-1" });
});

test("partitions beyond those of an older state are told, and left alone", async () => {
  const engine = new MemoryEngine();
  const before = await openBroker({}, { engine });
  await before.topics.create("t", { partitions: 1, configs: {} });
  const older = (await engine.state.get("topic/t"))!.value;
  await before.topics.remove("t");
  await before.topics.create("t", { partitions: 3, configs: {} });
  await engine.state.change([{ key: "topic/t", value: older }]);
  const told: unknown[] = [];
  const log = { ...silentLog, warn: (message: string, facts: unknown) => void told.push([message, facts]) };
  const after = await openBroker({}, { engine, log });
  expect(after.topics.get("t")!.partitions.length).toBe(1);
  expect(told).toEqual([
    [
      "there are partitions on disk beyond those that the state knows, and they are not served: is meta.db an older copy?",
      { topic: "t", partitions: 3, served: 1 },
    ],
  ]);
});

test("auto-creation can be switched off", async () => {
  const { topics } = await openBroker({ isAutoCreating: false });
  expect(await codeOf(() => topics.ensure("t"))).toBe("UNKNOWN_TOPIC_OR_PARTITION");
});

test("messages without a key go to each partition in turn", async () => {
  const { topics } = await openBroker();
  const topic = await topics.create("t", { partitions: 3, configs: {} });
  const indexes = [1, 2, 3, 4].map(() => topic.nextPartition().index);
  expect(indexes).toEqual([1, 2, 0, 1]);
});

test("a topic may have the name of what every object inherits", async () => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
  const broker = await openBroker();
  expect(names.map((name) => broker.topics.get(name))).toEqual(names.map(() => undefined));
  for (const name of names) await broker.topics.ensure(name);
  expect(broker.topics.all().map(({ name, partitions }) => [name, partitions.length])).toEqual(
    [...names].sort().map((name) => [name, 1]),
  );
  await broker.topics.remove("__proto__");
  expect(broker.topics.get("__proto__")).toBeUndefined();
  const configs = JSON.parse('{"__proto__": "1"}') as Record<string, string>;
  expect(() => broker.topics.validate("t", { partitions: 1, configs })).toThrow(
    "there is no topic setting __proto__",
  );
});

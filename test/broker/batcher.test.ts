import { expect, test } from "bun:test";
import type { Broker } from "../../src/broker/broker.ts";
import type { Partition } from "../../src/broker/partition.ts";
import { bytesOf, recordsIn } from "../support/batches.ts";
import { openBroker, topicDefaults } from "../support/broker.ts";
import { GatedEngine, turns } from "../support/gated-engine.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { logOf } from "../support/partitions.ts";

async function opened(options: Parameters<typeof openBroker>[0] = {}) {
  const engine = new GatedEngine();
  const clock = new ManualClock();
  const broker = await openBroker(options, { engine, clock });
  const topic = await broker.topics.create("t", { partitions: 2, configs: {} });
  return { engine, clock, broker, partition: topic.partitions[0]!, other: topic.partitions[1]! };
}

function add(broker: Broker, partition: Partition, text: string) {
  const value = Buffer.from(text);
  return broker.batcher.append(partition, 1000, null, 0, 0, value, 0, value.length);
}

test("a single message is written in its own turn, and durable after one sync", async () => {
  const { engine, broker, partition } = await opened();
  const batch = add(broker, partition, "alone");
  await turns();
  expect([logOf(partition).endOffset, batch.isCompleted, engine.started]).toEqual([1, false, [["t-0"]]]);
  await engine.waiting[0]!.end();
  expect([batch.isCompleted, batch.isDurable, batch.baseOffset, batch.error]).toEqual([true, true, 0, null]);
});

test("messages that come while a sync runs share one batch and the next sync", async () => {
  const { engine, broker, partition, other } = await opened();
  add(broker, partition, "first");
  await turns();
  const second = add(broker, partition, "second");
  const third = add(broker, partition, "third");
  const elsewhere = add(broker, other, "elsewhere");
  await turns();
  expect([second === third, second === elsewhere, logOf(partition).endOffset]).toEqual([true, false, 1]);
  await engine.waiting[0]!.end();
  expect([logOf(partition).endOffset, logOf(other).endOffset, engine.started[1]]).toEqual([
    3,
    1,
    ["t-0", "t-1"],
  ]);
  await engine.waiting[0]!.end();
  expect([second.isDurable, elsewhere.isDurable, broker.counters.batchesStored]).toEqual([true, true, 3]);
  expect(recordsIn(await bytesOf(partition.span(0, 10_000, true)))).toEqual([
    [0, "first"],
    [1, "second"],
    [2, "third"],
  ]);
});

test("a batch closes by count and by bytes although a sync runs", async () => {
  const { broker, partition, other } = await opened({ batchCountMax: 3, batchBytesMax: 1000 });
  add(broker, partition, "starts a sync");
  await turns();
  for (let n = 0; n < 7; n += 1) add(broker, partition, `message ${n}`);
  expect(logOf(partition).endOffset).toBe(1 + 6);
  for (let n = 0; n < 3; n += 1) add(broker, other, "x".repeat(400));
  expect(logOf(other).endOffset).toBe(2);
});

test("a batch does not linger after a slow sync", async () => {
  const { clock, broker, partition } = await opened({ lingerMs: 5 });
  add(broker, partition, "starts a sync");
  await turns();
  add(broker, partition, "lingers");
  clock.advance(4);
  expect(logOf(partition).endOffset).toBe(1);
  clock.advance(1);
  expect(logOf(partition).endOffset).toBe(2);
});

test("a message over the limit of its topic is refused, one just below it is stored alone", async () => {
  const { engine, broker } = await opened({
    topicDefaults: topicDefaults({ "max.message.bytes": "2000" }),
    batchBytesMax: 1000,
  });
  const partition = broker.topics.get("t")!.partitions[0]!;
  expect(() => add(broker, partition, "x".repeat(2000))).toThrow("the record batch is larger than the limit");
  add(broker, partition, "small");
  const large = add(broker, partition, "x".repeat(1900));
  await turns();
  await engine.waiting[0]!.end();
  expect([large.isDurable, large.baseOffset, broker.counters.batchesStored]).toEqual([true, 1, 2]);
});

test("listeners are called once, also those that come late or ask twice in a row", async () => {
  const { engine, broker, partition } = await opened();
  const batch = add(broker, partition, "v");
  let calls = 0;
  const listener = { batchCompleted: () => (calls += 1) };
  batch.listen(listener);
  batch.listen(listener);
  await turns();
  await engine.waiting[0]!.end();
  expect(calls).toBe(1);
  batch.listen(listener);
  expect(calls).toBe(2);
});

test("a failed sync fails the batch with its reason, and later messages are refused at once", async () => {
  const { engine, broker, partition } = await opened();
  const batch = add(broker, partition, "v");
  await turns();
  await engine.waiting[0]!.end(true);
  expect([batch.isCompleted, batch.isDurable, batch.error]).toEqual([true, false, "KAFKA_STORAGE_ERROR"]);
  expect(() => add(broker, partition, "w")).toThrow("the partition is offline after a disk error");
});

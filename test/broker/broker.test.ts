import { expect, test } from "bun:test";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { GatedEngine, turns } from "../support/gated-engine.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { appendTo, logOf } from "../support/partitions.ts";

test("the idempotence state survives a restart", async () => {
  const engine = new MemoryEngine();
  const build = (baseSequence: number) => batchOf(["v"], { producerId: 5, producerEpoch: 0, baseSequence });
  const before = await openBroker({}, { engine });
  const topic = await before.topics.ensure("t");
  for (const sequence of [0, 1]) {
    const batch = build(sequence);
    appendTo(topic.partitions[0]!, batch);
  }
  await before.close();
  const later = build(2);
  appendTo(topic.partitions[0]!, later);
  await turns();
  const after = await openBroker({}, { engine });
  const partition = after.topics.get("t")!.partitions[0]!;
  const outcomes = await Promise.all([1, 2, 3].map((sequence) => appendTo(partition, build(sequence)).done));
  expect(outcomes.map(({ baseOffset }) => baseOffset)).toEqual([1, 2, 3]);
});

test("with durability os a record counts as committed once it is written, and close syncs it", async () => {
  const engine = new MemoryEngine();
  let syncs = 0;
  const sync = engine.sync.bind(engine);
  engine.sync = (logs) => {
    syncs += 1;
    return sync(logs);
  };
  const broker = await openBroker({ durability: { mode: "os" } }, { engine });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const batch = batchOf(["v"]);
  appendTo(partition, batch);
  await turns();
  expect([partition.highWatermark, syncs]).toEqual([1, 0]);
  await broker.close();
  expect([logOf(partition).durableOffset, syncs]).toEqual([1, 1]);
});

test("with an interval shorter than a sync, syncs follow each other and never overlap", async () => {
  const engine = new GatedEngine();
  const clock = new ManualClock();
  const broker = await openBroker({ durability: { mode: "interval", intervalMs: 1 } }, { engine, clock });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  for (let round = 0; round < 3; round += 1) {
    const batch = batchOf(["v"]);
    appendTo(partition, batch);
    await turns();
    clock.advance(1);
    await turns();
  }
  expect([partition.highWatermark, engine.started.length, engine.waiting.length]).toEqual([3, 1, 1]);
  const closing = broker.close();
  while (engine.waiting.length > 0) await engine.waiting[0]!.end();
  await closing;
  expect([logOf(partition).durableOffset, engine.started.length]).toEqual([3, 2]);
});

test("with durability os written records are synced after half a minute at the latest", async () => {
  const engine = new GatedEngine();
  const clock = new ManualClock();
  const broker = await openBroker({ durability: { mode: "os" } }, { engine, clock });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const batch = batchOf(["v"]);
  appendTo(partition, batch);
  await turns();
  clock.advance(29_999);
  await turns();
  expect(engine.started).toEqual([]);
  clock.advance(1);
  await turns();
  expect(engine.started).toEqual([["t-0"]]);
  await engine.waiting[0]!.end();
  expect(logOf(partition).durableOffset).toBe(1);
});

/** Which topics are named, and that counters stay counters whatever is named, summed or removed: on a real broker. */

import { expect, test } from "bun:test";
import type { Broker } from "../../../src/broker/broker.ts";
import { NamedTopics, type TopicsReading } from "../../../src/http/metrics/named-topics.ts";
import { batchOf } from "../../support/batches.ts";
import { openBroker } from "../../support/broker.ts";
import { appendTo } from "../../support/partitions.ts";
import { randomOf } from "../../support/random.ts";

async function store(broker: Broker, topic: string, records: number): Promise<void> {
  const partition = (await broker.topics.ensure(topic)).partitions[0]!;
  const values = Array.from({ length: records }, () => "v".repeat(100));
  await appendTo(partition, batchOf(values)).done;
}

function recordsIn({ named, other }: TopicsReading): Record<string, number> {
  const rows = named.map(({ reading }) => [reading.name, reading.recordsIn] as const);
  return Object.fromEntries([...rows, [other.name, other.recordsIn]]);
}

function reader(broker: Broker, max: number) {
  const topics = new NamedTopics(max);
  return () => topics.read(broker.topics.each(), broker.counters.traffic);
}

test("the largest topics are named, the others are summed", async () => {
  await using broker = await disposable();
  const read = reader(broker, 2);
  for (const [topic, records] of [
    ["small", 1],
    ["large", 30],
    ["medium", 10],
    ["tiny", 1],
  ] as const)
    await store(broker, topic, records);
  const reading = await read();
  expect(recordsIn(reading)).toEqual({ large: 30, medium: 10, "(other)": 2 });
  const { bytes, topics, partitions, records } = reading.other;
  const small =
    broker.topics.get("small")!.partitions[0]!.bytes + broker.topics.get("tiny")!.partitions[0]!.bytes;
  expect({ bytes, topics, partitions, records }).toEqual({
    bytes: small,
    topics: 2,
    partitions: 2,
    records: 2,
  });
  expect([reading.all.topics, reading.all.recordsIn]).toEqual([4, 42]);
});

test("what a topic has counted in the sum stays in the sum when it is named, and is in its own series too", async () => {
  await using broker = await disposable();
  const read = reader(broker, 1);
  await store(broker, "first", 20);
  await store(broker, "second", 10);
  expect(recordsIn(await read())).toEqual({ first: 20, "(other)": 10 });
  await store(broker, "second", 20);
  expect(recordsIn(await read())).toEqual({ first: 20, "(other)": 30 });
  await store(broker, "second", 40);
  expect(recordsIn(await read())).toEqual({ second: 70, "(other)": 70 });
  await store(broker, "second", 1);
  await store(broker, "first", 2);
  expect(recordsIn(await read())).toEqual({ second: 71, "(other)": 72 });
});

test("a topic that is removed leaves the sum as it was, and its place to another", async () => {
  await using broker = await disposable();
  const read = reader(broker, 1);
  await store(broker, "first", 20);
  await store(broker, "second", 10);
  await read();
  await store(broker, "first", 5);
  await broker.topics.remove("first");
  expect(recordsIn(await read())).toEqual({ second: 10, "(other)": 10 });
  await broker.topics.remove("second");
  expect(recordsIn(await read())).toEqual({ "(other)": 10 });
});

test("with a limit of none everything is summed", async () => {
  await using broker = await disposable();
  const read = reader(broker, 0);
  await store(broker, "first", 20);
  expect(recordsIn(await read())).toEqual({ "(other)": 20 });
});

test("whatever happens, no series goes back, and what all have gained together is what came in", async () => {
  const random = randomOf(11);
  const below = (limit: number) => Math.floor(random() * limit);
  await using broker = await disposable();
  const read = reader(broker, 3);
  let before: Record<string, number> = { "(other)": 0 };
  let wholeBefore = 0;
  for (let step = 0; step < 150; step += 1) {
    const topic = `t${below(8)}`;
    if (below(12) === 0 && broker.topics.get(topic) !== undefined) await broker.topics.remove(topic);
    else await store(broker, topic, 1 + below(20));
    if (below(3) > 0) continue;
    const after = recordsIn(await read());
    const whole = broker.counters.traffic.recordsIn;
    expect(after["(other)"]!).toBeGreaterThanOrEqual(before["(other)"]!);
    const gained = Object.entries(after).filter(([name]) => name in before);
    const sum = gained.reduce((total, [name, count]) => total + Math.max(count - before[name]!, 0), 0);
    expect(sum).toBeLessThanOrEqual(whole - wholeBefore);
    before = after;
    wholeBefore = whole;
  }
});

async function disposable(): Promise<Broker & AsyncDisposable> {
  const broker = await openBroker();
  return Object.assign(broker, { [Symbol.asyncDispose]: () => broker.close() });
}

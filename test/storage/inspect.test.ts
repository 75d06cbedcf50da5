/** `inspect` describes what a real engine wrote, at every level a path can name, and leaves no trace. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { type InspectedRecord, inspectRecords } from "../../src/storage/inspect/records.ts";
import { inspectPath } from "../../src/storage/inspect.ts";
import { batchOf } from "../support/batches.ts";
import {
  buildData,
  copyData,
  disk,
  flipByte,
  hashTree,
  NO_LISTENER,
  openData,
  scratchFolder,
} from "../support/data-tree.ts";

const FIXTURE = join(import.meta.dir, "fixtures/go-data");
const folder = scratchFolder();
const whole = folder.make("whole");
const PARTITION = "topics/orders/0";
let logs: string[] = [];

beforeAll(async () => {
  await buildData(whole);
  logs = readdirSync(join(whole, PARTITION))
    .filter((name) => name.endsWith(".log"))
    .sort();
});
afterAll(() => folder[Symbol.dispose]());

test("a data directory is described from the whole down to its segments, and not changed", () => {
  const before = hashTree(whole);
  const found = inspectPath(disk, whole);
  expect(hashTree(whole)).toBe(before);
  expect(found).toMatchObject({
    kind: "data",
    batches: 400,
    records: 800,
    firstTimestampMs: 1000,
    lastTimestampMs: 1200,
  });
  expect(found.identity).toMatchObject({
    clusterId: "mkLKaTTNRFKD8gI0xEyUfw",
    nodeId: 1,
    cleanShutdown: true,
  });
  expect(found.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([["orders", 2]]);
  const partition = found.topics[0]!.partitions[0]!;
  expect(partition).toMatchObject({
    topic: "orders",
    partition: 0,
    directory: PARTITION,
    startOffset: 0,
    nextOffset: 400,
    checkpointOffset: 400,
    codecs: { none: 200 },
    damagedBytes: 0,
    holes: [],
    leaderEpochs: [{ epoch: 0, startOffset: 0 }],
  });
  expect(partition.segments.map(({ file }) => file)).toEqual(logs.map((name) => `${PARTITION}/${name}`));
  for (const [slot, segment] of partition.segments.entries()) {
    expect(segment.nextOffset).toBe(partition.segments[slot + 1]?.baseOffset ?? 400);
    expect(segment.bytes).toBe(statSync(join(whole, segment.file)).size);
    expect(segment.records).toBe(segment.nextOffset - segment.baseOffset);
  }
  expect(partition.bytes).toBe(partition.segments.reduce((bytes, segment) => bytes + segment.bytes, 0));
});

test("each level of a path shows its part", () => {
  const levels = ["topics", "topics/orders", PARTITION, `${PARTITION}/${logs[0]}`].map((path) => {
    const { kind, batches, topics } = inspectPath(disk, `${join(whole, path)}/`.replace(".log/", ".log"));
    return [
      kind,
      batches,
      topics.map(({ name, partitions }) => [name, partitions.map(({ partition }) => partition)]),
    ];
  });
  expect(levels).toEqual([
    ["topics", 400, [["orders", [0, 1]]]],
    ["topic", 400, [["orders", [0, 1]]]],
    ["partition", 200, [["orders", [0]]]],
    ["log", inspectPath(disk, whole).topics[0]!.partitions[0]!.segments[0]!.batches, [["orders", [0]]]],
  ]);
});

test("index files and snapshots show their entries", async () => {
  const base = join(whole, PARTITION, logs[0]!.replace(".log", ""));
  const { entries } = inspectPath(disk, `${base}.index`);
  expect(entries.length).toBeGreaterThan(0);
  const all = await records(`${base}.log`);
  for (const { offset, position } of entries) {
    expect(all.find(({ batch }) => batch?.position === position)?.batch?.lastOffset).toBe(offset);
  }
  const times = inspectPath(disk, `${base}.timeindex`).entries;
  expect(times.at(-1)?.timestampMs).toBe(inspectPath(disk, `${base}.log`).lastTimestampMs);
  expect(inspectPath(disk, join(whole, PARTITION, "producers.snapshot")).snapshot).toMatchObject({
    startOffset: 0,
    checkpoint: { offset: 400, stateBytes: "the producers".length },
    holes: [],
  });
});

test("the records come in order with their batch", async () => {
  const all = await records(whole);
  expect(all.length).toBe(800);
  expect(all.slice(0, 400).map(({ offset }) => offset)).toEqual(
    Array.from({ length: 400 }, (_, offset) => offset),
  );
  const { batch, ...record } = all[3]!;
  expect(record).toEqual({
    topic: "orders",
    partition: 0,
    offset: 3,
    timestampMs: 1002,
    key: null,
    value: Buffer.from("value-0-1-b"),
    headers: [],
  });
  expect(batch).toEqual({
    file: `${PARTITION}/${logs[0]}`,
    position: 97,
    bytes: 97,
    baseOffset: 2,
    lastOffset: 3,
    records: 2,
    codec: "none",
    leaderEpoch: 0,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    isTransactional: false,
    isControl: false,
  });
});

test("compressed batches, keys, headers and producers are shown", async () => {
  const path = folder.make("rich");
  const { engine } = await openData(path);
  const log = await engine.open("rich", 3, NO_LISTENER);
  const builder = new BatchBuilder(10_000);
  const key = Buffer.from("key");
  builder.append(5, key, 0, 3, null, 0, 0, [{ key: "h", value: Buffer.from("1") }]);
  builder.append(4, null, 0, 0, key, 0, 0);
  const rich = builder.finish({ codec: "gzip", producerId: 9, producerEpoch: 2, baseSequence: 40 });
  log.append(rich, 0, rich.length);
  await engine.sync([log]);
  await engine.close();
  const partition = inspectPath(disk, path).topics[0]!.partitions[0]!;
  expect(partition.codecs).toEqual({ gzip: 1 });
  expect(partition.producers).toEqual([{ producerId: 9, producerEpoch: 2, lastSequence: 41, batches: 1 }]);
  const [first, second] = await records(path);
  expect(first).toMatchObject({
    partition: 3,
    key,
    value: null,
    headers: [{ key: "h", value: Buffer.from("1") }],
  });
  expect(second).toMatchObject({
    key: null,
    value: Buffer.alloc(0),
    batch: { codec: "gzip", producerId: 9 },
  });
});

test("damage is counted and skipped", async () => {
  const path = copyData(whole, join(folder.path, "damaged"));
  flipByte(join(path, PARTITION, logs[0]!), 97 + 70);
  const partition = inspectPath(disk, path).topics[0]!.partitions[0]!;
  expect([partition.damagedBytes, partition.batches, partition.nextOffset]).toEqual([97, 199, 400]);
  expect((await records(join(path, PARTITION))).length).toBe(398);
});

test("a batch that a running server is just writing is not there yet", async () => {
  const path = copyData(whole, join(folder.path, "running"));
  const { engine } = await openData(path);
  const log = await engine.open("orders", 0, NO_LISTENER);
  const batch = batchOf(["new"]);
  log.append(batch, 0, batch.length);
  writeFileSync(join(path, PARTITION, logs.at(-1)!), new Uint8Array(batch.subarray(0, 30)), { flag: "a" });
  expect(inspectPath(disk, path).topics[0]!.partitions[0]!).toMatchObject({
    nextOffset: 401,
    damagedBytes: 30,
  });
  expect((await records(join(path, PARTITION))).length).toBe(401);
  await engine.close();
});

test("more than a window of records is read in pieces", async () => {
  const path = folder.make("large");
  const { engine } = await openData(path, 2 ** 28);
  const log = await engine.open("large", 0, NO_LISTENER);
  const value = "x".repeat(300_000);
  for (let index = 0; index < 12; index += 1) {
    const batch = batchOf([value, `${index}`]);
    log.append(batch, 0, batch.length);
  }
  await engine.close();
  const all = await records(path);
  expect(all.map(({ offset }) => offset)).toEqual(Array.from({ length: 24 }, (_, offset) => offset));
  expect(all.at(-1)!.value?.toString()).toBe("11");
});

test("the Go Obelisk's files are described as a directory and one by one", async () => {
  const path = copyData(FIXTURE, join(folder.path, "go"));
  const log = {
    topic: "topic-0",
    bytes: 7190,
    messages: 114,
    firstTimestampMs: 1_755_329_647_953,
    lastTimestampMs: expect.any(Number),
    damagedBytes: 0,
  };
  const offsets = { offsets: { "topic-": 0, "topic-1": 114, "topic-2": 114 }, fault: null };
  expect(inspectPath(disk, path)).toMatchObject({
    kind: "data",
    topics: [],
    goTopics: [{ ...log, file: "topics/topic-0.log" }],
    goOffsets: [{ ...offsets, file: "consumers/test-consumer.json" }],
  });
  expect(inspectPath(disk, join(path, "topics")).goTopics).toMatchObject([{ ...log, file: "topic-0.log" }]);
  expect(inspectPath(disk, join(path, "topics/topic-0.log"))).toMatchObject({
    kind: "go-log",
    goTopics: [log],
  });
  expect(inspectPath(disk, join(path, "topics/topic-0.idx")).entries[2]).toEqual({
    offset: 2,
    position: 122,
    timestampMs: -1,
  });
  expect(inspectPath(disk, join(path, "consumers/test-consumer.json")).goOffsets).toMatchObject([offsets]);
  const messages = await records(path);
  expect(messages.length).toBe(114);
  expect(messages[0]).toEqual({
    topic: "topic-0",
    partition: -1,
    offset: 0,
    timestampMs: 1_755_329_647_953,
    key: Buffer.from("batch-user0"),
    value: Buffer.from("Size test message 0"),
    headers: [],
    batch: null,
  });
  for (const name of ["topic-0.log", "topic-0.idx"]) {
    cpSync(join(path, "topics", name), join(path, "topics", `${name}.imported`));
  }
  expect(inspectPath(disk, join(path, "topics/topic-0.log.imported")).goTopics).toMatchObject([log]);
});

test("a path with nothing to describe is refused", () => {
  for (const path of ["nowhere", "whole/lock", "whole/quarantine"]) {
    expect(() => inspectPath(disk, join(folder.path, path))).toThrow(
      expect.objectContaining({ code: "UNKNOWN_TOPIC_OR_PARTITION" }),
    );
  }
  expect(() => inspectPath(disk, folder.make("empty"))).toThrow(
    expect.objectContaining({ code: "UNKNOWN_TOPIC_OR_PARTITION" }),
  );
});

async function records(path: string): Promise<InspectedRecord[]> {
  const all: InspectedRecord[] = [];
  for await (const record of inspectRecords(disk, path)) all.push(record);
  return all;
}

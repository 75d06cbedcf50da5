/**
 * The import of a Go Obelisk's data. The crash test stops it at every single call to the disk, the state or the engine,
 * starts it again, and demands the same outcome as an undisturbed run.
 */

import { afterAll, afterEach, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createDisk } from "../../src/base/disk.ts";
import type { Files } from "../../src/base/files.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PartitionLog, StorageEngine } from "../../src/storage/contract.ts";
import { hasGoData, type ImportReport, importGoData } from "../../src/storage/file/import/go-import.ts";
import { GoOffsetMap } from "../../src/storage/file/import/go-offset-map.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { bytesOf, recordsIn } from "../support/batches.ts";
import { goFrame, goIndex, writeGoTopic } from "../support/go-data.ts";
import { RefusingFiles } from "../support/refusing-files.ts";

const files = createDisk();
const root = mkdtempSync(join(tmpdir(), "obelisk-import-"));
const directory = join(root, "data");
const topics = join(directory, "topics");
const consumers = join(directory, "consumers");
const options = { clock: { ...systemClock, nowMs: () => 1_700_000_000_000 }, newId: () => "an-id" };
const listener = { restore: () => undefined, replay: () => undefined, lost: () => undefined };

afterEach(() => rmSync(directory, { recursive: true, force: true }));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("the fixture becomes 114 records of topic-0 with the saved offsets of its consumer", async () => {
  cpSync(join(import.meta.dir, "fixtures/go-data"), directory, { recursive: true });
  const engine = new MemoryEngine();
  expect(hasGoData(files, directory)).toBe(true);
  const report = await run(engine);
  expect(report).toEqual({
    topics: [{ topic: "topic-0", messages: 114, damagedBytes: 0 }],
    offsets: [
      { group: "test-consumer", topic: "topic-", saved: 0, offset: 0 },
      { group: "test-consumer", topic: "topic-1", saved: 114, offset: 114 },
      { group: "test-consumer", topic: "topic-2", saved: 114, offset: 114 },
    ],
    findings: [],
  });
  const records = await recordsOf(engine, "topic-0");
  expect(records.length).toBe(114);
  expect(records[0]).toEqual([0, "Size test message 0"]);
  expect(records[113]).toEqual([113, "Size test message 99"]);
  expect(await stateOf(engine)).toEqual({
    "offset/test-consumer/topic-/0": committed(0),
    "offset/test-consumer/topic-1/0": committed(114),
    "offset/test-consumer/topic-2/0": committed(114),
    "topic/topic-0": {
      id: "an-id",
      partitions: 1,
      configs: { "retention.ms": "-1" },
      createdAtMs: 1_700_000_000_000,
    },
  });
  expect(readdirSync(topics).sort()).toEqual(["topic-0.idx.imported", "topic-0.log.imported"]);
  expect(readdirSync(consumers)).toEqual(["test-consumer.json.imported"]);
  expect(hasGoData(files, directory)).toBe(false);
  expect(await run(engine)).toEqual({ topics: [], offsets: [], findings: [] });
});

test("saved offsets keep their message when a damaged one is left out, and end at the log's end", async () => {
  const frames = Array.from({ length: 6 }, (_, index) => goFrame("t", index === 0 ? "key" : "", `${index}`));
  frames[2]!.fill(0);
  write("t", frames);
  saveOffsets(
    { early: { t: 1 }, hit: { t: 2 }, late: { t: 4 }, beyond: { t: 99 }, "a/b": { t: 6 } },
    "a%2Fb",
  );
  const engine = new MemoryEngine();
  const report = await run(engine);
  expect(report.topics).toEqual([{ topic: "t", messages: 5, damagedBytes: frames[2]!.length }]);
  expect(report.findings.map(({ kind }) => kind)).toEqual(["damaged-frame"]);
  expect(Object.fromEntries(report.offsets.map(({ group, offset }) => [group, offset]))).toEqual({
    early: 1,
    hit: 2,
    late: 3,
    beyond: 5,
    "a%2Fb": 5,
  });
  expect((await recordsOf(engine, "t")).map(([, value]) => value)).toEqual(["0", "1", "3", "4", "5"]);
});

test("a topic that exists already and one with a strange name stay, together with their offsets", async () => {
  write("t", [goFrame("t", "", "old")]);
  write("not legal!", [goFrame("not legal!", "", "x")]);
  write("fine", [goFrame("fine", "", "x")]);
  saveOffsets({ one: { t: 1, fine: 1 }, two: { fine: 0 }, three: { "not legal!": 1 } });
  writeFileSync(join(consumers, "broken.json"), "{");
  const engine = new MemoryEngine();
  await engine.state.change([{ key: "topic/t", value: "{}" }]);
  const report = await run(engine);
  expect(report.topics.map(({ topic }) => topic)).toEqual(["fine"]);
  expect(report.findings.map(({ file, kind, detail }) => [file, kind, detail])).toEqual([
    ["consumers/broken.json", "damaged-state", "it is not JSON: JSON Parse error: Expected '}'"],
    ["topics/not legal!.log", "unknown-file", "its name is not a legal topic name, so it is not imported"],
    ["topics/t.log", "unknown-file", "a topic of this name exists already, so it is not imported"],
    ["consumers/one.json", "unknown-file", "it stays, because topic t was not imported"],
    ["consumers/three.json", "unknown-file", "it stays, because topic not legal! was not imported"],
  ]);
  expect(Object.keys(await stateOf(engine))).toEqual([
    "offset/one/fine/0",
    "offset/two/fine/0",
    "topic/fine",
    "topic/t",
  ]);
  expect(readdirSync(consumers).sort()).toEqual([
    "broken.json",
    "one.json",
    "three.json",
    "two.json.imported",
  ]);
  await engine.state.change([{ key: "offset/one/fine/0", value: JSON.stringify(committed(77)) }]);
  await run(engine);
  expect((await stateOf(engine))["offset/one/fine/0"]).toEqual(committed(77));
});

test("partitions that only the disk knows count as an existing topic", async () => {
  write("t", [goFrame("t", "", "old")]);
  const engine = new MemoryEngine();
  await engine.open("t", 0, listener);
  expect((await run(engine)).topics).toEqual([]);
  expect(existsSync(join(topics, "t.log"))).toBe(true);
});

test("large messages and many small ones arrive in order", async () => {
  const values = [
    Buffer.alloc(9_000_000, 1),
    ...Array.from({ length: 25_000 }, (_, index) => Buffer.from(`${index}`)),
  ];
  write("t", [
    ...values.map((value) => goFrame("t", "k", value)),
    goFrame("t", "k", Buffer.alloc(2_000_000, 2)),
  ]);
  const engine = new MemoryEngine();
  await run(engine);
  const records = await recordsOf(engine, "t");
  expect(records.length).toBe(25_002);
  expect(records[0]?.[1]?.length).toBe(9_000_000);
  expect(records[25_000]).toEqual([25_000, "24999"]);
});

test("stopped at any call and started again, it ends as if it had never been stopped", async () => {
  const expected = await outcomeAfterStops([]);
  expect(expected.records).toEqual([
    [0, "0"],
    [1, "1"],
    [2, "2"],
  ]);
  let stop = 1;
  for (; ; stop += 1) {
    const outcome = await outcomeAfterStops([stop, stop]);
    expect(outcome.result).toEqual(expected.result);
    if (outcome.calls < stop) break;
  }
  expect(stop).toBeGreaterThan(10);
});

test("what cannot be stored is taken back, stays, and is tried again", async () => {
  write("t", [goFrame("t", "", Buffer.alloc(3_000_000))]);
  const small = new MemoryEngine({ bytesMax: 1_000_000 });
  const report = await run(small);
  expect(report.topics).toEqual([]);
  expect(report.findings[0]?.detail).toContain("the next start tries again");
  expect(small.stored()).toEqual([]);
  expect(existsSync(join(topics, "t.log"))).toBe(true);
  const engine = new MemoryEngine();
  expect((await run(engine)).topics).toEqual([{ topic: "t", messages: 1, damagedBytes: 0 }]);
});

test("what the disk refuses to read stays, is told, and is imported once it can be read", async () => {
  write("t", [goFrame("t", "", "a"), goFrame("t", "", "b")]);
  write("u", [goFrame("u", "", "c")]);
  saveOffsets({ group: { t: 1, other: 5 } });
  const refusing = new RefusingFiles(files);
  const engine = new MemoryEngine();
  const refuse = (file: string) => {
    refusing.refused = [{ file, start: 0, end: 1 }];
  };
  refuse("t.log");
  const first = await run(engine, refusing);
  expect(first.topics.map(({ topic }) => topic)).toEqual(["u"]);
  expect(first.findings.map(({ file }) => file)).toEqual(["topics/t.log", "consumers/group.json"]);
  refuse("group.json");
  const second = await run(engine, refusing);
  expect(second.topics).toEqual([{ topic: "t", messages: 2, damagedBytes: 0 }]);
  expect(second.findings).toEqual([
    {
      file: "consumers/group.json",
      position: 0,
      bytes: 0,
      kind: "unreadable",
      detail: "input/output error (EIO); the next start tries again",
    },
  ]);
  const third = await run(engine);
  expect(third.offsets.map(({ topic, offset }) => [topic, offset])).toEqual([["t", 1]]);
  expect([third.findings, hasGoData(files, directory)]).toEqual([[], false]);
});

test("offsets follow numbers through gaps", () => {
  const map = new GoOffsetMap();
  for (const number of [0, 1, 2, 3, 6, 7, 8]) map.record(number);
  expect([0, 1, 3, 4, 5, 6, 7, 9, 100].map((number) => map.offsetOf(number))).toEqual([
    0, 1, 3, 4, 4, 4, 5, 7, 7,
  ]);
  expect(new GoOffsetMap().offsetOf(5)).toBe(0);
});

/** Runs the import, stopping each run at the given call, then once to its end. */
async function outcomeAfterStops(stops: number[]) {
  rmSync(directory, { recursive: true, force: true });
  const frames = ["0", "1", "2"].map((value) => goFrame("t", "", value));
  write("t", frames);
  saveOffsets({ group: { t: 2, other: 5 } });
  const engine = new MemoryEngine();
  let calls = 0;
  for (const stop of stops) {
    const stopper = new Stopper(stop);
    await importGoData(stopper.wrap(files), directory, stopper.wrapEngine(engine), silentLog, options).catch(
      (error) => {
        if (!(error instanceof Stopped)) throw error;
      },
    );
    calls = stopper.calls;
  }
  await run(engine);
  const result = {
    state: await stateOf(engine),
    records: await recordsOf(engine, "t"),
    topics: readdirSync(topics).sort(),
    consumers: readdirSync(consumers).sort(),
  };
  return { result, records: result.records, calls };
}

class Stopped extends Error {}

/** Lets a number of calls through, then throws at every one, as a process that is gone would. */
class Stopper {
  calls = 0;
  readonly #stop: number;

  constructor(stop: number) {
    this.#stop = stop;
  }

  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        return (...values: unknown[]) => {
          this.calls += 1;
          if (this.calls >= this.#stop && name !== "close") throw new Stopped();
          const result: unknown = member.apply(object, values);
          return result;
        };
      },
    });
  }

  wrapEngine(engine: MemoryEngine): StorageEngine {
    const state = this.wrap(engine.state);
    return new Proxy(this.wrap<StorageEngine>(engine), {
      get: (object, name) => (name === "state" ? state : Reflect.get(object, name)),
    });
  }
}

function run(engine: StorageEngine, given: Files = files): Promise<ImportReport> {
  return importGoData(given, directory, engine, silentLog, options);
}

function write(topic: string, frames: Buffer[]): void {
  mkdirSync(topics, { recursive: true });
  writeGoTopic(topics, topic, frames, goIndex(frames));
}

function saveOffsets(saved: Record<string, Record<string, number>>, slashName = ""): void {
  mkdirSync(consumers, { recursive: true });
  for (const [group, offsets] of Object.entries(saved)) {
    const name = group.includes("/") ? slashName : group;
    writeFileSync(join(consumers, `${name}.json`), JSON.stringify(offsets));
  }
}

async function recordsOf(engine: StorageEngine, topic: string) {
  const log: PartitionLog = await engine.open(topic, 0, listener);
  return recordsIn(await bytesOf(log.span(0, log.endOffset, 2 ** 30, true)));
}

async function stateOf(engine: StorageEngine): Promise<Record<string, unknown>> {
  const entries = await engine.state.list("");
  return Object.fromEntries(entries.map(({ key, value }) => [key, JSON.parse(value)]));
}

function committed(offset: number) {
  return { offset, leaderEpoch: -1, metadata: "", committedAtMs: 1_700_000_000_000 };
}

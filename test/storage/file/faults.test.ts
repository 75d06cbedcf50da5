/**
 * A failing disk. Every operation in turn is made to fail while a fixed script runs; whatever happens, nothing that was
 * acknowledged is lost, only named errors come out, and a healthy disk opens everything again.
 */

import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../../src/base/disk.ts";
import { ObeliskError } from "../../../src/base/errors.ts";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { boundsOf } from "../../../src/storage/file/pool.ts";
import { type Fault, FaultyFiles, type Operation } from "../../support/faulty-files.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, readAll, remove } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

const APPENDS = 40;

/** Runs the work; a named error is a result, anything else fails the test. */
async function named<T>(work: () => T | Promise<T>): Promise<T | ObeliskError> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown;
    throw thrown;
  }
}

interface Outcome {
  /** Values that were acknowledged, by offset. */
  acknowledged: Map<number, string>;
  /** The largest log start that was told, and that was asked for. */
  start: number;
  dropped: number;
}

/** Appends, syncs, checkpoints, drops, reads; records what a client would have been told. */
async function script(engine: FileEngine, outcome: Outcome): Promise<void> {
  const log = await named(() => engine.open("t", 0, new Replay()));
  if (log instanceof ObeliskError) return;
  const waiting = new Map<number, string>();
  for (let index = 0; index < APPENDS; index += 1) {
    const value = `value ${index} ${"z".repeat(100)}`;
    const offset = await named(() => append(log, [value]));
    if (typeof offset === "number") waiting.set(offset, value);
    if (index % 7 === 0) await sync(engine, log, waiting, outcome);
    if (index === 30) log.checkpoint(Buffer.from("state"), log.endOffset);
    if (index === 35) await drop(log, Math.min(5, log.durableOffset), outcome);
    if (index === 38) await drop(log, log.durableOffset, outcome);
    if (index % 20 === 0) await named(() => readAll(log));
  }
  await sync(engine, log, waiting, outcome);
  await named(() => log.offsetForTimestamp(1000, log.endOffset));
}

async function drop(log: PartitionLog, offset: number, outcome: Outcome): Promise<void> {
  outcome.dropped = Math.max(outcome.dropped, offset);
  const start = await named(() => log.dropBefore(offset));
  if (typeof start === "number") outcome.start = Math.max(outcome.start, start);
}

async function sync(
  engine: FileEngine,
  log: PartitionLog,
  waiting: Map<number, string>,
  outcome: Outcome,
): Promise<void> {
  const failed = await engine.sync([log]);
  if (failed.length > 0) {
    expect(log.isOffline).toBe(true);
    return;
  }
  for (const [offset, value] of waiting) {
    expect(offset).toBeLessThan(log.durableOffset);
    outcome.acknowledged.set(offset, value);
  }
  waiting.clear();
}

const KINDS: { errno: Fault["errno"]; operations?: Operation[] }[] = [
  { errno: "EIO" },
  { errno: "ENOSPC", operations: ["write", "replace", "open", "sync", "syncAll", "makeDirectory", "rename"] },
  { errno: "EMFILE", operations: ["open", "syncDirectory", "replace"] },
  { errno: "EACCES", operations: ["open", "truncate", "rename", "removeFile", "list", "fileSize"] },
];

for (const hasSyncAll of [true, false]) {
  for (const { errno, operations } of KINDS) {
    for (const more of [0, 2, Number.POSITIVE_INFINITY]) {
      const times = more === 0 ? "once" : more === 2 ? "three times" : "for good";
      test(`the nth operation fails ${times} with ${errno} (${hasSyncAll ? "syncfs" : "fdatasync"})`, async () => {
        for (let nth = 1; ; nth += more === 0 ? 1 : 3) {
          const disk = new SimulatedFiles(1, hasSyncAll);
          disk.makeDirectory("/data");
          const files = new FaultyFiles(disk);
          const fault: Fault = { nth, more, errno, path: "/data" };
          if (operations !== undefined) fault.operations = operations;
          files.setFault(fault);
          const directory = new TestDirectory("/data");
          const outcome: Outcome = { acknowledged: new Map(), start: 0, dropped: 0 };
          const engine = await named(() => openEngine(directory, { files }));
          if (!(engine instanceof ObeliskError)) {
            await script(engine, outcome);
            await named(() => engine.close());
          }
          const hasFailed = files.failed > 0;
          files.setFault(null);
          await checkHealthy(files, directory, outcome, `nth ${nth}: ${files.lastFailed}`);
          if (!hasFailed) break;
        }
      });
    }
  }
}

async function checkHealthy(
  files: FaultyFiles,
  directory: TestDirectory,
  outcome: Outcome,
  story: string,
): Promise<void> {
  const engine = openEngine(directory, { files });
  const log = await engine.open("t", 0, new Replay());
  expect([story, log.startOffset >= outcome.start, log.startOffset <= outcome.dropped]).toEqual([
    story,
    true,
    true,
  ]);
  const found = new Map(await readAll(log));
  for (const [offset, value] of outcome.acknowledged) {
    if (offset < log.startOffset) continue;
    expect([story, offset, found.get(offset) ?? null]).toEqual([story, offset, value]);
  }
  const end = log.endOffset;
  expect([story, append(log, ["again"])]).toEqual([story, end]);
  expect(await engine.sync([log])).toEqual([]);
  await engine.close();
}

test("a full disk refuses the append, keeps the log as it was, and goes on when there is room again", async () => {
  using folder = temporaryDirectory();
  const files = new FaultyFiles(createDisk());
  const engine = openEngine(new TestDirectory(folder.path), { files, segmentBytesMax: 2 ** 20 });
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  await engine.sync([log]);
  files.bytesLeft = 30;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(() => append(log, ["does not fit"])).toThrow(expect.objectContaining({ code: "DISK_FULL" }));
  }
  expect([log.endOffset, log.isOffline]).toEqual([1, false]);
  expect(statSync(join(folder.path, "topics/t/0/00000000000000000000.log")).size).toBe(log.bytes);
  expect(await readAll(log)).toEqual([[0, "a"]]);
  files.bytesLeft = Number.POSITIVE_INFINITY;
  expect(append(log, ["fits"])).toBe(1);
  await engine.sync([log]);
  expect(await readAll(log)).toEqual([
    [0, "a"],
    [1, "fits"],
  ]);
  await engine.close();
});

test("a write that can neither be finished nor cut off takes the partition offline", async () => {
  using folder = temporaryDirectory();
  const files = new FaultyFiles(createDisk());
  const engine = openEngine(new TestDirectory(folder.path), { files });
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  await engine.sync([log]);
  files.setFault({ operations: ["write", "truncate"], nth: 1, more: Number.POSITIVE_INFINITY, errno: "EIO" });
  expect(() => append(log, ["b"])).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
  files.setFault(null);
  expect(log.isOffline).toBe(true);
  expect(() => append(log, ["c"])).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
  expect(await readAll(log)).toEqual([[0, "a"]]);
  await engine.close();
});

test("a failed sync takes its partition offline for good and names it", async () => {
  for (const count of [1, 2, 5]) {
    using folder = temporaryDirectory();
    const files = new FaultyFiles(createDisk());
    const engine = openEngine(new TestDirectory(folder.path), { files });
    const logs: PartitionLog[] = [];
    for (let index = 0; index < count; index += 1) logs.push(await engine.open("t", index, new Replay()));
    for (const log of logs) append(log, ["a"]);
    await engine.sync(logs);
    for (const log of logs) append(log, ["b"]);
    // With five files syncfs is the first to be told, and then the one whose bytes they were.
    files.setFault({
      operations: ["sync", "syncAll", "syncNow"],
      nth: 1,
      more: count > 3 ? 1 : 0,
      errno: "EIO",
    });
    const failed = await engine.sync(logs);
    files.setFault(null);
    expect(failed.length).toBe(1);
    for (const log of logs) {
      const isFailed = failed.includes(log);
      expect([log.isOffline, log.durableOffset]).toEqual([isFailed, isFailed ? 1 : 2]);
    }
    expect(await engine.sync(logs)).toEqual(failed);
    expect(engine.findings.map(({ kind }) => kind)).toEqual(["unreadable"]);
    await engine.close();
  }
});

test("a close after a failed sync does not mark the directory as clean", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const files = new FaultyFiles(createDisk());
  const engine = openEngine(directory, { files });
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  files.setFault({ operations: ["sync", "syncAll", "syncNow"], nth: 1, errno: "EIO" });
  await engine.close();
  expect(directory.isClean).toBe(false);
});

test("hundreds of partitions share a handful of open files", async () => {
  using folder = temporaryDirectory();
  const engine = openEngine(new TestDirectory(folder.path), { fileBounds: boundsOf(8) });
  const logs: PartitionLog[] = [];
  for (let index = 0; index < 100; index += 1) logs.push(await engine.open("t", index, new Replay()));
  for (const log of logs) {
    append(log, [`in ${log.partition}`]);
    await engine.sync([log]);
    expect(engine.counters.openFiles).toBeLessThanOrEqual(8);
  }
  for (const log of logs) expect(await readAll(log)).toEqual([[0, `in ${log.partition}`]]);
  expect(engine.counters.openFiles).toBeLessThanOrEqual(8);
  await engine.close();
});

test("when the system gives no more files, idle ones make room; with none left the client may try again", async () => {
  using folder = temporaryDirectory();
  const files = new FaultyFiles(createDisk());
  const engine = openEngine(new TestDirectory(folder.path), { files });
  const first = await engine.open("t", 0, new Replay());
  const second = await engine.open("t", 1, new Replay());
  append(first, ["a"]);
  append(second, ["b"]);
  await engine.sync([first, second]);
  files.setFault({ operations: ["open"], nth: 1, errno: "EMFILE" });
  const third = await engine.open("t", 2, new Replay());
  expect([third.isOffline, files.failed]).toEqual([false, 1]);
  append(third, ["c"]);
  files.setFault({ operations: ["open"], nth: 1, more: Number.POSITIVE_INFINITY, errno: "EMFILE" });
  const refused = await named(() => append(first, ["d"]));
  expect(refused).toMatchObject({ code: "KAFKA_STORAGE_ERROR", retriable: true });
  files.setFault(null);
  expect(append(first, ["d"])).toBe(1);
  expect(await engine.sync([first, second, third])).toEqual([]);
  await engine.close();
});

for (const hasSyncAll of [true, false]) {
  for (const partitions of [1, 2, 5]) {
    const how = hasSyncAll ? "syncfs" : "fdatasync";
    test(`a topic of ${partitions} that is removed during its sync is no finding (${how})`, async () => {
      using folder = temporaryDirectory();
      const files = new FaultyFiles(createDisk(), { hasSyncAll });
      const engine = openEngine(new TestDirectory(folder.path), { files });
      const logs: PartitionLog[] = [];
      for (let index = 0; index < partitions; index += 1)
        logs.push(await engine.open("t", index, new Replay()));
      for (const log of logs) append(log, ["a"]);
      const syncing = engine.sync(logs);
      await remove(engine, "t");
      const failed = await syncing;
      expect(failed.every((log) => logs.includes(log))).toBe(true);
      expect(engine.findings).toEqual([]);
      await engine.close();
    });
  }
}

test("a topic's folder that cannot be read is reported and left out of what is stored", async () => {
  using folder = temporaryDirectory();
  const files = new FaultyFiles(createDisk());
  const engine = openEngine(new TestDirectory(folder.path), { files });
  for (const topic of ["a", "b"]) await engine.open(topic, 0, new Replay());
  files.setFault({
    operations: ["list"],
    path: "topics/a",
    nth: 1,
    more: Number.POSITIVE_INFINITY,
    errno: "EACCES",
  });
  expect(engine.stored()).toEqual([{ topic: "b", partitions: 1 }]);
  expect(engine.findings.map(({ file, kind }) => [file, kind])).toEqual([["topics/a", "unreadable"]]);
  files.setFault(null);
  await engine.close();
});

test("a start whose sync of the data directory failed leaves no folder whose directory entry a power cut may take", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const disk = new SimulatedFiles(seed);
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    const files = new FaultyFiles(disk, { hasSyncAll: false });
    files.setFault({ operations: ["syncDirectory"], nth: 1, errno: "EIO" });
    expect(() => openEngine(new TestDirectory("/data"), { files })).toThrow(ObeliskError);
    files.setFault(null);
    const engine = openEngine(new TestDirectory("/data"), { files });
    const log = await engine.open("t", 0, new Replay());
    append(log, ["a"]);
    expect(await engine.sync([log])).toEqual([]);
    const after = openEngine(new TestDirectory("/data"), { files: disk.crash() });
    const found = await readAll(await after.open("t", 0, new Replay()));
    expect([seed, found]).toEqual([seed, [[0, "a"]]]);
  }
});

test("what a start had to sync at once, for lack of open files, keeps the names of its files", async () => {
  let crowded = 0;
  for (let seed = 0; seed < 20; seed += 1) {
    const disk = new SimulatedFiles(seed, false);
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    const directory = new TestDirectory("/data");
    const options = { fileBounds: boundsOf(1), segmentBytesMax: 500 };
    const first = openEngine(directory, { files: disk, ...options });
    append(await first.open("other", 0, new Replay()), ["keeps a file open until it is synced"]);
    const written = await first.open("t", 0, new Replay());
    for (let index = 0; index < 10; index += 1) append(written, [`value ${index} ${"x".repeat(100)}`]);
    const killed = disk.kill();
    const second = openEngine(directory, { files: killed, ...options });
    await second.open("other", 0, new Replay());
    const log = await second.open("t", 0, new Replay());
    const { durableOffset } = log;
    crowded += durableOffset === log.endOffset ? 1 : 0;
    const third = openEngine(directory, { files: killed.crash(), ...options });
    const found = await readAll(await third.open("t", 0, new Replay()));
    expect([seed, found.length]).toEqual([seed, Math.max(found.length, durableOffset)]);
  }
  expect(crowded).toBeGreaterThan(0);
});

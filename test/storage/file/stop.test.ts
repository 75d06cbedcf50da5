/**
 * A stop with many partitions: what is written, with how many descriptors, and what is there when the power goes at any operation of
 * it. Once the clean-shutdown flag is set, everything that the stop had to keep is there; before it nothing that was synced is lost.
 */

import { expect, test } from "bun:test";
import type { Files } from "../../../src/base/files.ts";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { boundsOf } from "../../../src/storage/file/pool.ts";
import { CountedFiles } from "../../support/counted-files.ts";
import { turns } from "../../support/gated-engine.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

const MANY = 200;
/** Enough to be replaced as a group. */
const SOME = 20;
/** Beside the segments: two for small files, and one that syncs are called through. */
const DESCRIPTORS_BESIDE = 3;

interface Opened {
  engine: FileEngine;
  logs: PartitionLog[];
  replays: Replay[];
}

async function open(files: Files, directory: TestDirectory, count: number): Promise<Opened> {
  const engine = openEngine(directory, { files, fileBounds: boundsOf(16) });
  const logs: PartitionLog[] = [];
  const replays = Array.from({ length: count }, () => new Replay());
  for (const [partition, replay] of replays.entries()) logs.push(await engine.open("t", partition, replay));
  return { engine, logs, replays };
}

/** Partitions with one synced record each, shut down gracefully with the state "first". */
async function diskWithPartitions(count: number, seed = 1, hasSyncAll = true): Promise<SimulatedFiles> {
  const files = new SimulatedFiles(seed, hasSyncAll);
  files.makeDirectory("/data");
  files.syncDirectory("/");
  await writeAndStop(await open(files, new TestDirectory("/data"), count), "first");
  return files;
}

async function write({ engine, logs }: Opened, value: string): Promise<void> {
  for (const log of logs) append(log, [value]);
  for (let at = 0; at < logs.length; at += 10) expect(await engine.sync(logs.slice(at, at + 10))).toEqual([]);
}

async function stop({ engine, logs }: Opened, state: string): Promise<void> {
  for (const log of logs) log.checkpoint(Buffer.from(state), log.endOffset);
  await engine.close();
}

async function writeAndStop(opened: Opened, value: string): Promise<void> {
  await write(opened, value);
  await stop(opened, value);
}

/** What each partition holds: its records, and the state that it was given back. */
async function holdings({ logs, replays }: Opened): Promise<string[]> {
  const found: string[] = [];
  for (const [slot, log] of logs.entries()) {
    const values = (await readAll(log)).map(([, value]) => value);
    const replayed = replays[slot]!.records.map(([, value]) => value);
    found.push(`${values.join(" ")} | ${replays[slot]!.state} + ${replayed.join(" ")}`);
  }
  return found;
}

const OLD_STATE = "first second | first + second";
const NEW_STATE = "first second | second + ";

for (const [count, step, hasSyncAll] of [
  [SOME, 1, true],
  [SOME, 1, false],
  [MANY, 61, true],
] as const) {
  const title = `${count} partitions, ${hasSyncAll ? "syncfs" : "fdatasync"}`;
  test(`the power may go at any operation of a stop: nothing is lost, and a clean-shutdown flag is true (${title})`, async () => {
    const found = new Set<string>();
    for (let nth = 1, isCut = true; isCut; nth += step) {
      const disk = await diskWithPartitions(count, nth, hasSyncAll);
      const files = new CountedFiles(disk);
      const directory = new TestDirectory("/data");
      const opened = await open(files, directory, count);
      await write(opened, "second");
      files.setFault({ nth, more: Number.POSITIVE_INFINITY, errno: "EIO" });
      await stop(opened, "second");
      isCut = files.failed > 0;
      const { isClean } = directory;
      const again = await open(disk.crash(), directory, count);
      const held = await holdings(again);
      for (const each of held) expect([nth, [OLD_STATE, NEW_STATE].includes(each)]).toEqual([nth, true]);
      if (!isCut) expect(isClean).toBe(true);
      if (isClean && opened.engine.findings.length === 0) {
        expect(new Set(held)).toEqual(new Set([NEW_STATE]));
      }
      for (const each of held) found.add(each);
      await again.engine.close();
    }
    expect([...found].sort()).toEqual([OLD_STATE, NEW_STATE].sort());
  });
}

test("a stop opens two descriptors for all its small files, and no more than are left", async () => {
  const files = new CountedFiles(await diskWithPartitions(MANY));
  const directory = new TestDirectory("/data");
  const opened = await open(files, directory, MANY);
  await write(opened, "second");
  const segments = opened.engine.counters.openFiles;
  files.openPeak = 0;
  files.openMax = segments + DESCRIPTORS_BESIDE;
  await stop(opened, "second");
  expect([directory.isClean, files.openPeak <= segments + DESCRIPTORS_BESIDE, files.openCount]).toEqual([
    true,
    true,
    0,
  ]);
  expect(opened.engine.findings).toEqual([]);
  const again = await open(files, directory, MANY);
  expect(new Set(await holdings(again))).toEqual(new Set([NEW_STATE]));
  await again.engine.close();
});

test("a start after a kill keeps to the descriptors that the system allows, and so does a stop at once after it", async () => {
  const disk = await diskWithPartitions(MANY);
  await write(await open(disk, new TestDirectory("/data"), MANY), "second");
  const found = disk.crash();
  found.makeDirectory("/proc/self");
  found.replace("/proc/self/limits", Buffer.from("Max open files            40"));
  const files = new CountedFiles(found);
  files.openMax = 40;
  const directory = new TestDirectory("/data");
  directory.isClean = false;
  const opened = await open(files, directory, MANY);
  await stop(opened, "second");
  expect([directory.isClean, opened.engine.findings]).toEqual([true, []]);
  const again = await open(files, directory, MANY);
  expect(again.logs.map(({ leaderEpoch }) => leaderEpoch)).toEqual(Array.from({ length: MANY }, () => 1));
  await again.engine.close();
});

test("a stop while snapshots of new leader epochs wait to be written writes each of those once", async () => {
  const files = new CountedFiles(await diskWithPartitions(SOME), { hasSyncAll: false });
  const directory = new TestDirectory("/data");
  directory.isClean = false;
  const held: (() => void)[] = [];
  const sync = files.sync.bind(files);
  files.sync = async (descriptor) => {
    await new Promise<void>((resolve) => held.push(resolve));
    await sync(descriptor);
  };
  const opened = await open(files, directory, SOME);
  files.setFault({ operations: ["rename"], nth: Number.POSITIVE_INFINITY, errno: "EIO" });
  for (const log of opened.logs) append(log, ["second"]);
  await turns();
  const underWay = held.length;
  files.sync = sync;
  expect(await opened.engine.sync(opened.logs)).toEqual([]);
  for (const log of opened.logs) log.checkpoint(Buffer.from("second"), log.endOffset);
  for (const release of held) release();
  await opened.engine.close();
  expect([underWay > 0, files.count]).toEqual([true, SOME + underWay]);
});

test("a stop on a full disk is clean, and keeps what was there", async () => {
  const files = new CountedFiles(await diskWithPartitions(SOME));
  const directory = new TestDirectory("/data");
  const opened = await open(files, directory, SOME);
  await write(opened, "second");
  files.bytesLeft = 0;
  await stop(opened, "second");
  expect([directory.isClean, opened.engine.findings]).toEqual([true, []]);
  files.bytesLeft = Number.POSITIVE_INFINITY;
  const again = await open(files, directory, SOME);
  expect(new Set(await holdings(again))).toEqual(new Set([OLD_STATE]));
  await again.engine.close();
});

test("a stop that could not keep a new leader epoch is not called clean", async () => {
  const disk = await diskWithPartitions(1);
  const directory = new TestDirectory("/data");
  directory.isClean = false;
  const files = new CountedFiles(disk);
  files.bytesLeft = 0;
  const opened = await open(files, directory, 1);
  expect(opened.logs[0]!.leaderEpoch).toBe(1);
  await opened.engine.close();
  expect(directory.isClean).toBe(false);
  files.bytesLeft = Number.POSITIVE_INFINITY;
  const again = await open(files, directory, 1);
  await again.engine.close();
  expect([again.logs[0]!.leaderEpoch, directory.isClean]).toEqual([1, true]);
});

test("a stop whose directory entries cannot be synced is not called clean", async () => {
  const files = new CountedFiles(await diskWithPartitions(1));
  const directory = new TestDirectory("/data");
  const opened = await open(files, directory, 1);
  await write(opened, "second");
  files.setFault({ operations: ["syncDirectory"], nth: 1, errno: "EIO" });
  await stop(opened, "second");
  expect([directory.isClean, opened.engine.findings.map(({ file, kind }) => [file, kind])]).toEqual([
    false,
    [["topics", "unreadable"]],
  ]);
});

test("a stop writes no snapshot that says nothing new, and no copy of an index without entries", async () => {
  const files = new CountedFiles(await diskWithPartitions(SOME));
  const opened = await open(files, new TestDirectory("/data"), SOME);
  append(opened.logs[3]!, ["second"]);
  await opened.engine.sync(opened.logs);
  opened.logs[3]!.checkpoint(Buffer.from("second"), opened.logs[3]!.endOffset);
  files.setFault({ operations: ["rename"], nth: Number.POSITIVE_INFINITY, errno: "EIO" });
  await opened.engine.close();
  expect(files.count).toBe(1);
  expect(files.list("/data/topics/t/3")).toEqual(["00000000000000000000.log", "producers.snapshot"]);
});

test("few records since the last checkpoint are no reason to write it anew: the next start reads them", async () => {
  const files = new CountedFiles(await diskWithPartitions(1));
  const directory = new TestDirectory("/data");
  const options = { files, segmentBytesMax: 1_000_000 };
  const stopsOf = async (bytes: number) => {
    const engine = openEngine(directory, options);
    const log = await engine.open("t", 0, new Replay());
    append(log, ["x".repeat(bytes)]);
    await engine.sync([log]);
    const needed = log.needsCheckpoint;
    if (needed) log.checkpoint(Buffer.from(`${log.endOffset} records`), log.endOffset);
    files.setFault({ operations: ["rename"], nth: Number.POSITIVE_INFINITY, errno: "EIO" });
    await engine.close();
    return [needed, files.count, directory.isClean];
  };
  await stopsOf(100); // tells when the segment began
  expect([await stopsOf(100), await stopsOf(100), await stopsOf(20_000)]).toEqual([
    [false, 0, true],
    [false, 0, true],
    [true, 1, true],
  ]);
  await stopsOf(100);
  const replay = new Replay();
  const engine = openEngine(directory, options);
  const log = await engine.open("t", 0, replay);
  expect([replay.state, replay.records.length, log.durableOffset === log.endOffset]).toEqual([
    `${log.endOffset - 1} records`,
    1,
    true,
  ]);
  await engine.close();
});

test("the copy of an index with entries is there after a stop, and needs no reading of the log", async () => {
  const files = new CountedFiles(await diskWithPartitions(1));
  const directory = new TestDirectory("/data");
  const first = openEngine(directory, { files, indexIntervalBytes: 100 });
  const log = await first.open("t", 0, new Replay());
  for (let count = 0; count < 10; count += 1) append(log, ["x".repeat(50)]);
  await first.sync([log]);
  log.checkpoint(Buffer.from("state"), log.endOffset);
  await first.close();
  const copied = files.fileSize("/data/topics/t/0/00000000000000000000.index");
  expect(copied).toBeGreaterThan(0);
  const second = openEngine(directory, { files, indexIntervalBytes: 100 });
  files.setFault({ operations: ["read"], nth: Number.POSITIVE_INFINITY, errno: "EIO" });
  await second.open("t", 0, new Replay());
  expect([files.count, second.findings]).toEqual([0, []]);
  await second.close();
});

test("the copy of an index that a start took away is there again after the stop", async () => {
  const files = await diskWithPartitions(1);
  const directory = new TestDirectory("/data");
  const options = { files, indexIntervalBytes: 100 };
  const first = openEngine(directory, options);
  const log = await first.open("t", 0, new Replay());
  for (let count = 0; count < 10; count += 1) append(log, ["x".repeat(50)]);
  await first.sync([log]);
  log.checkpoint(Buffer.from("state"), log.endOffset);
  await first.close();
  const path = "/data/topics/t/0/00000000000000000000";
  const copied = files.readFile(`${path}.index`);
  const torn = files.open(`${path}.log`, "update");
  files.write(torn, Buffer.from("torn"), 0, 4, files.size(torn));
  files.close(torn);
  directory.isClean = false;
  const second = openEngine(directory, options);
  const cut = await second.open("t", 0, new Replay());
  expect(files.exists(`${path}.index`)).toBe(false);
  append(cut, ["more"]);
  await second.sync([cut]);
  cut.checkpoint(Buffer.from("state"), cut.endOffset);
  await second.close();
  expect(files.readFile(`${path}.index`).subarray(0, copied.length)).toEqual(copied);
});

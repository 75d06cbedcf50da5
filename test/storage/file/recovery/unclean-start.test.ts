/**
 * A start after an unclean shutdown: what lies after the checkpoint may be in the page cache only, in pages that a failed
 * write-back has left looking clean. It counts as on disk only when it was written again and synced.
 */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../../../src/storage/contract.ts";
import type { FileEngine, FileEngineOptions } from "../../../../src/storage/file/engine.ts";
import { boundsOf } from "../../../../src/storage/file/pool.ts";
import { decodeSnapshot } from "../../../../src/storage/file/snapshot.ts";
import { RecoveredLogs } from "../../../../src/storage/recovered-logs.ts";
import { FaultyFiles } from "../../../support/faulty-files.ts";
import { SimulatedFiles } from "../../../support/simulated-files.ts";
import { append, Replay, readAll } from "../../conformance/suite.ts";
import { openEngine, TestDirectory } from "../support.ts";

const SEEDS = 20;

interface Opened {
  engine: FileEngine;
  log: PartitionLog;
}

async function open(
  directory: TestDirectory,
  files: FileEngineOptions["files"],
  options: Partial<FileEngineOptions> = {},
): Promise<Opened> {
  const engine = openEngine(directory, { files, ...options });
  return { engine, log: await engine.open("t", 0, new Replay()) };
}

function newDisk(seed: number, hasSyncAll: boolean): SimulatedFiles {
  const disk = new SimulatedFiles(seed, hasSyncAll);
  disk.makeDirectory("/data");
  disk.syncDirectory("/");
  return disk;
}

function appendMany({ log }: Opened, count: number): void {
  for (let index = 0; index < count; index += 1) append(log, [`value ${log.endOffset} ${"x".repeat(100)}`]);
}

/** Ten records on disk. */
async function stored(seed: number, hasSyncAll: boolean) {
  const disk = newDisk(seed, hasSyncAll);
  const directory = new TestDirectory("/data");
  const first = await open(directory, disk);
  appendMany(first, 10);
  expect(await first.engine.sync([first.log])).toEqual([]);
  return { disk, directory, first };
}

/** Lets the small files that are written in the background be written. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

for (const hasSyncAll of [true, false]) {
  const how = hasSyncAll ? "syncfs" : "fdatasync";

  test(`what a start calls durable survives a power cut, also after a sync that failed (${how})`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { disk, directory, first } = await stored(seed, hasSyncAll);
      if (seed % 2 === 0) first.log.checkpoint(Buffer.from("10"), first.log.endOffset);
      await turns();
      appendMany(first, 70); // rolls
      disk.weather = { ...disk.weather, writeBack: () => "EIO" };
      expect(await first.engine.sync([first.log])).toEqual([first.log]);

      const afterKill = disk.kill();
      const second = await open(directory, afterKill);
      const found = await readAll(second.log);
      expect([seed, (await second.engine.sync([second.log])).length]).toEqual([seed, 0]);
      expect([seed, second.log.durableOffset]).toEqual([seed, second.log.endOffset]);

      const third = await open(directory, afterKill.crash());
      expect([seed, await readAll(third.log)]).toEqual([seed, found]);
    }
  });

  test(`what the system could not write by itself is shown to nobody after a kill (${how})`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { disk, directory, first } = await stored(seed, hasSyncAll);
      appendMany(first, 10);
      disk.weather = { ...disk.weather, writeBack: () => "EIO" };
      for (const [slot, path] of disk.dirtyPaths.entries())
        if (path.endsWith(".log")) disk.writeSomeBack(slot, 1);

      const afterKill = disk.kill();
      const second = await open(directory, afterKill);
      expect([seed, await second.engine.sync([second.log])]).toEqual([seed, []]);
      const found = await readAll(second.log);
      expect([seed, found.length >= 10]).toEqual([seed, true]);

      const third = await open(directory, afterKill.crash());
      expect([seed, await readAll(third.log)]).toEqual([seed, found]);
    }
  });

  test(`before its sync a start calls nothing durable but what the checkpoint says (${how})`, async () => {
    const disk = newDisk(1, hasSyncAll);
    const directory = new TestDirectory("/data");
    const first = await open(directory, disk);
    appendMany(first, 80);
    await first.engine.sync([first.log]);
    const unclean = await open(directory, disk);
    expect([unclean.log.durableOffset, unclean.log.endOffset]).toEqual([0, 80]);
    await unclean.engine.sync([unclean.log]);
    expect([unclean.log.durableOffset, unclean.log.endOffset]).toEqual([80, 80]);
    unclean.log.checkpoint(Buffer.from("80"), unclean.log.endOffset);
    await turns();
    appendMany(unclean, 1);
    await unclean.engine.sync([unclean.log]);
    const again = await open(directory, disk);
    expect([again.log.durableOffset, again.log.endOffset]).toEqual([80, 81]);
    await again.engine.close();
    const clean = await open(directory, disk);
    expect([clean.log.durableOffset, clean.log.endOffset]).toEqual([81, 81]);
  });

  test(`a start whose sync fails leaves the partition offline at the checkpoint (${how})`, async () => {
    const disk = newDisk(1, hasSyncAll);
    const directory = new TestDirectory("/data");
    const first = await open(directory, disk);
    appendMany(first, 5);
    await first.engine.sync([first.log]);
    first.log.checkpoint(Buffer.from("5"), first.log.endOffset);
    await turns();
    appendMany(first, 5);
    await first.engine.sync([first.log]);
    const calm = disk.weather;
    disk.weather = { ...calm, writeBack: (path) => (path.startsWith("/data/topics/t/") ? "EIO" : null) };
    const second = await open(directory, disk);
    expect(await second.engine.sync([second.log])).toEqual([second.log]);
    expect([second.log.isOffline, second.log.durableOffset]).toEqual([true, 5]);
    await second.engine.close();
    expect(directory.isClean).toBe(false);
    disk.weather = calm;
    const third = await open(directory, disk);
    expect(await third.engine.sync([third.log])).toEqual([]);
    expect([third.log.durableOffset, (await readAll(third.log)).length]).toEqual([10, 10]);
  });
}

test("a start after a clean shutdown writes no record again, and a start after an unclean one all that it reads", async () => {
  const disk = newDisk(1, true);
  const directory = new TestDirectory("/data");
  const first = await open(directory, disk);
  appendMany(first, 80);
  await first.engine.sync([first.log]);
  for (const isClean of [true, false]) {
    directory.isClean = isClean;
    const files = new FaultyFiles(disk);
    files.setFault({ operations: ["write"], path: ".log", nth: Number.POSITIVE_INFINITY, errno: "EIO" });
    const { engine, log } = await open(directory, files);
    const segments = disk.list("/data/topics/t/0").filter((name) => name.endsWith(".log"));
    expect([isClean, files.count]).toEqual([isClean, isClean ? 0 : segments.length]);
    expect(await engine.sync([log])).toEqual([]);
  }
});

test("rolled segments after the checkpoint are sealed once they are synced, and not before", async () => {
  const disk = newDisk(1, true);
  const directory = new TestDirectory("/data");
  const first = await open(directory, disk);
  appendMany(first, 80);
  const { engine, log } = await open(directory, disk);
  const sealed = () => disk.list("/data/topics/t/0").filter((name) => name.endsWith(".index")).length;
  await turns();
  expect(sealed()).toBe(0);
  await engine.sync([log]);
  await turns();
  const logs = disk.list("/data/topics/t/0").filter((name) => name.endsWith(".log"));
  expect(sealed()).toBe(logs.length - 1);
});

for (const partitions of [1, 6]) {
  test(`a failure that was told to a process which was killed then is not lost with it (${partitions} partitions)`, async () => {
    for (let killed = 0; killed < 12; killed += 1) {
      const disk = newDisk(killed, true);
      const directory = new TestDirectory("/data");
      const first = openEngine(directory, { files: disk, segmentBytesMax: 1500 });
      const logs = await openAll(first, partitions);
      for (const log of logs) append(log, ["synced"]);
      expect(await first.sync(logs)).toEqual([]);
      for (const log of logs) for (let n = 0; n < 12; n += 1) append(log, ["x".repeat(300)]);
      disk.weather = { ...disk.weather, writeBack: () => "EIO" };
      disk.writeSomeBack(disk.dirtyPaths.length - 1, 1);
      const waiting: (() => void)[] = [];
      const delay = () => new Promise<void>((resolve) => waiting.push(resolve));
      disk.weather = { ...disk.weather, delay, writeBack: () => null };
      void first.sync(logs);
      await turns();
      for (let ended = 0; ended < killed; ended += 1) {
        waiting.shift()?.();
        await turns();
      }

      const afterKill = disk.kill();
      const second = openEngine(directory, { files: afterKill });
      const recovered = await openAll(second, partitions);
      await second.sync(recovered);
      const third = openEngine(directory, { files: afterKill.crash() });
      for (const [index, log] of (await openAll(third, partitions)).entries()) {
        const { durableOffset } = recovered[index]!;
        const missing = new Set(Array.from({ length: durableOffset }, (_, offset) => offset));
        for (const [offset] of await readAll(log)) missing.delete(offset);
        expect([killed, index, [...missing]]).toEqual([killed, index, []]);
      }
    }
  });
}

test("a failure that was told to a start which was killed then is not lost with it", async () => {
  const disk = newDisk(1, true);
  const directory = new TestDirectory("/data");
  const first = openEngine(directory, { files: disk });
  const logs = await openAll(first, 2);
  for (const log of logs) append(log, ["synced"]);
  expect(await first.sync(logs)).toEqual([]);
  for (const log of logs) append(log, ["lost"]);
  disk.weather = { ...disk.weather, writeBack: () => "EIO" };
  while (disk.dirtyPaths.length > 0) disk.writeSomeBack(0, 1);

  const afterKill = disk.kill();
  await openAll(openEngine(directory, { files: afterKill }), 1);
  const afterStart = afterKill.kill();
  const third = openEngine(directory, { files: afterStart });
  const recovered = await openAll(third, 2);
  await third.sync(recovered);
  const durable = recovered.map(({ durableOffset }) => durableOffset);
  const last = await openAll(openEngine(directory, { files: afterStart.crash() }), 2);
  const found = [];
  for (const log of last) found.push((await readAll(log)).length);
  expect(found).toEqual(durable);
});

async function openAll(engine: FileEngine, partitions: number): Promise<PartitionLog[]> {
  const logs: PartitionLog[] = [];
  for (let index = 0; index < partitions; index += 1) logs.push(await engine.open("t", index, new Replay()));
  return logs;
}

for (const [openFilesMax, syncsMax] of [
  [8, 300],
  [64, 38],
  [1000, 3],
] as const) {
  test(`a start with hundreds of partitions syncs them together, with at most ${openFilesMax} files open for long`, async () => {
    const disk = newDisk(1, true);
    const directory = new TestDirectory("/data");
    const partitions = 600;
    const first = openEngine(directory, { files: disk, fileBounds: boundsOf(openFilesMax) });
    for (let partition = 0; partition < partitions; partition += 1) {
      const log = await first.open("t", partition, new Replay());
      append(log, [`in ${partition}`]);
      await first.sync([log]);
    }
    const engine = openEngine(directory, { files: disk, fileBounds: boundsOf(openFilesMax) });
    const recovered = new RecoveredLogs(engine);
    const logs: PartitionLog[] = [];
    let openMost = 0;
    for (let partition = 0; partition < partitions; partition += 1) {
      logs.push(await engine.open("t", partition, new Replay()));
      openMost = Math.max(openMost, engine.counters.openFiles);
      await recovered.add(logs.at(-1)!);
    }
    await recovered.sync();
    expect(logs.map(({ durableOffset, isOffline }) => [durableOffset, isOffline])).toEqual(
      logs.map(() => [1, false]),
    );
    expect(openMost).toBeLessThanOrEqual(openFilesMax + 1);
    expect(engine.counters.syncsOfAll).toBeLessThanOrEqual(syncsMax);
  });
}

test("the leader epoch of an unclean start is written with its first record or at the stop, and never falls", async () => {
  const disk = newDisk(1, true);
  const directory = new TestDirectory("/data");
  const first = await open(directory, disk);
  appendMany(first, 3);
  await first.engine.sync([first.log]);
  const snapshot = "/data/topics/t/0/producers.snapshot";
  for (let start = 0; start < 3; start += 1) {
    const { log } = await open(directory, disk);
    await turns();
    expect([log.leaderEpoch, disk.exists(snapshot)]).toEqual([1, false]);
  }
  const stopped = await open(directory, disk);
  await stopped.engine.close();
  const clean = await open(directory, disk);
  expect([directory.isClean, clean.log.leaderEpoch]).toEqual([false, 1]);

  const written = await open(directory, disk);
  expect(written.log.leaderEpoch).toBe(2);
  appendMany(written, 1);
  await turns();
  const { epochs } = decodeSnapshot(disk.readFile(snapshot));
  expect(epochs.at(-1)).toEqual({ epoch: 2, startOffset: 3 });
});

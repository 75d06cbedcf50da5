/** How a sync is done, who is told when it fails, and what must not be called durable then. */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../../../src/storage/contract.ts";
import { type FileEngine, TICK_MS } from "../../../../src/storage/file/engine.ts";
import type { FileLog } from "../../../../src/storage/file/log.ts";
import { boundsOf } from "../../../../src/storage/file/pool.ts";
import { FILES_SINGLY_MAX } from "../../../../src/storage/file/sync/log-syncer.ts";
import { WATCH_MS } from "../../../../src/storage/file/watch.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { SimulatedFiles, type Weather } from "../../../support/simulated-files.ts";
import { SimulatedSyncThread } from "../../../support/simulated-sync-thread.ts";
import { type Errno, systemError } from "../../../support/system-error.ts";
import { append, Replay, readAll } from "../../conformance/suite.ts";
import { openEngine, TestDirectory } from "../support.ts";

/** More than one syncfs is worth. */
const MANY = FILES_SINGLY_MAX + 2;
/** Above what counts as a few records. */
const LARGE = "x".repeat(10_000);

/** A disk on which single files fail, and whose slow operations can be held up. */
class TestWeather implements Weather {
  /** Write-backs of paths that contain a key fail. */
  readonly lost = new Map<string, Errno>();
  /** Operations that are refused, by name. */
  readonly refused = new Map<string, Errno>();
  /** While true, syncs and syncfs wait. */
  isSlow = false;
  readonly waiting: { operation: string; path: string; end: () => void }[] = [];

  before(operation: string, path: string): void {
    for (const [key, errno] of this.refused) {
      if (`${operation} ${path}`.includes(key)) throw systemError(errno, operation);
    }
  }

  cachedOf(bytes: number): number {
    return bytes;
  }

  delay(operation: string, path: string): Promise<void> {
    if (!this.isSlow) return Promise.resolve();
    return new Promise((resolve) => {
      const entry = {
        operation,
        path,
        end: () => {
          this.waiting.splice(this.waiting.indexOf(entry), 1);
          resolve();
        },
      };
      this.waiting.push(entry);
    });
  }

  writeBack(path: string): Errno | null {
    for (const [key, errno] of this.lost) if (path.includes(key)) return errno;
    return null;
  }
}

interface FixtureOptions {
  isHeld?: boolean;
  partitions?: number;
  segmentBytesMax?: number;
  openFilesMax?: number;
}

async function fixture(options: FixtureOptions = {}) {
  const weather = new TestWeather();
  const files = new SimulatedFiles(1, true, weather);
  files.makeDirectory("/data");
  files.syncDirectory("/");
  const thread = new SimulatedSyncThread(files, options.isHeld ?? false);
  files.openSyncThread = () => thread;
  const clock = new ManualClock();
  const directory = new TestDirectory("/data");
  const { segmentBytesMax = 10_000_000, openFilesMax = 100 } = options;
  const engine = openEngine(directory, { files, clock, segmentBytesMax, fileBounds: boundsOf(openFilesMax) });
  const logs: FileLog[] = [];
  for (let index = 0; index < (options.partitions ?? MANY); index += 1) {
    logs.push((await engine.open("t", index, new Replay())) as FileLog);
  }
  return { weather, files, thread, clock, directory, engine, logs };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
}

function appendAll(logs: readonly PartitionLog[], value: string): void {
  for (const log of logs) append(log, [value]);
}

/** One batch at a time is synced until the thread has the segment; with a thread that is held each sync is let through. */
async function busy(engine: FileEngine, log: PartitionLog, thread: SimulatedSyncThread): Promise<void> {
  for (let tries = 0; !thread.isAttached; tries += 1) {
    if (tries > 50) throw new Error("the thread does not take the segment");
    append(log, [LARGE]);
    const syncing = engine.sync([log]);
    await turns();
    thread.held[0]?.end(null);
    await syncing;
  }
}

const states = (logs: readonly PartitionLog[]) =>
  logs.map(({ isOffline, durableOffset }) => [isOffline, durableOffset]);

test("few files are synced singly, many by one syncfs", async () => {
  const { engine, logs } = await fixture({ partitions: 10 });
  appendAll(logs, "with their names");
  await engine.sync(logs);
  const counts: number[][] = [];
  for (const many of [1, FILES_SINGLY_MAX, FILES_SINGLY_MAX + 1, 10]) {
    const before = engine.counters;
    appendAll(logs.slice(0, many), "a");
    await engine.sync(logs.slice(0, many));
    const after = engine.counters;
    counts.push([after.syncsInPool - before.syncsInPool, after.syncsOfAll - before.syncsOfAll]);
  }
  expect(counts).toEqual([
    [1, 0],
    [FILES_SINGLY_MAX, 0],
    [0, 1],
    [0, 1],
  ]);
  await engine.close();
});

test("a sync that fails while the thread is being sent away takes its log offline, and no later one hides it", async () => {
  const { engine, logs, thread } = await fixture({ isHeld: true, partitions: 2 });
  const [log, other] = logs as [FileLog, FileLog];
  await busy(engine, log, thread);
  const durable = log.durableOffset;
  append(log, [LARGE]);
  append(other, ["a"]);
  await turns();
  const syncing = engine.sync([log, other]);
  await turns();
  expect(thread.held.length).toBe(1);
  thread.held[0]!.end(systemError("EIO", "fdatasync"));
  expect(await syncing).toEqual([log]);
  expect(states([log, other])).toEqual([
    [true, durable],
    [false, 1],
  ]);
  expect(await engine.sync([log])).toEqual([log]);
  expect(engine.findings.map(({ file, kind }) => [file, kind])).toEqual([["topics/t/0", "unreadable"]]);
  await engine.close();
});

test("a sync that fails while the thread is sent away from a segment that was rolled takes the log offline", async () => {
  const { engine, logs, thread } = await fixture({ isHeld: true, partitions: 1, segmentBytesMax: 300_000 });
  const log = logs[0]!;
  await busy(engine, log, thread);
  const durable = log.durableOffset;
  append(log, [LARGE]);
  await turns();
  while (log.bytes < 350_000) append(log, [LARGE]);
  const syncing = engine.sync([log]);
  await turns();
  thread.held[0]!.end(systemError("EIO", "fdatasync"));
  expect(await syncing).toEqual([log]);
  expect(states([log])).toEqual([[true, durable]]);
  await engine.close();
});

test("after a syncfs that failed only the log whose bytes are lost goes offline", async () => {
  const { engine, logs, weather } = await fixture();
  appendAll(logs, "a");
  await engine.sync(logs);
  appendAll(logs, "b");
  weather.lost.set("t/3/", "EIO");
  expect(await engine.sync(logs)).toEqual([logs[3]!]);
  expect(states(logs)).toEqual(logs.map((_, index) => [index === 3, index === 3 ? 1 : 2]));
  weather.lost.clear();
  appendAll([logs[0]!], "c");
  expect(await engine.sync(logs)).toEqual([logs[3]!]);
  expect(logs[0]!.durableOffset).toBe(3);
  await engine.close();
});

test("a failure that one syncfs tells of another file is found when that file is synced", async () => {
  const { engine, logs, weather, files } = await fixture({ partitions: 2 * MANY });
  appendAll(logs, "a");
  await engine.sync(logs);
  const outsider = logs[0]!;
  append(outsider, ["lost on its way"]);
  weather.lost.set("t/0/", "EIO");
  files.writeSomeBack(0, 1);
  weather.lost.clear();
  const others = logs.slice(MANY);
  appendAll(others, "b");
  expect(await engine.sync(others)).toEqual([]);
  appendAll(logs.slice(1, MANY), "b");
  expect(await engine.sync(logs.slice(0, MANY))).toEqual([outsider]);
  expect(states(logs.slice(0, 2))).toEqual([
    [true, 1],
    [false, 2],
  ]);
  await engine.close();
});

test("a failure that another program was told of first is still told here", async () => {
  const { engine, logs, weather, files } = await fixture();
  appendAll(logs, "a");
  await engine.sync(logs);
  append(logs[1]!, ["lost on its way"]);
  weather.lost.set("t/1/", "EIO");
  files.writeSomeBack(0, 1);
  weather.lost.clear();
  files.makeDirectory("/other");
  const straySegment = files.open("/other", "read");
  expect(await files.syncAll!(straySegment).catch((error) => error.code)).toBe("EIO");
  // Its descriptor is younger than the failure, and the first of the group.
  const young = (await engine.open("young", 0, new Replay())) as FileLog;
  const group = [young, ...logs.slice(1)];
  appendAll([young, ...logs.slice(2)], "b");
  expect(await engine.sync(group)).toEqual([logs[1]!]);
  await engine.close();
});

test("files on another disk are not left to the syncfs of this one", async () => {
  const weather = new TestWeather();
  const files = new SimulatedFiles(7, true, weather);
  files.makeDirectory("/data/topics/t/0");
  files.mount("/data/topics/t/0");
  files.syncDirectory("/");
  const directory = new TestDirectory("/data");
  const engine = openEngine(directory, { files });
  const logs: PartitionLog[] = [];
  for (let index = 0; index < MANY; index += 1) logs.push(await engine.open("t", index, new Replay()));
  appendAll(logs, "a");
  expect(await engine.sync(logs)).toEqual([]);
  expect([engine.counters.syncsOfAll, engine.counters.syncsInPool]).toEqual([1, 1]);
  const again = openEngine(directory, { files: files.crash() });
  for (let index = 0; index < MANY; index += 1) {
    expect(await readAll(await again.open("t", index, new Replay()))).toEqual([[0, "a"]]);
  }
});

test("a file system that hides failures is never synced by syncfs", async () => {
  const files = new SimulatedFiles(1);
  files.tellsFailures = () => false;
  files.makeDirectory("/data");
  const engine = openEngine(new TestDirectory("/data"), { files });
  const logs: PartitionLog[] = [];
  for (let index = 0; index < MANY; index += 1) logs.push(await engine.open("t", index, new Replay()));
  appendAll(logs, "a");
  expect(await engine.sync(logs)).toEqual([]);
  expect([engine.counters.syncsOfAll, engine.counters.syncsInPool]).toEqual([0, MANY]);
  await engine.close();
});

test("a file stays open until its sync has ended, also when its log is lost or removed meanwhile", async () => {
  for (const how of ["lost", "removed"]) {
    const { engine, logs, weather, files, clock, directory } = await fixture({
      partitions: 1,
      openFilesMax: 1,
    });
    const log = logs[0]!;
    append(log, ["a"]);
    weather.isSlow = true;
    const syncing = engine.sync([log]);
    await turns();
    const isOpen = () => files.openPaths.includes("/data/topics/t/0/00000000000000000000.log");
    let discarding: Promise<void> | null = null;
    if (how === "lost") {
      directory.loss = "the directory was moved";
      clock.advance(WATCH_MS);
    } else {
      void engine.detach("t");
      discarding = engine.discard("t");
    }
    await turns();
    await engine.open("u", 0, new Replay()); // wants its room
    expect([how, log.isOffline, weather.waiting[0]!.operation, isOpen()]).toEqual([how, true, "sync", true]);
    weather.isSlow = false;
    for (const { end } of [...weather.waiting]) end();
    expect(await syncing).toEqual([log]);
    await discarding;
    expect([how, log.durableOffset, log.onlyDirtySegment]).toEqual([how, 0, null]);
    if (how === "removed") expect(isOpen()).toBe(false);
  }
});

test("syncs that are requested at once run one after another", async () => {
  const { engine, logs, weather } = await fixture({ partitions: 2 });
  appendAll(logs, "a");
  weather.isSlow = true;
  const first = engine.sync([logs[0]!]);
  const second = engine.sync(logs);
  await turns();
  expect(weather.waiting.map(({ path }) => path.slice(-26))).toEqual(["0/00000000000000000000.log"]);
  weather.isSlow = false;
  weather.waiting[0]!.end();
  expect([await first, await second, states(logs)]).toEqual([
    [],
    [],
    [
      [false, 1],
      [false, 1],
    ],
  ]);
  await engine.close();
});

for (const [errno, isOffline] of [
  ["EIO", true],
  ["EMFILE", false],
] as const) {
  const outcome = isOffline ? "takes the log offline" : "is tried again by the next append";
  test(`a sync of names at a roll that fails with ${errno} ${outcome}`, async () => {
    const { engine, logs, weather } = await fixture({ partitions: 1, segmentBytesMax: 25_000 });
    const log = logs[0]!;
    for (let count = 0; count < 2; count += 1) append(log, [LARGE]);
    weather.refused.set("syncDirectory", errno);
    const refusal = expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" });
    expect(() => append(log, [LARGE])).toThrow(refusal);
    weather.refused.clear();
    expect([log.isOffline, log.endOffset]).toEqual([isOffline, 2]);
    if (isOffline) {
      expect(() => append(log, ["b"])).toThrow(refusal);
      expect(await engine.sync([log])).toEqual([log]);
      expect(engine.findings.map(({ kind }) => kind)).toEqual(["unreadable"]);
    } else {
      append(log, [LARGE]);
      expect([await engine.sync([log]), log.durableOffset]).toEqual([[], 3]);
    }
    await engine.close();
  });
}

test("a segment whose sealing was refused is sealed later", async () => {
  const { engine, logs, weather, files, clock } = await fixture({ partitions: 1, segmentBytesMax: 50_000 });
  const log = logs[0]!;
  weather.refused.set(".index.tmp", "ENOSPC");
  while (log.bytes < 60_000) append(log, [LARGE]);
  expect(await engine.sync([log])).toEqual([]);
  await turns();
  const path = "/data/topics/t/0/00000000000000000000.index";
  expect(files.exists(path)).toBe(false);
  weather.refused.clear();
  clock.advance(TICK_MS);
  await turns();
  expect(files.exists(path)).toBe(true);
  await engine.close();
});

test("a folder that cannot be synced takes all partitions in it offline, not only the first that asks", async () => {
  const files = new SimulatedFiles(1, false);
  files.makeDirectory("/data");
  const engine = openEngine(new TestDirectory("/data"), { files });
  const logs: PartitionLog[] = [];
  for (let index = 0; index < 3; index += 1) logs.push(await engine.open("t", index, new Replay()));
  for (const log of logs) append(log, ["a"]);
  let failures = 0;
  const writeBack = (path: string) => {
    if (path !== "/data/topics/t" || failures > 0) return null;
    failures += 1;
    return "EIO" as const;
  };
  files.weather = { ...files.weather, writeBack };
  expect((await engine.sync(logs)).length).toBe(3);
  expect(failures).toBe(1);
});

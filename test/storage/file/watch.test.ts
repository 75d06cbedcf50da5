/**
 * Files that are taken away under an engine: the partition goes offline before anything is acknowledged that went into a file
 * without a name, and within a second when nobody writes. A directory that is lost takes everything offline.
 */

import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../../src/base/disk.ts";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import type { FindingKind, PartitionLog } from "../../../src/storage/contract.ts";
import { DataDirectory } from "../../../src/storage/file/data-directory.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { WATCH_MS } from "../../../src/storage/file/watch.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { SimulatedSyncThread } from "../../support/simulated-sync-thread.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

const SEGMENT = "00000000000000000000.log";

async function fixture(path: string, options: { canSyncInPlace?: boolean } = {}) {
  const clock = new ManualClock();
  const directory = new TestDirectory(path);
  const engine = openEngine(directory, { clock, ...options });
  const log = await engine.open("t", 0, new Replay());
  const other = await engine.open("u", 0, new Replay());
  return { clock, directory, engine, log, other };
}

function told(engine: FileEngine): [string, FindingKind, string][] {
  return engine.findings.map(({ file, kind, detail }) => [file, kind, detail]);
}

async function syncFails(engine: FileEngine, log: PartitionLog): Promise<void> {
  const before = log.durableOffset;
  append(log, ["lost"]);
  expect(await engine.sync([log])).toEqual([log]);
  expect([log.isOffline, log.durableOffset]).toEqual([true, before]);
}

describe("a segment file without a name", () => {
  for (const canSyncInPlace of [false, true]) {
    test(`is met by the next sync (in place: ${canSyncInPlace}), and what went into it is not durable`, async () => {
      using folder = temporaryDirectory();
      const { engine, log, other } = await fixture(folder.path, { canSyncInPlace });
      append(log, ["kept"]);
      await engine.sync([log]);
      rmSync(join(folder.path, "topics/t/0", SEGMENT));
      await syncFails(engine, log);
      expect(told(engine)).toEqual([
        [
          "topics/t/0",
          "unreadable",
          expect.stringContaining("the segment file was removed while it was in use"),
        ],
      ]);
      append(other, ["goes on"]);
      expect(await engine.sync([other])).toEqual([]);
      await engine.close();
    });
  }

  test("is met by a sync of many files at once, and the others are not harmed", async () => {
    using folder = temporaryDirectory();
    const { engine, log, other } = await fixture(folder.path, { canSyncInPlace: false });
    const third = await engine.open("v", 0, new Replay());
    const logs = [log, other, third];
    for (const each of logs) append(each, ["a"]);
    await engine.sync(logs);
    for (const each of logs) append(each, ["b"]);
    rmSync(join(folder.path, "topics/u"), { recursive: true });
    expect(await engine.sync(logs)).toEqual([other]);
    expect(logs.map((each) => [each.isOffline, each.durableOffset])).toEqual([
      [false, 2],
      [true, 1],
      [false, 2],
    ]);
    await engine.close();
  });

  test("is noticed after a sync of the thread, whether or not a caller waits", async () => {
    const files = new SimulatedFiles(1, false);
    files.makeDirectory("/data");
    const thread = new SimulatedSyncThread(files);
    files.openSyncThread = () => thread;
    const engine = openEngine(new TestDirectory("/data"), { files, segmentBytesMax: 10_000_000 });
    const log = await engine.open("t", 0, new Replay());
    for (let tries = 0; !thread.isAttached; tries += 1) {
      if (tries > 50) throw new Error("the thread does not take the segment");
      append(log, ["x".repeat(10_000)]);
      await engine.sync([log]);
    }
    files.removeFile(`/data/topics/t/0/${SEGMENT}`);
    await syncFails(engine, log);
    await engine.close();
  });
});

describe("by the clock", () => {
  test("a partition's folder that is gone takes it offline within a second, with nobody writing", async () => {
    using folder = temporaryDirectory();
    const { clock, engine, log, other } = await fixture(folder.path);
    rmSync(join(folder.path, "topics/t"), { recursive: true });
    clock.advance(WATCH_MS);
    expect([log.isOffline, other.isOffline]).toEqual([true, false]);
    expect(told(engine)).toEqual([
      [
        `topics/t/0/${SEGMENT}`,
        "unreadable",
        "the segment file was removed while it was in use; the partition is offline until the next start",
      ],
    ]);
    await engine.close();
  });

  test("many partitions that were written to are looked at some at a time, and all of them", async () => {
    using folder = temporaryDirectory();
    const { clock, engine } = await fixture(folder.path);
    const logs: PartitionLog[] = [];
    for (let partition = 0; partition < 600; partition += 1)
      logs.push(await engine.open("many", partition, new Replay()));
    rmSync(join(folder.path, "topics/many"), { recursive: true });
    clock.advance(WATCH_MS);
    const offlineCount = () => logs.filter(({ isOffline }) => isOffline).length;
    const atOnce = offlineCount();
    await nextTurn();
    expect([atOnce > 0 && atOnce < 600, offlineCount()]).toEqual([true, 600]);
    await engine.close();
  });

  test("a file that was put in the place of another is noticed; one that was moved away and back is not missed", async () => {
    using folder = temporaryDirectory();
    const { clock, engine, log, other } = await fixture(folder.path);
    append(log, ["a"]);
    append(other, ["a"]);
    await engine.sync([log, other]);
    const path = join(folder.path, "topics/t/0", SEGMENT);
    renameSync(path, `${path}.old`);
    writeFileSync(path, "");
    const away = join(folder.path, "topics/u/0", SEGMENT);
    renameSync(away, `${away}.old`);
    renameSync(`${away}.old`, away);
    clock.advance(WATCH_MS);
    expect([log.isOffline, other.isOffline]).toEqual([true, false]);
    expect(told(engine)[0]![2]).toStartWith("the segment file was replaced by another");
    expect(await readAll(log)).toEqual([[0, "a"]]);
    await engine.close();
  });

  test("links are followed", async () => {
    using folder = temporaryDirectory();
    using elsewhere = temporaryDirectory();
    mkdirSync(join(folder.path, "topics/t"), { recursive: true });
    symlinkSync(elsewhere.path, join(folder.path, "topics/t/0"));
    const { clock, engine, log } = await fixture(folder.path);
    append(log, ["a"]);
    expect(await engine.sync([log])).toEqual([]);
    clock.advance(WATCH_MS);
    expect([log.isOffline, engine.findings]).toEqual([false, []]);
    rmSync(join(elsewhere.path, SEGMENT));
    clock.advance(WATCH_MS);
    expect(log.isOffline).toBe(true);
    await engine.close();
  });
});

describe("a directory that is not ours any more", () => {
  test("takes every partition offline, refuses topics and changes of the state, and writes nothing at its path", async () => {
    using folder = temporaryDirectory();
    const { directory, engine, log, other } = await fixture(folder.path);
    append(log, ["a"]);
    await engine.sync([log]);
    renameSync(join(folder.path, "topics"), join(folder.path, "moved"));
    directory.loss = "the data directory was moved or removed";
    await syncFails(engine, log);
    expect([engine.loss, other.isOffline]).toEqual([expect.stringContaining("moved or removed"), true]);
    await expect(engine.create("new", 1)).rejects.toThrow("moved or removed");
    expect(() => engine.detach("t")).toThrow("moved or removed");
    await expect(engine.state.change([{ key: "a", value: "1" }])).rejects.toThrow("moved or removed");
    expect(await engine.state.get("a")).toBeNull();
    expect(engine.space()).toBeUndefined();
    await engine.close();
    expect([createDisk().list(folder.path), directory.isClean]).toEqual([["moved/"], false]);
    expect(told(engine).length).toBe(1);
  });

  test("is noticed within a second when nothing happens", async () => {
    using folder = temporaryDirectory();
    const { clock, directory, engine, log } = await fixture(folder.path);
    directory.loss = "gone";
    expect(log.isOffline).toBe(false);
    clock.advance(WATCH_MS);
    expect([log.isOffline, engine.loss]).toEqual([true, expect.stringContaining("gone")]);
    await engine.close();
  });

  test("is told from one that is, whatever happened to it", () => {
    using folder = temporaryDirectory();
    const files = createDisk();
    const path = join(folder.path, "data");
    const options = { nodeId: 1, pid: 7, clock: new ManualClock(), newClusterId: () => "c".repeat(22) };
    const directory = DataDirectory.open(files, path, options);
    expect(directory.lossReason()).toBeNull();
    renameSync(path, `${path}-moved`);
    expect(directory.lossReason()).toBe(`the data directory ${path} was moved or removed`);
    mkdirSync(path);
    expect(directory.lossReason()).toBe(`the lock file ${path}/lock was removed`);
    const second = DataDirectory.open(files, path, options);
    expect(directory.lossReason()).toContain("is not the one that was locked");
    expect(second.lossReason()).toBeNull();
    second.close();
    rmSync(path, { recursive: true });
    renameSync(`${path}-moved`, path);
    expect(directory.lossReason()).toBeNull();
    directory.close();
  });
});

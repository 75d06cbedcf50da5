/** What the engine does by the clock: rolls by age, closes idle files, checks again, and syncs in place on a fast disk. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../../src/base/disk.ts";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../src/base/units.ts";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import { TICK_MS, VERIFIED_MS } from "../../../src/storage/file/engine.ts";
import { FAST_RUN_MIN } from "../../../src/storage/file/sync/disk-pace.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

function logNames(root: string): string[] {
  return readdirSync(join(root, "topics/t/0"))
    .filter((name) => name.endsWith(".log"))
    .sort();
}

test("a segment that was written to is rolled at its age, an empty one is not", async () => {
  using folder = temporaryDirectory();
  const clock = new ManualClock();
  const directory = new TestDirectory(folder.path);
  const engine = openEngine(directory, { clock, segmentAgeMsMax: HOUR_MS });
  const log = await engine.open("t", 0, new Replay());
  clock.advance(2 * HOUR_MS);
  expect(logNames(folder.path)).toEqual(["00000000000000000000.log"]);
  append(log, ["a"]);
  await engine.sync([log]);
  clock.advance(HOUR_MS - TICK_MS);
  expect(logNames(folder.path)).toEqual(["00000000000000000000.log"]);
  clock.advance(2 * TICK_MS);
  expect(logNames(folder.path)).toEqual(["00000000000000000000.log", "00000000000000000001.log"]);
  append(log, ["b"]);
  clock.advance(HOUR_MS - 2 * TICK_MS);
  expect(logNames(folder.path).length).toBe(2);
  clock.advance(2 * TICK_MS);
  expect(logNames(folder.path).length).toBe(3);
  await engine.close();
});

test("segments that come to their age together are rolled some at a time, and all of them", async () => {
  using folder = temporaryDirectory();
  const clock = new ManualClock();
  const engine = openEngine(new TestDirectory(folder.path), { clock, segmentAgeMsMax: HOUR_MS });
  const logs: PartitionLog[] = [];
  for (let partition = 0; partition < 100; partition += 1)
    logs.push(await engine.open("t", partition, new Replay()));
  for (const log of logs) append(log, ["a"]);
  await engine.sync(logs);
  const rolledCount = () =>
    logs.filter((_, partition) =>
      readdirSync(join(folder.path, `topics/t/${partition}`)).includes("00000000000000000001.log"),
    ).length;
  clock.advance(HOUR_MS - TICK_MS);
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  clock.advance(2 * TICK_MS);
  const atOnce = rolledCount();
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  expect([atOnce > 0 && atOnce < 50, rolledCount()]).toEqual([true, 100]);
  expect(engine.findings).toEqual([]);
  await engine.close();
});

for (const restart of ["none", "clean", "dirty"] as const) {
  test(`an empty segment has no age: what comes to it late has its hour from then on (restart: ${restart})`, async () => {
    using folder = temporaryDirectory();
    const clock = new ManualClock();
    const directory = new TestDirectory(folder.path);
    let engine = openEngine(directory, { clock, segmentAgeMsMax: HOUR_MS });
    let log = await engine.open("t", 0, new Replay());
    append(log, ["early"]);
    await engine.sync([log]);
    clock.advance(HOUR_MS + TICK_MS);
    expect(logNames(folder.path).length).toBe(2);
    if (restart !== "none") {
      await engine.close();
      directory.isClean = restart === "clean";
      engine = openEngine(directory, { clock, segmentAgeMsMax: HOUR_MS });
      log = await engine.open("t", 0, new Replay());
    }
    clock.advance(5 * HOUR_MS);
    for (let write = 0; write < 5; write += 1) {
      append(log, ["late"]);
      await engine.sync([log]);
      clock.advance(10 * MINUTE_MS);
      expect(logNames(folder.path).length).toBe(2);
    }
    clock.advance(10 * MINUTE_MS + TICK_MS);
    expect(logNames(folder.path).length).toBe(3);
    await engine.close();
  });
}

test("the age of a segment goes on over a restart", async () => {
  using folder = temporaryDirectory();
  const clock = new ManualClock();
  const directory = new TestDirectory(folder.path);
  const first = openEngine(directory, { clock, segmentAgeMsMax: HOUR_MS });
  append(await first.open("t", 0, new Replay()), ["a"]);
  clock.advance(40 * MINUTE_MS);
  await first.close();
  const second = openEngine(directory, { clock, segmentAgeMsMax: HOUR_MS });
  await second.open("t", 0, new Replay());
  clock.advance(30 * MINUTE_MS);
  expect(logNames(folder.path).length).toBe(2);
  await second.close();
});

test("the age of a segment is no matter of the wall clock, which may be set back and forward", async () => {
  using folder = temporaryDirectory();
  const clock = new ManualClock();
  const engine = openEngine(new TestDirectory(folder.path), { clock, segmentAgeMsMax: HOUR_MS });
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  clock.setWallClock(-DAY_MS);
  clock.advance(HOUR_MS + TICK_MS);
  expect(logNames(folder.path).length).toBe(2);
  append(log, ["b"]);
  clock.setWallClock(2 * DAY_MS);
  clock.advance(2 * TICK_MS);
  expect(logNames(folder.path).length).toBe(2);
  await engine.close();
});

test("a segment that seems to be of the future, because the clock was set back, is counted from now on", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const first = openEngine(directory, {
    clock: new ManualClock(1_700_000_000_000),
    segmentAgeMsMax: HOUR_MS,
  });
  append(await first.open("t", 0, new Replay()), ["a"]);
  await first.close();
  const clock = new ManualClock(1_700_000_000_000 - DAY_MS);
  const second = openEngine(directory, { clock, segmentAgeMsMax: HOUR_MS });
  await second.open("t", 0, new Replay());
  clock.advance(HOUR_MS + TICK_MS);
  expect(logNames(folder.path).length).toBe(2);
  await second.close();
});

test("files that nobody uses are closed, and opened again when they are needed", async () => {
  using folder = temporaryDirectory();
  const clock = new ManualClock();
  const engine = openEngine(new TestDirectory(folder.path), { clock, fileIdleMs: HOUR_MS });
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  clock.advance(3 * HOUR_MS);
  expect(engine.counters.openFiles).toBe(1); // its bytes wait for a sync
  await engine.sync([log]);
  clock.advance(3 * HOUR_MS);
  expect(engine.counters.openFiles).toBe(0);
  expect(await readAll(log)).toEqual([[0, "a"]]);
  expect(append(log, ["b"])).toBe(1);
  await engine.sync([log]);
  await engine.close();
});

test("bytes that were checked once are checked again after a while", async () => {
  using folder = temporaryDirectory();
  const clock = new ManualClock();
  const engine = openEngine(new TestDirectory(folder.path), { clock });
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  append(log, ["b"]);
  await engine.sync([log]);
  const path = join(folder.path, "topics/t/0", "00000000000000000000.log");
  const bytes = readFileSync(path);
  bytes[bytes.length - 2]! ^= 1;
  writeFileSync(path, bytes);
  expect((await readAll(log)).length).toBe(2);
  clock.advance(VERIFIED_MS + TICK_MS);
  expect(await readAll(log)).toEqual([[0, "a"]]);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["damaged-batch"]);
  await engine.close();
});

test("a partition on a fast disk is synced in place, with the same promise", async () => {
  using folder = temporaryDirectory();
  const engine = openEngine(new TestDirectory(folder.path), {
    files: createDisk(),
    clock: new ManualClock(),
  });
  const log = await engine.open("t", 0, new Replay());
  for (let index = 0; index < FAST_RUN_MIN + 10; index += 1) {
    append(log, ["a"]);
    await engine.sync([log]);
    expect(log.durableOffset).toBe(index + 1);
  }
  expect(engine.counters.syncsInPlace).toBeGreaterThan(0);
  await engine.close();
});

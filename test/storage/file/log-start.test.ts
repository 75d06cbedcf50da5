/** The start of a log on files: what leaves, when its files go, and what a crash finds. */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import { READERS_WAIT_MS } from "../../../src/storage/file/dropped-segments.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { until } from "../../support/kafka-until.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

const PARTITION = "/data/topics/t/0";

interface Fixture {
  disk: SimulatedFiles;
  directory: TestDirectory;
  engine: FileEngine;
  log: PartitionLog;
  clock: ManualClock;
}

/** 200 records in several segments, synced. */
async function fixture(): Promise<Fixture> {
  const disk = new SimulatedFiles(1);
  disk.makeDirectory("/data");
  disk.syncDirectory("/");
  const directory = new TestDirectory("/data");
  const clock = new ManualClock();
  const engine = openEngine(directory, { files: disk, clock });
  const log = await engine.open("t", 0, new Replay());
  for (let index = 0; index < 200; index += 1) append(log, [`value ${index}`], 1000 + index);
  await engine.sync([log]);
  return { disk, directory, engine, log, clock };
}

function logFiles(disk: SimulatedFiles): number[] {
  return disk
    .list(PARTITION)
    .filter((name) => name.endsWith(".log"))
    .map((name) => Number.parseInt(name, 10));
}

function bases(log: PartitionLog): number[] {
  const found: number[] = [];
  let base = 0;
  for (let slot = 0; ; slot += 1) {
    const segment = log.segmentAt(slot);
    if (segment === null) return found;
    found.push(base);
    base = segment.endOffset;
  }
}

test("nobody sees the new start before it is durable", async () => {
  const { engine, log } = await fixture();
  const moved = log.dropBefore(100);
  expect(log.startOffset).toBe(0);
  expect(await moved).toBe(100);
  expect(log.startOffset).toBe(100);
  await engine.close();
});

test("the files of what left go in the background, and the others stay", async () => {
  const { disk, engine, log } = await fixture();
  const before = bases(log);
  await log.dropBefore(100);
  const kept = before.filter((_, slot) => (before[slot + 1] ?? 201) > 100);
  await until(() => logFiles(disk).length === kept.length);
  expect(logFiles(disk)).toEqual(kept);
  expect((await readAll(log)).map(([offset]) => offset)[0]).toBe(100);
  await engine.close();
});

test("a response on its way is sent whole, while a peer that lets it lie does not keep the file for ever", async () => {
  const { disk, engine, log, clock } = await fixture();
  const span = await log.span(0, 200, 100, true);
  const before = logFiles(disk).length;
  await log.dropBefore(200);
  const piece = span.peek(() => undefined);
  expect(piece?.length).toBe(span.length);
  expect(logFiles(disk)).toContain(0);
  clock.advance(READERS_WAIT_MS);
  await until(() => logFiles(disk).length < before && !logFiles(disk).includes(0));
  expect(() => span.peek(() => undefined)).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
  await engine.close();
});

test("what the owner's checkpoint does not cover is replayed after a crash although it lies below the start", async () => {
  const { disk, directory, engine, log } = await fixture();
  log.checkpoint(Buffer.from("state at 200"), 200);
  for (let index = 200; index < 300; index += 1) append(log, [`value ${index}`], 1000 + index);
  await engine.sync([log]);
  expect(await log.dropBefore(290)).toBe(290);
  const crashed = disk.crash();
  const replay = new Replay();
  const again = openEngine(directory, { files: crashed });
  const reopened = await again.open("t", 0, replay);
  expect([reopened.startOffset, replay.state?.toString()]).toEqual([290, "state at 200"]);
  expect(replay.records.map(([offset]) => offset)).toEqual(
    Array.from({ length: 100 }, (_, index) => 200 + index),
  );
  await again.sync([reopened]);
  const behind = () => (reopened.segmentAt(0)?.endOffset ?? 0) <= 290;
  expect(behind()).toBe(true);
  reopened.checkpoint(Buffer.from("state at 300"), 300);
  await until(() => !behind());
  expect((await readAll(reopened)).map(([offset]) => offset)).toEqual(
    Array.from({ length: 10 }, (_, index) => 290 + index),
  );
  await again.close();
});

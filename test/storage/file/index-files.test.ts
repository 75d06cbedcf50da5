/** Indexes that are rebuilt while the log is served: in slices, once for all who need them, and within a bound. */

import { expect, test } from "bun:test";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import { MiB } from "../../../src/base/units.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { IndexFiles } from "../../../src/storage/file/index-files.ts";
import { DescriptorPool, PooledFile } from "../../../src/storage/file/pool.ts";
import { logPathOf, Segment } from "../../../src/storage/file/segment.ts";
import { Store } from "../../../src/storage/file/store.ts";
import { bytesOf, recordsIn } from "../../support/batches.ts";
import { CountedFiles } from "../../support/counted-files.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, remove } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

const FIRST = "/data/topics/t/0/00000000000000000000";
const BATCH_BYTES = 64 * 1024;
const BATCHES = 400;
const SEGMENT_BYTES_MAX = 20 * MiB;

interface Subject {
  files: CountedFiles;
  engine: FileEngine;
  log: PartitionLog;
}

/** A log after a start whose first segment takes several slices, without one of its index files. */
async function started(): Promise<Subject> {
  const files = new CountedFiles(new SimulatedFiles(1));
  files.makeDirectory("/data");
  const directory = new TestDirectory("/data");
  const open = () => openEngine(directory, { files, segmentBytesMax: SEGMENT_BYTES_MAX });
  const before = open();
  const written = await before.open("t", 0, new Replay());
  const value = "v".repeat(BATCH_BYTES - 100);
  for (let offset = 0; offset < BATCHES; offset += 1) append(written, [value], 1000 + offset);
  await before.sync([written]);
  written.checkpoint(Buffer.from("state"), written.endOffset);
  await before.close();
  files.removeFile(`${FIRST}.index`);
  const engine = open();
  return { files, engine, log: await engine.open("t", 0, new Replay()) };
}

/** The offset of what a reader gets. */
async function readAt(log: PartitionLog, offset: number): Promise<number> {
  return recordsIn(await bytesOf(log.span(offset, log.endOffset, 1, true)))[0]![0];
}

/** How often the loop came round until the work was done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns += 1) await nextTurn();
  return turns;
}

test("an index is rebuilt in several turns, and once for all readers and searches that need it", async () => {
  const { engine, log } = await started();
  const reads = [200, 3, 200].map((offset) => readAt(log, offset));
  const search = log.offsetForTimestamp(1150, log.endOffset);
  const all = Promise.all([...reads, search]);
  expect(await turnsOf(all)).toBeGreaterThan(3);
  expect(await all).toEqual([200, 3, 200, { offset: 150, timestampMs: 1150, leaderEpoch: 0 }]);
  expect(engine.findings).toEqual([
    expect.objectContaining({
      kind: "missing-index",
      detail: "an index file is missing; rebuilt from the log",
    }),
  ]);
  await engine.close();
});

test("the files of an index that was rebuilt are there after the stop", async () => {
  const { files, engine, log } = await started();
  await readAt(log, 200);
  await engine.close();
  expect(files.fileSize(`${FIRST}.index`)).toBeGreaterThan(0);
  expect(files.openCount).toBe(0);
});

test("the building ends with the log: its topic is removed, and nothing of it is left or told", async () => {
  const { files, engine, log } = await started();
  const read = readAt(log, 200).catch((error: Error) => error);
  await nextTurn();
  await remove(engine, "t");
  expect(await read).toMatchObject({ code: "KAFKA_STORAGE_ERROR" });
  expect([files.list("/data/topics"), engine.findings]).toEqual([[], []]);
  await engine.close();
});

test("a disk that refuses the log refuses the read, and the index is built once it does not", async () => {
  const { files, engine, log } = await started();
  files.setFault({ operations: ["read"], errno: "EIO", nth: 3, more: 1000, path: ".log" });
  await expect(readAt(log, 200)).rejects.toMatchObject({
    code: "KAFKA_STORAGE_ERROR",
  });
  files.setFault(null);
  expect(await readAt(log, 200)).toBe(200);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["unreadable", "missing-index"]);
  await engine.close();
});

test("indexes that were rebuilt stay in memory within the bound, the last one in any case", async () => {
  const files = new SimulatedFiles(1);
  files.makeDirectory("/data");
  const limits = { segmentBytesMax: 1e9, segmentAgeMsMax: 1e9, indexIntervalBytes: 1, fileIdleMs: 1e9 };
  const store = new Store(files, new DescriptorPool(files), new ManualClock(), "/data", limits);
  const batch = batchOfOne();
  /** An offset entry for each batch after the first. */
  const indexBytes = 9 * 8 + 12;
  const indexes = new IndexFiles(store, 3 * indexBytes);
  const segments = Array.from({ length: 6 }, (_, slot) => segmentOf(files, slot * 1000, batch));
  for (const segment of segments) await indexes.rebuild(segment, null);
  expect(segments.map(({ index }) => index !== null)).toEqual([false, false, false, true, true, true]);
  const small = new IndexFiles(store, 1);
  for (const segment of segments) segment.index = null;
  for (const segment of segments) await small.rebuild(segment, null);
  expect(segments.map(({ index }) => index !== null)).toEqual([false, false, false, false, false, true]);
});

function batchOfOne(): Buffer {
  const builder = new BatchBuilder(MiB);
  builder.append(1000, null, 0, 0, Buffer.from("v"), 0, 1);
  return builder.finish();
}

/** Ten batches. */
function segmentOf(files: SimulatedFiles, baseOffset: number, batch: Buffer): Segment {
  const path = logPathOf("/data", baseOffset);
  const content = Buffer.concat(Array.from({ length: 10 }, () => batch));
  for (let slot = 0; slot < 10; slot += 1)
    content.writeBigInt64BE(BigInt(baseOffset + slot), slot * batch.length);
  files.replace(path, content);
  const segment = new Segment("/data", baseOffset, new PooledFile(path, "read"), null);
  segment.bytes = content.length;
  segment.endOffset = baseOffset + 10;
  return segment;
}

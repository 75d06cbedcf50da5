/**
 * Batches that span very many offsets, as they lie in logs from the time when a producer's count was believed, and the end of all
 * offsets.
 */

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InvariantError } from "../../../src/base/assert.ts";
import { createDisk } from "../../../src/base/disk.ts";
import { type ConsumerRecord, FetchedBatches, UnreadableBatch } from "../../../src/client/fetched-batches.ts";
import {
  BATCH_LAST_OFFSET_DELTA,
  BATCH_RECORD_COUNT,
  batchBaseOffset,
  batchLastOffset,
  stampBatch,
} from "../../../src/protocol/record/batch.ts";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import { logPathOf, RELATIVE_OFFSET_MAX } from "../../../src/storage/file/segment.ts";
import { inspectRecords } from "../../../src/storage/inspect/records.ts";
import { inspectPath } from "../../../src/storage/inspect.ts";
import { OFFSET_MAX } from "../../../src/storage/last-offset.ts";
import { verifyDirectory } from "../../../src/storage/verify.ts";
import { resealed } from "../../protocol/record/batches.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { NO_LISTENER } from "../../support/data-tree.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { SimulatedSyncThread } from "../../support/simulated-sync-thread.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

const INT32_MAX = 2 ** 31 - 1;
/** Above what counts as a few records, so that the thread takes the segment. */
const VALUE = "x".repeat(10_000);

function appendWide(log: PartitionLog, lastOffsetDelta: number): number {
  const batch = batchOf([VALUE]);
  batch.writeInt32BE(lastOffsetDelta, BATCH_LAST_OFFSET_DELTA);
  return log.append(resealed(batch), 0, batch.length);
}

test("a segment ends before its offsets leave int32, and so does the written position of the thread", async () => {
  const files = new SimulatedFiles(1, false);
  files.makeDirectory("/data");
  files.syncDirectory("/");
  const thread = new SimulatedSyncThread(files);
  const positions: number[] = [];
  const setWritten = thread.setWritten.bind(thread);
  thread.setWritten = (written) => {
    positions.push(written);
    setWritten(written);
  };
  files.openSyncThread = () => thread;
  const engine = openEngine(new TestDirectory("/data"), { files, segmentBytesMax: 10_000_000 });
  const log = await engine.open("t", 0, new Replay());
  for (let count = 0; !thread.isAttached && count < 50; count += 1) {
    append(log, [VALUE]);
    await engine.sync([log]);
  }
  const start = log.endOffset;
  expect(thread.isAttached).toBe(true);
  const left = RELATIVE_OFFSET_MAX - start;
  expect(appendWide(log, left)).toBe(start);
  await engine.sync([log]);
  expect([Math.max(...positions), log.durableOffset]).toEqual([INT32_MAX - 1, INT32_MAX - 1]);

  expect(appendWide(log, 0)).toBe(INT32_MAX - 1);
  expect(appendWide(log, RELATIVE_OFFSET_MAX)).toBe(INT32_MAX);
  expect(appendWide(log, 0)).toBe(INT32_MAX + RELATIVE_OFFSET_MAX + 1);
  await engine.sync([log]);
  expect(log.durableOffset).toBe(log.endOffset);
  expect(Math.max(...positions)).toBe(INT32_MAX - 1);
  const bases: number[] = [];
  for (let offset = start; offset < log.endOffset; ) {
    const batch = await bytesOf(log.span(offset, log.endOffset, 1, true));
    bases.push(batchBaseOffset(batch, 0));
    offset = batchLastOffset(batch, 0) + 1;
  }
  expect(bases).toEqual([start, INT32_MAX - 1, INT32_MAX, INT32_MAX + RELATIVE_OFFSET_MAX + 1]);
  await engine.close();
});

test("more offsets than a segment can span are nobody's, and the log is as it was", async () => {
  using folder = temporaryDirectory();
  const engine = openEngine(new TestDirectory(folder.path));
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  for (const delta of [-1, RELATIVE_OFFSET_MAX + 1, INT32_MAX])
    expect(() => appendWide(log, delta)).toThrow(InvariantError);
  expect([log.endOffset, await readAll(log)]).toEqual([1, [[0, "a"]]]);
  expect(append(log, ["b"])).toBe(1);
  await engine.close();
});

test("the last offset of all is assigned, what would go beyond is refused for good, and the rest stays readable", async () => {
  using folder = temporaryDirectory();
  const directory = join(folder.path, "topics", "t", "0");
  mkdirSync(directory, { recursive: true });
  writeFileSync(logPathOf(directory, OFFSET_MAX - 2), "");
  for (let round = 0; round < 2; round += 1) {
    const engine = openEngine(new TestDirectory(folder.path));
    const log = await engine.open("t", 0, new Replay());
    if (round === 0) {
      expect(() => append(log, ["a", "b", "c", "d"])).toThrow(
        expect.objectContaining({ code: "POLICY_VIOLATION", retriable: false }),
      );
      expect(append(log, ["a", "b", "c"])).toBe(OFFSET_MAX - 2);
      expect(await engine.sync([log])).toEqual([]);
    }
    expect([log.endOffset, log.durableOffset, log.isOffline]).toEqual([
      OFFSET_MAX + 1,
      OFFSET_MAX + 1,
      false,
    ]);
    expect(() => append(log, ["d"])).toThrow("the partition's offsets are used up");
    expect((await readAll(log)).map(([offset]) => offset)).toEqual([
      OFFSET_MAX - 2,
      OFFSET_MAX - 1,
      OFFSET_MAX,
    ]);
    expect(readdirSync(directory).filter((name) => name.endsWith(".log")).length).toBe(1);
    await engine.close();
  }
});

test("a count of two thousand million that a log has taken in before is read around, and costs nobody anything", async () => {
  using folder = temporaryDirectory();
  const directory = join(folder.path, "topics", "t", "0");
  mkdirSync(directory, { recursive: true });
  const wide = batchOf(["the only one"], { codec: "gzip" }, 2000);
  wide.writeInt32BE(INT32_MAX - 1, BATCH_LAST_OFFSET_DELTA);
  wide.writeInt32BE(INT32_MAX, BATCH_RECORD_COUNT);
  stampBatch(resealed(wide), 0, 0, 0);
  writeFileSync(logPathOf(directory, 0), wide);

  const engine = openEngine(new TestDirectory(folder.path));
  const log = await engine.open("t", 0, NO_LISTENER);
  expect([log.endOffset, engine.findings]).toEqual([INT32_MAX, []]);
  expect(append(log, ["next"], 1000)).toBe(INT32_MAX);
  expect(append(log, ["later"], 3000)).toBe(INT32_MAX + 1);
  expect(await engine.sync([log])).toEqual([]);
  expect(await bytesOf(log.span(INT32_MAX - 1, log.endOffset, 10_000, true))).toEqual(wide);
  expect(recordsIn(await bytesOf(log.span(INT32_MAX, log.endOffset, 10_000, true)))).toEqual([
    [INT32_MAX, "next"],
    [INT32_MAX + 1, "later"],
  ]);
  expect(await log.offsetForTimestamp(2000, log.endOffset)).toMatchObject({ offset: 0, timestampMs: 2000 });
  expect(await log.offsetForTimestamp(2001, log.endOffset)).toMatchObject({ offset: INT32_MAX + 1 });
  expect(await log.offsetOfMaxTimestamp(log.endOffset)).toMatchObject({ offset: INT32_MAX + 1 });
  await engine.close();

  const findings: string[] = [];
  const notes: string[] = [];
  const disk = createDisk();
  await verifyDirectory(disk, folder.path, {
    scratchDirectory: folder.path,
    onFinding: ({ kind }) => findings.push(kind),
    onNote: ({ kind }) => notes.push(kind),
    onProgress: () => {},
  });
  const onlyForTheLackOfAStateFile = ["damaged-state"];
  expect([findings, notes]).toEqual([onlyForTheLackOfAStateFile, ["garbled-records"]]);
  expect(inspectPath(disk, directory)).toMatchObject({ batches: 3, records: INT32_MAX + 2 });
  const told: string[] = [];
  const offsets: number[] = [];
  for await (const { offset } of inspectRecords(disk, directory, ({ kind }) => told.push(kind)))
    offsets.push(offset);
  expect([told, offsets]).toEqual([["garbled-records"], [0, INT32_MAX, INT32_MAX + 1]]);

  const records: ConsumerRecord[] = [];
  expect(() => new FetchedBatches("t", 0, wide, null).takeBatch(0, records)).toThrow(UnreadableBatch);
  expect(records).toEqual([]);
});

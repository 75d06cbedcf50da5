/**
 * Searches by time over batches that came in before headers were checked: their max timestamp was left out, or is the first
 * record's, and so are the time indexes. Every search is compared with a scan of all records.
 */

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32c } from "../../../src/base/crc32c.ts";
import { createDisk } from "../../../src/base/disk.ts";
import { MiB } from "../../../src/base/units.ts";
import { BATCH_CRC, BATCH_MAX_TIMESTAMP, computeBatchCrc } from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import type { Codec } from "../../../src/protocol/record/compression.ts";
import type { Finding, PartitionLog } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { decodeSnapshot } from "../../../src/storage/file/snapshot.ts";
import { verifyDirectory } from "../../../src/storage/verify.ts";
import { Replay } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

const BATCHES = 120;
const STEP_MS = 100;
/** Of the records in a batch, to its first. The largest is in the middle. */
const DELTAS_MS = [0, 90, 50];
/** The batch whose second record is the latest of all. */
const LATEST_BATCH = 50;
const LATEST_MS = 1_000_000;

const LIES: readonly (readonly [string, Codec, (firstMs: number) => number])[] = [
  ["-1", "none", () => -1],
  ["0", "none", () => 0],
  ["the first record's", "none", (firstMs) => firstMs],
  ["-1", "gzip", () => -1],
  ["0", "zstd", () => 0],
];

function timesOf(batch: number): number[] {
  const times = DELTAS_MS.map((deltaMs) => 1000 + batch * STEP_MS + deltaMs);
  if (batch === LATEST_BATCH) times[1] = LATEST_MS;
  return times;
}

const ALL_TIMES = Array.from({ length: BATCHES }, (_, batch) => timesOf(batch)).flat();

function lyingBatch(times: readonly number[], codec: Codec, maxTimestampMs: number): Buffer {
  const builder = new BatchBuilder(MiB);
  const value = Buffer.alloc(40, 7);
  for (const timestampMs of times) builder.append(timestampMs, null, 0, 0, value, 0, value.length);
  const batch = builder.finish({ codec });
  batch.writeBigInt64BE(BigInt(maxTimestampMs), BATCH_MAX_TIMESTAMP);
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  return batch;
}

/** Every search that there can be, and what it should find. */
async function checkSearches(log: PartitionLog): Promise<void> {
  const wanted = new Set(ALL_TIMES.flatMap((timestampMs) => [timestampMs, timestampMs + 1]));
  for (const timestampMs of [0, ...wanted]) {
    const offset = ALL_TIMES.findIndex((time) => time >= timestampMs);
    const found = await log.offsetForTimestamp(timestampMs, log.endOffset);
    expect([timestampMs, found?.offset ?? -1, found?.timestampMs]).toEqual([
      timestampMs,
      offset,
      ALL_TIMES[offset],
    ]);
  }
  const largest = await log.offsetOfMaxTimestamp(log.endOffset);
  expect(largest).toMatchObject({ offset: LATEST_BATCH * DELTAS_MS.length + 1, timestampMs: LATEST_MS });
  const below = await log.offsetOfMaxTimestamp(LATEST_BATCH * DELTAS_MS.length);
  expect(below?.offset).toBe((LATEST_BATCH - 1) * DELTAS_MS.length + 1);
}

/** Writes version 1 of a snapshot over version 2: without the field that says whose time indexes can be believed. */
function makeOld(path: string): void {
  const bytes = readFileSync(path);
  const old = Buffer.concat([bytes.subarray(0, 60), bytes.subarray(68)]);
  old.writeUInt16BE(1, 4);
  old.writeUInt32BE(old.length, 8);
  old.writeUInt32BE(crc32c(old, 0, old.length - 4), old.length - 4);
  writeFileSync(path, old);
}

async function wrongIndexes(root: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  await verifyDirectory(createDisk(), root, {
    scratchDirectory: root,
    onFinding: (finding) => findings.push(finding),
    onProgress: () => {},
  });
  return findings.filter(({ kind }) => kind === "damaged-index" || kind === "missing-index");
}

for (const [lie, codec, claim] of LIES) {
  describe(`a max timestamp of ${lie}, ${codec}`, () => {
    test("is found in an old log, after the next start and those after it", async () => {
      using folder = temporaryDirectory();
      const directory = new TestDirectory(folder.path);
      const snapshot = join(folder.path, "topics/t/0/producers.snapshot");
      const open = async (): Promise<[FileEngine, PartitionLog]> => {
        const engine = openEngine(directory);
        return [engine, await engine.open("t", 0, new Replay())];
      };
      const end = async (engine: FileEngine, log: PartitionLog) => {
        log.checkpoint(Buffer.from("state"), log.endOffset);
        await engine.close();
      };

      const [before, written] = await open();
      for (let batch = 0; batch < BATCHES; batch += 1) {
        const times = timesOf(batch);
        const bytes = lyingBatch(times, codec, claim(times[0]!));
        written.append(bytes, 0, bytes.length);
        if (batch % 10 === 0) await before.sync([written]);
      }
      await end(before, written);
      makeOld(snapshot);
      expect(await wrongIndexes(folder.path)).toEqual([]);

      const [first, unsearched] = await open();
      await end(first, unsearched);
      expect(decodeSnapshot(readFileSync(snapshot)).timesFrom).toBeGreaterThan(0);

      const [second, searched] = await open();
      await checkSearches(searched);
      expect(second.findings.length).toBe(0);
      await end(second, searched);
      expect(decodeSnapshot(readFileSync(snapshot)).timesFrom).toBe(0);
      expect(await wrongIndexes(folder.path)).toEqual([]);

      const [third, again] = await open();
      await checkSearches(again);
      expect(third.findings.length).toBe(0);
      await end(third, again);
    });
  });
}

test("a compressed header that claims too much does not hide where the largest timestamp is", async () => {
  using folder = temporaryDirectory();
  const engine = openEngine(new TestDirectory(folder.path));
  const log = await engine.open("t", 0, new Replay());
  const append = (times: readonly number[], claimedMs: number) => {
    const bytes = lyingBatch(times, "gzip", claimedMs);
    log.append(bytes, 0, bytes.length);
  };
  for (const claimedMs of [150, 9000, 150, 8000]) append([100, 150], claimedMs);
  append([120, 700, 300], 700);
  append([100, 600], 7000);
  await engine.sync([log]);
  expect(await log.offsetOfMaxTimestamp(log.endOffset)).toMatchObject({ offset: 9, timestampMs: 700 });
  expect(await log.offsetOfMaxTimestamp(8)).toMatchObject({ offset: 1, timestampMs: 150 });
  await engine.close();
});

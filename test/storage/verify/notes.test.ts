/**
 * Batches whose CRC matches and whose records do not open are what somebody sent and got acknowledged: `verify` and `inspect` tell
 * them apart from damage, and a repair of real damage beside them leaves them byte for byte.
 */

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { summaryLines } from "../../../commands/verify-lines.ts";
import { MiB } from "../../../src/base/units.ts";
import { BATCH_CRC, BATCH_RECORD_COUNT, computeBatchCrc } from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { inspectRecords } from "../../../src/storage/inspect/records.ts";
import { batchOf } from "../../support/batches.ts";
import { copyData, disk, flipByte, NO_LISTENER, openData, scratchFolder } from "../../support/data-tree.ts";
import { placeAndKind, repairTree, verifyTree } from "../../support/verify-tree.ts";

setDefaultTimeout(60_000);

const LOG = "topics/orders/0/00000000000000000000.log";
const folder = scratchFolder();
const scratch = folder.make("scratch");
afterAll(() => folder[Symbol.dispose]());

function resealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  return batch;
}

/** Its header speaks of one record; it holds two. */
function garbled(): Buffer {
  const batch = batchOf(["first", "second"]);
  batch.writeInt32BE(1, BATCH_RECORD_COUNT);
  return resealed(batch);
}

/** More than is opened here, in few bytes. */
function inflating(): Buffer {
  const builder = new BatchBuilder(160 * MiB);
  const value = Buffer.alloc(10 * MiB);
  for (let index = 0; index < 13; index += 1) builder.append(1000, null, 0, 0, value, 0, value.length);
  return builder.finish({ codec: "zstd" });
}

async function written(name: string, batches: readonly Buffer[]): Promise<string> {
  const path = folder.make(name);
  const { engine } = await openData(path, 64 * MiB);
  const log = await engine.open("orders", 0, NO_LISTENER);
  for (const batch of batches) log.append(batch, 0, batch.length);
  await engine.sync([log]);
  log.checkpoint(Buffer.from("the producers"), log.endOffset);
  await engine.state.change([
    { key: "topic/orders", value: JSON.stringify({ id: "i", partitions: 1, configs: {}, createdAtMs: 1 }) },
  ]);
  await engine.close();
  return path;
}

test("a producer's garbage and what inflates beyond our limit are notes, and no repair touches them", async () => {
  const path = await written("acknowledged", [batchOf(["one"]), garbled(), inflating(), batchOf(["two"])]);
  const { findings, notes, summary } = await verifyTree(path, scratch);
  expect([findings, summary.findings, summary.notes]).toEqual([[], 0, 2]);
  expect(notes.map(placeAndKind)).toEqual([`${LOG} garbled-records`, `${LOG} unopened-records`]);
  expect(notes[0]!.detail).toStartWith("as it was acknowledged, but its records do not decode:");
  expect(notes[1]!.detail).toMatch(/^valid, but not opened: .*inflate.* 134217728/);
  expect(summaryLines("data", summary)).toContain("  2 notes: no damage, and nothing to repair");
  const before = readFileSync(join(path, LOG));
  expect((await repairTree(path, scratch)).repairs).toEqual([]);
  flipByte(join(path, LOG), before.indexOf("one"));
  const damaged = readFileSync(join(path, LOG));
  const repaired = await repairTree(path, scratch);
  expect([repaired.remaining, repaired.after.notes, repaired.after.holes]).toEqual([[], 2, 1]);
  expect(readFileSync(join(path, LOG)).equals(damaged)).toBe(true);
});

test("inspect names what it skips by its offsets, and goes on after it", async () => {
  const path = await written("inspected", [batchOf(["one"]), garbled(), batchOf(["two"])]);
  flipByte(join(path, LOG), readFileSync(join(path, LOG)).indexOf("one"));
  const omitted: string[] = [];
  const values: string[] = [];
  for await (const { value } of inspectRecords(disk, path, (omission) => omitted.push(omission.kind))) {
    values.push(String(value));
  }
  expect([values, omitted]).toEqual([
    ["first", "two"],
    ["damaged-batch", "garbled-records"],
  ]);
});

test("a write that a crash cut short is a note; a whole batch with a CRC mismatch, or a tail after a graceful shutdown, is a finding", async () => {
  const path = folder.make("crashed");
  const { engine } = await openData(path);
  const log = await engine.open("orders", 0, NO_LISTENER);
  const batch = batchOf(["one"]);
  log.append(batch, 0, batch.length);
  await engine.sync([log]);
  const crashed = copyData(path, `${path}-crashed`);
  await engine.close();
  const whole = readFileSync(join(crashed, LOG));
  for (let length = 1; length < batch.length; length += 1) {
    writeFileSync(join(crashed, LOG), Buffer.concat([whole, batch.subarray(0, length)]));
    const { findings, notes } = await verifyTree(crashed, scratch);
    expect([length, findings, notes.map(placeAndKind)]).toEqual([length, [], [`${LOG} torn-tail`]]);
  }
  writeFileSync(join(crashed, LOG), whole);
  flipByte(join(crashed, LOG), whole.length - 3);
  expect((await verifyTree(crashed, scratch)).findings.map(placeAndKind)).toEqual([`${LOG} torn-tail`]);
  writeFileSync(join(path, LOG), Buffer.concat([whole, batch.subarray(0, 20)]));
  expect((await verifyTree(path, scratch)).findings.map(placeAndKind)).toEqual([`${LOG} torn-tail`]);
});

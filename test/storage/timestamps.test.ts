/** Batches whose records do not open: a search neither fails at them nor passes by what others can read. */
import { expect, test } from "bun:test";
import { MiB } from "../../src/base/units.ts";
import {
  BATCH_CRC,
  BATCH_HEADER_BYTES,
  BATCH_MAX_TIMESTAMP,
  computeBatchCrc,
  stampBatch,
} from "../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import {
  findLargestTimestamp,
  findRecordByTimestamp,
  largestTimestamp,
} from "../../src/storage/timestamps.ts";

const BASE_OFFSET = 40;
const LEADER_EPOCH = 3;

/** A record at 1000 and one at 2000, at the offsets 40 and 41. */
function batchWith(valueBytes: number, change: (batch: Buffer) => void): Buffer {
  const builder = new BatchBuilder(2 * valueBytes + MiB);
  const value = Buffer.alloc(valueBytes);
  for (const timestampMs of [1000, 2000]) builder.append(timestampMs, null, 0, 0, value, 0, value.length);
  const batch = builder.finish({ codec: "zstd" });
  change(batch);
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  stampBatch(batch, 0, BASE_OFFSET, LEADER_EPOCH);
  return batch;
}

test("a producer's garbage holds no record to be found", () => {
  for (const maxTimestampMs of [2000n, -1n]) {
    const batch = batchWith(10, (bytes) => {
      bytes.fill(0xff, BATCH_HEADER_BYTES);
      bytes.writeBigInt64BE(maxTimestampMs, BATCH_MAX_TIMESTAMP);
    });
    expect(findRecordByTimestamp(batch, 0, 500, 0)).toBeNull();
    expect(findLargestTimestamp(batch, 0, 0)).toBeNull();
    expect(largestTimestamp(batch, 0)).toBe(maxTimestampMs === -1n ? 1000 : 2000);
  }
});

test("a batch beyond a limit of ours is found by its header, at its first offset", () => {
  const batch = batchWith(65 * MiB, () => {});
  const place = { offset: BASE_OFFSET, timestampMs: 2000, leaderEpoch: LEADER_EPOCH };
  expect(findRecordByTimestamp(batch, 0, 1500, 0)).toEqual(place);
  expect(findRecordByTimestamp(batch, 0, 2001, 0)).toBeNull();
  expect(findRecordByTimestamp(batch, 0, 1500, 41)).toEqual({ ...place, offset: 41 });
  expect(findRecordByTimestamp(batch, 0, 1500, 42)).toBeNull();
  expect(findLargestTimestamp(batch, 0, 0)).toEqual(place);
  expect(largestTimestamp(batch, 0)).toBe(2000);
});

test("a compressed header that says too much leads to the record that comes nearest", () => {
  const batch = batchWith(10, (bytes) => bytes.writeBigInt64BE(9000n, BATCH_MAX_TIMESTAMP));
  expect(findRecordByTimestamp(batch, 0, 5000, 0)).toBeNull();
  expect(findLargestTimestamp(batch, 0, 0)).toMatchObject({ offset: BASE_OFFSET + 1, timestampMs: 2000 });
});

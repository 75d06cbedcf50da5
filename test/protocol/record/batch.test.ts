/** The header's readers and the two changes that a log makes in place. */
import { expect, test } from "bun:test";
import {
  batchAttributes,
  batchBaseOffset,
  batchBaseTimestamp,
  batchBytes,
  batchCrc,
  batchLastOffset,
  batchLeaderEpoch,
  batchMaxTimestamp,
  batchRecordCount,
  computeBatchCrc,
  isControlBatch,
  isLogAppendTime,
  isTransactional,
  setLogAppendTime,
  stampBatch,
} from "../../../src/protocol/record/batch.ts";
import { readRecords } from "../../../src/protocol/record/records.ts";
import { validateStoredBatch } from "../../../src/protocol/record/validate.ts";
import { buildBatch } from "./batches.ts";

test("stamping sets base offset and leader epoch and leaves the CRC true", () => {
  const batch = buildBatch(3);
  const crc = batchCrc(batch, 0);
  stampBatch(batch, 0, 5_000_000_000, 7);
  expect(batchBaseOffset(batch, 0)).toBe(5_000_000_000);
  expect(batchLastOffset(batch, 0)).toBe(5_000_000_002);
  expect(batchLeaderEpoch(batch, 0)).toBe(7);
  expect(batchCrc(batch, 0)).toBe(crc);
  expect(validateStoredBatch(batch, 0, batch.length)).toBeNull();
  expect(readRecords(batch).map((record) => record.offset)).toEqual([
    5_000_000_000, 5_000_000_001, 5_000_000_002,
  ]);
});

test("log append time is given to every record, under a new CRC", () => {
  const batch = buildBatch(3);
  setLogAppendTime(batch, 0, 1_800_000_000_000);
  expect(isLogAppendTime(batch, 0)).toBe(true);
  expect(batchMaxTimestamp(batch, 0)).toBe(1_800_000_000_000);
  expect(validateStoredBatch(batch, 0, batch.length)).toBeNull();
  expect(readRecords(batch).map((record) => record.timestampMs)).toEqual(Array(3).fill(1_800_000_000_000));
});

test("a batch is read at its place in a larger buffer", () => {
  const batch = buildBatch(2);
  const buffer = Buffer.concat([Buffer.alloc(13, 0xee), batch, Buffer.alloc(5, 0xee)]);
  stampBatch(buffer, 13, 40, 1);
  setLogAppendTime(buffer, 13, 9);
  expect(batchBytes(buffer, 13)).toBe(batch.length);
  expect(batchRecordCount(buffer, 13)).toBe(2);
  expect(computeBatchCrc(buffer, 13, batch.length)).toBe(batchCrc(buffer, 13));
  expect(readRecords(buffer, 13).map((record) => record.offset)).toEqual([40, 41]);
  expect(buffer.subarray(0, 13)).toEqual(Buffer.alloc(13, 0xee));
  expect(buffer.subarray(-5)).toEqual(Buffer.alloc(5, 0xee));
});

test("a max timestamp that a client left at -1 reads as the base timestamp", () => {
  const batch = buildBatch(1);
  batch.fill(0xff, 35, 43);
  expect(batchMaxTimestamp(batch, 0)).toBe(batchBaseTimestamp(batch, 0));
});

test("attribute bits have their names", () => {
  const batch = buildBatch(1, { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true });
  expect(batchAttributes(batch, 0)).toBe(0x10);
  expect([isTransactional(batch, 0), isControlBatch(batch, 0), isLogAppendTime(batch, 0)]).toEqual([
    true,
    false,
    false,
  ]);
});

/** The walk that lets records in, against the cursor that opens them: both must take the same bytes, whatever is done to them. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { BATCH_HEADER_BYTES } from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { RecordWalk } from "../../../src/protocol/record/record-walk.ts";
import { readRecords, validateRecords } from "../../../src/protocol/record/records.ts";
import { buildBatch, START_MS } from "./batches.ts";

const walk = new RecordWalk();

function faultOf(records: Buffer, count: number): string | null {
  return walk.faultOf(records, 0, records.length, count);
}

/** A batch of `count` records whose record bytes are these. */
function batchOf(count: number, records: Buffer): Buffer {
  const batch = Buffer.concat([buildBatch(1).subarray(0, BATCH_HEADER_BYTES), records]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(count - 1, 23);
  batch.writeInt32BE(count, 57);
  return batch;
}

test("finds nothing in what the builder makes, and the largest timestamp wherever it stands", () => {
  const value = Buffer.alloc(300, 1);
  const headers = [
    { key: "name", value: null },
    { key: "", value: Buffer.alloc(70) },
  ];
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 45 }), { minLength: 1, maxLength: 300 }),
      (timestamps) => {
        const builder = new BatchBuilder(1_000_000);
        for (const [index, timestampMs] of timestamps.entries()) {
          const bytes = index % value.length;
          const key = index % 3 === 0 ? null : value;
          builder.append(
            timestampMs,
            key,
            0,
            bytes,
            value,
            0,
            value.length - bytes,
            index % 5 === 0 ? headers : [],
          );
        }
        const batch = builder.finish();
        expect(walk.faultOf(batch, BATCH_HEADER_BYTES, batch.length, timestamps.length)).toBeNull();
        expect(timestamps[0]! + walk.maxTimestampDelta).toBe(Math.max(...timestamps));
      },
    ),
    { numRuns: 200 },
  );
});

test("says what is wrong", () => {
  const record = (hex: string) => Buffer.from(hex, "hex");
  const plain = "0c000000010100"; // length 6, attributes, time, offset, null key, null value, no headers
  const cases: [string, number, string | null][] = [
    [plain, 1, null],
    [plain, 2, "there are 1 records where the header says 2"],
    [plain + plain, 1, "bytes follow the 1 records that the header says"],
    [plain + plain, 2, "record 1 has the offset delta 0"],
    ["0100000001010000", 1, "record 0 does not fit into the batch"],
    ["fe00000001010000", 1, "record 0 does not fit into the batch"],
    ["0c0000007e0100", 1, "the key or value of record 0 does not fit"],
    ["0c000000030100", 1, "the key or value of record 0 does not fit"],
    ["0e00000003aa0100", 1, "the key or value of record 0 does not fit"],
    ["0e0000000103aa00", 1, "the key or value of record 0 does not fit"],
    ["0d000000010100", 1, "record 0 does not fit into the batch"],
    ["0c000000017e00", 1, "the key or value of record 0 does not fit"],
    ["0c000000010101", 1, "the headers of record 0 do not fit"],
    ["100000000101020101", 1, "the headers of record 0 do not fit"],
    ["0e00000001010000", 1, "record 0 does not end where its length says"],
    ["0a000000010100", 1, "record 0 does not end where its length says"],
    ["ffffffffffff", 1, "a number is longer than 32 bits (position 0)"],
    ["1e00ffffffffffffffffff010001010000", 1, "a number is outside the supported 53 bits (position 2)"],
  ];
  expect(cases.map(([hex, count]) => faultOf(record(hex), count))).toEqual(cases.map(([, , said]) => said));
});

/** Five records whose numbers have one byte and two, with keys and without; the third has three, and the fourth headers. */
function mixedRecords(): Buffer {
  const builder = new BatchBuilder(100_000);
  const bytes = Buffer.alloc(9000, 0x01);
  const header = [{ key: "name", value: null }];
  builder.append(START_MS, null, 0, 0, bytes, 0, 5, []);
  builder.append(START_MS + 700, bytes, 0, 3, bytes, 0, 100, []);
  builder.append(START_MS - 70, bytes, 0, 80, bytes, 0, 9000, []);
  builder.append(START_MS + 9000, null, 0, 0, bytes, 0, 0, header);
  builder.append(START_MS + 1, bytes, 0, 70, null, 0, 0, []);
  return builder.finish().subarray(BATCH_HEADER_BYTES);
}

test.each([
  ["short", buildBatch(5).subarray(BATCH_HEADER_BYTES)],
  ["mixed", mixedRecords()],
])("takes exactly what the cursor reads, however the bytes are changed or cut (%s records)", (_, records) => {
  // Most of a long record is its value, where a change says nothing: the numbers lie at the front and at the end.
  const place = fc.oneof(
    fc.nat(records.length - 1),
    fc.nat(130),
    fc.nat(90).map((back) => records.length - 1 - back),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(place, fc.nat(255)), { maxLength: 3 }),
      fc.nat(records.length),
      (changes, cut) => {
        const hostile = Buffer.from(records.subarray(0, cut % 7 === 0 ? records.length : cut));
        for (const [at, byte] of changes) if (at < hostile.length) hostile[at] = byte;
        const batch = batchOf(5, hostile);
        const isRead = validateRecords(batch, 0, true) === null;
        // Behind the records lie bytes that are not theirs, as in a request of many batches.
        const rest = cut % 2 === 0 ? records.subarray(hostile.length) : Buffer.alloc(40, 0x02);
        const framed = Buffer.concat([Buffer.alloc(9, 0xff), hostile, rest]);
        const isTaken = walk.faultOf(framed, 9, 9 + hostile.length, 5) === null;
        expect([hostile.toString("hex"), isTaken]).toEqual([hostile.toString("hex"), isRead]);
        if (!isRead) return;
        const largest = Math.max(...readRecords(batch).map(({ timestampMs }) => timestampMs));
        expect(START_MS + walk.maxTimestampDelta).toBe(largest);
      },
    ),
    { numRuns: 5000 },
  );
});

test("passes over thousands of plain records, and stops at the one whose offset delta is not its place", () => {
  const count = 10_000;
  const builder = new BatchBuilder(1_000_000);
  for (let index = 0; index < count; index += 1)
    builder.append(START_MS + (index % 5000), null, 0, 0, Buffer.from("value"), 0, 5, []);
  const batch = builder.finish();
  expect(walk.faultOf(batch, BATCH_HEADER_BYTES, batch.length, count)).toBeNull();
  expect(walk.maxTimestampDelta).toBe(4999);
  // Two bytes hold an offset delta up to 8191: one before that, and one after.
  for (const wanted of [100, 8191, 8192, count - 1]) {
    const changed = Buffer.from(batch);
    const at = offsetDeltaAt(changed, wanted);
    changed[at] = changed[at]! ^ 0x02;
    const found = walk.faultOf(changed, BATCH_HEADER_BYTES, changed.length, count);
    expect(found).toBe(`record ${wanted} has the offset delta ${wanted ^ 1}`);
  }
});

/** Where the offset delta of a record stands whose length has one byte. */
function offsetDeltaAt(batch: Buffer, index: number): number {
  let at = BATCH_HEADER_BYTES;
  for (let passed = 0; passed < index; passed += 1) at += 1 + batch[at]! / 2;
  const isLong = batch[at + 2]! >= 0x80;
  return at + (isLong ? 4 : 3);
}

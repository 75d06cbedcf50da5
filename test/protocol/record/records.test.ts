/** The cursor on batches whose header is good and whose records are not: it must refuse, say why, and never run away. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ObeliskError } from "../../../src/base/errors.ts";
import { BATCH_ATTRIBUTES, BATCH_HEADER_BYTES } from "../../../src/protocol/record/batch.ts";
import { CODECS } from "../../../src/protocol/record/compression.ts";
import { RecordCursor, readRecords, validateRecords } from "../../../src/protocol/record/records.ts";
import { buildBatch, START_MS } from "./batches.ts";

/** A batch of `count` records whose record bytes are these. */
function batchOf(count: number, records: Buffer): Buffer {
  const batch = Buffer.concat([buildBatch(1).subarray(0, BATCH_HEADER_BYTES), records]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(count - 1, 23);
  batch.writeInt32BE(count, 57);
  return batch;
}

function codeOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    return thrown.code;
  }
}

test("the cursor gives positions in its buffer and is used again", () => {
  const cursor = new RecordCursor();
  for (const codec of CODECS) {
    cursor.open(buildBatch(2, { codec }), 0);
    const seen: unknown[] = [];
    while (cursor.next()) {
      const key = cursor.buffer.toString("utf8", cursor.keyStart, cursor.keyEnd);
      const value = cursor.buffer.toString("utf8", cursor.valueStart, cursor.valueEnd);
      seen.push([cursor.offset, cursor.timestampMs, key, value, cursor.headers()]);
    }
    expect(seen).toEqual([
      [
        0,
        START_MS,
        "key-0",
        "value 0 of some length, of some length",
        [{ key: "h", value: Buffer.from([0]) }],
      ],
      [
        1,
        START_MS + 1,
        "key-1",
        "value 1 of some length, of some length",
        [{ key: "h", value: Buffer.from([1]) }],
      ],
    ]);
  }
});

test("every truncation of the records is found", () => {
  const records = buildBatch(3).subarray(BATCH_HEADER_BYTES);
  for (let end = 0; end < records.length; end += 1) {
    expect(validateRecords(batchOf(3, records.subarray(0, end)), 0, true)?.code).toBe("GARBLED_RECORDS");
  }
  expect(validateRecords(batchOf(3, records), 0, true)).toBeNull();
});

test("bytes after the last record are found", () => {
  const records = buildBatch(3).subarray(BATCH_HEADER_BYTES);
  expect(validateRecords(batchOf(2, records), 0, true)?.code).toBe("GARBLED_RECORDS");
  expect(validateRecords(batchOf(3, Buffer.concat([records, Buffer.alloc(1)])), 0, true)?.code).toBe(
    "GARBLED_RECORDS",
  );
});

describe("hostile records", () => {
  // Plain record: length 7 (0e), attributes, time, offset, null key (01), null value (01), no headers, and one spare
  const cases: [string, string][] = [
    ["a negative length", "0100000001010000"],
    ["a length beyond the end", "fe00000001010000"],
    ["the largest length", "feffffff0f00000001010000"],
    ["a key beyond the record", "0c0000007e0100"],
    ["the largest key", "14000000feffffff0f0100"],
    ["a key length below -1", "0c000000030100"],
    ["a value beyond the record", "0c000000017e00"],
    ["a negative header count", "0c000000010101"],
    ["more headers than bytes", "140000000101feffffff0f"],
    ["a header without a name", "100000000101020101"],
    ["a header name beyond the record", "100000000101027e01"],
    ["a length that is too large by one", "0e00000001010000"],
    ["a length that is too small by one", "0a000000010100"],
    ["a timestamp delta beyond 53 bits", "1e00ffffffffffffffffff010001010000"],
  ];
  for (const [name, hex] of cases) {
    test(`${name} is refused`, () => {
      const batch = batchOf(1, Buffer.from(hex, "hex"));
      expect(validateRecords(batch, 0, true)?.code).toBe("GARBLED_RECORDS");
      expect(codeOf(() => readRecords(batch))).toBe("GARBLED_RECORDS");
    });
  }

  test("the plain record of these cases is itself good", () => {
    expect(readRecords(batchOf(1, Buffer.from("0c000000010100", "hex")))).toEqual([
      { offset: 0, timestampMs: START_MS, key: null, value: null, headers: [] },
    ]);
  });
});

test("records that go beyond a limit of ours are told apart from records that do not decode", () => {
  const cursor = new RecordCursor();
  for (const codec of CODECS.slice(1)) {
    const batch = buildBatch(50, { codec });
    expect(codeOf(() => cursor.open(batch, 0, 1000))).toBe("RECORDS_TOO_LARGE");
    const garbled = batchOf(1, Buffer.from("no codec writes this"));
    garbled.writeInt16BE(CODECS.indexOf(codec), BATCH_ATTRIBUTES);
    expect(codeOf(() => cursor.open(garbled, 0))).toBe("GARBLED_RECORDS");
    expect(validateRecords(garbled, 0, true)?.code).toBe("GARBLED_RECORDS");
  }
});

test("offset deltas must ascend, without gaps when they must be dense", () => {
  const record = (delta: number) => Buffer.from([0x0c, 0, 0, delta * 2, 1, 1, 0]);
  const faultOf = (isDense: boolean, ...deltas: number[]) => {
    const batch = batchOf(deltas.length, Buffer.concat(deltas.map(record)));
    batch.writeInt32BE(5, 23);
    return validateRecords(batch, 0, isDense)?.code;
  };
  expect(faultOf(true, 0, 1, 2)).toBeUndefined();
  expect(faultOf(true, 0, 2)).toBe("GARBLED_RECORDS");
  expect(faultOf(true, 1, 2)).toBe("GARBLED_RECORDS");
  expect(faultOf(false, 1, 3, 5)).toBeUndefined();
  expect(faultOf(false, 1, 1)).toBe("GARBLED_RECORDS");
  expect(faultOf(false, 2, 1)).toBe("GARBLED_RECORDS");
  expect(faultOf(false, 2, 6)).toBe("GARBLED_RECORDS");
});

test("any change of the record bytes is read or refused, never anything else", () => {
  const batch = buildBatch(3);
  fc.assert(
    fc.property(fc.integer({ min: BATCH_HEADER_BYTES, max: batch.length - 1 }), fc.nat(255), (at, byte) => {
      const hostile = Buffer.from(batch);
      hostile[at] = byte;
      const fault = validateRecords(hostile, 0, true);
      if (fault === null) expect(readRecords(hostile).length).toBe(3);
      else expect(fault.code).toBe("GARBLED_RECORDS");
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 1, max: 1e9 }), (noise, count) => {
      validateRecords(batchOf(count, Buffer.from(noise)), 0, false);
    }),
    { numRuns: 1000 },
  );
});

test("an emptied batch has no records, also when it is marked as compressed", () => {
  const batch = batchOf(1, Buffer.alloc(0));
  batch.writeInt32BE(0, 57);
  for (const codec of [0, 1, 2, 3, 4]) {
    batch.writeInt16BE(codec, 21);
    expect(readRecords(batch)).toEqual([]);
  }
});

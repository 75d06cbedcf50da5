/** What is let into a log and what is found in one: each rule, every truncation, every flipped bit. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CODECS } from "../../../src/protocol/record/compression.ts";
import { readRecords } from "../../../src/protocol/record/records.ts";
import { validateBatch, validateStoredBatch } from "../../../src/protocol/record/validate.ts";
import { buildBatch, resealed } from "./batches.ts";

const OPTIONS = { bytesMax: 1_000_000 };
const IDEMPOTENT = { producerId: 9, producerEpoch: 0, baseSequence: 0 };

function produced(batch: Buffer): string | undefined {
  return validateBatch(batch, 0, batch.length, OPTIONS)?.code;
}

function stored(batch: Buffer): string | undefined {
  return validateStoredBatch(batch, 0, batch.length)?.code;
}

/** A batch of two records, changed, under a true CRC. */
function changed(change: (batch: Buffer) => void, options = {}): Buffer {
  const batch = buildBatch(2, options);
  change(batch);
  return resealed(batch);
}

test("accepts what the builder makes, with each codec", () => {
  for (const codec of CODECS) {
    const batch = buildBatch(40, { codec, ...IDEMPOTENT });
    expect([produced(batch), stored(batch)]).toEqual([undefined, undefined]);
  }
});

test("finds every truncation", () => {
  const batch = buildBatch(2);
  for (let end = 0; end < batch.length; end += 1) {
    expect(validateBatch(batch, 0, end, OPTIONS)?.code).toBe("CORRUPT_MESSAGE");
    expect(validateStoredBatch(batch, 0, end)?.code).toBe("CORRUPT_MESSAGE");
  }
});

test("finds every flipped bit, but for the fields that the log overwrites", () => {
  const batch = buildBatch(2, IDEMPOTENT);
  const records = readRecords(batch).map(({ key, value }) => [key, value]);
  for (let bit = 0; bit < batch.length * 8; bit += 1) {
    const at = bit >>> 3;
    const flipped = Buffer.from(batch);
    flipped[at]! ^= 1 << (bit & 7);
    const isOverwritten = at < 8 || (at >= 12 && at < 16);
    if (isOverwritten) {
      expect(produced(flipped)).toBeUndefined();
      if (stored(flipped) === undefined) {
        expect(readRecords(flipped).map(({ key, value }) => [key, value])).toEqual(records);
      }
    } else {
      expect([at, typeof produced(flipped), typeof stored(flipped)]).toEqual([at, "string", "string"]);
    }
  }
});

test("does not throw on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const noise = Buffer.from(bytes);
      expect([typeof produced(noise), typeof stored(noise)]).toEqual(["string", "string"]);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 44, maxLength: 200 }), (bytes) => {
      const batch = Buffer.concat([Buffer.alloc(17), bytes]);
      batch[16] = 2;
      batch.writeInt32BE(batch.length - 12, 8);
      resealed(batch);
      validateBatch(batch, 0, batch.length, OPTIONS);
      validateStoredBatch(batch, 0, batch.length);
    }),
  );
});

describe("refuses from a producer", () => {
  const cases: [string, string, Buffer][] = [
    ["magic 0", "UNSUPPORTED_FOR_MESSAGE_FORMAT", changed((batch) => batch.writeInt8(0, 16))],
    ["magic 1", "UNSUPPORTED_FOR_MESSAGE_FORMAT", changed((batch) => batch.writeInt8(1, 16))],
    [
      "a short message of magic 1",
      "UNSUPPORTED_FOR_MESSAGE_FORMAT",
      changed((batch) => batch.writeInt8(1, 16)).subarray(0, 30),
    ],
    ["magic 3", "CORRUPT_MESSAGE", changed((batch) => batch.writeInt8(3, 16))],
    ["a negative length", "CORRUPT_MESSAGE", changed((batch) => batch.writeInt32BE(-1, 8))],
    ["the largest length", "CORRUPT_MESSAGE", changed((batch) => batch.writeInt32BE(0x7fffffff, 8))],
    ["a length less than a header", "CORRUPT_MESSAGE", changed((batch) => batch.writeInt32BE(48, 8))],
    ["codec 5", "UNSUPPORTED_COMPRESSION_TYPE", changed((batch) => batch.writeInt16BE(5, 21))],
    ["codec 7", "UNSUPPORTED_COMPRESSION_TYPE", changed((batch) => batch.writeInt16BE(7, 21))],
    ["log append time", "INVALID_TIMESTAMP", changed((batch) => batch.writeInt16BE(0x08, 21))],
    ["a control batch", "INVALID_RECORD", changed((batch) => batch.writeInt16BE(0x20, 21))],
    ["a delete horizon", "INVALID_RECORD", changed((batch) => batch.writeInt16BE(0x40, 21))],
    ["a reserved bit", "INVALID_RECORD", changed((batch) => batch.writeInt16BE(0x80, 21))],
    ["the top reserved bit", "INVALID_RECORD", changed((batch) => batch.writeInt16BE(-0x8000, 21))],
    ["no records", "INVALID_RECORD", changed((batch) => batch.writeInt32BE(0, 57))],
    ["a negative count", "INVALID_RECORD", changed((batch) => batch.writeInt32BE(-1, 57))],
    ["more records than offsets", "INVALID_RECORD", changed((batch) => batch.writeInt32BE(3, 57))],
    ["fewer records than offsets", "INVALID_RECORD", changed((batch) => batch.writeInt32BE(1, 57))],
    ["a negative last offset delta", "INVALID_RECORD", changed((batch) => batch.writeInt32BE(-1, 23))],
    [
      "more records than bytes",
      "INVALID_RECORD",
      changed((batch) => {
        batch.writeInt32BE(999, 23);
        batch.writeInt32BE(1000, 57);
      }),
    ],
    ["a base timestamp below -1", "INVALID_TIMESTAMP", changed((batch) => batch.writeBigInt64BE(-2n, 27))],
    [
      "a base timestamp beyond 53 bits",
      "INVALID_TIMESTAMP",
      changed((batch) => batch.writeBigInt64BE(2n ** 53n, 27)),
    ],
    [
      "a max timestamp beyond 53 bits",
      "INVALID_TIMESTAMP",
      changed((batch) => batch.writeBigInt64BE(2n ** 62n, 35)),
    ],
    ["a producer id below -1", "INVALID_RECORD", changed((batch) => batch.writeBigInt64BE(-2n, 43))],
    [
      "a producer id beyond 53 bits",
      "INVALID_RECORD",
      changed((batch) => batch.writeBigInt64BE(2n ** 53n, 43)),
    ],
    [
      "a producer id without an epoch",
      "INVALID_RECORD",
      changed((batch) => batch.writeInt16BE(-1, 51), IDEMPOTENT),
    ],
    [
      "a producer id without a sequence",
      "INVALID_RECORD",
      changed((batch) => batch.writeInt32BE(-1, 53), IDEMPOTENT),
    ],
    [
      "a transaction without a producer id",
      "INVALID_RECORD",
      changed((batch) => batch.writeInt16BE(0x10, 21)),
    ],
    ["two batches", "INVALID_RECORD", Buffer.concat([buildBatch(1), buildBatch(1)])],
    ["a batch and a half", "INVALID_RECORD", Buffer.concat([buildBatch(1), buildBatch(1).subarray(0, 30)])],
  ];
  for (const [name, code, batch] of cases) {
    test(`${name}: ${code}`, () => {
      expect(produced(batch)).toBe(code);
    });
  }

  test("a batch above the limit: MESSAGE_TOO_LARGE", () => {
    const batch = buildBatch(2);
    expect(validateBatch(batch, 0, batch.length, { bytesMax: batch.length })).toBeNull();
    expect(validateBatch(batch, 0, batch.length, { bytesMax: batch.length - 1 })?.code).toBe(
      "MESSAGE_TOO_LARGE",
    );
  });
});

describe("tolerates from a producer, because clients in use send it", () => {
  test("epoch and sequence 0 without a producer id", () => {
    const batch = changed((bytes) => {
      bytes.writeInt16BE(0, 51);
      bytes.writeInt32BE(0, 53);
    });
    expect(produced(batch)).toBeUndefined();
  });

  test("a max timestamp of -1, and no timestamps at all", () => {
    expect(produced(changed((bytes) => bytes.fill(0xff, 35, 43)))).toBeUndefined();
    expect(produced(changed((bytes) => bytes.fill(0xff, 27, 43)))).toBeUndefined();
  });
});

describe("in a log", () => {
  test("compaction may have left gaps, a delete horizon or nothing, and the server writes control batches", () => {
    expect(stored(changed((batch) => batch.writeInt32BE(100, 23)))).toBeUndefined();
    expect(stored(changed((batch) => batch.writeInt16BE(0x40, 21)))).toBeUndefined();
    expect(stored(changed((batch) => batch.writeInt16BE(0x28, 21)))).toBeUndefined();
    expect(stored(changed((batch) => batch.writeInt32BE(0, 57)))).toBeUndefined();
  });

  test("other batches may follow", () => {
    const batch = buildBatch(1);
    const log = Buffer.concat([batch, buildBatch(1)]);
    expect(validateStoredBatch(log, 0, log.length)).toBeNull();
    expect(validateStoredBatch(log, batch.length, log.length)).toBeNull();
    expect(validateStoredBatch(log, 1, log.length)?.code).toBe("CORRUPT_MESSAGE");
  });

  test("counts, offsets and ids that contradict each other are damage", () => {
    const contradictions: ((batch: Buffer) => void)[] = [
      (batch) => batch.writeInt32BE(3, 57),
      (batch) => batch.writeInt32BE(-1, 57),
      (batch) => batch.writeInt32BE(-1, 23),
      (batch) => batch.writeBigInt64BE(-1n, 0),
      (batch) => batch.writeBigInt64BE(2n ** 53n, 0),
      (batch) => batch.writeBigInt64BE(-2n, 43),
      (batch) => batch.writeInt16BE(0x80, 21),
    ];
    for (const contradiction of contradictions)
      expect(stored(changed(contradiction))).toBe("CORRUPT_MESSAGE");
  });
});

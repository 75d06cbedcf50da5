/** What is let into a log and what is found in one: each rule, every truncation, every flipped bit. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BATCH_HEADER_BYTES, BATCH_LENGTH, LOG_OVERHEAD } from "../../../src/protocol/record/batch.ts";
import { CODECS } from "../../../src/protocol/record/compression.ts";
import { readRecords } from "../../../src/protocol/record/records.ts";
import { isStoredHeader, validateBatch, validateStoredBatch } from "../../../src/protocol/record/validate.ts";
import { buildBatch, resealed } from "./batches.ts";

const OPTIONS = { bytesMax: 1_000_000, isLogAppendTime: false };
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
    expect(validateBatch(batch, 0, end, OPTIONS)?.code).toBe("INVALID_RECORD");
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
      expect(produced(flipped)).toBe(at < 8 ? "INVALID_RECORD" : undefined);
      if (stored(flipped) === undefined) {
        expect(readRecords(flipped).map(({ key, value }) => [key, value])).toEqual(records);
      }
    } else {
      expect([at, typeof produced(flipped), typeof stored(flipped)]).toEqual([at, "string", "string"]);
    }
  }
});

test("a header alone is judged as with its batch, but for the CRC", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(BATCH_HEADER_BYTES - 1), fc.nat(255)), { maxLength: 3 }),
      fc.constantFrom(0, 1, 100),
      (changes, missing) => {
        const batch = changed((bytes) => {
          for (const [at, byte] of changes) if (at < BATCH_LENGTH || at >= LOG_OVERHEAD) bytes[at] = byte;
        });
        const end = batch.length - missing;
        const header = batch.subarray(0, BATCH_HEADER_BYTES);
        expect(isStoredHeader(header, 0, end)).toBe(
          validateStoredBatch(batch.subarray(0, end), 0, end) === null,
        );
      },
    ),
    { numRuns: 2000 },
  );
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
    ["magic 0", "INVALID_RECORD", changed((batch) => batch.writeInt8(0, 16))],
    ["magic 1", "INVALID_RECORD", changed((batch) => batch.writeInt8(1, 16))],
    [
      "a short message of magic 1",
      "INVALID_RECORD",
      changed((batch) => batch.writeInt8(1, 16)).subarray(0, 30),
    ],
    ["magic 3", "CORRUPT_MESSAGE", changed((batch) => batch.writeInt8(3, 16))],
    ["a negative length", "CORRUPT_MESSAGE", changed((batch) => batch.writeInt32BE(-1, 8))],
    ["the largest length", "INVALID_RECORD", changed((batch) => batch.writeInt32BE(0x7fffffff, 8))],
    ["a length less than a header", "CORRUPT_MESSAGE", changed((batch) => batch.writeInt32BE(48, 8))],
    ["codec 5", "UNSUPPORTED_COMPRESSION_TYPE", changed((batch) => batch.writeInt16BE(5, 21))],
    ["codec 7", "UNSUPPORTED_COMPRESSION_TYPE", changed((batch) => batch.writeInt16BE(7, 21))],
    ["a base offset", "INVALID_RECORD", changed((batch) => batch.writeBigInt64BE(5n, 0))],
    ["a base offset of -1", "INVALID_RECORD", changed((batch) => batch.writeBigInt64BE(-1n, 0))],
    [
      "log append time without a time",
      "INVALID_TIMESTAMP",
      changed((batch) => {
        batch.writeInt16BE(0x08, 21);
        batch.fill(0xff, 35, 43);
      }),
    ],
    ["a control batch", "INVALID_RECORD", changed((batch) => batch.writeInt16BE(0x20, 21))],
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
    ["a batch and zeros", "CORRUPT_MESSAGE", Buffer.concat([buildBatch(1), Buffer.alloc(12)])],
  ];
  for (const [name, code, batch] of cases) {
    test(`${name}: ${code}`, () => {
      expect(produced(batch)).toBe(code);
    });
  }

  test("a batch above the limit: MESSAGE_TOO_LARGE", () => {
    const batch = buildBatch(2);
    const limited = (bytesMax: number) =>
      validateBatch(batch, 0, batch.length, { ...OPTIONS, bytesMax })?.code;
    expect(limited(batch.length)).toBeUndefined();
    expect(limited(batch.length - 1)).toBe("MESSAGE_TOO_LARGE");
  });

  test("log append time where the server stamps records itself: INVALID_TIMESTAMP", () => {
    const batch = changed((bytes) => bytes.writeInt16BE(0x08, 21));
    const options = { ...OPTIONS, isLogAppendTime: true };
    expect(validateBatch(batch, 0, batch.length, options)?.code).toBe("INVALID_TIMESTAMP");
  });
});

describe("tolerates from a producer, as Kafka does", () => {
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
    expect(produced(changed((bytes) => bytes.writeBigInt64BE(2n ** 62n, 35)))).toBeUndefined();
  });

  test("attribute bits without a meaning, a delete horizon, log append time", () => {
    for (const attributes of [0x80, 0x100, -0x8000, 0x40, 0x08])
      expect(produced(changed((bytes) => bytes.writeInt16BE(attributes, 21)))).toBeUndefined();
  });

  test("the beginning of another batch after it", () => {
    const batch = buildBatch(1);
    for (let bytes = 0; bytes < batch.length; bytes += 1)
      expect(produced(Buffer.concat([batch, batch.subarray(0, bytes)]))).toBeUndefined();
  });
});

describe("in a log", () => {
  test("compaction may have left gaps, a delete horizon or nothing, and the server writes control batches", () => {
    expect(stored(changed((batch) => batch.writeInt32BE(100, 23)))).toBeUndefined();
    expect(stored(changed((batch) => batch.writeInt16BE(0x40, 21)))).toBeUndefined();
    expect(stored(changed((batch) => batch.writeInt16BE(0x28, 21)))).toBeUndefined();
    expect(stored(changed((batch) => batch.writeInt16BE(-0x7f80, 21)))).toBeUndefined();
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
    ];
    for (const contradiction of contradictions)
      expect(stored(changed(contradiction))).toBe("CORRUPT_MESSAGE");
  });
});

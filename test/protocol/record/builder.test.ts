/** The builder against a plain list of records. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InvariantError } from "../../../src/base/assert.ts";
import { MiB } from "../../../src/base/units.ts";
import {
  batchBaseSequence,
  batchBaseTimestamp,
  batchMaxTimestamp,
  batchProducerEpoch,
  batchProducerId,
  batchRecordCount,
  isTransactional,
  stampBatch,
} from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { CODECS } from "../../../src/protocol/record/compression.ts";
import { readRecords, type StoredRecord, validateRecords } from "../../../src/protocol/record/records.ts";
import { validateBatch } from "../../../src/protocol/record/validate.ts";

type Draft = Omit<StoredRecord, "offset">;

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const drafts: fc.Arbitrary<Draft[]> = fc.array(
  fc.record({
    timestampMs: fc.oneof(fc.integer({ min: 0, max: 2 ** 52 }), fc.integer({ min: 1000, max: 1100 })),
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.array(fc.record({ key: fc.string({ unit: "binary" }), value: fc.option(bytes) }), {
      maxLength: 3,
    }),
  }),
  { minLength: 1, maxLength: 40 },
);

function appendTo(builder: BatchBuilder, { timestampMs, key, value, headers }: Draft): boolean {
  return builder.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers);
}

test("what is appended is read back, with each codec, from a builder used again", () => {
  const builder = new BatchBuilder(1_000_000);
  fc.assert(
    fc.property(drafts, fc.constantFrom(...CODECS), (list, codec) => {
      builder.reset();
      for (const draft of list) expect(appendTo(builder, draft)).toBe(true);
      const sizeBefore = builder.bytes;
      const batch = builder.finish({ codec });
      if (codec === "none") expect(batch.length).toBe(sizeBefore);
      expect(
        validateBatch(batch, 0, batch.length, { bytesMax: 1_000_000, isLogAppendTime: false }),
      ).toBeNull();
      expect(validateRecords(batch, 0, true)).toBeNull();
      expect(readRecords(batch)).toEqual(list.map((draft, offset) => ({ offset, ...draft })));
      expect(batchBaseTimestamp(batch, 0)).toBe(list[0]!.timestampMs);
      const maxTimestampMs = Math.max(...list.map((draft) => draft.timestampMs));
      expect([batchMaxTimestamp(batch, 0), builder.maxTimestampMs]).toEqual([maxTimestampMs, maxTimestampMs]);
    }),
  );
});

test("takes keys and values from the middle of a buffer", () => {
  const source = Buffer.from("..key....a value that is longer than twenty-four bytes..");
  const builder = new BatchBuilder(1000);
  builder.append(5, source, 2, 5, source, 9, source.length - 2);
  expect(readRecords(builder.finish())).toEqual([
    {
      offset: 0,
      timestampMs: 5,
      key: Buffer.from("key"),
      value: Buffer.from("a value that is longer than twenty-four bytes"),
      headers: [],
    },
  ]);
});

test("writes the producer's fields", () => {
  const builder = new BatchBuilder(1000);
  builder.append(5, null, 0, 0, null, 0, 0);
  const batch = builder.finish({
    producerId: 2 ** 40,
    producerEpoch: 7,
    baseSequence: 2 ** 31 - 1,
    isTransactional: true,
  });
  expect([batchProducerId(batch, 0), batchProducerEpoch(batch, 0), batchBaseSequence(batch, 0)]).toEqual([
    2 ** 40,
    7,
    2 ** 31 - 1,
  ]);
  expect(isTransactional(batch, 0)).toBe(true);
});

describe("at its limit", () => {
  test("refuses a record and stays as it was", () => {
    for (const bytesMax of [200, 4096, 5000, 70_000]) {
      const builder = new BatchBuilder(bytesMax);
      const value = Buffer.alloc(90, 1);
      let count = 0;
      while (builder.append(1, null, 0, 0, value, 0, value.length)) count += 1;
      expect(builder.count).toBe(count);
      expect(builder.bytes).toBeLessThanOrEqual(bytesMax);
      const batch = builder.finish();
      expect(batch.length).toBe(builder.bytes);
      expect(batchRecordCount(batch, 0)).toBe(count);
      expect(validateRecords(batch, 0, true)).toBeNull();
    }
  });

  test("takes a record that fills it exactly and no byte more", () => {
    const overhead = 61 + 2 + 1 + 1 + 1 + 1 + 2 + 1; // header; length, attributes, deltas, key, value length, headers
    const builder = new BatchBuilder(overhead + 1000);
    expect(builder.append(1, null, 0, 0, Buffer.alloc(1001), 0, 1001)).toBe(false);
    expect(builder.count).toBe(0);
    expect(builder.append(1, null, 0, 0, Buffer.alloc(1000), 0, 1000)).toBe(true);
    expect(builder.bytes).toBe(overhead + 1000);
  });
});

test("finish gives a buffer of one's own, seal a view until the next append", () => {
  const builder = new BatchBuilder(1000);
  builder.append(1, null, 0, 0, Buffer.from("one"), 0, 3);
  const finished = builder.finish();
  const sealed = builder.seal();
  expect(sealed).toEqual(finished);
  stampBatch(sealed, 0, 99, 4);
  builder.reset();
  builder.append(1, null, 0, 0, Buffer.from("two"), 0, 3);
  expect(readRecords(finished).map((record) => [record.offset, record.value?.toString()])).toEqual([
    [0, "one"],
  ]);
  expect(readRecords(builder.finish()).map((record) => [record.offset, record.value?.toString()])).toEqual([
    [0, "two"],
  ]);
});

test("a builder is good again after one very large record", () => {
  const builder = new BatchBuilder(16 * MiB);
  const large = Buffer.alloc(10 * MiB, 1);
  expect(builder.append(1, null, 0, 0, large, 0, large.length)).toBe(true);
  expect(readRecords(builder.finish())[0]?.value).toEqual(large);
  builder.reset();
  builder.append(2, null, 0, 0, large, 0, 3);
  expect(readRecords(builder.finish()).map((record) => record.value)).toEqual([Buffer.alloc(3, 1)]);
});

test("an empty batch is our bug", () => {
  expect(() => new BatchBuilder(1000).finish()).toThrow(InvariantError);
});

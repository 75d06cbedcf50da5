/** Fetched bytes become records: whole batches only, from the position on, checked, without control and aborted batches. */

import { describe, expect, test } from "bun:test";
import { MiB } from "../../src/base/units.ts";
import {
  type AbortedTransaction,
  type ConsumerRecord,
  FetchedBatches,
  UnreadableBatch,
} from "../../src/client/fetched-batches.ts";
import {
  ATTRIBUTE_CONTROL,
  ATTRIBUTE_TRANSACTIONAL,
  BATCH_ATTRIBUTES,
  BATCH_CRC,
  BATCH_HEADER_BYTES,
  computeBatchCrc,
  stampBatch,
} from "../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { CODECS, type Codec } from "../../src/protocol/record/compression.ts";

interface BatchOptions {
  readonly codec?: Codec;
  readonly producerId?: number;
  readonly attributes?: number;
  readonly key?: Buffer;
}

function batch(
  baseOffset: number,
  values: string[],
  { codec = "none", producerId = -1, attributes = 0, key }: BatchOptions = {},
): Buffer {
  const builder = new BatchBuilder(1 << 20);
  for (const value of values) {
    const bytes = Buffer.from(value);
    builder.append(1000 + baseOffset, key ?? null, 0, key?.length ?? 0, bytes, 0, bytes.length);
  }
  const built = builder.finish({
    codec,
    producerId,
    producerEpoch: producerId < 0 ? -1 : 0,
    baseSequence: producerId < 0 ? -1 : 0,
  });
  built.writeInt16BE(built.readInt16BE(BATCH_ATTRIBUTES) | attributes, BATCH_ATTRIBUTES);
  built.writeUInt32BE(computeBatchCrc(built, 0, built.length), BATCH_CRC);
  stampBatch(built, 0, baseOffset, 7);
  return built;
}

/** A control batch: 0 aborts, 1 commits. */
function marker(offset: number, producerId: number, type: number): Buffer {
  return batch(offset, ["marker"], {
    producerId,
    attributes: ATTRIBUTE_CONTROL | ATTRIBUTE_TRANSACTIONAL,
    key: Buffer.from([0, 0, 0, type]),
  });
}

function readAll(bytes: Buffer, position: number, aborted: AbortedTransaction[] | null = null) {
  const batches = new FetchedBatches("t", 3, bytes, aborted);
  const records: ConsumerRecord[] = [];
  let next = position;
  while (!batches.isEmpty) next = Math.max(next, batches.takeBatch(next, records));
  return {
    records: records.map(({ offset, value }) => `${offset}:${value}`),
    next,
    endOffset: batches.endOffset,
  };
}

describe("fetched batches", () => {
  test("a position inside a batch skips the records below it, with every codec", () => {
    for (const codec of CODECS) {
      const bytes = Buffer.concat([batch(40, ["a", "b", "c"], { codec }), batch(43, ["d"], { codec })]);
      expect(readAll(bytes, 42)).toEqual({ records: ["42:c", "43:d"], next: 44, endOffset: 44 });
    }
  });

  test("a record carries its place, its time, and null apart from empty", () => {
    const records: ConsumerRecord[] = [];
    const builder = new BatchBuilder(1000);
    builder.append(5, Buffer.from("k"), 0, 1, null, 0, 0, [{ key: "h", value: null }]);
    builder.append(6, null, 0, 0, Buffer.alloc(0), 0, 0);
    new FetchedBatches("t", 3, builder.finish(), null).takeBatch(0, records);
    expect(records).toEqual([
      {
        topic: "t",
        partition: 3,
        offset: 0,
        timestampMs: 5,
        key: Buffer.from("k"),
        value: null,
        headers: [{ key: "h", value: null }],
      },
      { topic: "t", partition: 3, offset: 1, timestampMs: 6, key: null, value: Buffer.alloc(0), headers: [] },
    ]);
  });

  test("a batch that was cut off is left for the next fetch, at every byte", () => {
    const whole = batch(0, ["a"]);
    const cut = batch(1, ["b", "c"]);
    for (let bytes = 0; bytes < cut.length; bytes += 1) {
      expect(readAll(Buffer.concat([whole, cut.subarray(0, bytes)]), 0)).toEqual({
        records: ["0:a"],
        next: 1,
        endOffset: 1,
      });
    }
    expect(readAll(cut.subarray(0, 60), 0)).toEqual({ records: [], next: 0, endOffset: -1 });
  });

  test("a flipped bit under the checksum is found, and the batch before it is still read", () => {
    const first = batch(0, ["a"]);
    const second = batch(1, ["hello"]);
    for (let position = BATCH_CRC; position < second.length; position += 1) {
      const damaged = Buffer.from(second);
      damaged[position]! ^= 0x10;
      const batches = new FetchedBatches("t", 3, Buffer.concat([first, damaged]), null);
      const records: ConsumerRecord[] = [];
      expect(batches.takeBatch(0, records)).toBe(1);
      expect(() => batches.takeBatch(1, records)).toThrow("(partition t-3, offset 1)");
      expect(records.length).toBe(1);
    }
  });

  test("an impossible length is refused instead of read", () => {
    const bytes = batch(0, ["a"]);
    bytes.writeInt32BE(-1, 8);
    expect(() => new FetchedBatches("t", 0, bytes, null)).toThrow("impossible length");
  });

  test("a bad length after good batches costs none of them", () => {
    const bad = batch(1, ["b"]);
    bad.writeInt32BE(-1, 8);
    expect(readAll(Buffer.concat([batch(0, ["a"]), bad]), 0)).toEqual({
      records: ["0:a"],
      next: 1,
      endOffset: 1,
    });
  });

  test("a header that came in goes out again as it was, also when its name is no UTF-8", () => {
    const headers = [
      { key: "a\ufffd", keyBytes: Buffer.of(0x61, 0xff), value: Buffer.of(1) },
      { key: "\ufffd", value: null },
    ];
    const builder = new BatchBuilder(1000);
    builder.append(5, null, 0, 0, null, 0, 0, headers);
    const records: ConsumerRecord[] = [];
    new FetchedBatches("t", 3, builder.finish(), null).takeBatch(0, records);
    expect(records[0]!.headers).toEqual(headers);
  });

  test("control batches give no records but move the position", () => {
    expect(readAll(Buffer.concat([batch(0, ["a"]), marker(1, 9, 1)]), 0)).toEqual({
      records: ["0:a"],
      next: 2,
      endOffset: 2,
    });
  });

  test("records of aborted transactions are left out from their first offset to the marker", () => {
    const transactional = { producerId: 9, attributes: ATTRIBUTE_TRANSACTIONAL };
    const bytes = Buffer.concat([
      batch(0, ["committed"], transactional),
      batch(1, ["aborted"], transactional),
      batch(2, ["other"], { producerId: 8, attributes: ATTRIBUTE_TRANSACTIONAL }),
      batch(3, ["plain"]),
      marker(4, 9, 0),
      batch(5, ["again"], transactional),
    ]);
    const all = ["0:committed", "1:aborted", "2:other", "3:plain", "5:again"];
    expect(readAll(bytes, 0, null).records).toEqual(all);
    expect(readAll(bytes, 0, []).records).toEqual(all);
    expect(readAll(bytes, 0, [{ producerId: 9, firstOffset: 1 }]).records).toEqual([
      "0:committed",
      "2:other",
      "3:plain",
      "5:again",
    ]);
  });

  test("a batch whose records do not open gives none of them, and names its offsets", () => {
    const bad = batch(10, ["a", "b", "c"]);
    bad[bad.length - 1] = 5; // the last record says that it has headers
    bad.writeUInt32BE(computeBatchCrc(bad, 0, bad.length), BATCH_CRC);
    const batches = new FetchedBatches("t", 3, Buffer.concat([batch(9, ["before"]), bad]), null);
    const records: ConsumerRecord[] = [];
    batches.takeBatch(9, records);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      let thrown: unknown;
      try {
        batches.takeBatch(10, records);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(UnreadableBatch);
      expect(thrown).toMatchObject({ code: "GARBLED_RECORDS", firstOffset: 10, nextOffset: 13 });
      expect(records.map(({ offset }) => offset)).toEqual([9]);
    }
  });

  test("offsets that do not ascend within the batch are garbage, whatever they are", () => {
    for (const deltas of [
      [0, 0],
      [1, 0],
      [0, 2],
      [-1, 1],
    ]) {
      const bad = batch(10, ["a", "b"]);
      // Each record is length, attributes, timestamp delta, offset delta, ...; all of one byte here.
      const second = BATCH_HEADER_BYTES + 1 + bad[BATCH_HEADER_BYTES]! / 2;
      bad[BATCH_HEADER_BYTES + 3] = zigzag(deltas[0]!);
      bad[second + 3] = zigzag(deltas[1]!);
      bad.writeUInt32BE(computeBatchCrc(bad, 0, bad.length), BATCH_CRC);
      expect(() => new FetchedBatches("t", 3, bad, null).takeBatch(10, [])).toThrow("the offset delta");
    }
  });

  test("records that inflate far beyond what a server opens are read", () => {
    const builder = new BatchBuilder(200 * MiB);
    const value = Buffer.alloc(10 * MiB);
    for (let index = 0; index < 15; index += 1) builder.append(1000, null, 0, 0, value, 0, value.length);
    const records: ConsumerRecord[] = [];
    const bytes = builder.finish({ codec: "zstd" });
    expect(bytes.length).toBeLessThan(MiB);
    new FetchedBatches("t", 0, bytes, null).takeBatch(0, records);
    expect(records.map((record) => record.value?.length)).toEqual(Array(15).fill(10 * MiB));
  });
});

function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

describe("a batch of very many records", () => {
  const COUNT = 25_000;
  const many = (codec: Codec) => {
    const builder = new BatchBuilder(8 * MiB);
    for (let index = 0; index < COUNT; index += 1) builder.append(1000, null, 0, 0, null, 0, 0);
    const built = builder.finish({ codec });
    stampBatch(built, 0, 40, 7);
    return built;
  };

  test("is handed out in portions, from the position on, and the next batch follows it", () => {
    for (const codec of CODECS) {
      const bytes = Buffer.concat([many(codec), batch(40 + COUNT, ["after"])]);
      const batches = new FetchedBatches("t", 3, bytes, null);
      let position = 50;
      const portions: [number, number][] = [];
      const offsets: number[] = [];
      while (!batches.isEmpty) {
        const records: ConsumerRecord[] = [];
        position = batches.takeBatch(position, records);
        portions.push([records.length, position]);
        offsets.push(...records.map(({ offset }) => offset));
      }
      expect(portions).toEqual([
        [10_000, 10_050],
        [10_000, 20_050],
        [4_990, 40 + COUNT],
        [1, 41 + COUNT],
      ]);
      expect(offsets).toEqual(Array.from({ length: COUNT - 9 }, (_, index) => 50 + index));
    }
  });

  test("gives none of them when the last one does not open", () => {
    const bytes = many("none");
    bytes[bytes.length - 1] = 9;
    bytes.writeUInt32BE(computeBatchCrc(bytes, 0, bytes.length), BATCH_CRC);
    const batches = new FetchedBatches("t", 3, Buffer.concat([bytes, batch(40 + COUNT, ["after"])]), null);
    const records: ConsumerRecord[] = [];
    for (let round = 0; round < 2; round += 1)
      expect(() => batches.takeBatch(40, records)).toThrow(UnreadableBatch);
    expect(records).toEqual([]);
  });
});

/** What is inflated takes no more memory than it needs, comes out whole whatever its trailer says, and is given back at once. */

import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { KiB, MiB } from "../../../src/base/units.ts";
import { CODECS, compress, decompress } from "../../../src/protocol/record/compression.ts";
import { freeInflated } from "../../../src/protocol/record/inflate.ts";
import { RecordCursor } from "../../../src/protocol/record/records.ts";
import { buildBatch } from "./batches.ts";

const COMPRESSED = CODECS.filter((codec) => codec !== "none");

function sized(bytes: number): Buffer {
  return Buffer.alloc(bytes, "some text that compresses well, ");
}

for (const codec of COMPRESSED) {
  describe(codec, () => {
    test("a result of any size is whole, and takes no more than double its memory", () => {
      for (const bytes of [1, 100, 5 * KiB, 64 * KiB, 128 * KiB + 1, MiB, 5 * MiB, 20 * MiB]) {
        const source = sized(bytes);
        const target = decompress(codec, compress(codec, source), 32 * MiB);
        expect(target.equals(source)).toBe(true);
        expect(target.buffer.byteLength).toBeLessThanOrEqual(Math.max(2 * bytes + KiB, Buffer.poolSize));
      }
    });

    test("freed memory is gone, and nobody else's", () => {
      const neighbours = Array.from({ length: 100 }, (_, index) => Buffer.from(`neighbour ${index}`));
      for (const bytes of [1, 5 * KiB, 64 * KiB, 5 * MiB]) {
        const target = decompress(codec, compress(codec, sized(bytes)), 32 * MiB);
        freeInflated(target);
        if (bytes > Buffer.poolSize) expect(target.length).toBe(0);
      }
      expect(neighbours.map(String)).toEqual(neighbours.map((_, index) => `neighbour ${index}`));
    });

    test("a cursor gives back what it inflated when it is closed, and can be opened again", () => {
      const batch = buildBatch(500, { codec });
      const before = Buffer.from(batch);
      const cursor = new RecordCursor();
      for (let round = 0; round < 3; round += 1) {
        cursor.open(batch, 0);
        const { buffer } = cursor;
        let count = 0;
        while (cursor.next()) count += 1;
        cursor.close();
        expect([count, buffer.length, batch.equals(before)]).toEqual([500, 0, true]);
      }
    });
  });
}

test("a cursor that is closed leaves a batch alone that it did not inflate", () => {
  const batch = buildBatch(500);
  const cursor = new RecordCursor();
  cursor.open(batch, 0);
  cursor.close();
  expect(batch.length).toBeGreaterThan(Buffer.poolSize);
});

describe("gzip's own word for its size", () => {
  const texts = [sized(3 * MiB), sized(10), sized(300 * KiB)];

  test("that is the last member's is not taken for all", () => {
    for (const order of [
      [0, 1],
      [1, 0],
      [2, 2, 1],
      [1, 1, 1],
    ]) {
      const sources = order.map((index) => texts[index]!);
      const packed = Buffer.concat(sources.map((source) => gzipSync(source)));
      expect(decompress("gzip", packed, 32 * MiB).equals(Buffer.concat(sources))).toBe(true);
    }
  });

  test("that is a lie is damage, as any other byte of it", () => {
    for (const told of [0, 1, 299 * KiB, MiB, 2 ** 32 - 1]) {
      const packed = gzipSync(texts[2]!);
      packed.writeUInt32LE(told, packed.length - 4);
      expect(() => decompress("gzip", packed, 32 * MiB)).toThrow(
        expect.objectContaining({ code: "CORRUPT_MESSAGE" }),
      );
    }
  });
});

/** A record count is refused only where it cannot be: for everything that inflates the bound is above what comes out. */

import { describe, expect, test } from "bun:test";
import { gzipSync, constants as zlib, zstdCompressSync } from "node:zlib";
import { KiB, MiB } from "../../../src/base/units.ts";
import { admitBatch } from "../../../src/protocol/record/admit.ts";
import {
  ATTRIBUTE_CODEC_MASK,
  BATCH_ATTRIBUTES,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LENGTH,
  BATCH_RECORD_COUNT,
  LOG_OVERHEAD,
} from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { CODECS, type Codec, compress } from "../../../src/protocol/record/compression.ts";
import { faultOfCount, RECORDS_MAX } from "../../../src/protocol/record/record-room.ts";
import { INFLATED_BYTES_MAX } from "../../../src/protocol/record/records.ts";
import { resealed, START_MS } from "./batches.ts";

const INT32_MAX = 2 ** 31 - 1;
const RECORD_BYTES_MIN = 7;
const COMPRESSED = CODECS.filter((codec) => codec !== "none");

/** A header that claims `count` records of `codec` before the bytes of `body`. */
function claiming(count: number, codec: Codec, body: Buffer): Buffer {
  const builder = new BatchBuilder(KiB);
  builder.append(START_MS, null, 0, 0, null, 0, 0);
  const batch = Buffer.concat([builder.finish().subarray(0, BATCH_HEADER_BYTES), body]);
  batch.writeInt32BE(batch.length - LOG_OVERHEAD, BATCH_LENGTH);
  batch[BATCH_ATTRIBUTES + 1]! &= ~ATTRIBUTE_CODEC_MASK;
  batch[BATCH_ATTRIBUTES + 1]! |= CODECS.indexOf(codec);
  batch.writeInt32BE(count - 1, BATCH_LAST_OFFSET_DELTA);
  batch.writeInt32BE(count, BATCH_RECORD_COUNT);
  return resealed(batch);
}

/** As many of the smallest records as `count` says. */
function smallest(count: number, codec: Codec): Buffer {
  const builder = new BatchBuilder(64 * MiB);
  for (let index = 0; index < count; index += 1) builder.append(START_MS, null, 0, 0, null, 0, 0);
  return builder.finish({ codec });
}

/** The same bytes as other producers would compress them: as small as can be, and in blocks that repeat. */
function otherPackings(source: Buffer): [Codec, Buffer][] {
  return [
    ["gzip", gzipSync(source, { level: 9, memLevel: 9 })],
    ["zstd", zstdCompressSync(source, { params: { [zlib.ZSTD_c_compressionLevel]: 19 } })],
    ["zstd", zstdCompressSync(source, { params: { [zlib.ZSTD_c_contentSizeFlag]: 0 } })],
  ];
}

for (const codec of COMPRESSED) {
  describe(codec, () => {
    test("as many records as there are is never too many, however small they are", () => {
      for (const count of [1, 2, 9, 100, 5000, 200_000]) {
        const batch = smallest(count, codec);
        expect([count, faultOfCount(batch, 0)]).toEqual([count, null]);
        const options = { bytesMax: 64 * MiB, isLogAppendTime: false };
        expect(admitBatch(batch, 0, batch.length, options, START_MS)).toBeNull();
      }
    });

    test("whatever inflates has room for a record in every seven bytes", () => {
      for (const bytes of [7, 70, 64 * KiB, MiB, 33 * MiB]) {
        const source = Buffer.alloc(bytes);
        const count = Math.floor(bytes / RECORD_BYTES_MIN);
        const packings = otherPackings(source).filter(([name]) => name === codec);
        for (const [, body] of [[codec, compress(codec, source)] as const, ...packings])
          expect([bytes, faultOfCount(claiming(count, codec, body), 0)]).toEqual([bytes, null]);
      }
    });

    test("two thousand million records in a few bytes are refused, and so is what is no such codec", () => {
      const one = compress(codec, Buffer.from("0c000000010100", "hex"));
      for (const isLogAppendTime of [false, true]) {
        const admit = (batch: Buffer) =>
          admitBatch(batch, 0, batch.length, { bytesMax: MiB, isLogAppendTime }, START_MS);
        expect(admit(claiming(1, codec, one))).toBeNull();
        for (const count of [INT32_MAX, RECORDS_MAX + 1])
          expect(admit(claiming(count, codec, one))).toEqual({
            code: "INVALID_RECORD",
            detail: `${count} records are more than a batch can hold`,
          });
        expect(admit(claiming(RECORDS_MAX, codec, one))).toEqual({
          code: "INVALID_RECORD",
          detail: `${one.length} bytes of ${codec} cannot hold ${RECORDS_MAX} records`,
        });
        if (codec !== "gzip") {
          const noise = Buffer.alloc(100, 0xff);
          expect(admit(claiming(1000, codec, noise))?.code).toBe("INVALID_RECORD");
        }
      }
    });
  });
}

test("a batch that inflates as far as any may hold as many records as fit", () => {
  const body = zstdCompressSync(Buffer.alloc(INFLATED_BYTES_MAX));
  expect(faultOfCount(claiming(RECORDS_MAX, "zstd", body), 0)).toBeNull();
  expect(faultOfCount(claiming(RECORDS_MAX + 1, "zstd", body), 0)).not.toBeNull();
});

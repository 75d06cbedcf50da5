/**
 * How many records a compressed batch can hold at the most, told from its bytes without inflating them. A record takes offsets, and
 * readers make room for as many as the header says, so a count that cannot be there is refused as the batch comes in (admit.ts).
 *
 *     records <= inflated bytes / 7, and the records of a batch inflate to 128 MiB at the most: 19,173,961
 *
 *   gzip     deflate makes at most 258 bytes of two bits: 1032 of a byte
 *   snappy   each block says first what it inflates to
 *   lz4      a block makes at most its largest size, or 255 times its bytes
 *   zstd     a block makes what it says, and a compressed one at most 128 KiB
 *
 * These are bounds and not guesses: whoever inflates the same bytes cannot find more. Bytes that are not of the codec hold nothing.
 */

import { ObeliskError } from "../../base/errors.ts";
import { BATCH_HEADER_BYTES, batchBytes, batchCodec, batchRecordCount } from "./batch.ts";
import { CODECS, type Codec } from "./compression.ts";
import { GZIP_EXPANSION_MAX } from "./inflate.ts";
import { lz4InflatedBytesMax } from "./lz4-frame.ts";
import { INFLATED_BYTES_MAX } from "./records.ts";
import { snappyInflatedBytes } from "./snappy.ts";
import { RECORD_BYTES_MIN } from "./validate.ts";
import { zstdInflatedBytesMax } from "./zstd-frame.ts";

export const RECORDS_MAX = Math.floor(INFLATED_BYTES_MAX / RECORD_BYTES_MIN);

/**
 * What is wrong with the record count of the compressed batch at `position`, whose header was validated, or null. Nothing is looked
 * at where the records would fit as they lie, as nearly all do; else a walk over the headers of the codec's blocks.
 */
export function faultOfCount(buffer: Buffer, position: number): string | null {
  const count = batchRecordCount(buffer, position);
  const end = position + batchBytes(buffer, position);
  const start = position + BATCH_HEADER_BYTES;
  if (count * RECORD_BYTES_MIN <= end - start) return null;
  if (count > RECORDS_MAX) return `${count} records are more than a batch can hold`;
  const room = inflatedBytesMax(buffer, position);
  if (count * RECORD_BYTES_MIN <= room) return null;
  return `${end - start} bytes of ${CODECS[batchCodec(buffer, position)]} cannot hold ${count} records`;
}

/** The most that the records of the batch at `position` can inflate to, for whoever opens them: `INFLATED_BYTES_MAX` at the most. */
export function inflatedBytesMax(buffer: Buffer, position: number): number {
  const end = position + batchBytes(buffer, position);
  const records = buffer.subarray(position + BATCH_HEADER_BYTES, end);
  return Math.min(boundOf(CODECS[batchCodec(buffer, position)] ?? "none", records), INFLATED_BYTES_MAX);
}

function boundOf(codec: Codec, source: Buffer): number {
  try {
    switch (codec) {
      case "none":
        return source.length;
      case "gzip":
        return source.length * GZIP_EXPANSION_MAX;
      case "snappy":
        return snappyInflatedBytes(source);
      case "lz4":
        return lz4InflatedBytesMax(source);
      case "zstd":
        return zstdInflatedBytesMax(source);
    }
  } catch (thrown) {
    if (thrown instanceof ObeliskError && thrown.code === "CORRUPT_MESSAGE") return 0;
    throw thrown;
  }
}

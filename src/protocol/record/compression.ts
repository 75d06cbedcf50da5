/**
 * The codecs of record batches. The number in a batch's attributes is the place in `CODECS`.
 *
 *   1 gzip     one or more gzip members
 *   2 snappy   a raw block, or xerial framing: 0x82 "SNAPPY" 0x00, int32 version, int32 compatible version, then
 *              int32 length and raw block, again and again (big-endian)
 *   3 lz4      LZ4 frames
 *   4 zstd     zstd frames
 *
 * `decompress` takes bytes from strangers. What they inflate to is bounded before memory is taken for it.
 */

import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { ObeliskError } from "../../base/errors.ts";

export type Codec = "none" | "gzip" | "snappy" | "lz4" | "zstd";

export const CODECS: readonly Codec[] = ["none", "gzip", "snappy", "lz4", "zstd"];

export function compress(codec: Codec, source: Buffer): Buffer {
  switch (codec) {
    case "none":
      return source;
    case "gzip":
      return gzipSync(source);
    case "zstd":
      return zstdCompressSync(source);
    default:
      throw new ObeliskError("UNSUPPORTED_COMPRESSION_TYPE", { detail: codec });
  }
}

/** @throws ObeliskError CORRUPT_MESSAGE, MESSAGE_TOO_LARGE */
export function decompress(codec: Codec, source: Buffer, bytesMax: number): Buffer {
  switch (codec) {
    case "none":
      return source;
    case "gzip":
      return gunzipSync(source, { maxOutputLength: bytesMax });
    case "zstd":
      return zstdDecompressSync(source, { maxOutputLength: bytesMax });
    default:
      throw new ObeliskError("UNSUPPORTED_COMPRESSION_TYPE", { detail: codec });
  }
}

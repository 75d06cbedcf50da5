/**
 * The codecs of record batches. A codec's number in a batch's attributes is its place in `CODECS`.
 *
 *   1 gzip     gzip members, one after the other                       node:zlib (inflate.ts)
 *   2 snappy   a raw block, or blocks in xerial framing (snappy.ts)    package snappy
 *   3 lz4      one LZ4 frame (lz4-frame.ts)                            package lz4-napi
 *   4 zstd     zstd frames (zstd-frame.ts)                             node:zlib (inflate.ts)
 *
 * `decompress` takes bytes from clients. What they inflate to is bounded before memory is taken for it: gzip and
 * zstd stop at the limit, snappy says its size up front, and an lz4 frame's blocks are counted first. Truncated input
 * and bytes after the end are refused for every codec, also where the library would pass over them.
 *
 * `inflatePieces` (inflate-pieces.ts) does the same a piece at a time, for who serves others meanwhile.
 *
 * The two packages are native addons. They are loaded at first use, so that a platform without them only lacks the codec.
 */

import { gzipSync, zstdCompressSync } from "node:zlib";
import { ObeliskError } from "../../base/errors.ts";
import { inflateGzip, inflateZstd } from "./inflate.ts";
import { compressLz4, decompressLz4 } from "./lz4-frame.ts";
import { compressSnappy, decompressSnappy } from "./snappy.ts";

export type Codec = "none" | "gzip" | "snappy" | "lz4" | "zstd";

export const CODECS: readonly Codec[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/** The records of a batch, compressed. For none the result is `source` itself. @throws ObeliskError UNSUPPORTED_COMPRESSION_TYPE */
export function compress(codec: Codec, source: Buffer): Buffer {
  switch (codec) {
    case "none":
      return source;
    case "gzip":
      return gzipSync(source);
    case "snappy":
      return compressSnappy(source);
    case "lz4":
      return compressLz4(source);
    case "zstd":
      return zstdCompressSync(source);
  }
}

/**
 * The reverse. For none the result is `source` itself; else it is the caller's, who may give it back at once (`freeInflated`).
 * @throws ObeliskError CORRUPT_MESSAGE for bytes that are not of the codec, MESSAGE_TOO_LARGE when they would inflate
 *   beyond `bytesMax`, UNSUPPORTED_COMPRESSION_TYPE when the platform lacks the codec
 */
export function decompress(codec: Codec, source: Buffer, bytesMax: number): Buffer {
  switch (codec) {
    case "none":
      if (source.length > bytesMax) throw tooLarge(codec, bytesMax);
      return source;
    case "gzip":
      return inflateGzip(source, bytesMax);
    case "snappy":
      return decompressSnappy(source, bytesMax);
    case "lz4":
      return decompressLz4(source, bytesMax);
    case "zstd":
      return inflateZstd(source, bytesMax);
  }
}

function tooLarge(codec: Codec, limit: number): ObeliskError {
  return new ObeliskError("MESSAGE_TOO_LARGE", {
    detail: `${codec} records inflate beyond the limit`,
    limit,
  });
}

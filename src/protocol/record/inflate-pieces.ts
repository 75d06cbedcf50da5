/**
 * Inflates records in pieces of `INFLATED_PIECE_BYTES`, for who may hold up nobody and must not hold all that comes out: gzip and
 * zstd go through streams, whose work is done in the thread pool; snappy and lz4 are made here, a piece at a time. What
 * `decompress` refuses is refused here too, but only where it is met: pieces before it were handed out already. So is a zstd frame with
 * a window above 128 MiB, which streams do not read, as those of Kafka's clients do not.
 */

import { createGunzip, createZstdDecompress } from "node:zlib";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";
import type { Codec } from "./compression.ts";
import { freeInflated } from "./inflate.ts";
import { lz4Pieces } from "./lz4-pieces.ts";
import { snappyPieces } from "./snappy-pieces.ts";
import { zstdInflatedBytesMax } from "./zstd-frame.ts";

/** 37,000 of the smallest records: 2 ms to walk over. */
export const INFLATED_PIECE_BYTES = 256 * KiB;

/**
 * What `source` inflates to, in pieces that are lent until the next one is requested. The source must stay as it is.
 * @throws ObeliskError CORRUPT_MESSAGE for bytes that are not of the codec, MESSAGE_TOO_LARGE where more than `bytesMax` come out
 */
export async function* inflatePieces(
  codec: Exclude<Codec, "none">,
  source: Buffer,
  bytesMax: number,
): AsyncGenerator<Buffer, void, void> {
  let bytes = 0;
  for await (const piece of piecesOf(codec, source)) {
    bytes += piece.length;
    if (bytes > bytesMax) {
      throw new ObeliskError("MESSAGE_TOO_LARGE", {
        detail: `${codec} records inflate beyond the limit`,
        limit: bytesMax,
      });
    }
    yield piece;
  }
}

function piecesOf(codec: Exclude<Codec, "none">, source: Buffer): Iterable<Buffer> | AsyncIterable<Buffer> {
  switch (codec) {
    case "gzip":
      return streamPieces(codec, source);
    case "snappy":
      return snappyPieces(source, INFLATED_PIECE_BYTES);
    case "lz4":
      return lz4Pieces(source, INFLATED_PIECE_BYTES);
    case "zstd":
      zstdInflatedBytesMax(source); // the stream ends quietly at truncated input
      return streamPieces(codec, source);
  }
}

async function* streamPieces(codec: "gzip" | "zstd", source: Buffer): AsyncGenerator<Buffer, void, void> {
  const options = { chunkSize: INFLATED_PIECE_BYTES };
  const stream = codec === "gzip" ? createGunzip(options) : createZstdDecompress(options);
  stream.end(source);
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      yield piece;
      // The stream goes on in what it has not filled.
      if (piece.byteOffset + piece.length === piece.buffer.byteLength) freeInflated(piece);
    }
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    throw new ObeliskError("CORRUPT_MESSAGE", { detail: `the ${codec} data does not decompress` }, thrown);
  }
}

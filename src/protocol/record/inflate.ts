/**
 * Inflates gzip and zstd into one piece of memory, and gives large pieces back at once.
 *
 * Left to itself zlib gathers pieces of 16 KiB and joins them: double the memory, of which one half is garbage for the collector,
 * and 190 ms for 128 MiB where one piece takes 15 to 70. So the piece is made as large as the result can be:
 *
 *   zstd   what its block headers allow
 *   gzip   what its last four bytes say, as long as that is little: they are the client's word, and a lie costs a second try;
 *          else what deflate can make of so many bytes
 *
 * Never larger than the limit. Memory that is not touched costs nothing, and a result that leaves most of its piece empty is copied.
 *
 * `freeInflated`: the collector does not know what buffers of native addons take, and looks at others late. Twenty batches of 128 MiB
 * one after the other would be 2 to 5 GB; freed, they are 128 MiB.
 */

import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/units.ts";
import { zstdInflatedBytesMax } from "./zstd-frame.ts";

/** Deflate makes at most 258 bytes of two bits. */
export const GZIP_EXPANSION_MAX = 1032;

/** Header, an empty block and the two numbers at the end. */
const GZIP_BYTES_MIN = 20;
/** What a gzip member may say of its size to be believed in the first try. */
const TOLD_BYTES_MAX = 1 * MiB;
/** The smallest piece, so that a small lie does not make thousands of them. */
const PIECE_BYTES_MIN = 1 * KiB;

type Inflate = (source: Buffer, options: { maxOutputLength: number; chunkSize: number }) => Buffer;

/** @throws ObeliskError CORRUPT_MESSAGE, MESSAGE_TOO_LARGE */
export function inflateGzip(source: Buffer, bytesMax: number): Buffer {
  const roomBytes = Math.min(source.length * GZIP_EXPANSION_MAX, bytesMax);
  const toldBytes = source.length < GZIP_BYTES_MIN ? 0 : source.readUInt32LE(source.length - 4);
  if (toldBytes <= Math.min(roomBytes, TOLD_BYTES_MAX)) {
    const target = inflate("gzip", gunzipSync, source, Math.max(toldBytes, PIECE_BYTES_MIN), bytesMax);
    if (target !== null) return target;
  }
  return inflate("gzip", gunzipSync, source, roomBytes, bytesMax) ?? tooLarge("gzip", bytesMax);
}

/** @throws ObeliskError CORRUPT_MESSAGE, MESSAGE_TOO_LARGE */
export function inflateZstd(source: Buffer, bytesMax: number): Buffer {
  const roomBytes = Math.min(zstdInflatedBytesMax(source), bytesMax);
  return inflate("zstd", zstdDecompressSync, source, roomBytes, bytesMax) ?? tooLarge("zstd", bytesMax);
}

/** Gives back what `decompress` made, if it is worth the way. Nobody may look at it any more, nor at a view of it. */
export function freeInflated(target: Buffer): void {
  const memory = target.buffer;
  if (memory instanceof SharedArrayBuffer) return;
  const isAlone = target.length === memory.byteLength || memory.byteLength > Buffer.poolSize;
  if (isAlone) memory.transfer(0);
}

/** Null when it makes more than `roomBytes`. */
function inflate(
  codec: "gzip" | "zstd",
  work: Inflate,
  source: Buffer,
  roomBytes: number,
  bytesMax: number,
): Buffer | null {
  let target: Buffer;
  try {
    const limit = Math.max(Math.min(roomBytes, bytesMax), 1);
    target = work(source, { maxOutputLength: limit, chunkSize: Math.max(limit + 1, PIECE_BYTES_MIN) });
  } catch (thrown) {
    if (errnoOf(thrown) === "ERR_BUFFER_TOO_LARGE") return null;
    throw new ObeliskError("CORRUPT_MESSAGE", { detail: `the ${codec} data does not decompress` }, thrown);
  }
  if (target.length > bytesMax) return null;
  return fitted(target);
}

/** In memory of its own size, unless it fills what it has. */
function fitted(target: Buffer): Buffer {
  if (target.buffer.byteLength <= 2 * target.length + PIECE_BYTES_MIN) return target;
  const copy = Buffer.from(target);
  freeInflated(target);
  return copy;
}

function tooLarge(codec: "gzip" | "zstd", limit: number): never {
  throw new ObeliskError("MESSAGE_TOO_LARGE", {
    detail: `${codec} records inflate beyond the limit`,
    limit,
  });
}

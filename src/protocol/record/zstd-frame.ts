/**
 * Where zstd frames end (RFC 8878, little-endian):
 *
 *   int32 magic 0xFD2FB528, descriptor, [window], [dictionary 1, 2 or 4], [content size 1, 2, 4 or 8]
 *   blocks: 3 bytes (bit 0 last, bits 1-2 type, then size), bytes (one for type 1, a repeated byte)
 *   [int32 checksum]
 *
 *   descriptor  bits 6-7 content size field, 5 single segment (no window), 3 reserved, 2 checksum, 0-1 dictionary field
 *
 * The decoder in the runtime ends quietly at truncated input and ignores bytes after the last frame, so this walk
 * comes first. It looks at no content. The walk also bounds what comes out: a block that is stored or repeated says its size, and a
 * compressed one makes at most 128 KiB.
 */

import { ObeliskError } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";

const MAGIC = 0xfd2fb528;
const BLOCK_BYTES_MAX = 128 * KiB;
const DICTIONARY_BYTES = [0, 1, 2, 4];
const BLOCK_HEADER_BYTES = 3;
const BLOCK_REPEATED = 1;
const BLOCK_COMPRESSED = 2;
const BLOCK_RESERVED = 3;

/**
 * The most that `source` can inflate to, by its block headers.
 * @throws ObeliskError CORRUPT_MESSAGE unless it is one or more whole zstd frames and nothing else
 */
export function zstdInflatedBytesMax(source: Buffer): number {
  const walk = { at: 0, bytes: 0 };
  do passFrame(source, walk);
  while (walk.at < source.length);
  return walk.bytes;
}

interface Walk {
  at: number;
  /** What the blocks passed can make. */
  bytes: number;
}

function passFrame(source: Buffer, walk: Walk): void {
  const position = walk.at;
  if (source.length - position < 6 || source.readUInt32LE(position) !== MAGIC)
    throw corrupt("there is no zstd frame");
  const descriptor = source[position + 4]!;
  if ((descriptor & 0x08) !== 0) throw corrupt("the zstd frame uses a reserved bit");
  walk.at = position + 5 + headerFieldBytes(descriptor);
  passBlocks(source, walk);
  if ((descriptor & 0x04) !== 0) walk.at += 4;
  if (walk.at > source.length) throw corrupt("the zstd frame is cut off");
}

function headerFieldBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeField = descriptor >>> 6;
  const sizeBytes = sizeField === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeField;
  return (isSingleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 0x03]! + sizeBytes;
}

function passBlocks(source: Buffer, walk: Walk): void {
  for (;;) {
    if (source.length - walk.at < BLOCK_HEADER_BYTES) throw corrupt("the zstd frame is cut off");
    const header = source.readUIntLE(walk.at, BLOCK_HEADER_BYTES);
    const type = (header >>> 1) & 0x03;
    if (type === BLOCK_RESERVED) throw corrupt("the zstd frame has a block of a reserved type");
    const size = header >>> 3;
    walk.at += BLOCK_HEADER_BYTES + (type === BLOCK_REPEATED ? 1 : size);
    walk.bytes += type === BLOCK_COMPRESSED ? BLOCK_BYTES_MAX : size;
    if ((header & 1) === 1) return;
  }
}

function corrupt(detail: string): ObeliskError {
  return new ObeliskError("CORRUPT_MESSAGE", { detail });
}

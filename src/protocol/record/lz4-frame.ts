/**
 * One LZ4 frame, as Kafka's clients write and read it (little-endian):
 *
 *   int32 magic 0x184D2204, FLG, BD, [int64 content size], [int32 dictionary], header checksum
 *   blocks: int32 size (top bit: stored, not compressed), bytes, [int32 checksum]
 *   int32 0, [int32 content checksum]
 *
 *   FLG  bits 6-7 version 1, 5 independent blocks, 4 block checksums, 3 content size, 2 content checksum, 0 dictionary
 *   BD   bits 4-6 largest block: 4 is 64 KiB, 5 256 KiB, 6 1 MiB, 7 4 MiB
 *
 * Written are independent blocks without checksums (the batch has its CRC): the Java client refuses linked blocks. Read
 * is everything but dictionaries. The frame must fill the source exactly; the readers of other clients stop at its end too.
 *
 * A frame does not have to say what it inflates to. The bound from its block headers (a block makes at most its
 * largest size, or 255 times its bytes) is enough for nearly all; where it passes the limit, the sequences of the
 * blocks are counted, which needs no memory, and the result is exact.
 */

import { ObeliskError } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";
import { xxhash32 } from "./xxhash32.ts";

type Lz4 = typeof import("lz4-napi");

const MAGIC = 0x184d2204;
const HEADER_BYTES_MIN = 7;
const FLAG_INDEPENDENT = 0x20;
const FLAG_BLOCK_CHECKSUMS = 0x10;
const FLAG_CONTENT_SIZE = 0x08;
const FLAG_CONTENT_CHECKSUM = 0x04;
const FLAGS_REFUSED = 0x03; // a reserved bit, and the dictionary
const STORED_BLOCK = 0x8000_0000;
const EXPANSION_MAX = 255;
const MATCH_BYTES_MIN = 4;

let lz4: Lz4 | null = null;

export function compressLz4(source: Buffer): Buffer {
  return loadLz4().compressFrameSync(source);
}

/** @throws ObeliskError CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE */
export function decompressLz4(source: Buffer, bytesMax: number): Buffer {
  if (lz4InflatedBytesMax(source) > bytesMax && countInflated(source, bytesOfBlock) > bytesMax) {
    throw new ObeliskError("MESSAGE_TOO_LARGE", {
      detail: "lz4 records inflate beyond the limit",
      limit: bytesMax,
    });
  }
  const { decompressFrameSync } = loadLz4();
  try {
    return decompressFrameSync(source);
  } catch (cause) {
    throw corrupt("the lz4 data does not decompress", cause);
  }
}

/** The most that `source` can inflate to, by its block headers. @throws ObeliskError CORRUPT_MESSAGE when it is no frame */
export function lz4InflatedBytesMax(source: Buffer): number {
  return countInflated(source, boundOfBlock);
}

type BlockCounter = (source: Buffer, position: number, end: number, blockBytesMax: number) => number;

/** Walks the frame and sums what `count` says of each compressed block. */
function countInflated(source: Buffer, count: BlockCounter): number {
  const frame = new Lz4Frame(source);
  let bytes = 0;
  for (let block = frame.next(); block !== null; block = frame.next()) {
    const { start, end, isStored } = block;
    bytes += isStored ? end - start : count(source, start, end, frame.blockBytesMax);
  }
  return bytes;
}

/** Bytes of a block, as they lie in the frame. */
interface Lz4Block {
  readonly start: number;
  readonly end: number;
  readonly isStored: boolean;
  /** Null when the frame has none. */
  readonly checksum: number | null;
}

/** The frame that fills `source`, block by block. Looks at no block's content, and at no checksum. */
export class Lz4Frame {
  readonly blockBytesMax: number;
  /** Whether blocks copy from those before them. */
  readonly isLinked: boolean;
  /** What the frame says that it inflates to; null when it does not. A number beyond 53 bits is not exact. */
  readonly contentBytes: number | null;
  /** Null when the frame has none, and until its end. */
  contentChecksum: number | null = null;
  readonly #source: Buffer;
  readonly #flags: number;
  readonly #headerEnd: number;
  #at: number;

  /** @throws ObeliskError CORRUPT_MESSAGE when it is no frame */
  constructor(source: Buffer) {
    if (source.length < HEADER_BYTES_MIN || source.readUInt32LE(0) !== MAGIC)
      throw corrupt("there is no lz4 frame");
    const flags = source[4]!;
    if (flags >>> 6 !== 1 || (flags & FLAGS_REFUSED) !== 0) throw corrupt("the lz4 frame has unknown flags");
    this.blockBytesMax = 2 ** (8 + 2 * ((source[5]! >>> 4) & 0x07));
    if (this.blockBytesMax < 64 * KiB) throw corrupt("the lz4 frame has an unknown block size");
    const saysContent = (flags & FLAG_CONTENT_SIZE) !== 0;
    this.#headerEnd = saysContent ? HEADER_BYTES_MIN + 8 : HEADER_BYTES_MIN;
    if (source.length < this.#headerEnd) throw corrupt("the lz4 frame has no end");
    this.isLinked = (flags & FLAG_INDEPENDENT) === 0;
    this.contentBytes = saysContent ? source.readUInt32LE(6) + 2 ** 32 * source.readUInt32LE(10) : null;
    this.#source = source;
    this.#flags = flags;
    this.#at = this.#headerEnd;
  }

  get hasTrueHeaderChecksum(): boolean {
    const sum = xxhash32(this.#source, 4, this.#headerEnd - 1);
    return ((sum >>> 8) & 0xff) === this.#source[this.#headerEnd - 1];
  }

  /** The next block; null at the end, which is that of the source too. @throws ObeliskError CORRUPT_MESSAGE */
  next(): Lz4Block | null {
    const size = this.#number("the lz4 frame has no end");
    if (size === 0) {
      this.#end();
      return null;
    }
    const bytes = size & ~STORED_BLOCK;
    const start = this.#at;
    if (bytes > this.blockBytesMax || bytes > this.#source.length - start)
      throw corrupt(`an lz4 block claims ${bytes} bytes`);
    this.#at += bytes;
    const hasChecksum = (this.#flags & FLAG_BLOCK_CHECKSUMS) !== 0;
    const checksum = hasChecksum ? this.#number("an lz4 block has no checksum") : null;
    return { start, end: start + bytes, isStored: size >= STORED_BLOCK, checksum };
  }

  #end(): void {
    if ((this.#flags & FLAG_CONTENT_CHECKSUM) !== 0)
      this.contentChecksum = this.#number("the lz4 frame does not end where its bytes do");
    if (this.#at !== this.#source.length) throw corrupt("the lz4 frame does not end where its bytes do");
  }

  #number(otherwise: string): number {
    if (this.#source.length - this.#at < 4) throw corrupt(otherwise);
    this.#at += 4;
    return this.#source.readUInt32LE(this.#at - 4);
  }
}

function boundOfBlock(_source: Buffer, position: number, end: number, blockBytesMax: number): number {
  return Math.min(blockBytesMax, (end - position) * EXPANSION_MAX);
}

/** A sequence is a token (literal count, match length - 4), the literals, and a two-byte distance; the last has no match. */
function bytesOfBlock(source: Buffer, position: number, end: number): number {
  let bytes = 0;
  let at = position;
  while (at < end) {
    const token = source[at]!;
    at += 1;
    let literals = token >>> 4;
    if (literals === 15) {
      for (let more = 255; more === 255 && at < end; at += 1) literals += more = source[at]!;
    }
    bytes += literals;
    at += literals;
    if (at >= end) break;
    at += 2;
    let match = token & 0x0f;
    if (match === 15) {
      for (let more = 255; more === 255 && at < end; at += 1) match += more = source[at]!;
    }
    bytes += match + MATCH_BYTES_MIN;
  }
  return bytes;
}

function loadLz4(): Lz4 {
  if (lz4 !== null) return lz4;
  try {
    lz4 = require("lz4-napi") as Lz4;
    return lz4;
  } catch (cause) {
    throw new ObeliskError(
      "UNSUPPORTED_COMPRESSION_TYPE",
      { detail: "lz4 is not available on this platform" },
      cause,
    );
  }
}

function corrupt(detail: string, cause?: unknown): ObeliskError {
  return new ObeliskError("CORRUPT_MESSAGE", { detail }, cause);
}

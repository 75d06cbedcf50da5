/**
 * Snappy as Kafka's clients write it. Two framings are in use, and both are read:
 *
 *   raw      varint inflated size, then one snappy block                        librdkafka, sarama
 *   xerial   0x82 "SNAPPY" 0x00, int32 version, int32 compatible version,       Java, franz-go
 *            then for each block: int32 size, raw block (big-endian)
 *
 * Written is xerial: it is what Kafka's own client writes, so every reader has had to learn it, and blocks of 32 KiB keep
 * what a reader must hold small. (librdkafka's reader takes both, by the magic; so does the Java one.)
 *
 * A raw block states its inflated size first. That is checked against the limit, and against the most that snappy can
 * expand, before anything is allocated by it.
 */

import { ObeliskError } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";
import { VarintReader } from "../../base/varint.ts";
import { freeInflated } from "./inflate.ts";

type Snappy = typeof import("snappy");

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
const XERIAL_VERSION = 1;
const BLOCK_BYTES = 32 * KiB;
/** A copy element makes at most 64 bytes out of 3, so no honest block expands more than 22 times. */
const EXPANSION_MAX = 22;

const NO_BYTES = Buffer.alloc(0);

/** Holds on to nothing between two calls. */
const preamble = new VarintReader();
let snappy: Snappy | null = null;

export function compressSnappy(source: Buffer): Buffer {
  const { compressSync } = loadSnappy();
  const header = Buffer.alloc(XERIAL_HEADER_BYTES);
  XERIAL_MAGIC.copy(header);
  header.writeInt32BE(XERIAL_VERSION, 8);
  header.writeInt32BE(XERIAL_VERSION, 12);
  const parts: Buffer[] = [header];
  for (let position = 0; position < source.length; position += BLOCK_BYTES) {
    const block = compressSync(source.subarray(position, position + BLOCK_BYTES));
    const size = Buffer.alloc(4);
    size.writeInt32BE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}

/** @throws ObeliskError CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE */
export function decompressSnappy(source: Buffer, bytesMax: number): Buffer {
  const bytes = snappyInflatedBytes(source);
  if (bytes > bytesMax) {
    throw new ObeliskError("MESSAGE_TOO_LARGE", {
      detail: "snappy records inflate beyond the limit",
      limit: bytesMax,
    });
  }
  return isXerial(source) ? decompressXerial(source, bytes) : decompressBlock(source);
}

/** What `source` says that it inflates to. @throws ObeliskError CORRUPT_MESSAGE when it cannot be so */
export function snappyInflatedBytes(source: Buffer): number {
  let bytes = 0;
  for (const block of snappyBlocks(source)) bytes += block.inflatedBytes;
  return bytes;
}

/** A raw block's elements, after the length that it says that they inflate to. */
export interface SnappyBlock {
  readonly start: number;
  readonly end: number;
  readonly inflatedBytes: number;
}

/** The blocks of either framing. @throws ObeliskError CORRUPT_MESSAGE where one cannot be so */
export function* snappyBlocks(source: Buffer): Generator<SnappyBlock, void, void> {
  if (!isXerial(source)) {
    yield blockAt(source, 0, source.length);
    return;
  }
  for (let position = XERIAL_HEADER_BYTES; position < source.length; position = blockEnd(source, position))
    yield blockAt(source, position + 4, blockEnd(source, position));
}

function isXerial(source: Buffer): boolean {
  return (
    source.length >= XERIAL_HEADER_BYTES && source.compare(XERIAL_MAGIC, 0, 8, 0, XERIAL_MAGIC.length) === 0
  );
}

function decompressXerial(source: Buffer, bytes: number): Buffer {
  const target = Buffer.allocUnsafe(bytes);
  let filled = 0;
  for (let position = XERIAL_HEADER_BYTES; position < source.length; position = blockEnd(source, position)) {
    const block = decompressBlock(source.subarray(position + 4, blockEnd(source, position)));
    filled += block.copy(target, filled);
    freeInflated(block);
  }
  return target;
}

/** Where the framed block at `position` ends. */
function blockEnd(source: Buffer, position: number): number {
  if (source.length - position < 4) throw corrupt("a snappy block has no size");
  const bytes = source.readInt32BE(position);
  const end = position + 4 + bytes;
  if (bytes < 1 || end > source.length) throw corrupt(`a snappy block claims ${bytes} bytes`);
  return end;
}

function blockAt(source: Buffer, position: number, end: number): SnappyBlock {
  try {
    preamble.reset(source, position, end);
    const bytes = preamble.unsignedVarint();
    if (bytes > (end - position) * EXPANSION_MAX)
      throw corrupt(`a snappy block claims to inflate to ${bytes} bytes`);
    return { start: preamble.position, end, inflatedBytes: bytes };
  } finally {
    preamble.reset(NO_BYTES, 0, 0);
  }
}

function decompressBlock(block: Buffer): Buffer {
  const { uncompressSync } = loadSnappy();
  try {
    const target = uncompressSync(block);
    return typeof target === "string" ? Buffer.from(target) : target;
  } catch (cause) {
    throw corrupt("the snappy data does not decompress", cause);
  }
}

function loadSnappy(): Snappy {
  if (snappy !== null) return snappy;
  try {
    snappy = require("snappy") as Snappy;
    return snappy;
  } catch (cause) {
    throw new ObeliskError(
      "UNSUPPORTED_COMPRESSION_TYPE",
      { detail: "snappy is not available on this platform" },
      cause,
    );
  }
}

function corrupt(detail: string, cause?: unknown): ObeliskError {
  return new ObeliskError("CORRUPT_MESSAGE", { detail }, cause);
}

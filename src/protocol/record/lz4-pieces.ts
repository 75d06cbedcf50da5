/**
 * An LZ4 frame (lz4-frame.ts draws it) in pieces, block by block. A block makes 4 MiB at the most, and copies from the 64 KiB before
 * it at the farthest, if at all: so that is all that lies in memory.
 *
 *     [ 64 KiB of the blocks before | the block that is inflated ]     when blocks are linked; else the block alone
 *
 * A block is sequences of a token (literal count, match length - 4; 15 goes on in the bytes after), the literals, and a two-byte
 * distance; the last sequence ends with its literals. All checksums that the frame carries are checked, and its content size.
 */

import { ObeliskError } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";
import { copyBack } from "./back-copy.ts";
import { Lz4Frame } from "./lz4-frame.ts";
import { Xxhash32, xxhash32 } from "./xxhash32.ts";

const HISTORY_BYTES = 64 * KiB;
const MATCH_BYTES_MIN = 4;

/** As `inflatePieces`. */
export function* lz4Pieces(source: Buffer, pieceBytes: number): Generator<Buffer, void, void> {
  const frame = new Lz4Frame(source);
  if (!frame.hasTrueHeaderChecksum) throw corrupt("the checksum of the lz4 frame's header does not match");
  const historyBytesMax = frame.isLinked ? HISTORY_BYTES : 0;
  const window = Buffer.allocUnsafeSlow(historyBytesMax + frame.blockBytesMax);
  const contentHash = frame.contentChecksum === null ? null : new Xxhash32();
  let historyBytes = 0;
  let bytes = 0;
  for (let block = frame.next(); block !== null; block = frame.next()) {
    if (block.checksum !== null && block.checksum !== xxhash32(source, block.start, block.end))
      throw corrupt("the checksum of an lz4 block does not match");
    const end = block.isStored
      ? historyBytes + source.copy(window, historyBytes, block.start, block.end)
      : inflateBlock(source, block.start, block.end, window, historyBytes, frame.blockBytesMax);
    bytes += end - historyBytes;
    for (let at = historyBytes; at < end; at += pieceBytes) {
      const piece = window.subarray(at, Math.min(at + pieceBytes, end));
      contentHash?.add(piece, 0, piece.length);
      yield piece;
    }
    historyBytes = Math.min(historyBytesMax, end);
    window.copyWithin(0, end - historyBytes, end);
  }
  if (frame.contentBytes !== null && frame.contentBytes !== bytes)
    throw corrupt("the lz4 frame is not as long as its header says");
  if (contentHash !== null && contentHash.digest() !== frame.contentChecksum)
    throw corrupt("the checksum of the lz4 frame's content does not match");
}

/** Inflates a block into `window` after its first `start` bytes, which it may copy from; returns where it ends. */
function inflateBlock(
  source: Buffer,
  position: number,
  end: number,
  window: Buffer,
  start: number,
  bytesMax: number,
): number {
  const filledMax = start + bytesMax;
  let at = position;
  let filled = start;
  for (;;) {
    if (at >= end) throw corrupt("an lz4 block ends within a sequence");
    const token = source[at]!;
    at += 1;
    let literals = token >>> 4;
    if (literals === 15)
      for (let more = 255; more === 255 && at < end; at += 1) literals += more = source[at]!;
    if (literals > end - at || literals > filledMax - filled)
      throw corrupt("the literals of an lz4 block do not fit");
    if (literals > 0) source.copy(window, filled, at, at + literals);
    at += literals;
    filled += literals;
    if (at === end) return filled;
    if (end - at < 2) throw corrupt("an lz4 block ends within a distance");
    const distance = source.readUInt16LE(at);
    at += 2;
    let match = (token & 0x0f) + MATCH_BYTES_MIN;
    if ((token & 0x0f) === 15)
      for (let more = 255; more === 255 && at < end; at += 1) match += more = source[at]!;
    if (distance < 1 || distance > filled || match > filledMax - filled)
      throw corrupt("a match of an lz4 block does not fit");
    copyBack(window, filled, distance, match);
    filled += match;
  }
}

function corrupt(detail: string): ObeliskError {
  return new ObeliskError("CORRUPT_MESSAGE", { detail });
}

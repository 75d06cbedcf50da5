/**
 * Snappy (snappy.ts) in pieces, so that a block which inflates to much holds nobody up. A block is one stretch of elements, of which
 * each copies bytes that came before it, from anywhere in the block: so a block's result lies whole in memory until its end, and it
 * is made and handed on `PIECE_BYTES` at a time.
 *
 *   element   low two bits of its first byte
 *   0         literal: length - 1 in the upper six bits, or above 59 in the 1 to 4 bytes after (little-endian)
 *   1         copy of 4 to 11 bytes, distance of 11 bits
 *   2, 3      copy of 1 to 64 bytes, distance of 16 or 32 bits
 */

import { ObeliskError } from "../../base/errors.ts";
import { copyBack } from "./back-copy.ts";
import { freeInflated } from "./inflate.ts";
import { type SnappyBlock, snappyBlocks } from "./snappy.ts";

/** As `inflatePieces`. */
export function* snappyPieces(source: Buffer, pieceBytes: number): Generator<Buffer, void, void> {
  for (const block of snappyBlocks(source)) {
    const inflating = new InflatingBlock(source, block);
    try {
      for (let piece = inflating.next(pieceBytes); piece !== null; piece = inflating.next(pieceBytes))
        yield piece;
    } finally {
      inflating.free();
    }
  }
}

class InflatingBlock {
  readonly #source: Buffer;
  readonly #end: number;
  readonly #target: Buffer;
  #at: number;
  #filled = 0;

  constructor(source: Buffer, { start, end, inflatedBytes }: SnappyBlock) {
    this.#source = source;
    this.#at = start;
    this.#end = end;
    this.#target = Buffer.allocUnsafeSlow(inflatedBytes);
  }

  /** At least so many bytes more, or what is left; null at the end. @throws ObeliskError CORRUPT_MESSAGE */
  next(pieceBytes: number): Buffer | null {
    const start = this.#filled;
    while (this.#filled - start < pieceBytes && this.#at < this.#end) this.#element();
    if (this.#filled > start) return this.#target.subarray(start, this.#filled);
    if (this.#filled !== this.#target.length) throw corrupt("a snappy block ends before its bytes do");
    return null;
  }

  free(): void {
    freeInflated(this.#target);
  }

  #element(): void {
    const source = this.#source;
    const tag = source[this.#at]!;
    this.#at += 1;
    switch (tag & 3) {
      case 0:
        this.#literal((tag >>> 2) + 1);
        break;
      case 1:
        this.#copy(((tag >>> 2) & 7) + 4, ((tag >>> 5) << 8) | this.#number(1));
        break;
      case 2:
        this.#copy((tag >>> 2) + 1, this.#number(2));
        break;
      default:
        this.#copy((tag >>> 2) + 1, this.#number(4));
    }
  }

  #literal(told: number): void {
    const bytes = told <= 60 ? told : this.#number(told - 60) + 1;
    if (bytes > this.#end - this.#at || bytes > this.#target.length - this.#filled)
      throw corrupt("a snappy literal does not fit");
    this.#source.copy(this.#target, this.#filled, this.#at, this.#at + bytes);
    this.#at += bytes;
    this.#filled += bytes;
  }

  #copy(bytes: number, distance: number): void {
    if (distance < 1 || distance > this.#filled || bytes > this.#target.length - this.#filled)
      throw corrupt("a snappy copy does not fit");
    copyBack(this.#target, this.#filled, distance, bytes);
    this.#filled += bytes;
  }

  /** The next `bytes` bytes, little-endian. */
  #number(bytes: number): number {
    if (bytes > this.#end - this.#at) throw corrupt("a snappy element is cut short");
    const value = this.#source.readUIntLE(this.#at, bytes);
    this.#at += bytes;
    return value;
  }
}

function corrupt(detail: string): ObeliskError {
  return new ObeliskError("CORRUPT_MESSAGE", { detail });
}

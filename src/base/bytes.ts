/**
 * 64-bit integers in buffers, as JavaScript numbers. Two 32-bit reads cost 1.2 ns where a BigInt costs 7 to 9.
 * Values outside +-2^53 are not rounded: reading one is refused, because an offset, a timestamp or a position that
 * large can only be damage or malice. Only what a client searches for is rounded (`nearestInt64`), since a search can
 * succeed without being exact. Positions are absolute byte places in the buffer.
 */

import { ObeliskError } from "./errors.ts";

const HIGH = 0x1_0000_0000;

/** @throws ObeliskError CORRUPT_MESSAGE when the value does not fit 53 bits */
export function readInt64(buffer: Buffer, position: number): number {
  const value = nearestInt64(buffer, position);
  if (!Number.isSafeInteger(value)) {
    throw new ObeliskError("CORRUPT_MESSAGE", {
      detail: "a 64-bit integer is outside the supported 53 bits",
      position,
    });
  }
  return value;
}

/** As `readInt64`, but outside 53 bits the nearest number, which `Number.isSafeInteger` tells apart. */
export function nearestInt64(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position) * HIGH + buffer.readUInt32BE(position + 4);
}

/** `value` must be a safe integer. */
export function writeInt64(buffer: Buffer, position: number, value: number): void {
  buffer.writeInt32BE(Math.floor(value / HIGH), position);
  buffer.writeUInt32BE(value >>> 0, position + 4);
}

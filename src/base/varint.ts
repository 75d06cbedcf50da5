/**
 * Variable-length integers as Kafka writes them: seven bits a byte, lowest first, the top bit set on all but the last.
 *
 *   unsigned varint   0 .. 2^32-1, at most 5 bytes      lengths and tags of flexible requests
 *   varint            int32, zigzag, at most 5 bytes    lengths and offset deltas of records
 *   varlong           int64, zigzag, at most 10 bytes   timestamp deltas of records; here within +-(2^53 - 1)
 *
 * Zigzag puts small negative numbers beside small positive ones: 0, -1, 1, -2 become 0, 1, 2, 3.
 *
 * Readers never look at or beyond `end`, and refuse what is longer than its maximum or does not fit its type. A padded
 * but fitting encoding (0x80 0x00 for 0) is accepted, because Kafka accepts it. Writers return the next position and
 * expect room: 5 or 10 bytes, or what the matching `...Bytes` function says. Nothing is allocated for a value.
 */

import { ObeliskError } from "./errors.ts";

const VARINT_BYTES_MAX = 5;
const VARLONG_BYTES_MAX = 10;

const TWO_POW_27 = 2 ** 27;

/** A place in a buffer that moves as it reads; reused, so that reading costs no object. */
export class VarintReader {
  buffer: Buffer;
  position: number;
  end: number;

  constructor() {
    this.buffer = Buffer.alloc(0);
    this.position = 0;
    this.end = 0;
  }

  reset(buffer: Buffer, position: number, end: number): void {
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  /** @throws ObeliskError CORRUPT_MESSAGE; `position` has then not moved */
  unsignedVarint(): number {
    const { buffer, position, end } = this;
    if (!(position < end)) return refuse("a number ends beyond its bytes", position);
    const first = buffer[position]!;
    if (first < 0x80) {
      this.position = position + 1;
      return first;
    }
    return this.#longUnsigned(first & 0x7f);
  }

  /** @throws ObeliskError CORRUPT_MESSAGE; `position` has then not moved */
  varint(): number {
    const raw = this.unsignedVarint();
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** @throws ObeliskError CORRUPT_MESSAGE, also for a value outside 53 bits; `position` has then not moved */
  varlong(): number {
    const { buffer, position, end } = this;
    let low = 0; // the first 28 bits
    let high = 0; // the 36 bits above them
    let at = position;
    for (let scale = 1; ; at += 1) {
      if (!(at < end)) return refuse("a number ends beyond its bytes", position);
      const byte = buffer[at]!;
      const count = at - position;
      if (count < 4) {
        low |= (byte & 0x7f) << (7 * count);
      } else {
        if (count === VARLONG_BYTES_MAX - 1 && byte > 1)
          return refuse("a number is longer than 64 bits", position);
        high += (byte & 0x7f) * scale;
        scale *= 0x80;
      }
      if (byte < 0x80) break;
    }
    const half = high * TWO_POW_27 + (low >>> 1);
    const value = (low & 1) === 0 ? half : -half - 1;
    if (!Number.isSafeInteger(value)) return refuse("a number is outside the supported 53 bits", position);
    this.position = at + 1;
    return value;
  }

  #longUnsigned(first: number): number {
    const { buffer, position, end } = this;
    let value = first;
    for (let count = 1; count < VARINT_BYTES_MAX; count += 1) {
      const at = position + count;
      if (!(at < end)) return refuse("a number ends beyond its bytes", position);
      const byte = buffer[at]!;
      if (count === 4 && byte > 0x0f) break;
      value |= (byte & 0x7f) << (7 * count);
      if (byte < 0x80) {
        this.position = at + 1;
        return value >>> 0;
      }
    }
    return refuse("a number is longer than 32 bits", position);
  }
}

/** `value` within 0 .. 2^32-1. Returns the next position. */
export function writeUnsignedVarint(buffer: Buffer, position: number, value: number): number {
  let rest = value >>> 0;
  let at = position;
  while (rest >= 0x80) {
    buffer[at] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    at += 1;
  }
  buffer[at] = rest;
  return at + 1;
}

/** `value` within int32. Returns the next position. */
export function writeVarint(buffer: Buffer, position: number, value: number): number {
  return writeUnsignedVarint(buffer, position, (value << 1) ^ (value >> 31));
}

/** `value` a safe integer. Returns the next position. */
export function writeVarlong(buffer: Buffer, position: number, value: number): number {
  if (value === (value | 0)) return writeVarint(buffer, position, value);
  const half = value < 0 ? -value - 1 : value;
  const high = Math.floor(half / TWO_POW_27);
  const low = (half - high * TWO_POW_27) * 2 + (value < 0 ? 1 : 0);
  buffer[position] = (low & 0x7f) | 0x80;
  buffer[position + 1] = ((low >>> 7) & 0x7f) | 0x80;
  buffer[position + 2] = ((low >>> 14) & 0x7f) | 0x80;
  buffer[position + 3] = ((low >>> 21) & 0x7f) | 0x80;
  return writeUnsignedVarint(buffer, position + 4, high);
}

export function unsignedVarintBytes(value: number): number {
  const raw = value >>> 0;
  if (raw < 0x80) return 1;
  if (raw < 0x4000) return 2;
  if (raw < 0x20_0000) return 3;
  return raw < 0x1000_0000 ? 4 : 5;
}

export function varintBytes(value: number): number {
  return unsignedVarintBytes((value << 1) ^ (value >> 31));
}

export function varlongBytes(value: number): number {
  if (value === (value | 0)) return varintBytes(value);
  const half = value < 0 ? -value - 1 : value;
  return 4 + unsignedVarintBytes(Math.floor(half / TWO_POW_27));
}

function refuse(detail: string, position: number): never {
  throw new ObeliskError("CORRUPT_MESSAGE", { detail, position });
}

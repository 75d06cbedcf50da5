/**
 * Reads the primitive types of Kafka's protocol from a frame, in order, between two absolute positions.
 *
 *   plain     string: int16 length, UTF-8     bytes: int32 length     array: int32 count      -1 means null
 *   compact   the same with an unsigned varint of length + 1, where 0 means null
 *   tagged    unsigned varint count, then for each: tag, size, `size` bytes
 *
 * Nothing is read outside [position, end), and nothing is allocated by a length that the remaining bytes cannot
 * fill. Strings are copied out (a byte that is not UTF-8 becomes U+FFFD, as in Kafka); bytes and records are views
 * into the frame, which then lives as long as they do.
 *
 * Every method throws ObeliskError PROTOCOL_ERROR with the position when the bytes do not hold what they claim
 * (CORRUPT_MESSAGE for a 64-bit integer outside 53 bits).
 */

import { readInt64 } from "../../base/bytes.ts";
import { ObeliskError } from "../../base/errors.ts";

/**
 * Array elements in one frame. An element costs some hundred bytes of memory and as little as one byte of wire, so
 * that a frame of 100 MB could ask for gigabytes; a request for 100,000 partitions stays far below.
 */
export const ELEMENTS_MAX = 2_000_000;

const UUID_BYTES = 16;

export class Reader {
  readonly buffer: Buffer;
  readonly end: number;
  position: number;
  #elementsLeft = ELEMENTS_MAX;

  constructor(buffer: Buffer, position: number, end: number) {
    this.buffer = buffer;
    this.end = end;
    this.position = position;
  }

  int8(): number {
    return this.buffer.readInt8(this.#advance(1));
  }

  bool(): boolean {
    return this.buffer[this.#advance(1)] !== 0;
  }

  int16(): number {
    return this.buffer.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.#advance(4));
  }

  int64(): number {
    return readInt64(this.buffer, this.#advance(8));
  }

  uuid(): string {
    const start = this.#advance(UUID_BYTES);
    const hex = this.buffer.toString("hex", start, start + UUID_BYTES);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** An unsigned varint of at most five bytes that fits 32 bits. */
  unsignedVarint(): number {
    const first = this.buffer[this.#advance(1)]!;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let scale = 0x80; scale <= 0x1000_0000; scale *= 0x80) {
      const byte = this.buffer[this.#advance(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    this.refuse("an unsigned varint is longer than 32 bits");
  }

  string(): string {
    return this.#text(this.#filled(this.int16()));
  }

  nullableString(): string | null {
    const length = this.int16();
    return length === -1 ? null : this.#text(this.#filled(length));
  }

  compactString(): string {
    return this.#text(this.#filled(this.unsignedVarint() - 1));
  }

  compactNullableString(): string | null {
    const length = this.unsignedVarint() - 1;
    return length === -1 ? null : this.#text(this.#filled(length));
  }

  bytes(): Buffer {
    return this.#view(this.#filled(this.int32()));
  }

  nullableBytes(): Buffer | null {
    const length = this.int32();
    return length === -1 ? null : this.#view(this.#filled(length));
  }

  compactBytes(): Buffer {
    return this.#view(this.#filled(this.unsignedVarint() - 1));
  }

  compactNullableBytes(): Buffer | null {
    const length = this.unsignedVarint() - 1;
    return length === -1 ? null : this.#view(this.#filled(length));
  }

  /** The number of elements that follow, each at least `elementBytesMin` bytes long. */
  arrayCount(elementBytesMin: number): number {
    return this.#elements(this.int32(), elementBytesMin);
  }

  /** As `arrayCount`; -1 for null. */
  nullableArrayCount(elementBytesMin: number): number {
    const count = this.int32();
    return count === -1 ? -1 : this.#elements(count, elementBytesMin);
  }

  compactArrayCount(elementBytesMin: number): number {
    return this.#elements(this.unsignedVarint() - 1, elementBytesMin);
  }

  compactNullableArrayCount(elementBytesMin: number): number {
    const count = this.unsignedVarint() - 1;
    return count === -1 ? -1 : this.#elements(count, elementBytesMin);
  }

  /** Passes over tagged fields where none is known. */
  skipTags(): void {
    for (let count = this.unsignedVarint(); count > 0; count -= 1) {
      this.unsignedVarint();
      this.position = this.tagEnd();
    }
  }

  /** Reads the size of a tagged field and returns where its content ends. */
  tagEnd(): number {
    const size = this.#filled(this.unsignedVarint());
    return this.position + size;
  }

  /** Checks that a tagged field was as long as it said. */
  closeTag(end: number): void {
    if (this.position !== end) this.refuse("a tagged field is not as long as it says");
  }

  /** Checks that the body ends where the frame does. */
  finish(): void {
    if (this.position !== this.end) this.refuse("bytes are left over behind the body");
  }

  /** @throws ObeliskError PROTOCOL_ERROR always */
  refuse(detail: string): never {
    throw new ObeliskError("PROTOCOL_ERROR", { detail, position: this.position });
  }

  #advance(count: number): number {
    const start = this.position;
    if (count > this.end - start) this.refuse("the frame ends in the middle of a field");
    this.position = start + count;
    return start;
  }

  /** A length that the remaining bytes can fill. */
  #filled(length: number): number {
    if (length < 0) this.refuse("a length is negative, or null where a value must be");
    if (length > this.end - this.position) this.refuse("a length is larger than the rest of the frame");
    return length;
  }

  #elements(count: number, elementBytesMin: number): number {
    if (count < 0) this.refuse("a count is negative, or null where an array must be");
    if (count * elementBytesMin > this.end - this.position) {
      this.refuse("an array has more elements than the rest of the frame can hold");
    }
    this.#elementsLeft -= count;
    if (this.#elementsLeft < 0) this.refuse(`a frame has more than ${ELEMENTS_MAX} array elements`);
    return count;
  }

  #text(length: number): string {
    const start = this.position;
    this.position = start + length;
    return this.buffer.toString("utf8", start, start + length);
  }

  #view(length: number): Buffer {
    const start = this.position;
    this.position = start + length;
    return this.buffer.subarray(start, start + length);
  }
}

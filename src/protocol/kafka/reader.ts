/**
 * Reads the primitive types of Kafka's protocol from a frame, in order, between two absolute positions.
 *
 *   plain     string: int16 length, UTF-8     bytes: int32 length     array: int32 count      -1 means null
 *   compact   the same with an unsigned varint of length + 1, where 0 means null
 *   tagged    unsigned varint count, then for each: tag, size, `size` bytes
 *
 * It takes what Apache Kafka's readers take, because clients are written against those: every negative length is null
 * where null may be, the fifth byte of a varint counts with its low four bits, and who reads a body ignores what lies
 * after it.
 *
 * Nothing is read outside [position, end), and nothing is allocated by a length that the remaining bytes cannot
 * fill. Strings are copied out (a byte that is not UTF-8 becomes U+FFFD, as in Kafka); bytes and records are views
 * into the frame, which then lives as long as they do.
 *
 * Every method throws ObeliskError PROTOCOL_ERROR with the position when the bytes do not hold what they claim
 * (CORRUPT_MESSAGE for a 64-bit integer outside 53 bits).
 */

import { nearestInt64, readInt64 } from "../../base/bytes.ts";
import { ObeliskError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/units.ts";

/**
 * Array elements and tagged fields in one response. An element costs some hundred bytes of memory and as little as one byte of
 * wire, so that a frame of 100 MB could take gigabytes; all committed offsets that there may be stay far below.
 */
export const ELEMENTS_MAX = 2_000_000;
/**
 * The same in one request, of which a server must hold many: building so many takes 30 ms and some 25 MB. A request for
 * 100,000 partitions stays below. A uuid counts as one too: it becomes a text that is joined from five.
 */
export const REQUEST_ELEMENTS_MAX: number = 128 * KiB;

/**
 * Bytes of text in one request: the longest metadata for 12,000 committed offsets. Texts are copied, and some are returned, so that a
 * frame of 100 MB of them would take half a gigabyte and half a second.
 */
export const REQUEST_TEXT_BYTES_MAX: number = 48 * MiB;

/** What a decoded element takes, measured: 10 to 150 bytes, and as much again for what is made of it. */
const ELEMENT_BYTES = 256;
/** A text is decoded once (two bytes for a character that is not ASCII) and stands once in a response. */
const TEXT_COPIES = 3;

const UUID_BYTES = 16;
/** What an int16 can say; compact lengths could say more, and Kafka takes no more. */
const STRING_BYTES_MAX = 0x7fff;
const VARINT_BYTES_MAX = 5;

export class Reader {
  readonly buffer: Buffer;
  readonly end: number;
  position: number;
  readonly #elementsMax: number;
  #elementsLeft: number;
  readonly #textBytesMax: number;
  #textBytes = 0;

  constructor(
    buffer: Buffer,
    position: number,
    end: number,
    elementsMax = ELEMENTS_MAX,
    textBytesMax = Number.POSITIVE_INFINITY,
  ) {
    this.buffer = buffer;
    this.end = end;
    this.position = position;
    this.#elementsMax = elementsMax;
    this.#elementsLeft = elementsMax;
    this.#textBytesMax = textBytesMax;
  }

  /** For the body of a request. */
  static ofRequest(
    buffer: Buffer,
    position: number,
    end: number,
    elementsMax: number = REQUEST_ELEMENTS_MAX,
  ): Reader {
    return new Reader(buffer, position, end, elementsMax, REQUEST_TEXT_BYTES_MAX);
  }

  /** What the values that were read take in memory, at most, and what a response of their shape does. Views count nothing. */
  get decodedBytes(): number {
    return (this.#elementsMax - this.#elementsLeft) * ELEMENT_BYTES + this.#textBytes * TEXT_COPIES;
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

  uint16(): number {
    return this.buffer.readUInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.#advance(4));
  }

  int64(): number {
    return readInt64(this.buffer, this.#advance(8));
  }

  /** A value that may be rounded outside 53 bits: a client's query, never what is stored. */
  nearestInt64(): number {
    return nearestInt64(this.buffer, this.#advance(8));
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.#advance(8));
  }

  uuid(): string {
    const start = this.#advance(UUID_BYTES);
    this.#count(1);
    const hex = this.buffer.toString("hex", start, start + UUID_BYTES);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** An unsigned varint of 32 bits, in at most five bytes. */
  unsignedVarint(): number {
    let byte = this.buffer[this.#advance(1)]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let count = 1; count < VARINT_BYTES_MAX; count += 1) {
      byte = this.buffer[this.#advance(1)]!;
      value |= (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return value >>> 0;
    }
    this.refuse("an unsigned varint is longer than five bytes");
  }

  string(): string {
    return this.#text(this.int16());
  }

  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#text(length);
  }

  compactString(): string {
    return this.#text(this.#compactLength());
  }

  compactNullableString(): string | null {
    const length = this.#compactLength();
    return length < 0 ? null : this.#text(length);
  }

  bytes(): Buffer {
    return this.#view(this.int32());
  }

  nullableBytes(): Buffer | null {
    const length = this.int32();
    return length < 0 ? null : this.#view(length);
  }

  compactBytes(): Buffer {
    return this.#view(this.#compactLength());
  }

  compactNullableBytes(): Buffer | null {
    const length = this.#compactLength();
    return length < 0 ? null : this.#view(length);
  }

  /** The number of elements that follow, each at least `elementBytesMin` bytes long. */
  arrayCount(elementBytesMin: number): number {
    return this.#elements(this.int32(), elementBytesMin);
  }

  /** As `arrayCount`; -1 for null. */
  nullableArrayCount(elementBytesMin: number): number {
    const count = this.int32();
    return count < 0 ? -1 : this.#elements(count, elementBytesMin);
  }

  compactArrayCount(elementBytesMin: number): number {
    return this.#elements(this.#compactLength(), elementBytesMin);
  }

  compactNullableArrayCount(elementBytesMin: number): number {
    const count = this.#compactLength();
    return count < 0 ? -1 : this.#elements(count, elementBytesMin);
  }

  /** How many tagged fields follow. */
  tagCount(): number {
    const count = this.unsignedVarint() | 0;
    if (count > 0) this.#count(count);
    return count;
  }

  /** Passes over tagged fields where none is known. */
  skipTags(): void {
    for (let count = this.tagCount(); count > 0; count -= 1) {
      this.unsignedVarint();
      this.skipTag(this.unsignedVarint());
    }
  }

  /** Passes over the content of a tagged field. */
  skipTag(size: number): void {
    this.position += this.#filled(size | 0);
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

  /** Negative for null. The largest varints wrap around, as 32-bit integers do. */
  #compactLength(): number {
    return (this.unsignedVarint() - 1) | 0;
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
    this.#count(count);
    return count;
  }

  #count(elements: number): void {
    this.#elementsLeft -= elements;
    if (this.#elementsLeft >= 0) return;
    this.refuse(`a frame has more than ${this.#elementsMax} array elements and tagged fields`);
  }

  #text(length: number): string {
    if (length > STRING_BYTES_MAX) this.refuse(`a string is longer than ${STRING_BYTES_MAX} bytes`);
    const start = this.position;
    this.position = start + this.#filled(length);
    this.#textBytes += length;
    if (this.#textBytes > this.#textBytesMax)
      this.refuse(`a frame has more than ${this.#textBytesMax} bytes of text`);
    return this.buffer.toString("utf8", start, this.position);
  }

  #view(length: number): Buffer {
    const start = this.position;
    this.position = start + this.#filled(length);
    return this.buffer.subarray(start, this.position);
  }
}

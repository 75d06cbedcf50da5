/**
 * Walks records where they lie, as a batch comes in: are they what its header says, and which is their largest timestamp?
 * (builder.ts draws their layout; records.ts opens records for those who want to see them.)
 *
 *     [length | attributes, timestamp delta, offset delta, key, value, headers]   count times, and nothing after
 *
 * Every length must fit, every record must end where its length says, and the offset deltas must be 0, 1, 2, ... Key,
 * value and header bytes are skipped; attributes of records are ignored, as Kafka does. Nothing is allocated for a
 * record. One walk is used again and again.
 *
 * Nearly all records are plain: no headers, and no number of more than two bytes. `#passPlain` takes those in one loop without a call,
 * some 6 ns each, and stops at anything else; `#faultOfRecord` then looks at that one with care and says what is wrong with it.
 */

import { ObeliskError } from "../../base/errors.ts";
import { VarintReader } from "../../base/varint.ts";

const NO_BYTES = Buffer.alloc(0);
/** What fits into the fourteen bits of two bytes. */
const SHORT_MAX = 0x3fff;
/** A length of -1, as it is written: null. */
const NULL_LENGTH = 1;

export class RecordWalk {
  /** To the batch's base timestamp. Of a walk that found no fault. */
  maxTimestampDelta: number;
  #buffer: Buffer;
  #at: number;
  #end: number;
  readonly #long: VarintReader;

  constructor() {
    this.maxTimestampDelta = 0;
    this.#buffer = NO_BYTES;
    this.#at = 0;
    this.#end = 0;
    this.#long = new VarintReader();
  }

  /** What is wrong with the `count` records (at least one) in `buffer[start, end)`, or null. */
  faultOf(buffer: Buffer, start: number, end: number, count: number): string | null {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    this.maxTimestampDelta = Number.NEGATIVE_INFINITY;
    try {
      return this.#walk(count);
    } catch (thrown) {
      if (thrown instanceof ObeliskError) return thrown.message;
      throw thrown;
    } finally {
      this.#buffer = NO_BYTES;
      this.#long.reset(NO_BYTES, 0, 0);
    }
  }

  #walk(count: number): string | null {
    for (let index = this.#passPlain(0, count); index < count; index = this.#passPlain(index + 1, count)) {
      const fault = this.#faultOfRecord(index, count);
      if (fault !== null) return fault;
    }
    return this.#at === this.#end ? null : `bytes follow the ${count} records that the header says`;
  }

  /**
   * Skips plain records from the one with this index on; returns which one is not plain, or `count`. Numbers are looked at as they
   * are written (zigzag): an even one is two times a length. What is read after the end does no harm: positions only grow, and the last
   * of them must be the record's.
   */
  #passPlain(first: number, count: number): number {
    const buffer = this.#buffer;
    const end = this.#end;
    let maxDelta = this.maxTimestampDelta;
    let start = this.#at;
    let index = first;
    for (; index < count; index += 1) {
      let at = start;
      let length = buffer[at]!;
      at += 1;
      if (length >= 0x80) {
        length = (length & 0x7f) | (buffer[at]! << 7);
        at += 1;
      }
      const recordEnd = at + (length >>> 1);
      at += 1; // attributes
      let time = buffer[at]!;
      at += 1;
      if (time >= 0x80) {
        time = (time & 0x7f) | (buffer[at]! << 7);
        at += 1;
      }
      let offset = buffer[at]!;
      at += 1;
      if (offset >= 0x80) {
        offset = (offset & 0x7f) | (buffer[at]! << 7);
        at += 1;
      }
      let key = buffer[at]!;
      at += 1;
      if (key >= 0x80) {
        key = (key & 0x7f) | (buffer[at]! << 7);
        at += 1;
      }
      if (key !== NULL_LENGTH) at += key >>> 1;
      let value = buffer[at]!;
      at += 1;
      if (value >= 0x80) {
        value = (value & 0x7f) | (buffer[at]! << 7);
        at += 1;
      }
      if (value !== NULL_LENGTH) at += value >>> 1;
      const isWhole = recordEnd <= end && at + 1 === recordEnd && buffer[at] === 0; // no headers
      if (!isWhole || (length | time | offset | key | value) > SHORT_MAX || offset !== 2 * index) break;
      const isOdd = (length & 1) === 1 || ((key & 1) === 1 && key !== NULL_LENGTH);
      if (isOdd || ((value & 1) === 1 && value !== NULL_LENGTH)) break;
      const delta = (time >>> 1) ^ -(time & 1);
      if (delta > maxDelta) maxDelta = delta;
      start = recordEnd;
    }
    this.#at = start;
    this.maxTimestampDelta = maxDelta;
    return index;
  }

  #faultOfRecord(index: number, count: number): string | null {
    if (!(this.#at < this.#end)) return `there are ${index} records where the header says ${count}`;
    const bytes = this.#varint();
    const recordEnd = this.#at + bytes;
    if (bytes < 0 || recordEnd > this.#end) return `record ${index} does not fit into the batch`;
    this.#at += 1; // attributes
    const timestampDelta = this.#varlong();
    if (timestampDelta > this.maxTimestampDelta) this.maxTimestampDelta = timestampDelta;
    const offsetDelta = this.#varint();
    if (offsetDelta !== index) return `record ${index} has the offset delta ${offsetDelta}`;
    // A length may lead anywhere forward, also past the record: then the last line finds it.
    if (!this.#passField(recordEnd) || !this.#passField(recordEnd))
      return `the key or value of record ${index} does not fit`;
    const headers = this.#varint();
    if (headers !== 0 && !this.#passHeaders(headers, recordEnd))
      return `the headers of record ${index} do not fit`;
    return this.#at === recordEnd ? null : `record ${index} does not end where its length says`;
  }

  /** A key or value: a length, -1 for null, and the bytes. */
  #passField(recordEnd: number): boolean {
    const bytes = this.#varint();
    if (bytes > 0) this.#at += bytes;
    return bytes >= -1 && this.#at <= recordEnd;
  }

  #passHeaders(count: number, recordEnd: number): boolean {
    if (count < 0) return false;
    for (let index = 0; index < count; index += 1) {
      const nameBytes = this.#varint();
      if (nameBytes < 0) return false;
      this.#at += nameBytes;
      if (!(this.#at < recordEnd) || !this.#passField(recordEnd)) return false;
    }
    return true;
  }

  /** Numbers of one or two bytes, which nearly all are, without a call. A byte that is not there is no number below 0x80. */
  #varint(): number {
    const at = this.#at;
    const first = this.#buffer[at]!;
    if (first < 0x80) {
      this.#at = at + 1;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = this.#buffer[at + 1]!;
    if (second < 0x80) {
      this.#at = at + 2;
      const raw = (first & 0x7f) | (second << 7);
      return (raw >>> 1) ^ -(raw & 1);
    }
    this.#long.reset(this.#buffer, at, this.#end);
    const value = this.#long.varint();
    this.#at = this.#long.position;
    return value;
  }

  #varlong(): number {
    const at = this.#at;
    const first = this.#buffer[at]!;
    if (first < 0x80) {
      this.#at = at + 1;
      return (first >>> 1) ^ -(first & 1);
    }
    this.#long.reset(this.#buffer, at, this.#end);
    const value = this.#long.varlong();
    this.#at = this.#long.position;
    return value;
  }
}

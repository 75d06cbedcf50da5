/**
 * CRCs of any parts of one stretch of a file, for who needs many that overlap: headers in damage may each claim the same megabytes.
 *
 *     start                                            end
 *     [ block ][ block ][ block ][ block ][ block ][ block ]- - - - - grows as far as is needed
 *     0       s1       s2       s3       s4       s5      s6         the CRC from the start to each border
 *
 * Every byte is read and summed once. From then on a part costs two reads of less than a block and a multiplication
 * (crc32c-join.ts), however long it is.
 */

import { fail } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import { crc32cOfPart } from "../base/crc32c-join.ts";
import { KiB } from "../base/units.ts";
import type { PageReader } from "./page-reads.ts";

/** 4 MiB of sums for each GiB, half a block for each call. */
const BLOCK_BYTES = KiB;
const READ_BYTES = 256 * KiB;
/** Of what is read for the rest after a block. Most calls come from one place after the other, and so do their ends. */
const REST_BYTES = 16 * KiB;

export class StretchSums {
  #start: number;
  readonly #reader: PageReader;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #starts: Rests;
  readonly #ends: Rests;
  readonly #sums: number[] = [0];
  /** The file ended before what was requested. */
  #isShort = false;

  constructor(reader: PageReader, start: number) {
    this.#reader = reader;
    this.#starts = new Rests(reader);
    this.#ends = new Rests(reader);
    this.#start = start;
  }

  get start(): number {
    return this.#start;
  }

  /** Of another stretch from now on. */
  restart(start: number): void {
    this.#start = start;
    this.#sums.length = 1;
    this.#isShort = false;
  }

  /** Up to here everything is summed. */
  get end(): number {
    return this.#start + (this.#sums.length - 1) * BLOCK_BYTES;
  }

  /**
   * Sums on towards `position`, over `bytesMax` bytes and a read at the most; returns over how many.
   * @throws system errors of reads, unless the reader records them
   */
  reach(position: number, bytesMax: number): number {
    let bytes = 0;
    while (!this.hasReached(position) && bytes < bytesMax) {
      const whole = position - this.end - ((position - this.end) % BLOCK_BYTES);
      const wanted = Math.min(whole, READ_BYTES);
      const got = this.#reader.read(this.#buffer, wanted, this.end, wanted);
      if (got < wanted) this.#isShort = true;
      else this.#add(wanted);
      bytes += wanted;
    }
    return bytes;
  }

  /** Whether `crcOf` can be called for a part that ends at `position`. */
  hasReached(position: number): boolean {
    return this.#isShort || position - this.end < BLOCK_BYTES;
  }

  /** The CRC of the bytes from `from` to `to`, which is reached; null when the file ends before. @throws system errors of reads */
  crcOf(from: number, to: number): number | null {
    if (!(this.#start <= from && from <= to)) fail("a part lies within the stretch that is summed");
    const before = this.#crcTo(from, this.#starts);
    const both = this.#crcTo(to, this.#ends);
    return before === null || both === null ? null : crc32cOfPart(before, both, to - from);
  }

  #add(bytes: number): void {
    let sum = this.#sums.at(-1)!;
    for (let at = 0; at < bytes; at += BLOCK_BYTES) {
      sum = crc32c(this.#buffer, at, at + BLOCK_BYTES, sum);
      this.#sums.push(sum);
    }
  }

  #crcTo(position: number, rests: Rests): number | null {
    const slot = Math.floor((position - this.#start) / BLOCK_BYTES);
    const sum = this.#sums[slot];
    if (sum === undefined) return null;
    const border = this.#start + slot * BLOCK_BYTES;
    if (!rests.has(border, position)) return null;
    return crc32c(rests.buffer, border - rests.start, position - rests.start, sum);
  }
}

/** The bytes that were read last. */
class Rests {
  readonly buffer = Buffer.allocUnsafeSlow(REST_BYTES);
  start = 0;
  readonly #reader: PageReader;
  #end = 0;

  constructor(reader: PageReader) {
    this.#reader = reader;
  }

  /** Brings `[from, to)` into the buffer; false when the file ends before. */
  has(from: number, to: number): boolean {
    if (from >= this.start && to <= this.#end) return true;
    const got = this.#reader.read(this.buffer, REST_BYTES, from, to - from);
    this.start = from;
    this.#end = from + got;
    return to <= this.#end;
  }
}

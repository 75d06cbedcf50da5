/**
 * Finds the next valid batch after damage. What lies there may be anything, and may have been made to look like batches: headers
 * that claim megabytes each, one in every few bytes, or whole batches that were records' values. So
 *
 *     magic -> cheap checks of the header -> CRC by sums -> whether it goes on from there
 *
 *   - the cheap checks are those that a valid batch must pass as well (`isStoredHeader`, the offsets): nothing is lost by them;
 *   - the CRC of what a header claims comes from sums that are built once (stretch-sums.ts), so that the whole search costs one pass
 *     over the damage, one over what its headers claim, and a constant for each credible header;
 *   - it is done in steps, so that others can be served between two of them.
 *
 * First of all it looks where the damaged batch itself says that it ends: true when only its body was hit.
 */

import { nearestInt64 } from "../base/bytes.ts";
import { KiB } from "../base/units.ts";
import {
  BATCH_ATTRIBUTES,
  BATCH_BASE_OFFSET,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchBaseOffset,
  batchBytes,
  batchCrc,
  batchLastOffset,
  MAGIC,
} from "../protocol/record/batch.ts";
import { isStoredHeader } from "../protocol/record/validate.ts";
import type { PageReader } from "./page-reads.ts";
import { BATCH_BYTES_MAX, OFFSET_GAP_MAX, type ScanRange } from "./scan-range.ts";
import { StretchSums } from "./stretch-sums.ts";

const WINDOW_BYTES = 64 * KiB;
/** What a look costs, in bytes that are skipped in the same time (a nanosecond each): at a magic byte, at a credible header. */
const MAGIC_WORK = 100;
const HEADER_WORK = 6 * KiB;

/** Whether a valid batch lies there, or more is to be summed first. */
type Verdict = "yes" | "no" | "later";

export class BatchSearch {
  /** Where the valid batch starts, or the end of the range; of a search that is over. */
  found = 0;
  readonly #reader: PageReader;
  readonly #range: ScanRange;
  readonly #window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  readonly #header = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES);
  #windowStart = 0;
  #windowEnd = 0;
  /** Offsets below it are assigned to batches before. */
  #offset = 0;
  #position = 0;
  /** Where the damaged batch says that it ends; -1 when it says nothing, or was wrong. */
  #claimed = -1;
  readonly #sums: StretchSums;
  #workLeft = 0;

  constructor(reader: PageReader, range: ScanRange) {
    this.#reader = reader;
    this.#range = range;
    this.#sums = new StretchSums(reader, range.start);
  }

  /** Searches after `damaged`, for batches that start with `offset` or later. `step` follows. */
  begin(damaged: number, offset: number): void {
    this.#offset = offset;
    this.#position = damaged + 1;
    this.#claimed = this.#claimedEnd(damaged);
    this.found = -1;
    this.#coverFrom(damaged);
  }

  /** Goes on; true when the search is over, false when it has cost `workMax` before (a nanosecond each). @throws system errors */
  step(workMax: number): boolean {
    this.#workLeft = workMax;
    if (this.#claimed !== -1) {
      const verdict = this.#look(this.#claimed);
      if (verdict === "later") return false;
      if (verdict === "yes") return this.#end(this.#claimed);
      this.#claimed = -1;
    }
    while (this.#findMagic()) {
      if (this.#workLeft <= 0) return false;
      this.#coverFrom(this.#position);
      const verdict = this.#judge(this.#window, this.#position - this.#windowStart, this.#position);
      if (verdict === "later") return false;
      if (verdict === "yes") return this.#end(this.#position);
      this.#position += 1;
    }
    return this.#position + BATCH_HEADER_BYTES > this.#range.end ? this.#end(this.#range.end) : false;
  }

  /** Whether the CRC of the batch of `bytes` bytes at `position` is `crc`, by sums. @throws system errors */
  hasCrc(position: number, bytes: number, crc: number): boolean {
    this.#workLeft = Number.POSITIVE_INFINITY;
    this.#coverFrom(position);
    return this.#crcVerdict(position, bytes, crc) === "yes";
  }

  #end(found: number): true {
    this.found = found;
    return true;
  }

  #claimedEnd(damaged: number): number {
    if (damaged + BATCH_HEADER_BYTES > this.#range.end || !this.#readHeader(damaged)) return -1;
    const bytes = batchBytes(this.#header, 0);
    const end = damaged + bytes;
    return bytes >= BATCH_HEADER_BYTES && end < this.#range.end ? end : -1;
  }

  #look(position: number): Verdict {
    if (position + BATCH_HEADER_BYTES > this.#range.end || !this.#readHeader(position)) return "no";
    return this.#judge(this.#header, 0, position);
  }

  /** Of the header in `buffer`, which may be the one that is used for the next batch's. */
  #judge(buffer: Buffer, at: number, position: number): Verdict {
    this.#workLeft -= MAGIC_WORK;
    const baseOffset = nearestInt64(buffer, at + BATCH_BASE_OFFSET);
    if (baseOffset < this.#offset || !this.#isCredible(buffer, at, position)) return "no";
    const bytes = batchBytes(buffer, at);
    const after = batchLastOffset(buffer, at) + 1;
    const verdict = this.#crcVerdict(position, bytes, batchCrc(buffer, at));
    if (verdict !== "yes" || baseOffset === this.#offset) return verdict;
    return this.#goesOn(position + bytes, after);
  }

  /** After a batch that left a gap a valid one must not contradict it. */
  #goesOn(position: number, offset: number): Verdict {
    if (position + BATCH_HEADER_BYTES > this.#range.end || !this.#readHeader(position)) return "yes";
    const header = this.#header;
    if (!this.#isCredible(header, 0, position)) return "yes";
    const ahead = batchBaseOffset(header, 0) - offset;
    if (ahead >= 0 && ahead <= OFFSET_GAP_MAX) return "yes";
    const verdict = this.#crcVerdict(position, batchBytes(header, 0), batchCrc(header, 0));
    if (verdict === "later") return "later";
    return verdict === "yes" ? "no" : "yes";
  }

  /** Everything that a valid batch's header must be, but for its CRC. Most of what is no header fails the first line. */
  #isCredible(buffer: Buffer, at: number, position: number): boolean {
    if (nearestInt64(buffer, at + BATCH_BASE_OFFSET) - this.#offset > 2 * OFFSET_GAP_MAX) return false;
    if (!isStoredHeader(buffer, at, at + this.#range.end - position)) return false;
    if (batchBytes(buffer, at) > BATCH_BYTES_MAX) return false;
    const lastOffset = batchLastOffset(buffer, at);
    return lastOffset < this.#range.offsetLimit && lastOffset - this.#offset <= 2 * OFFSET_GAP_MAX;
  }

  #crcVerdict(position: number, bytes: number, crc: number): Verdict {
    this.#workLeft -= HEADER_WORK;
    const end = position + bytes;
    this.#workLeft -= this.#sums.reach(end, Math.max(this.#workLeft, 1));
    if (!this.#sums.hasReached(end)) return "later";
    if (this.#sums.crcOf(position + BATCH_ATTRIBUTES, end) !== crc) return "no";
    return this.#reader.isRefused(position, bytes) ? "no" : "yes";
  }

  /** What lies before `position` is not needed any more: the sums need not reach there first. */
  #coverFrom(position: number): void {
    const { start, end } = this.#sums;
    if (!(position >= start && position <= end + WINDOW_BYTES)) this.#sums.restart(position);
  }

  #readHeader(position: number): boolean {
    const got = this.#reader.read(this.#header, BATCH_HEADER_BYTES, position, BATCH_HEADER_BYTES);
    return got === BATCH_HEADER_BYTES && !this.#reader.isRefused(position, BATCH_HEADER_BYTES);
  }

  /**
   * Moves to the first place at or after the position whose magic byte fits, with its header in the window; false when none follows,
   * or the work is done.
   */
  #findMagic(): boolean {
    const { end } = this.#range;
    while (this.#position + BATCH_HEADER_BYTES <= end) {
      if (!this.#hasHeader()) {
        this.#position = end;
        return false;
      }
      const from = this.#position - this.#windowStart;
      const found = this.#window.indexOf(MAGIC, from + BATCH_MAGIC);
      const isFound = found !== -1 && found < this.#windowEnd - this.#windowStart;
      const next = isFound ? this.#windowStart + found - BATCH_MAGIC : this.#windowEnd - BATCH_MAGIC;
      this.#workLeft -= next - this.#position;
      this.#position = next;
      if (isFound && next + BATCH_HEADER_BYTES <= end && this.#hasHeader()) return true;
      if (this.#workLeft <= 0) return false;
    }
    return false;
  }

  /** Brings the header at the position into the window; false when the file ends before. */
  #hasHeader(): boolean {
    const position = this.#position;
    if (position >= this.#windowStart && position + BATCH_HEADER_BYTES <= this.#windowEnd) return true;
    const wanted = Math.min(WINDOW_BYTES, this.#range.end - position);
    const got = this.#reader.read(this.#window, wanted, position, BATCH_HEADER_BYTES);
    this.#windowStart = position;
    this.#windowEnd = position + got;
    return got >= BATCH_HEADER_BYTES;
  }
}

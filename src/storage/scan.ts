/**
 * Walks a stretch of a segment batch by batch, and finds its way back when it meets something else. Recovery, `verify`
 * and `inspect` share it, so that all three mean the same by damage. It only reads.
 *
 *     [batch][batch][####### damage #######][batch][batch][## tail ##]
 *                   ^ the next valid batch is searched for            ^ none follows: `isTail`
 *
 * What counts as valid: `validateStoredBatch` (length, magic, CRC, meaning) and an offset that fits. The base offset lies
 * outside the CRC, so a wrong one is recognised by its neighbours: a batch that leaves a gap is accepted only when the batch after it
 * goes on from there. A batch that claims offsets which are assigned to batches before it is damage.
 *
 * The way back is batch-search.ts; it goes in steps, and so does a scan.
 *
 * Memory is one window of `WINDOW_BYTES`, or one batch where that is larger (`BATCH_BYTES_MAX`). Damage is only ever what was really
 * read. Where the disk refuses bytes that are needed the scan ends with the system's error, because the refusal may pass; a visitor
 * that only judges (`unreadable`) is told of them instead, and the scan goes on after them.
 */

import { fail } from "../base/assert.ts";
import type { Files } from "../base/files.ts";
import { MiB } from "../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchBaseOffset,
  batchBytes,
  batchCrc,
  batchLastOffset,
  MAGIC,
} from "../protocol/record/batch.ts";
import { validateStoredBatch } from "../protocol/record/validate.ts";
import { BatchSearch } from "./batch-search.ts";
import { PageReader, type Refusal, Refusals } from "./page-reads.ts";
import { BATCH_BYTES_MAX, OFFSET_GAP_MAX, type ScanRange } from "./scan-range.ts";

const WINDOW_BYTES = MiB;
const UNREADABLE = "the disk refuses to read it";

export interface ScanVisitor {
  /** A valid batch in `buffer[position, end)`, lent until the call returns. Return false to stop the scan here. */
  batch(buffer: Buffer, position: number, end: number, filePosition: number): boolean;
  /** Bytes that are no valid batch. `isTail`: nothing valid follows up to the end of the range. */
  damage(filePosition: number, bytes: number, reason: string, isTail: boolean): void;
  /** The disk refuses some of these bytes (`refusals`, one at least), so that none of them can be judged. */
  unreadable?(filePosition: number, bytes: number, refusals: readonly Refusal[]): void;
}

/**
 * Walks the range and calls the visitor; returns the offset after the last valid batch.
 * @throws system errors; not of a read for a visitor that takes `unreadable`
 */
export function scanBatches(
  files: Files,
  descriptor: number,
  range: ScanRange,
  visitor: ScanVisitor,
): number {
  const scan = new Scan(files, () => descriptor, range, visitor);
  scan.run(Number.POSITIVE_INFINITY);
  return scan.offset;
}

/** A scan in steps: what the visitor was told is final, and nobody was told yet of what is being looked at between two steps. */
export class Scan {
  readonly #range: ScanRange;
  readonly #visitor: ScanVisitor;
  /** What the disk refused so far; null when that ends the scan. */
  readonly #refusals: Refusals | null;
  readonly #reader: PageReader;
  #window: Buffer;
  #windowStart = 0;
  #windowEnd = 0;
  #position: number;
  /** What the next batch should start with; exact until damage has hidden how many offsets it took. */
  #offset: number;
  #isOffsetExact = true;
  /** By the visitor. */
  #isStopped = false;
  /** Made at the first damage. */
  #search: BatchSearch | null = null;
  /** Why the bytes at the position are no batch, while the next one is searched for; else null. */
  #fault: string | null = null;
  /** A header before claimed the bytes up to here, with a CRC mismatch: the next such claim must not cost them again. */
  #disprovedEnd = 0;

  /** `descriptor` is called before each read. */
  constructor(files: Files, descriptor: () => number, range: ScanRange, visitor: ScanVisitor) {
    this.#range = range;
    this.#visitor = visitor;
    this.#refusals = visitor.unreadable === undefined ? null : new Refusals();
    this.#reader = new PageReader(files, descriptor, this.#refusals);
    this.#position = range.start;
    this.#offset = range.offset;
    this.#window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, Math.max(range.end - range.start, 1)));
  }

  /** The offset after the last valid batch so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Goes on; false when a search after damage has cost `workMax` before it ended (a nanosecond each), true at the end of the scan. */
  run(workMax: number): boolean {
    while (!this.#isStopped && this.#position < this.#range.end) {
      const position = this.#position;
      if (this.#fault !== null) {
        if (!this.#search!.step(workMax)) return false;
        this.#pass(this.#search!.found, this.#fault);
        continue;
      }
      const reason = this.#faultAt(position);
      if (reason !== null) {
        this.#fault = reason;
        this.#search ??= new BatchSearch(this.#reader, this.#range);
        this.#search.begin(position, this.#offset);
        continue;
      }
      const at = position - this.#windowStart;
      const end = at + batchBytes(this.#window, at);
      this.#offset = batchLastOffset(this.#window, at) + 1;
      this.#isOffsetExact = true;
      this.#position += end - at;
      if (!this.#visitor.batch(this.#window, at, end, position)) this.#isStopped = true;
    }
    return true;
  }

  /** The search is over: what lies before `next` is damage. */
  #pass(next: number, reason: string): void {
    if (!(next > this.#position)) fail("a search after damage moves on");
    this.#fault = null;
    this.#isOffsetExact = false;
    const start = this.#position;
    this.#position = next;
    this.#tell(start, next, reason);
  }

  /** Of bytes that hold no valid batch. */
  #tell(start: number, end: number, reason: string): void {
    const refusals = this.#refusals?.within(start, end) ?? [];
    if (refusals.length > 0) this.#visitor.unreadable?.(start, end - start, refusals);
    else this.#visitor.damage(start, end - start, reason, end === this.#range.end);
  }

  /** Why no valid batch starts here, or null; the batch then lies whole in the window. */
  #faultAt(position: number): string | null {
    const reason = this.#batchFaultAt(position);
    if (reason !== null) return reason;
    const at = position - this.#windowStart;
    const baseOffset = batchBaseOffset(this.#window, at);
    if (baseOffset === this.#offset) return null;
    if (baseOffset < this.#offset)
      return `the batch starts at offset ${baseOffset}, which an earlier batch already has`;
    const after = batchLastOffset(this.#window, at) + 1;
    const successor = this.#successorOffset(position + batchBytes(this.#window, at));
    this.#batchFaultAt(position); // the look ahead may have moved the window
    const isAccepted =
      successor === null
        ? this.#range.allowsGaps || !this.#isOffsetExact
        : successor >= after && successor - after <= OFFSET_GAP_MAX;
    if (isAccepted) return null;
    return `the batch starts at offset ${baseOffset} where ${this.#offset} was expected`;
  }

  #batchFaultAt(position: number): string | null {
    const available = this.#range.end - position;
    let claimedEnd = 0;
    if (!this.#has(position, Math.min(BATCH_HEADER_BYTES, available)))
      return "the bytes cannot be read to their end";
    if (this.#reader.isRefused(position, BATCH_HEADER_BYTES)) return UNREADABLE;
    const at = position - this.#windowStart;
    if (available >= BATCH_HEADER_BYTES && this.#window[at + BATCH_MAGIC] === MAGIC) {
      const bytes = batchBytes(this.#window, at);
      if (bytes >= BATCH_HEADER_BYTES && bytes <= available && bytes <= BATCH_BYTES_MAX) {
        if (this.#isDisproved(position, bytes)) return "CRC mismatch";
        if (!this.#has(position, bytes)) return "the batch cannot be read to its end";
        if (this.#reader.isRefused(position, bytes)) return UNREADABLE;
        claimedEnd = position + bytes;
      }
    }
    const start = position - this.#windowStart;
    const fault = validateStoredBatch(
      this.#window,
      start,
      Math.min(this.#windowEnd, this.#range.end) - this.#windowStart,
    );
    if (fault !== null) {
      this.#disprovedEnd = Math.max(this.#disprovedEnd, claimedEnd);
      return fault.detail;
    }
    if (!this.#isOffsetPlausible(start)) return "the batch's offsets lie outside its segment";
    return null;
  }

  /** Within what a header before has claimed a CRC is taken from the sums, which are there or are built once. */
  #isDisproved(position: number, bytes: number): boolean {
    if (this.#search === null || position >= this.#disprovedEnd) return false;
    const at = position - this.#windowStart;
    return !this.#search.hasCrc(position, bytes, batchCrc(this.#window, at));
  }

  #isOffsetPlausible(at: number): boolean {
    const lastOffset = batchLastOffset(this.#window, at);
    if (lastOffset >= this.#range.offsetLimit) return false;
    return lastOffset - this.#offset <= 2 * OFFSET_GAP_MAX;
  }

  /** The base offset of a valid batch at `position`, or null when there is none. */
  #successorOffset(position: number): number | null {
    if (position >= this.#range.end || this.#batchFaultAt(position) !== null) return null;
    return batchBaseOffset(this.#window, position - this.#windowStart);
  }

  /** Brings `[position, position + bytes)` into the window; false when the file ends before. */
  #has(position: number, bytes: number): boolean {
    if (position >= this.#windowStart && position + bytes <= this.#windowEnd) return true;
    if (bytes > this.#window.length) this.#window = Buffer.allocUnsafeSlow(bytes);
    const wanted = Math.min(
      Math.max(bytes, Math.min(this.#window.length, WINDOW_BYTES)),
      this.#range.end - position,
    );
    const got = this.#reader.read(this.#window, wanted, position, bytes);
    this.#windowStart = position;
    this.#windowEnd = position + got;
    return got >= bytes;
  }
}

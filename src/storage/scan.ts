/**
 * Walks a stretch of a segment batch by batch, and finds its way back when it meets something else. Recovery, `verify`
 * and `inspect` share it, so that all three mean the same by damage. It only reads.
 *
 *     [batch][batch][####### damage #######][batch][batch][## tail ##]
 *                   ^ the next sound batch is searched for            ^ none follows: `isTail`
 *
 * What counts as sound: `validateStoredBatch` (length, magic, CRC, meaning) and an offset that fits. The base offset lies
 * outside the CRC, so a wrong one is told by its neighbours: a batch that leaves a gap is believed only when the batch behind it
 * goes on from there. A batch that claims offsets which were given out already is damage.
 *
 * Memory is one window of `WINDOW_BYTES`, or one batch where that is larger (`BATCH_BYTES_MAX`). Damage is only ever what was really
 * read. Where the disk refuses bytes that are needed the scan ends with the system's error, because the refusal may pass; a visitor
 * that only judges (`unreadable`) is told of them instead, and the scan goes on behind.
 */

import type { Files } from "../base/files.ts";
import { MiB } from "../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchBaseOffset,
  batchBytes,
  batchLastOffset,
  MAGIC,
} from "../protocol/record/batch.ts";
import { validateStoredBatch } from "../protocol/record/validate.ts";
import { type Refusal, Refusals, readAround, readBefore } from "./page-reads.ts";

export const WINDOW_BYTES = MiB;
/** More than any limit that a topic can set; a length above it is damage, and is not allocated for. */
export const BATCH_BYTES_MAX = 128 * MiB;
/** How far a gap in offsets may reach. Beyond it an offset is damage, not a hole. */
export const OFFSET_GAP_MAX = 2 ** 31;

const UNREADABLE = "the disk refuses to read it";

export interface ScanRange {
  /** File positions; `end` is where whole batches should end. */
  start: number;
  end: number;
  /** The offset that the first batch should have. */
  offset: number;
  /** Offsets at or above it belong to the next segment; Infinity for the last one. */
  offsetLimit: number;
  /** Whether gaps may be there without damage (they are, behind compaction; never in an active segment). */
  allowsGaps: boolean;
}

export interface ScanVisitor {
  /** A sound batch in `buffer[position, end)`, lent until the call returns. Answer false to stop the scan here. */
  batch(buffer: Buffer, position: number, end: number, filePosition: number): boolean;
  /** Bytes that are no sound batch. `isTail`: nothing sound follows up to the end of the range. */
  damage(filePosition: number, bytes: number, reason: string, isTail: boolean): void;
  /** The disk refuses some of these bytes (`refusals`, one at least), so that none of them can be judged. */
  unreadable?(filePosition: number, bytes: number, refusals: readonly Refusal[]): void;
}

/**
 * Walks the range and tells the visitor; returns the offset behind the last sound batch.
 * @throws system errors; not of a read for a visitor that takes `unreadable`
 */
export function scanBatches(
  files: Files,
  descriptor: number,
  range: ScanRange,
  visitor: ScanVisitor,
): number {
  return new Scan(files, descriptor, range, visitor).run();
}

class Scan {
  readonly #files: Files;
  readonly #descriptor: number;
  readonly #range: ScanRange;
  readonly #visitor: ScanVisitor;
  /** What the disk refused so far; null when that ends the scan. */
  readonly #refusals: Refusals | null;
  #window: Buffer;
  #windowStart = 0;
  #windowEnd = 0;
  /** What the next batch should start with; exact until damage has hidden how many offsets it took. */
  #offset: number;
  #isOffsetExact = true;

  constructor(files: Files, descriptor: number, range: ScanRange, visitor: ScanVisitor) {
    this.#files = files;
    this.#descriptor = descriptor;
    this.#range = range;
    this.#visitor = visitor;
    this.#refusals = visitor.unreadable === undefined ? null : new Refusals();
    this.#offset = range.offset;
    this.#window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, Math.max(range.end - range.start, 1)));
  }

  run(): number {
    let position = this.#range.start;
    while (position < this.#range.end) {
      const reason = this.#faultAt(position);
      if (reason !== null) {
        const next = this.#findNext(position);
        this.#tell(position, next, reason);
        this.#isOffsetExact = false;
        position = next;
        continue;
      }
      const at = position - this.#windowStart;
      const end = at + batchBytes(this.#window, at);
      this.#offset = batchLastOffset(this.#window, at) + 1;
      this.#isOffsetExact = true;
      if (!this.#visitor.batch(this.#window, at, end, position)) break;
      position += end - at;
    }
    return this.#offset;
  }

  /** Of bytes that hold no sound batch. */
  #tell(start: number, end: number, reason: string): void {
    const refusals = this.#refusals?.within(start, end) ?? [];
    if (refusals.length > 0) this.#visitor.unreadable?.(start, end - start, refusals);
    else this.#visitor.damage(start, end - start, reason, end === this.#range.end);
  }

  /** Why no sound batch starts here, or null; the batch then lies whole in the window. */
  #faultAt(position: number): string | null {
    const reason = this.#batchFaultAt(position);
    if (reason !== null) return reason;
    const at = position - this.#windowStart;
    const baseOffset = batchBaseOffset(this.#window, at);
    if (baseOffset === this.#offset) return null;
    if (baseOffset < this.#offset)
      return `the batch starts at offset ${baseOffset}, which was given out before`;
    const behind = batchLastOffset(this.#window, at) + 1;
    const successor = this.#successorOffset(position + batchBytes(this.#window, at));
    this.#batchFaultAt(position); // the look ahead may have moved the window
    const isBelieved =
      successor === null
        ? this.#range.allowsGaps || !this.#isOffsetExact
        : successor >= behind && successor - behind <= OFFSET_GAP_MAX;
    if (isBelieved) return null;
    return `the batch starts at offset ${baseOffset} where ${this.#offset} was expected`;
  }

  #batchFaultAt(position: number): string | null {
    const available = this.#range.end - position;
    if (!this.#has(position, Math.min(BATCH_HEADER_BYTES, available)))
      return "the bytes cannot be read to their end";
    if (this.#isRefused(position, BATCH_HEADER_BYTES)) return UNREADABLE;
    const at = position - this.#windowStart;
    if (available >= BATCH_HEADER_BYTES && this.#window[at + BATCH_MAGIC] === MAGIC) {
      const bytes = batchBytes(this.#window, at);
      if (bytes >= BATCH_HEADER_BYTES && bytes <= available && bytes <= BATCH_BYTES_MAX) {
        if (!this.#has(position, bytes)) return "the batch cannot be read to its end";
        if (this.#isRefused(position, bytes)) return UNREADABLE;
      }
    }
    const start = position - this.#windowStart;
    const fault = validateStoredBatch(
      this.#window,
      start,
      Math.min(this.#windowEnd, this.#range.end) - this.#windowStart,
    );
    if (fault !== null) return fault.detail;
    if (!this.#isOffsetPlausible(start)) return "the batch's offsets lie outside its segment";
    return null;
  }

  #isOffsetPlausible(at: number): boolean {
    const lastOffset = batchLastOffset(this.#window, at);
    if (lastOffset >= this.#range.offsetLimit) return false;
    return lastOffset - this.#offset <= 2 * OFFSET_GAP_MAX;
  }

  /** The base offset of a sound batch at `position`, or null when there is none. */
  #successorOffset(position: number): number | null {
    if (position >= this.#range.end || this.#batchFaultAt(position) !== null) return null;
    return batchBaseOffset(this.#window, position - this.#windowStart);
  }

  /** Where the next sound batch behind a damaged place starts, or the end of the range. */
  #findNext(damaged: number): number {
    const claimed = this.#claimedEnd(damaged);
    this.#isOffsetExact = false;
    if (claimed !== null && this.#isNext(claimed)) return claimed;
    for (let position = damaged + 1; position + BATCH_HEADER_BYTES <= this.#range.end; position += 1) {
      position = this.#findMagic(position);
      if (position + BATCH_HEADER_BYTES > this.#range.end) break;
      if (this.#isNext(position)) return position;
    }
    return this.#range.end;
  }

  /** Where the damaged batch itself says that it ends: true when only its body was hit, and the cheapest place to look. */
  #claimedEnd(damaged: number): number | null {
    if (damaged + BATCH_HEADER_BYTES > this.#range.end || !this.#has(damaged, BATCH_HEADER_BYTES))
      return null;
    const bytes = batchBytes(this.#window, damaged - this.#windowStart);
    const end = damaged + bytes;
    return bytes >= BATCH_HEADER_BYTES && end < this.#range.end ? end : null;
  }

  #isNext(position: number): boolean {
    if (!this.#has(position, Math.min(BATCH_HEADER_BYTES, this.#range.end - position))) return false;
    return this.#faultAt(position) === null;
  }

  /** The first place at or behind `position` whose magic byte fits, or the end of the range. */
  #findMagic(position: number): number {
    let from = position;
    while (from + BATCH_HEADER_BYTES <= this.#range.end) {
      if (!this.#has(from, BATCH_HEADER_BYTES)) return this.#range.end;
      const found = this.#window.indexOf(MAGIC, from + BATCH_MAGIC - this.#windowStart);
      if (found !== -1 && found < this.#windowEnd - this.#windowStart)
        return found + this.#windowStart - BATCH_MAGIC;
      from = this.#windowEnd - BATCH_MAGIC;
    }
    return this.#range.end;
  }

  /** The zeros in their place would be taken for what a producer sent. */
  #isRefused(position: number, bytes: number): boolean {
    return this.#refusals?.has(position, position + bytes) === true;
  }

  /** Brings `[position, position + bytes)` into the window; false when the file ends before. */
  #has(position: number, bytes: number): boolean {
    if (position >= this.#windowStart && position + bytes <= this.#windowEnd) return true;
    if (bytes > this.#window.length) this.#window = Buffer.allocUnsafeSlow(bytes);
    const wanted = Math.min(this.#window.length, this.#range.end - position);
    const got = this.#read(wanted, position, bytes);
    this.#windowStart = position;
    this.#windowEnd = position + got;
    return got >= bytes;
  }

  #read(bytes: number, position: number, needed: number): number {
    const refusals = this.#refusals;
    if (refusals === null)
      return readBefore(this.#files, this.#descriptor, this.#window, bytes, position, needed);
    return readAround(this.#files, this.#descriptor, this.#window, bytes, position, (refusal) =>
      refusals.note(refusal),
    );
  }
}

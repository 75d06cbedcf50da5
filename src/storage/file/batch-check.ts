/**
 * Decides how many whole, valid batches of one stretch of a segment make a response, from pieces that come one after another: a batch
 * may lie in many of them, and no two pieces are in memory together.
 *
 *     start                end          position
 *     [ batch ][ batch ]...[ batch, CRC under way ......]
 *     `- the response ----'
 *
 *   - Every header is checked against the offset that must come next, and every CRC that has not been checked lately.
 *   - A batch that fails a check ends the response before it. When it is the first, the result is a fault: the place must be examined.
 *   - The budget is checked before the rest of a batch, the limit after its CRC: only then its offsets can be trusted.
 *
 * Hot: one step for each batch, no allocation.
 */

import { fail } from "../../base/assert.ts";
import { crc32c } from "../../base/crc32c.ts";
import {
  BATCH_ATTRIBUTES,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LENGTH,
  BATCH_MAGIC,
  batchCrc,
  LOG_OVERHEAD,
  MAGIC,
} from "../../protocol/record/batch.ts";
import { HIGH, type Place } from "./locator.ts";
import type { Segment } from "./segment.ts";

/** What a reader requests: as the arguments of `PartitionLog.span`. */
export interface ReadRequest {
  readonly offset: number;
  readonly limitOffset: number;
  readonly bytesMax: number;
  readonly atLeastOne: boolean;
}

export class BatchCheck {
  readonly segment: Segment;
  readonly start: number;
  /** Where the next piece begins. */
  position: number;
  /** Where the response ends, as far as it is known, and the offset that comes after it. */
  end: number;
  nextOffset: number;
  /** Of the first batch. */
  baseOffset = -1;
  isDone = false;
  /** Done, and the first batch has failed a check. */
  isFault = false;
  readonly #request: ReadRequest;
  /** Where the stretch ends: at the next hole, or with the segment. */
  readonly #stretchEnd: number;
  #hasComputed = false;
  /** The batch being checked: where it ends (-1: none), its last offset, the CRC that its header names, and the CRC so far. */
  #batchEnd = -1;
  #batchLast = -1;
  #crc = 0;
  #crcSoFar = 0;
  #isBatchVerified = false;

  constructor(place: Place, request: ReadRequest) {
    const { segment, position, offset } = place;
    this.segment = segment;
    this.start = position;
    this.position = position;
    this.end = position;
    this.nextOffset = offset;
    this.#request = request;
    this.#stretchEnd = segment.holeFrom(position)?.position ?? segment.bytes;
  }

  /** How many bytes the next piece should have. */
  get wantedBytes(): number {
    const budgetEnd = Math.max(this.start + this.#request.bytesMax, this.#batchEnd);
    const end = Math.max(budgetEnd, this.position + BATCH_HEADER_BYTES);
    return Math.min(end, this.#stretchEnd) - this.position;
  }

  /** How many bytes the check may take in all, as far as it is known. */
  get workBytes(): number {
    return this.position - this.start + this.wantedBytes;
  }

  /** How many of them it needs at least. */
  get neededBytes(): number {
    return this.#batchEnd === -1 ? BATCH_HEADER_BYTES : 1;
  }

  /** Checks the bytes at `position`. */
  take(piece: Buffer): void {
    let at = 0;
    while (!this.isDone && at < piece.length) {
      if (this.#batchEnd === -1) {
        if (piece.length - at < BATCH_HEADER_BYTES) break;
        if (!this.#begin(piece, at)) return;
      }
      at = this.#goOn(piece, at);
    }
    this.position += at;
    if (this.isDone || this.#batchEnd !== -1) return;
    const hasRoom = this.start + this.#request.bytesMax - this.end >= BATCH_HEADER_BYTES;
    const isFirst = this.end === this.start;
    if ((!hasRoom && !isFirst) || this.end >= this.#stretchEnd) this.isDone = true;
    else if (at === 0 && piece.length >= this.wantedBytes) this.stop();
  }

  /** Nothing more can be read, or the next batch has failed a check: the response ends before it. */
  stop(): void {
    this.isDone = true;
    this.isFault = this.end === this.start;
  }

  /** What has been checked is not checked again for a while. */
  recordVerified(): void {
    if (!(this.end <= this.segment.bytes)) fail("a response ends within its segment");
    if (!(this.end === this.start || this.nextOffset <= this.#request.limitOffset))
      fail("a response ends before its limit");
    if (this.#hasComputed && this.end > this.start) this.segment.recordVerified(this.start, this.end);
  }

  /** Begins the batch whose header lies at `at`; false when the response ends before it. */
  #begin(piece: Buffer, at: number): boolean {
    const { bytesMax, atLeastOne } = this.#request;
    const size = piece.readInt32BE(at + BATCH_LENGTH) + LOG_OVERHEAD;
    const base = piece.readUInt32BE(at) * HIGH + piece.readUInt32BE(at + 4);
    const batchEnd = this.end + size;
    const isHeader = piece[at + BATCH_MAGIC] === MAGIC && size >= BATCH_HEADER_BYTES;
    const isNext = base === this.nextOffset || this.nextOffset === -1;
    if (!isHeader || !isNext || batchEnd > this.#stretchEnd) {
      this.stop();
      return false;
    }
    if (batchEnd - this.start > bytesMax && !(atLeastOne && this.end === this.start)) {
      this.isDone = true;
      return false;
    }
    if (this.end === this.start) this.baseOffset = base;
    this.#batchEnd = batchEnd;
    this.#batchLast = base + piece.readInt32BE(at + BATCH_LAST_OFFSET_DELTA);
    this.#isBatchVerified = this.segment.isVerified(this.end, batchEnd);
    this.#crc = batchCrc(piece, at);
    this.#crcSoFar = 0;
    return true;
  }

  /** Continues the batch being checked at `at`; returns where it, or the piece, ends. */
  #goOn(piece: Buffer, at: number): number {
    const here = this.position + at;
    const bytes = Math.min(piece.length - at, this.#batchEnd - here);
    if (!this.#isBatchVerified) {
      const start = here === this.end ? at + BATCH_ATTRIBUTES : at;
      this.#crcSoFar = crc32c(piece, start, at + bytes, this.#crcSoFar);
    }
    if (here + bytes === this.#batchEnd) this.#endBatch();
    return at + bytes;
  }

  #endBatch(): void {
    if (!this.#isBatchVerified) {
      this.#hasComputed = true;
      if (this.#crcSoFar !== this.#crc) {
        this.stop();
        return;
      }
    }
    if (this.#batchLast >= this.#request.limitOffset) {
      this.isDone = true;
      return;
    }
    this.end = this.#batchEnd;
    this.nextOffset = this.#batchLast + 1;
    this.#batchEnd = -1;
  }
}

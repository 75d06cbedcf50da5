/**
 * One search by time: looks into one batch after the other for a record. Whoever sends batches decides what that costs, 12 KB may
 * inflate to 128 MiB of 19 million records, so
 *
 *   - records are walked where they lie, without an object for any of them, and only as far as the one that is searched for;
 *   - batches that can inflate to little are looked into at once, up to `SLICE_BYTES_MAX` of them;
 *   - for others the search waits its turn: one such batch is open at a time in the whole process, it is inflated and walked a
 *     piece of 256 KiB after the other, and between two of them everybody else is served. What is in memory of it is a piece or two,
 *     or one record where that is larger (a block of snappy: its result);
 *   - one search opens `SEARCH_INFLATED_BYTES_MAX` in all, and trusts the headers from then on.
 *
 * A batch that is beyond a limit, or of a codec that is missing here, counts by its header, and its first offset stands for its
 * records. One whose records do not open because they are its producer's garbage holds no record.
 */

import { ObeliskError } from "../base/errors.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { nextTurn, Turnstile } from "../base/loop/turns.ts";
import { GiB, KiB, MiB } from "../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  batchBaseOffset,
  batchBytes,
  batchCodec,
  batchLastOffset,
  batchLeaderEpoch,
  batchMaxTimestamp,
  batchRecordCount,
  isLogAppendTime,
  isMaxTimestampCredible,
} from "../protocol/record/batch.ts";
import { CODECS, type Codec } from "../protocol/record/compression.ts";
import { inflatePieces } from "../protocol/record/inflate-pieces.ts";
import { RecordPieces } from "../protocol/record/record-pieces.ts";
import { inflatedBytesMax } from "../protocol/record/record-room.ts";
import { INFLATED_BYTES_MAX, RecordCursor } from "../protocol/record/records.ts";
import type { TimestampedOffset } from "./contract.ts";
import { largestTimestamp } from "./timestamps.ts";

/** 150,000 of the smallest records: about 5 ms. */
const SLICE_BYTES_MAX = 1 * MiB;
/** What the loop watch calls it (loop-turns.ts). */
export const SEARCH_WORK = "search by time";
/** About 5 ms as well. */
const SLICE_RECORDS = 128 * KiB;
/** Eight of the largest batches. No honest log asks for more: its headers say what its batches hold. */
export const SEARCH_INFLATED_BYTES_MAX = 1 * GiB;

/** Those that open a large batch. */
const openers = new Turnstile(1);

enum Walked {
  /** There are more records. */
  SOME,
  /** No further one is there. */
  ALL,
  /** No further one matters. */
  ENOUGH,
}

/** In the batch that was looked into; null when it has no such record. */
export type Found = TimestampedOffset | null | Promise<TimestampedOffset | null>;

export class RecordSearch {
  readonly #cursor = new RecordCursor();
  /** What was looked into since others were served, at the most. */
  #sliceBytes = 0;
  #inflatedBytes = 0;
  /** What is searched for in the batch at hand: a record at or above the offset with this timestamp or a later one. */
  #offsetMin = 0;
  #timestampMin = 0;
  /** Whether the first such record will do; else the first of those with the largest timestamp is wanted. */
  #isFirstEnough = true;
  #lastOffset = 0;
  #foundOffset = -1;
  #foundMs = -1;

  /** The first record at or above `offsetMin` with `timestampMs` or later in the batch that starts at `position`. */
  first(buffer: Buffer, position: number, timestampMs: number, offsetMin: number): Found {
    const canBePassed = batchCodec(buffer, position) !== 0 && isMaxTimestampCredible(buffer, position);
    if (canBePassed && batchMaxTimestamp(buffer, position) < timestampMs) return null;
    this.#timestampMin = timestampMs;
    this.#isFirstEnough = true;
    return this.#look(buffer, position, offsetMin);
  }

  /** The first of the records at or above `offsetMin` with the batch's largest timestamp, if that is later than `thanMs`. */
  later(buffer: Buffer, position: number, thanMs: number, offsetMin: number): Found {
    const isTold = batchCodec(buffer, position) === 0 || isMaxTimestampCredible(buffer, position);
    if (isTold && largestTimestamp(buffer, position) <= thanMs) return null;
    this.#timestampMin = thanMs + 1;
    this.#isFirstEnough = isLogAppendTime(buffer, position);
    return this.#look(buffer, position, offsetMin);
  }

  #look(buffer: Buffer, position: number, offsetMin: number): Found {
    this.#offsetMin = offsetMin;
    this.#lastOffset = batchLastOffset(buffer, position);
    this.#foundOffset = -1;
    this.#sliceBytes +=
      batchCodec(buffer, position) === 0 ? batchBytes(buffer, position) : inflatedBytesMax(buffer, position);
    if (this.#sliceBytes <= SLICE_BYTES_MAX) return this.#lookNow(buffer, position);
    this.#sliceBytes = 0;
    return openers.run(() => this.#lookInTurns(buffer, position));
  }

  #lookNow(buffer: Buffer, position: number): TimestampedOffset | null {
    try {
      this.#open(buffer, position);
      this.#walk(this.#cursor, this.#cursor, Number.POSITIVE_INFINITY);
      return this.#found(buffer, position);
    } catch (thrown) {
      return this.#unopened(thrown, buffer, position);
    } finally {
      this.#cursor.close();
    }
  }

  async #lookInTurns(buffer: Buffer, position: number): Promise<TimestampedOffset | null> {
    await nextTurn();
    try {
      const codec = CODECS[batchCodec(buffer, position)];
      if (codec === undefined || codec === "none" || batchRecordCount(buffer, position) === 0) {
        this.#open(buffer, position);
        while (this.#walk(this.#cursor, this.#cursor, SLICE_RECORDS) === Walked.SOME) await nextTurn();
      } else await this.#walkPieces(codec, buffer, position);
      return this.#found(buffer, position);
    } catch (thrown) {
      return this.#unopened(thrown, buffer, position);
    } finally {
      this.#cursor.close();
    }
  }

  /** What comes after the record that was found is inflated as well: only the end tells whether the batch opens at all. */
  async #walkPieces(codec: Exclude<Codec, "none">, buffer: Buffer, position: number): Promise<void> {
    this.#checkInflated();
    const pieces = new RecordPieces();
    const records = buffer.subarray(position + BATCH_HEADER_BYTES, position + batchBytes(buffer, position));
    pieces.begin(buffer, position);
    try {
      let isOver = false;
      for await (const piece of inflatePieces(codec, records, INFLATED_BYTES_MAX)) {
        loopTurns.enter(SEARCH_WORK);
        this.#inflatedBytes += piece.length;
        if (!isOver) isOver = this.#walkPiece(pieces, piece);
        await nextTurn();
      }
    } catch (thrown) {
      if (thrown instanceof ObeliskError && thrown.code === "CORRUPT_MESSAGE") this.#foundOffset = -1;
      else throw thrown;
    } finally {
      pieces.close();
    }
  }

  /** True when no further record matters: what is garbled holds none either. */
  #walkPiece(pieces: RecordPieces, piece: Buffer): boolean {
    try {
      pieces.add(piece);
      const walked = this.#walk(pieces, pieces.cursor, Number.POSITIVE_INFINITY);
      return walked === Walked.ENOUGH || pieces.cursor.remaining === 0;
    } catch (thrown) {
      if (thrown instanceof ObeliskError && thrown.code === "GARBLED_RECORDS") return true;
      throw thrown;
    }
  }

  /** @throws as `RecordCursor.open` */
  #open(buffer: Buffer, position: number): void {
    this.#checkInflated();
    this.#cursor.open(buffer, position);
    if (this.#cursor.buffer !== buffer) this.#inflatedBytes += this.#cursor.buffer.length;
  }

  /** @throws ObeliskError RECORDS_TOO_LARGE when this search has opened enough */
  #checkInflated(): void {
    if (this.#inflatedBytes < SEARCH_INFLATED_BYTES_MAX) return;
    throw new ObeliskError("RECORDS_TOO_LARGE", { limit: SEARCH_INFLATED_BYTES_MAX });
  }

  /** Goes on for so many records. */
  #walk(records: { next(): boolean }, cursor: RecordCursor, recordsMax: number): Walked {
    for (let left = recordsMax; left > 0; left -= 1) {
      if (!records.next()) return Walked.ALL;
      if (cursor.offset > this.#lastOffset) return Walked.ENOUGH; // garbage: the offset is another batch's
      if (cursor.timestampMs < this.#timestampMin || cursor.offset < this.#offsetMin) continue;
      this.#foundOffset = cursor.offset;
      this.#foundMs = cursor.timestampMs;
      if (this.#isFirstEnough) return Walked.ENOUGH;
      this.#timestampMin = cursor.timestampMs + 1;
    }
    return Walked.SOME;
  }

  #found(buffer: Buffer, position: number): TimestampedOffset | null {
    if (this.#foundOffset < 0) return null;
    const leaderEpoch = batchLeaderEpoch(buffer, position);
    return { offset: this.#foundOffset, timestampMs: this.#foundMs, leaderEpoch };
  }

  #unopened(thrown: unknown, buffer: Buffer, position: number): TimestampedOffset | null {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    if (thrown.code === "GARBLED_RECORDS") return this.#found(buffer, position);
    const offset = Math.max(batchBaseOffset(buffer, position), this.#offsetMin);
    if (offset > this.#lastOffset) return null;
    const timestampMs = batchMaxTimestamp(buffer, position);
    return { offset, timestampMs, leaderEpoch: batchLeaderEpoch(buffer, position) };
  }
}

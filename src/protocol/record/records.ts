/**
 * Opens the records of a batch (builder.ts draws their layout). For REST, filters, compaction, `inspect` and `verify`;
 * the way from socket to disk to socket never comes here.
 *
 * `RecordCursor` is reused from batch to batch and moves from record to record; its fields are positions in `buffer`,
 * which is the batch itself or its inflated records, and are good until the next `open`. Nothing is allocated for a
 * record; headers are only skipped until `headers()` reads them.
 *
 * The batch's header and its CRC must have been validated. Of the records nothing is believed: every length is checked
 * before it is used, and a record's end must be where its length says. Because the CRC holds, what does not open is never
 * the disk's damage, and never to be cut:
 *
 *   GARBLED_RECORDS                the producer's garbage: it is stored as it was acknowledged
 *   RECORDS_TOO_LARGE              a limit of ours: others can read it
 *   UNSUPPORTED_COMPRESSION_TYPE   a codec that this platform lacks
 */

import { readInt64 } from "../../base/bytes.ts";
import { ObeliskError } from "../../base/errors.ts";
import { MiB } from "../../base/units.ts";
import { VarintReader } from "../../base/varint.ts";
import {
  BATCH_BASE_TIMESTAMP,
  BATCH_HEADER_BYTES,
  BATCH_MAX_TIMESTAMP,
  batchBaseOffset,
  batchBytes,
  batchCodec,
  batchLastOffsetDelta,
  batchRecordCount,
  isLogAppendTime,
} from "./batch.ts";
import type { RecordHeader } from "./builder.ts";
import { CODECS, type Codec, decompress } from "./compression.ts";
import { freeInflated } from "./inflate.ts";
import type { BatchFault } from "./validate.ts";

/** What the records of one batch may inflate to: above Kafka's largest request, and small against the memory ceiling. */
export const INFLATED_BYTES_MAX = 128 * MiB;

const NO_BYTES = Buffer.alloc(0);

/** A record with its own copies, for cold paths. */
export interface StoredRecord {
  readonly offset: number;
  /** -1: none. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: RecordHeader[];
}

export class RecordCursor {
  /** Where the positions below point into. */
  buffer: Buffer;
  offset: number;
  offsetDelta: number;
  timestampMs: number;
  /** -1 for a null key; so for the value. */
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
  headerCount: number;
  /** After the header count. */
  headersStart: number;
  /** Where this record ends. */
  recordEnd: number;
  readonly #reader: VarintReader;
  #remaining: number;
  /** Of the batch that is open, and where its first record begins. */
  #count: number;
  #start: number;
  #baseOffset: number;
  #baseTimestampMs: number;
  /** With log append time, the timestamp of every record; else -1. */
  #appendTimestampMs: number;
  #isLogAppendTime: boolean;
  /** Whether the buffer was made here. */
  #isInflated: boolean;

  constructor() {
    this.buffer = NO_BYTES;
    this.offset = -1;
    this.offsetDelta = -1;
    this.timestampMs = -1;
    this.keyStart = -1;
    this.keyEnd = -1;
    this.valueStart = -1;
    this.valueEnd = -1;
    this.headerCount = 0;
    this.headersStart = -1;
    this.recordEnd = -1;
    this.#reader = new VarintReader();
    this.#remaining = 0;
    this.#count = 0;
    this.#start = 0;
    this.#baseOffset = -1;
    this.#baseTimestampMs = -1;
    this.#appendTimestampMs = -1;
    this.#isLogAppendTime = false;
    this.#isInflated = false;
  }

  /**
   * Stands before the first record of the batch at `position`, inflating its records if they are compressed.
   * @throws ObeliskError GARBLED_RECORDS, RECORDS_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE
   */
  open(batch: Buffer, position: number, inflatedBytesMax: number = INFLATED_BYTES_MAX): void {
    const end = position + batchBytes(batch, position);
    const codec = CODECS[batchCodec(batch, position)];
    if (codec === undefined) throw new ObeliskError("UNSUPPORTED_COMPRESSION_TYPE");
    this.begin(batch, position);
    if (codec === "none") {
      this.buffer = batch;
      this.#reader.reset(batch, position + BATCH_HEADER_BYTES, end);
    } else if (this.#remaining === 0) {
      this.buffer = batch;
      this.#reader.reset(batch, end, end); // compaction keeps emptied batches; there is nothing to inflate
    } else {
      this.buffer = inflateRecords(
        codec,
        batch.subarray(position + BATCH_HEADER_BYTES, end),
        inflatedBytesMax,
      );
      this.#isInflated = true;
      this.#reader.reset(this.buffer, 0, this.buffer.length);
    }
    this.#count = this.#remaining;
    this.#start = this.#reader.position;
  }

  /** Takes what the header of the batch at `position` says. For who feeds the inflated records in pieces (record-pieces.ts). */
  begin(batch: Buffer, position: number): void {
    this.#remaining = batchRecordCount(batch, position);
    this.#baseOffset = batchBaseOffset(batch, position);
    this.#baseTimestampMs = readInt64(batch, position + BATCH_BASE_TIMESTAMP);
    this.#isLogAppendTime = isLogAppendTime(batch, position);
    this.#appendTimestampMs = this.#isLogAppendTime ? readInt64(batch, position + BATCH_MAX_TIMESTAMP) : -1;
    this.#isInflated = false;
  }

  /** Goes on at the front of `piece`, where a record begins; `next` is for those that lie whole in it. */
  feed(piece: Buffer): void {
    this.buffer = piece;
    this.#reader.reset(piece, 0, piece.length);
  }

  /** Records after the current one, as the header counts them. */
  get remaining(): number {
    return this.#remaining;
  }

  /** Stands before the first record again, of the batch that is open. */
  rewind(): void {
    this.#remaining = this.#count;
    this.#reader.position = this.#start;
  }

  /** Moves to the next record; false after the last one. @throws ObeliskError GARBLED_RECORDS */
  next(): boolean {
    try {
      return this.#next();
    } catch (thrown) {
      throw asRecordsFault(thrown);
    }
  }

  #next(): boolean {
    const reader = this.#reader;
    if (this.#remaining === 0) {
      if (reader.position !== reader.end) throw garbled("bytes follow the last record", reader.position);
      return false;
    }
    this.#remaining -= 1;
    const bytes = reader.varint();
    const recordEnd = reader.position + bytes;
    if (bytes < 0 || recordEnd > reader.end) throw garbled("a record's length does not fit", reader.position);
    this.recordEnd = recordEnd;
    reader.position += 1; // attributes, unused
    const timestampDelta = reader.varlong();
    this.timestampMs = this.#isLogAppendTime
      ? this.#appendTimestampMs
      : this.#baseTimestampMs + timestampDelta;
    this.offsetDelta = reader.varint();
    this.offset = this.#baseOffset + this.offsetDelta;

    const keyBytes = this.#fieldBytes();
    this.keyStart = keyBytes < 0 ? -1 : reader.position;
    reader.position += Math.max(keyBytes, 0);
    this.keyEnd = keyBytes < 0 ? -1 : reader.position;

    const valueBytes = this.#fieldBytes();
    this.valueStart = valueBytes < 0 ? -1 : reader.position;
    reader.position += Math.max(valueBytes, 0);
    this.valueEnd = valueBytes < 0 ? -1 : reader.position;

    this.headerCount = reader.varint();
    this.headersStart = reader.position;
    if (this.headerCount < 0) throw garbled("a record's header count is negative", reader.position);
    if (this.headerCount > 0) this.#skipHeaders();
    if (reader.position !== recordEnd)
      throw garbled("a record does not end where its length says", reader.position);
    return true;
  }

  /**
   * Gives back what was inflated, at once (inflate.ts): no view of `buffer` may be used afterwards. The cursor may be opened again.
   * Whoever keeps views leaves the cursor open, and the memory to the collector.
   */
  close(): void {
    if (this.#isInflated) freeInflated(this.buffer);
    this.#isInflated = false;
    this.buffer = NO_BYTES;
    this.#reader.reset(NO_BYTES, 0, 0);
    this.#remaining = 0;
    this.#count = 0;
    this.#start = 0;
  }

  /** The current record's headers, copied. */
  headers(): RecordHeader[] {
    const reader = new VarintReader();
    reader.reset(this.buffer, this.headersStart, this.recordEnd);
    const headers: RecordHeader[] = [];
    for (let index = 0; index < this.headerCount; index += 1) {
      const keyBytes = reader.varint();
      const name = this.#copy(reader.position, reader.position + keyBytes);
      reader.position += keyBytes;
      const valueBytes = reader.varint();
      const value = valueBytes < 0 ? null : this.#copy(reader.position, reader.position + valueBytes);
      reader.position += Math.max(valueBytes, 0);
      const key = name.toString();
      const isText = !key.includes("\ufffd") || Buffer.from(key).equals(name);
      headers.push(isText ? { key, value } : { key, value, keyBytes: name });
    }
    return headers;
  }

  /** The current record with copies of its bytes. */
  record(): StoredRecord {
    return {
      offset: this.offset,
      timestampMs: this.timestampMs,
      key: this.keyStart < 0 ? null : this.#copy(this.keyStart, this.keyEnd),
      value: this.valueStart < 0 ? null : this.#copy(this.valueStart, this.valueEnd),
      headers: this.headers(),
    };
  }

  /** The length of a key or value; -1 for null. */
  #fieldBytes(): number {
    const reader = this.#reader;
    const bytes = reader.varint();
    if (bytes < -1 || bytes > this.recordEnd - reader.position) {
      throw garbled("the length of a key or value does not fit", reader.position);
    }
    return bytes;
  }

  #skipHeaders(): void {
    const reader = this.#reader;
    for (let index = 0; index < this.headerCount; index += 1) {
      const keyBytes = this.#fieldBytes();
      if (keyBytes < 0) throw garbled("a header has no name", reader.position);
      reader.position += keyBytes;
      const valueBytes = this.#fieldBytes(); // moves the position too, so not within the next line
      reader.position += Math.max(valueBytes, 0);
    }
  }

  #copy(start: number, end: number): Buffer {
    return Buffer.from(this.buffer.subarray(start, end));
  }
}

/** All records of a batch, copied. @throws as `RecordCursor.open` and `next` */
export function readRecords(batch: Buffer, position = 0): StoredRecord[] {
  const cursor = new RecordCursor();
  cursor.open(batch, position);
  const records: StoredRecord[] = [];
  while (cursor.next()) records.push(cursor.record());
  cursor.close();
  return records;
}

const checker = new RecordCursor();

/**
 * Opens the batch and checks all that its header cannot show: as many records as it says, offset deltas that ascend
 * within the last one (without gaps when `isDense`, as a producer sends them), sizes that add up to the end.
 * About 35 ns for each record, besides inflating. Null: all is well. The fault's code is one of the three above.
 */
export function validateRecords(batch: Buffer, position: number, isDense: boolean): BatchFault | null {
  try {
    return faultOfRecords(batch, position, isDense);
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    return { code: thrown.code, detail: thrown.message };
  } finally {
    checker.close();
  }
}

function faultOfRecords(batch: Buffer, position: number, isDense: boolean): BatchFault | null {
  const lastOffsetDelta = batchLastOffsetDelta(batch, position);
  let previous = -1;
  checker.open(batch, position);
  while (checker.next()) {
    const delta = checker.offsetDelta;
    const follows = isDense ? delta === previous + 1 : delta > previous;
    if (!follows || delta > lastOffsetDelta) {
      return { code: "GARBLED_RECORDS", detail: `the offset delta ${delta} follows ${previous}` };
    }
    previous = delta;
  }
  return null;
}

function inflateRecords(codec: Codec, source: Buffer, bytesMax: number): Buffer {
  try {
    return decompress(codec, source, bytesMax);
  } catch (thrown) {
    throw asRecordsFault(thrown);
  }
}

/** What the layers below say about bytes, said about the records of a batch whose CRC holds. */
function asRecordsFault(thrown: unknown): unknown {
  if (!(thrown instanceof ObeliskError)) return thrown;
  if (thrown.code === "CORRUPT_MESSAGE") return new ObeliskError("GARBLED_RECORDS", thrown.facts, thrown);
  if (thrown.code === "MESSAGE_TOO_LARGE") return new ObeliskError("RECORDS_TOO_LARGE", thrown.facts, thrown);
  return thrown;
}

export function garbled(detail: string, position: number): ObeliskError {
  return new ObeliskError("GARBLED_RECORDS", { detail, position });
}

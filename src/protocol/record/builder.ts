/**
 * Builds one record batch, record by record, in wire form. A record of magic 2:
 *
 *   varint   length                of what follows
 *   int8     attributes            0
 *   varlong  timestamp delta       to the batch's base timestamp: the first record's, so it may be negative
 *   varint   offset delta          0, 1, 2, ...
 *   varint   key length, key       -1: null
 *   varint   value length, value   -1: null
 *   varint   header count, headers each: varint length, key; varint length (-1: null), value
 *
 * One growing buffer, 61 bytes of header first. `append` costs no object and no view for a record. `bytesMax` bounds the
 * whole uncompressed batch: `append` refuses a record (false, nothing changed) that would not fit any more.
 *
 * Ownership: `seal` returns a view of the builder's own buffer, good until the next `append` or `reset`; `finish` returns
 * a buffer of the caller's own. Both leave the records in place: `reset` before the next batch.
 */

import { fail } from "../../base/assert.ts";
import { KiB, MiB } from "../../base/units.ts";
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from "../../base/varint.ts";
import {
  ATTRIBUTE_TRANSACTIONAL,
  BATCH_HEADER_BYTES,
  NO_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  writeBatchHeader,
} from "./batch.ts";
import { CODECS, type Codec, compress } from "./compression.ts";

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
  /** The name as it was read, only where it is no UTF-8 and `key` thus not the whole truth. */
  readonly keyBytes?: Buffer;
}

export interface FinishOptions {
  /** Default: none. */
  readonly codec?: Codec;
  /** Left out: not idempotent. The three go together. */
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly isTransactional?: boolean;
}

/** Length 5, timestamp delta 10, offset delta, key length, value length and header count 5 each, attributes 1. */
const RECORD_OVERHEAD_MAX = 36;
const CAPACITY_MIN = 4 * KiB;
/** What an idle builder may hold: a full batch of the usual clients' largest setting. */
const RETAINED_BYTES_MAX = 1 * MiB + RECORD_OVERHEAD_MAX;
/** Below this a loop is cheaper than a call into the runtime. */
const COPY_BY_LOOP_BYTES_MAX = 32;
const NO_HEADERS: readonly RecordHeader[] = [];
const NOTHING: FinishOptions = {};

export class BatchBuilder {
  readonly bytesMax: number;
  #buffer: Buffer;
  #position: number;
  #count: number;
  #baseTimestampMs: number;
  #maxTimestampMs: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.#buffer = Buffer.allocUnsafeSlow(CAPACITY_MIN);
    this.#position = BATCH_HEADER_BYTES;
    this.#count = 0;
    this.#baseTimestampMs = NO_TIMESTAMP;
    this.#maxTimestampMs = NO_TIMESTAMP;
  }

  /** Records so far. */
  get count(): number {
    return this.#count;
  }

  /** Size of the batch so far, header included, before compression. */
  get bytes(): number {
    return this.#position;
  }

  /** The largest timestamp so far; -1 when empty. */
  get maxTimestampMs(): number {
    return this.#maxTimestampMs;
  }

  /**
   * Copies one record in. `key` and `value` may be null; their ranges are then ignored. False, and nothing changed, when the batch
   * would pass `bytesMax`: when it is empty the record is too large for any batch of this size.
   */
  append(
    timestampMs: number,
    key: Buffer | null,
    keyStart: number,
    keyEnd: number,
    value: Buffer | null,
    valueStart: number,
    valueEnd: number,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): boolean {
    const keyBytes = key === null ? -1 : keyEnd - keyStart;
    const valueBytes = value === null ? -1 : valueEnd - valueStart;
    const delta = this.#count === 0 ? 0 : timestampMs - this.#baseTimestampMs;
    const bodyBytes =
      1 +
      varlongBytes(delta) +
      varintBytes(this.#count) +
      varintBytes(keyBytes) +
      Math.max(keyBytes, 0) +
      varintBytes(valueBytes) +
      Math.max(valueBytes, 0) +
      (headers.length === 0 ? 1 : headersBytes(headers));
    const nextBytes = this.#position + varintBytes(bodyBytes) + bodyBytes;
    if (nextBytes > this.bytesMax) return false;
    if (nextBytes + RECORD_OVERHEAD_MAX > this.#buffer.length) this.#grow(nextBytes + RECORD_OVERHEAD_MAX);

    const buffer = this.#buffer;
    let at = writeVarint(buffer, this.#position, bodyBytes);
    buffer[at] = 0;
    at = writeVarlong(buffer, at + 1, delta);
    at = writeVarint(buffer, at, this.#count);
    at = writeVarint(buffer, at, keyBytes);
    if (key !== null) at = copyBytes(key, keyStart, keyEnd, buffer, at);
    at = writeVarint(buffer, at, valueBytes);
    if (value !== null) at = copyBytes(value, valueStart, valueEnd, buffer, at);
    at = headers.length === 0 ? writeVarint(buffer, at, 0) : writeHeaders(buffer, at, headers);
    if (at !== nextBytes) fail("a record's computed size is not its written size");

    if (this.#count === 0) {
      this.#baseTimestampMs = timestampMs;
      this.#maxTimestampMs = timestampMs;
    } else if (timestampMs > this.#maxTimestampMs) {
      this.#maxTimestampMs = timestampMs;
    }
    this.#position = at;
    this.#count += 1;
    return true;
  }

  /** The finished batch, as the caller's own copy. Needs at least one record. @throws as `compress` */
  finish(options: FinishOptions = NOTHING): Buffer {
    const sealed = this.seal(options);
    return sealed.buffer === this.#buffer.buffer ? Buffer.from(sealed) : sealed;
  }

  /**
   * As `finish`, without the copy: the view is good until the next `append` or `reset`, and may be patched (`stampBatch`)
   * until then. @throws as `compress`
   */
  seal(options: FinishOptions = NOTHING): Buffer {
    if (this.#count === 0) fail("a batch without records cannot be finished");
    const codec = options.codec ?? "none";
    if (codec === "none") {
      const batch = this.#buffer.subarray(0, this.#position);
      this.#writeHeader(batch, 0, options);
      return batch;
    }
    const records = compress(codec, this.#buffer.subarray(BATCH_HEADER_BYTES, this.#position));
    const batch = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + records.length);
    records.copy(batch, BATCH_HEADER_BYTES);
    this.#writeHeader(batch, CODECS.indexOf(codec), options);
    return batch;
  }

  /** Empties the builder. It keeps its buffer, unless one large record made that much larger than most batches need. */
  reset(): void {
    if (this.#buffer.length > RETAINED_BYTES_MAX) this.#buffer = Buffer.allocUnsafeSlow(CAPACITY_MIN);
    this.#position = BATCH_HEADER_BYTES;
    this.#count = 0;
    this.#baseTimestampMs = NO_TIMESTAMP;
    this.#maxTimestampMs = NO_TIMESTAMP;
  }

  #writeHeader(batch: Buffer, codec: number, options: FinishOptions): void {
    const transactional = options.isTransactional === true ? ATTRIBUTE_TRANSACTIONAL : 0;
    writeBatchHeader(batch, {
      baseOffset: 0,
      leaderEpoch: NO_LEADER_EPOCH,
      attributes: codec | transactional,
      lastOffsetDelta: this.#count - 1,
      baseTimestampMs: this.#baseTimestampMs,
      maxTimestampMs: this.#maxTimestampMs,
      producerId: options.producerId ?? NO_PRODUCER_ID,
      producerEpoch: options.producerEpoch ?? NO_PRODUCER_EPOCH,
      baseSequence: options.baseSequence ?? NO_SEQUENCE,
      recordCount: this.#count,
    });
  }

  /** Doubles, so that a batch of n bytes is copied less than two times over; never beyond what `bytesMax` can need. */
  #grow(needed: number): void {
    const limit = Math.max(needed, this.bytesMax + RECORD_OVERHEAD_MAX);
    const grown = Buffer.allocUnsafeSlow(Math.min(limit, Math.max(needed, 2 * this.#buffer.length)));
    this.#buffer.copy(grown, 0, 0, this.#position);
    this.#buffer = grown;
  }
}

function copyBytes(source: Buffer, start: number, end: number, target: Buffer, position: number): number {
  const bytes = end - start;
  if (bytes > COPY_BY_LOOP_BYTES_MAX) {
    source.copy(target, position, start, end);
  } else {
    for (let index = 0; index < bytes; index += 1) target[position + index] = source[start + index]!;
  }
  return position + bytes;
}

/** What they take in a record, their count included. */
export function headersBytes(headers: readonly RecordHeader[]): number {
  let bytes = varintBytes(headers.length);
  for (const { key, keyBytes, value } of headers) {
    const nameBytes = Buffer.byteLength(keyBytes ?? key);
    const valueBytes = value === null ? -1 : value.length;
    bytes += varintBytes(nameBytes) + nameBytes + varintBytes(valueBytes) + Math.max(valueBytes, 0);
  }
  return bytes;
}

function writeHeaders(buffer: Buffer, position: number, headers: readonly RecordHeader[]): number {
  let at = writeVarint(buffer, position, headers.length);
  for (const { key, keyBytes, value } of headers) {
    at = writeVarint(buffer, at, Buffer.byteLength(keyBytes ?? key));
    at += keyBytes === undefined ? buffer.write(key, at) : keyBytes.copy(buffer, at);
    at = writeVarint(buffer, at, value === null ? -1 : value.length);
    if (value !== null) at += value.copy(buffer, at);
  }
  return at;
}

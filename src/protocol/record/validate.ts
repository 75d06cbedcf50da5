/**
 * Whether bytes are a record batch that may be stored, or one that was. Looks at the header and the CRC only, in the
 * order length, magic, CRC, meaning; records stay closed (records.ts opens them). Nothing is allocated for a good batch.
 *
 * Two doors
 *   - `validateBatch`: what a client sends. Exactly one batch, dense offsets, no control batch, no log append time.
 *   - `validateStoredBatch`: what lies in a log. Compaction leaves gaps (count <= delta + 1, even 0) and delete horizons,
 *     the server writes control batches and append times.
 *
 * A fault is the peer's or the disk's, never ours: it is returned, not thrown. Tolerated on purpose, because clients in
 * use do it: epoch and sequence of 0 without a producer id (kafkajs), a max timestamp of -1 (sarama), a base offset that is not 0 (it is
 * overwritten anyway).
 */

import type { ErrorCode } from "../../base/errors.ts";
import {
  ATTRIBUTE_CODEC_MASK,
  ATTRIBUTE_CONTROL,
  ATTRIBUTE_DELETE_HORIZON,
  ATTRIBUTE_LOG_APPEND_TIME,
  ATTRIBUTE_TRANSACTIONAL,
  BATCH_BASE_OFFSET,
  BATCH_BASE_TIMESTAMP,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_ID,
  batchAttributes,
  batchBaseSequence,
  batchBytes,
  batchCrc,
  batchLastOffsetDelta,
  batchProducerEpoch,
  batchRecordCount,
  computeBatchCrc,
  LOG_OVERHEAD,
  MAGIC,
} from "./batch.ts";

export interface BatchFault {
  readonly code: ErrorCode;
  readonly detail: string;
}

export interface ValidateOptions {
  /** The topic's `max.message.bytes`: the whole batch, header included, as it came. */
  readonly bytesMax: number;
}

/** One byte each for length, attributes, timestamp, offset, key length, value length and header count. */
const RECORD_BYTES_MIN = 7;

const CODEC_MAX = 4;
const ATTRIBUTES_STORED =
  ATTRIBUTE_CODEC_MASK |
  ATTRIBUTE_LOG_APPEND_TIME |
  ATTRIBUTE_TRANSACTIONAL |
  ATTRIBUTE_CONTROL |
  ATTRIBUTE_DELETE_HORIZON;
const ATTRIBUTES_PRODUCED = ATTRIBUTES_STORED & ~ATTRIBUTE_DELETE_HORIZON;
/** The high word of a 64-bit integer that fits 53 bits is within +-2^21. */
const HIGH_WORD_LIMIT = 0x20_0000;

/** Checks what a producer sent as `buffer[position, end)`, which must be one whole batch. Null: it may be appended. */
export function validateBatch(
  buffer: Buffer,
  position: number,
  end: number,
  options: ValidateOptions,
): BatchFault | null {
  const shape = faultOfShape(buffer, position, end);
  if (shape !== null) return shape;
  const bytes = batchBytes(buffer, position);
  if (bytes > options.bytesMax) {
    return fault("MESSAGE_TOO_LARGE", `the batch has ${bytes} bytes; the limit is ${options.bytesMax}`);
  }
  if (position + bytes !== end) {
    return fault("INVALID_RECORD", "a produce request carries exactly one record batch for a partition");
  }
  return (
    faultOfCrc(buffer, position, bytes) ??
    faultOfProducedAttributes(batchAttributes(buffer, position)) ??
    faultOfProducedCounts(buffer, position, bytes) ??
    faultOfTimestamps(buffer, position) ??
    faultOfProducer(buffer, position)
  );
}

/**
 * Checks the batch that starts at `position` in a log; `end` is where the readable bytes end, and may lie behind the
 * batch. Null: a whole and sound batch of `batchBytes` bytes lies there.
 */
export function validateStoredBatch(buffer: Buffer, position: number, end: number): BatchFault | null {
  const shape = faultOfShape(buffer, position, end);
  if (shape !== null) return shape;
  const bytes = batchBytes(buffer, position);
  return (
    faultOfCrc(buffer, position, bytes) ??
    faultOfStoredAttributes(batchAttributes(buffer, position)) ??
    faultOfStoredFields(buffer, position, bytes)
  );
}

/** Length and magic: what must hold before any other field may be read. */
function faultOfShape(buffer: Buffer, position: number, end: number): BatchFault | null {
  const available = end - position;
  if (available <= BATCH_MAGIC)
    return fault("CORRUPT_MESSAGE", `${available} bytes cannot hold a record batch`);
  const magic = buffer[position + BATCH_MAGIC]!;
  if (magic < MAGIC) return fault("UNSUPPORTED_FOR_MESSAGE_FORMAT", `the batch has magic ${magic}`);
  if (magic !== MAGIC) return fault("CORRUPT_MESSAGE", `there is no magic ${magic}`);
  const bytes = batchBytes(buffer, position);
  if (bytes < BATCH_HEADER_BYTES) {
    return fault("CORRUPT_MESSAGE", `the batch length ${bytes - LOG_OVERHEAD} is less than a header`);
  }
  if (bytes > available) {
    return fault("CORRUPT_MESSAGE", `the batch needs ${bytes} bytes; ${available} are there`);
  }
  return null;
}

function faultOfCrc(buffer: Buffer, position: number, bytes: number): BatchFault | null {
  const stored = batchCrc(buffer, position);
  const computed = computeBatchCrc(buffer, position, bytes);
  if (stored === computed) return null;
  return fault("CORRUPT_MESSAGE", `the CRC is ${hex(computed)} where the batch says ${hex(stored)}`);
}

function faultOfProducedAttributes(attributes: number): BatchFault | null {
  if ((attributes & ATTRIBUTE_CODEC_MASK) > CODEC_MAX) return faultOfCodec(attributes);
  if ((attributes & ~ATTRIBUTES_PRODUCED) !== 0) {
    return fault("INVALID_RECORD", `the attributes ${hex(attributes & 0xffff)} use reserved bits`);
  }
  if ((attributes & ATTRIBUTE_CONTROL) !== 0) {
    return fault("INVALID_RECORD", "clients may not write control batches");
  }
  if ((attributes & ATTRIBUTE_LOG_APPEND_TIME) !== 0) {
    return fault("INVALID_TIMESTAMP", "only the server sets log append time");
  }
  return null;
}

function faultOfStoredAttributes(attributes: number): BatchFault | null {
  if ((attributes & ATTRIBUTE_CODEC_MASK) > CODEC_MAX) return faultOfCodec(attributes);
  if ((attributes & ~ATTRIBUTES_STORED) === 0) return null;
  return fault("CORRUPT_MESSAGE", `the attributes ${hex(attributes & 0xffff)} use reserved bits`);
}

function faultOfCodec(attributes: number): BatchFault {
  return fault("UNSUPPORTED_COMPRESSION_TYPE", `there is no codec ${attributes & ATTRIBUTE_CODEC_MASK}`);
}

function faultOfProducedCounts(buffer: Buffer, position: number, bytes: number): BatchFault | null {
  const count = batchRecordCount(buffer, position);
  const lastOffsetDelta = batchLastOffsetDelta(buffer, position);
  if (count < 1) return fault("INVALID_RECORD", `the record count is ${count}`);
  if (count !== lastOffsetDelta + 1) {
    return fault("INVALID_RECORD", `${count} records do not fit a last offset delta of ${lastOffsetDelta}`);
  }
  return faultOfRoom(buffer, position, bytes, count);
}

/** A count that the bytes cannot hold. For compressed records all that is known is that there must be some bytes. */
function faultOfRoom(buffer: Buffer, position: number, bytes: number, count: number): BatchFault | null {
  const room = bytes - BATCH_HEADER_BYTES;
  const isCompressed = (batchAttributes(buffer, position) & ATTRIBUTE_CODEC_MASK) !== 0;
  const needed = isCompressed ? Math.min(count, 1) : count * RECORD_BYTES_MIN;
  if (room >= needed) return null;
  return fault("INVALID_RECORD", `${room} bytes cannot hold ${count} records`);
}

function faultOfTimestamps(buffer: Buffer, position: number): BatchFault | null {
  if (!isTimestamp(buffer, position + BATCH_BASE_TIMESTAMP)) {
    return fault("INVALID_TIMESTAMP", "the base timestamp is out of range");
  }
  if (!isTimestamp(buffer, position + BATCH_MAX_TIMESTAMP)) {
    return fault("INVALID_TIMESTAMP", "the max timestamp is out of range");
  }
  return null;
}

function faultOfProducer(buffer: Buffer, position: number): BatchFault | null {
  if (!isIdOrNone(buffer, position + BATCH_PRODUCER_ID)) {
    return fault("INVALID_RECORD", "the producer id is out of range");
  }
  if (buffer.readInt32BE(position + BATCH_PRODUCER_ID) >= 0) {
    if (batchProducerEpoch(buffer, position) < 0)
      return fault("INVALID_RECORD", "a producer id without an epoch");
    if (batchBaseSequence(buffer, position) < 0)
      return fault("INVALID_RECORD", "a producer id without a sequence");
    return null;
  }
  if ((batchAttributes(buffer, position) & ATTRIBUTE_TRANSACTIONAL) === 0) return null;
  return fault("INVALID_RECORD", "a transactional batch without a producer id");
}

function faultOfStoredFields(buffer: Buffer, position: number, bytes: number): BatchFault | null {
  const count = batchRecordCount(buffer, position);
  const lastOffsetDelta = batchLastOffsetDelta(buffer, position);
  if (lastOffsetDelta < 0 || count < 0 || count > lastOffsetDelta + 1) {
    return fault("CORRUPT_MESSAGE", `${count} records do not fit a last offset delta of ${lastOffsetDelta}`);
  }
  const high = buffer.readInt32BE(position + BATCH_BASE_OFFSET);
  if (high < 0 || high >= HIGH_WORD_LIMIT) return fault("CORRUPT_MESSAGE", "the base offset is out of range");
  if (!isIdOrNone(buffer, position + BATCH_PRODUCER_ID)) {
    return fault("CORRUPT_MESSAGE", "the producer id is out of range");
  }
  return faultOfTimestamps(buffer, position) ?? faultOfRoom(buffer, position, bytes, count);
}

/** -1 (none) or a count of milliseconds within 53 bits. */
function isTimestamp(buffer: Buffer, position: number): boolean {
  return isIdOrNone(buffer, position);
}

/** Whether the 64-bit integer is -1 or within 0 .. 2^53 - 1. */
function isIdOrNone(buffer: Buffer, position: number): boolean {
  const high = buffer.readInt32BE(position);
  if (high >= 0) return high < HIGH_WORD_LIMIT;
  return high === -1 && buffer.readInt32BE(position + 4) === -1;
}

function fault(code: ErrorCode, detail: string): BatchFault {
  return { code, detail };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

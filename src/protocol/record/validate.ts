/**
 * Whether bytes are a record batch that may be stored, or one that was. Looks at the header and the CRC only, in the
 * order length, magic, CRC, meaning; records stay closed (admit.ts validates them). Nothing is allocated for a good batch.
 *
 * Two entry points
 *   - `validateBatch`: what a client sends. Exactly one batch from offset 0, dense offsets, no control batch.
 *   - `validateStoredBatch`: what lies in a log. Compaction leaves gaps (count <= delta + 1, even 0) and delete horizons,
 *     the server writes control batches and append times.
 *
 * A fault is the peer's or the disk's, never ours: it is returned, not thrown. Tolerated on purpose, as Kafka does: epoch
 * and sequence of 0 without a producer id (kafkajs), a max timestamp that says nothing (sarama; admit.ts corrects it), attribute
 * bits without a meaning, and after the batch the beginning of another one, which is not stored.
 */

import type { ErrorCode } from "../../base/errors.ts";
import {
  ATTRIBUTE_CODEC_MASK,
  ATTRIBUTE_CONTROL,
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
  /** Whether the topic stamps records itself. */
  readonly isLogAppendTime: boolean;
}

/** One byte each for length, attributes, timestamp, offset, key length, value length and header count. */
export const RECORD_BYTES_MIN = 7;

const CODEC_MAX = 4;
/** The shortest that any format says of itself, after the length field. */
const LENGTH_MIN = 14;
/** The high word of a 64-bit integer that fits 53 bits is within +-2^21. */
const HIGH_WORD_LIMIT = 0x20_0000;

/** Checks what a producer sent as `buffer[position, end)`, which must be one whole batch. Null: it may be appended. */
export function validateBatch(
  buffer: Buffer,
  position: number,
  end: number,
  options: ValidateOptions,
): BatchFault | null {
  const envelope = faultOfEnvelope(buffer, position, end);
  if (envelope !== null) return envelope;
  const bytes = batchBytes(buffer, position);
  if (!isZero(buffer, position + BATCH_BASE_OFFSET)) {
    return refusal("the base offset is not 0: offsets are assigned by the server");
  }
  if (bytes > options.bytesMax) {
    return {
      code: "MESSAGE_TOO_LARGE",
      detail: `the batch has ${bytes} bytes; the limit is ${options.bytesMax}`,
    };
  }
  return (
    faultOfCrc(buffer, position, bytes) ??
    faultOfProducedAttributes(buffer, position, options) ??
    faultOfProducedCounts(buffer, position, bytes) ??
    faultOfBaseTimestamp(buffer, position) ??
    faultOfProducer(buffer, position)
  );
}

/**
 * Checks the batch that starts at `position` in a log; `end` is where the readable bytes end, and may lie after the
 * batch. Null: a whole and valid batch of `batchBytes` bytes lies there.
 */
export function validateStoredBatch(buffer: Buffer, position: number, end: number): BatchFault | null {
  const shape = faultOfShape(buffer, position, end);
  if (shape !== null) return shape;
  const bytes = batchBytes(buffer, position);
  return (
    faultOfCrc(buffer, position, bytes) ??
    faultOfStoredCodec(batchAttributes(buffer, position)) ??
    faultOfStoredFields(buffer, position, bytes)
  );
}

/**
 * Whether the header at `position`, which lies whole in the buffer, can be that of a valid batch: all that `validateStoredBatch` checks
 * but for the CRC. `end` is where the readable bytes end, which may be after the buffer.
 */
export function isStoredHeader(buffer: Buffer, position: number, end: number): boolean {
  return (
    faultOfShape(buffer, position, end) === null &&
    faultOfStoredCodec(batchAttributes(buffer, position)) === null &&
    faultOfStoredFields(buffer, position, batchBytes(buffer, position)) === null
  );
}

/** Whether `buffer[position, end)` is one whole batch of magic 2, and no other whole one follows it. */
function faultOfEnvelope(buffer: Buffer, position: number, end: number): BatchFault | null {
  const fault = faultOfNext(buffer, position, end);
  if (fault !== null) return fault;
  const available = end - position;
  if (available <= BATCH_MAGIC || batchBytes(buffer, position) > available) {
    return refusal(`there is no whole record batch in ${available} bytes`);
  }
  if (buffer[position + BATCH_MAGIC] !== MAGIC) {
    return refusal(`the batch has magic ${buffer[position + BATCH_MAGIC]}; this version carries magic 2`);
  }
  const bytes = batchBytes(buffer, position);
  if (bytes < BATCH_HEADER_BYTES) {
    return corrupt(`the batch length ${bytes - LOG_OVERHEAD} is less than a header`);
  }
  return faultOfRest(buffer, position + bytes, end);
}

function faultOfRest(buffer: Buffer, position: number, end: number): BatchFault | null {
  if (position === end) return null;
  const fault = faultOfNext(buffer, position, end);
  if (fault !== null) return fault;
  if (end - position <= BATCH_MAGIC || batchBytes(buffer, position) > end - position) return null;
  return refusal("a produce request carries exactly one record batch for a partition");
}

/** What is wrong with a batch that begins at `position`, as far as its length and magic are there. */
function faultOfNext(buffer: Buffer, position: number, end: number): BatchFault | null {
  if (end - position < LOG_OVERHEAD) return null;
  const length = batchBytes(buffer, position) - LOG_OVERHEAD;
  if (length < LENGTH_MIN) return corrupt(`the batch length is ${length}`);
  if (end - position <= BATCH_MAGIC) return null;
  const magic = buffer[position + BATCH_MAGIC]!;
  return magic > MAGIC ? corrupt(`there is no magic ${magic}`) : null;
}

/** Length and magic: what must hold before any other field may be read. */
function faultOfShape(buffer: Buffer, position: number, end: number): BatchFault | null {
  const available = end - position;
  if (available <= BATCH_MAGIC) return corrupt(`${available} bytes cannot hold a record batch`);
  const magic = buffer[position + BATCH_MAGIC]!;
  if (magic !== MAGIC) return corrupt(`there is no magic ${magic}`);
  const bytes = batchBytes(buffer, position);
  if (bytes < BATCH_HEADER_BYTES) {
    return corrupt(`the batch length ${bytes - LOG_OVERHEAD} is less than a header`);
  }
  if (bytes > available) {
    return corrupt(`the batch needs ${bytes} bytes; ${available} are there`);
  }
  return null;
}

function faultOfCrc(buffer: Buffer, position: number, bytes: number): BatchFault | null {
  const stored = batchCrc(buffer, position);
  const computed = computeBatchCrc(buffer, position, bytes);
  if (stored === computed) return null;
  return corrupt(`the CRC is ${hex(computed)} where the batch says ${hex(stored)}`);
}

function faultOfProducedAttributes(
  buffer: Buffer,
  position: number,
  options: ValidateOptions,
): BatchFault | null {
  const attributes = batchAttributes(buffer, position);
  if ((attributes & ATTRIBUTE_CODEC_MASK) > CODEC_MAX) return faultOfCodec(attributes);
  if ((attributes & ATTRIBUTE_CONTROL) !== 0) return refusal("clients may not write control batches");
  if ((attributes & ATTRIBUTE_LOG_APPEND_TIME) === 0) return null;
  const hasTime = buffer.readInt32BE(position + BATCH_MAX_TIMESTAMP) >= 0;
  if (hasTime && !options.isLogAppendTime) return null;
  return { code: "INVALID_TIMESTAMP", detail: "only the server sets log append time" };
}

function faultOfStoredCodec(attributes: number): BatchFault | null {
  return (attributes & ATTRIBUTE_CODEC_MASK) > CODEC_MAX ? faultOfCodec(attributes) : null;
}

function faultOfCodec(attributes: number): BatchFault {
  return {
    code: "UNSUPPORTED_COMPRESSION_TYPE",
    detail: `there is no codec ${attributes & ATTRIBUTE_CODEC_MASK}`,
  };
}

function faultOfProducedCounts(buffer: Buffer, position: number, bytes: number): BatchFault | null {
  const count = batchRecordCount(buffer, position);
  const lastOffsetDelta = batchLastOffsetDelta(buffer, position);
  if (count < 1) return refusal(`the record count is ${count}`);
  if (count !== lastOffsetDelta + 1) {
    return refusal(`${count} records do not fit a last offset delta of ${lastOffsetDelta}`);
  }
  return faultOfRoom(buffer, position, bytes, count);
}

/** A count that the bytes cannot hold. For compressed records all that is checked here is that there are some (record-room.ts). */
function faultOfRoom(buffer: Buffer, position: number, bytes: number, count: number): BatchFault | null {
  const room = bytes - BATCH_HEADER_BYTES;
  const isCompressed = (batchAttributes(buffer, position) & ATTRIBUTE_CODEC_MASK) !== 0;
  const needed = isCompressed ? Math.min(count, 1) : count * RECORD_BYTES_MIN;
  if (room >= needed) return null;
  return refusal(`${room} bytes cannot hold ${count} records`);
}

function faultOfBaseTimestamp(buffer: Buffer, position: number): BatchFault | null {
  if (isTimestamp(buffer, position + BATCH_BASE_TIMESTAMP)) return null;
  return { code: "INVALID_TIMESTAMP", detail: "the base timestamp is out of range" };
}

function faultOfMaxTimestamp(buffer: Buffer, position: number): BatchFault | null {
  if (isTimestamp(buffer, position + BATCH_MAX_TIMESTAMP)) return null;
  return { code: "INVALID_TIMESTAMP", detail: "the max timestamp is out of range" };
}

function faultOfProducer(buffer: Buffer, position: number): BatchFault | null {
  if (!isIdOrNone(buffer, position + BATCH_PRODUCER_ID)) {
    return refusal("the producer id is out of range");
  }
  if (buffer.readInt32BE(position + BATCH_PRODUCER_ID) >= 0) {
    if (batchProducerEpoch(buffer, position) < 0) return refusal("a producer id without an epoch");
    if (batchBaseSequence(buffer, position) < 0) return refusal("a producer id without a sequence");
    return null;
  }
  if ((batchAttributes(buffer, position) & ATTRIBUTE_TRANSACTIONAL) === 0) return null;
  return refusal("a transactional batch without a producer id");
}

function faultOfStoredFields(buffer: Buffer, position: number, bytes: number): BatchFault | null {
  const count = batchRecordCount(buffer, position);
  const lastOffsetDelta = batchLastOffsetDelta(buffer, position);
  if (lastOffsetDelta < 0 || count < 0 || count > lastOffsetDelta + 1) {
    return corrupt(`${count} records do not fit a last offset delta of ${lastOffsetDelta}`);
  }
  const high = buffer.readInt32BE(position + BATCH_BASE_OFFSET);
  if (high < 0 || high >= HIGH_WORD_LIMIT) return corrupt("the base offset is out of range");
  if (!isIdOrNone(buffer, position + BATCH_PRODUCER_ID)) {
    return corrupt("the producer id is out of range");
  }
  return (
    faultOfBaseTimestamp(buffer, position) ??
    faultOfMaxTimestamp(buffer, position) ??
    faultOfRoom(buffer, position, bytes, count)
  );
}

/** -1 (none) or a count of milliseconds within 53 bits. */
export function isTimestamp(buffer: Buffer, position: number): boolean {
  return isIdOrNone(buffer, position);
}

function isZero(buffer: Buffer, position: number): boolean {
  return buffer.readInt32BE(position) === 0 && buffer.readInt32BE(position + 4) === 0;
}

/** Whether the 64-bit integer is -1 or within 0 .. 2^53 - 1. */
function isIdOrNone(buffer: Buffer, position: number): boolean {
  const high = buffer.readInt32BE(position);
  if (high >= 0) return high < HIGH_WORD_LIMIT;
  return high === -1 && buffer.readInt32BE(position + 4) === -1;
}

function corrupt(detail: string): BatchFault {
  return { code: "CORRUPT_MESSAGE", detail };
}

/** Whole bytes that break a rule of the format. */
function refusal(detail: string): BatchFault {
  return { code: "INVALID_RECORD", detail };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/**
 * The header of a record batch, magic 2: 61 bytes, big-endian, then the records (compressed as one block unless
 * the codec is none). Source: Kafka's published message format; docs/storage-format.md has the same table.
 *
 *   at  type   field                  note
 *    0  int64  base offset            assigned by the log, outside the CRC
 *    8  int32  batch length           bytes after this field: whole size - 12
 *   12  int32  partition leader epoch assigned by the log, outside the CRC
 *   16  int8   magic                  2
 *   17  uint32 crc                    CRC-32C of everything from 21 to the end
 *   21  int16  attributes             bits 0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon
 *   23  int32  last offset delta
 *   27  int64  base timestamp         ms
 *   35  int64  max timestamp          ms
 *   43  int64  producer id            -1: not idempotent
 *   51  int16  producer epoch
 *   53  int32  base sequence
 *   57  int32  record count
 *   61         records
 *
 * `LOG_OVERHEAD` (12) is what precedes the bytes that "batch length" counts.
 *
 * The readers here trust that a whole header lies at `position`; validate.ts is what establishes it. `stampBatch` is
 * the log's: both fields lie outside the CRC, so a produced batch is stored as it came, but for these twelve bytes.
 */

import { readInt64, writeInt64 } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";

export const BATCH_BASE_OFFSET = 0;
export const BATCH_LENGTH = 8;
export const BATCH_LEADER_EPOCH = 12;
export const BATCH_MAGIC = 16;
export const BATCH_CRC = 17;
export const BATCH_ATTRIBUTES = 21;
export const BATCH_LAST_OFFSET_DELTA = 23;
export const BATCH_BASE_TIMESTAMP = 27;
export const BATCH_MAX_TIMESTAMP = 35;
export const BATCH_PRODUCER_ID = 43;
export const BATCH_PRODUCER_EPOCH = 51;
export const BATCH_BASE_SEQUENCE = 53;
export const BATCH_RECORD_COUNT = 57;
export const BATCH_HEADER_BYTES = 61;
export const LOG_OVERHEAD = 12;
export const MAGIC = 2;

export const ATTRIBUTE_CODEC_MASK = 0x07;
export const ATTRIBUTE_LOG_APPEND_TIME = 0x08;
export const ATTRIBUTE_TRANSACTIONAL = 0x10;
export const ATTRIBUTE_CONTROL = 0x20;
/** Set by compaction on batches that still hold tombstones. */
export const ATTRIBUTE_DELETE_HORIZON = 0x40;
/** All that have a meaning, but for the one that says whose the timestamps are. */
const ATTRIBUTES_BESIDE_TIME =
  ATTRIBUTE_CODEC_MASK | ATTRIBUTE_TRANSACTIONAL | ATTRIBUTE_CONTROL | ATTRIBUTE_DELETE_HORIZON;

/** "No timestamp" in the timestamp fields, "not idempotent" in the producer fields. */
export const NO_TIMESTAMP = -1;
export const NO_PRODUCER_ID = -1;
export const NO_PRODUCER_EPOCH = -1;
export const NO_SEQUENCE = -1;
/** Before a log has taken the batch in. */
export const NO_LEADER_EPOCH = -1;

/** The whole size that the header claims; needs the first 12 bytes. May be negative or huge: check before use. */
export function batchBytes(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + BATCH_LENGTH) + LOG_OVERHEAD;
}

export function batchBaseOffset(buffer: Buffer, position: number): number {
  return readInt64(buffer, position + BATCH_BASE_OFFSET);
}

/** The offset of the batch's last record (or of the last one that it held before compaction). */
export function batchLastOffset(buffer: Buffer, position: number): number {
  return batchBaseOffset(buffer, position) + batchLastOffsetDelta(buffer, position);
}

export function batchLeaderEpoch(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + BATCH_LEADER_EPOCH);
}

export function batchCrc(buffer: Buffer, position: number): number {
  return buffer.readUInt32BE(position + BATCH_CRC);
}

export function batchAttributes(buffer: Buffer, position: number): number {
  return buffer.readInt16BE(position + BATCH_ATTRIBUTES);
}

export function batchLastOffsetDelta(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA);
}

/** The first record's timestamp as the producer sent it, or -1. */
export function batchBaseTimestamp(buffer: Buffer, position: number): number {
  return readInt64(buffer, position + BATCH_BASE_TIMESTAMP);
}

/**
 * The largest timestamp in the batch; with log append time, the timestamp of every record. Some clients (sarama) leave
 * the field at -1; the base timestamp is then the best that the header knows.
 */
export function batchMaxTimestamp(buffer: Buffer, position: number): number {
  const timestampMs = readInt64(buffer, position + BATCH_MAX_TIMESTAMP);
  if (isLogAppendTime(buffer, position)) return timestampMs;
  return Math.max(timestampMs, batchBaseTimestamp(buffer, position));
}

/**
 * Whether the max timestamp can be that of the records: it is set (neither -1 nor 0), and not before the first record.
 * A header that cannot be right is corrected as its batch comes in (admit.ts); older batches lie in logs as they came.
 */
export function isMaxTimestampCredible(buffer: Buffer, position: number): boolean {
  const timestampMs = readInt64(buffer, position + BATCH_MAX_TIMESTAMP);
  return timestampMs > 0 && timestampMs >= batchBaseTimestamp(buffer, position);
}

export function batchProducerId(buffer: Buffer, position: number): number {
  return readInt64(buffer, position + BATCH_PRODUCER_ID);
}

export function batchProducerEpoch(buffer: Buffer, position: number): number {
  return buffer.readInt16BE(position + BATCH_PRODUCER_EPOCH);
}

export function batchBaseSequence(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + BATCH_BASE_SEQUENCE);
}

export function batchRecordCount(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + BATCH_RECORD_COUNT);
}

/** The codec's number, 0 to 7 (compression.ts names 0 to 4). */
export function batchCodec(buffer: Buffer, position: number): number {
  return buffer[position + BATCH_ATTRIBUTES + 1]! & ATTRIBUTE_CODEC_MASK;
}

export function isLogAppendTime(buffer: Buffer, position: number): boolean {
  return (buffer[position + BATCH_ATTRIBUTES + 1]! & ATTRIBUTE_LOG_APPEND_TIME) !== 0;
}

export function isTransactional(buffer: Buffer, position: number): boolean {
  return (buffer[position + BATCH_ATTRIBUTES + 1]! & ATTRIBUTE_TRANSACTIONAL) !== 0;
}

export function isControlBatch(buffer: Buffer, position: number): boolean {
  return (buffer[position + BATCH_ATTRIBUTES + 1]! & ATTRIBUTE_CONTROL) !== 0;
}

/** The CRC that a batch of `bytes` bytes should carry. */
export function computeBatchCrc(buffer: Buffer, position: number, bytes: number): number {
  return crc32c(buffer, position + BATCH_ATTRIBUTES, position + bytes);
}

/** Writes the two fields that the log assigns, in place; the CRC stays true. */
export function stampBatch(buffer: Buffer, position: number, baseOffset: number, leaderEpoch: number): void {
  writeInt64(buffer, position + BATCH_BASE_OFFSET, baseOffset);
  buffer.writeInt32BE(leaderEpoch, position + BATCH_LEADER_EPOCH);
}

/** What the header of a batch says beside its length and its CRC. */
export interface BatchHeader {
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** Writes the header of the batch that fills `batch`, whose records are in their place already, length and CRC included. */
export function writeBatchHeader(batch: Buffer, header: BatchHeader): void {
  writeInt64(batch, BATCH_BASE_OFFSET, header.baseOffset);
  batch.writeInt32BE(batch.length - LOG_OVERHEAD, BATCH_LENGTH);
  batch.writeInt32BE(header.leaderEpoch, BATCH_LEADER_EPOCH);
  batch[BATCH_MAGIC] = MAGIC;
  batch.writeInt16BE(header.attributes, BATCH_ATTRIBUTES);
  batch.writeInt32BE(header.lastOffsetDelta, BATCH_LAST_OFFSET_DELTA);
  writeInt64(batch, BATCH_BASE_TIMESTAMP, header.baseTimestampMs);
  writeInt64(batch, BATCH_MAX_TIMESTAMP, header.maxTimestampMs);
  writeInt64(batch, BATCH_PRODUCER_ID, header.producerId);
  batch.writeInt16BE(header.producerEpoch, BATCH_PRODUCER_EPOCH);
  batch.writeInt32BE(header.baseSequence, BATCH_BASE_SEQUENCE);
  batch.writeInt32BE(header.recordCount, BATCH_RECORD_COUNT);
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
}

/** Gives every record the time of the append, in place: attributes and max timestamp change, so the CRC does too. */
export function setLogAppendTime(buffer: Buffer, position: number, timestampMs: number): void {
  writeTimestamp(buffer, position, timestampMs, ATTRIBUTE_LOG_APPEND_TIME);
}

/** Says which timestamp is the largest of a batch whose records have their own, in place, with a new CRC. */
export function setMaxTimestamp(buffer: Buffer, position: number, timestampMs: number): void {
  writeTimestamp(buffer, position, timestampMs, 0);
}

/** Bits that have no meaning go, as with Kafka. */
function writeTimestamp(buffer: Buffer, position: number, timestampMs: number, type: number): void {
  const attributes = (batchAttributes(buffer, position) & ATTRIBUTES_BESIDE_TIME) | type;
  buffer.writeInt16BE(attributes, position + BATCH_ATTRIBUTES);
  writeInt64(buffer, position + BATCH_MAX_TIMESTAMP, timestampMs);
  const crc = computeBatchCrc(buffer, position, batchBytes(buffer, position));
  buffer.writeUInt32BE(crc, position + BATCH_CRC);
}

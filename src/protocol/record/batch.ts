/**
 * The header of a record batch, magic 2: 61 bytes, big-endian, then the records (compressed as one block unless
 * the codec is none). Source: Kafka's published message format; docs/storage-format.md has the same table.
 *
 *   at  type   field                  note
 *    0  int64  base offset            assigned by the log, outside the CRC
 *    8  int32  batch length           bytes behind this field: whole size - 12
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
 */

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

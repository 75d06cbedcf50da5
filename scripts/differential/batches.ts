/**
 * Record batches as values: Kafka may write what it stores anew, so headers and records are compared by meaning, not by
 * bytes. Length and CRC are left out, because they follow from the rest. 64-bit fields are texts, because both servers
 * may store any.
 *
 * What is left after the last whole batch is dropped: Kafka cuts a response at the limit, within a batch, and clients
 * pass over it.
 */

import { ObeliskError } from "../../src/base/errors.ts";
import {
  BATCH_ATTRIBUTES,
  BATCH_BASE_OFFSET,
  BATCH_BASE_SEQUENCE,
  BATCH_BASE_TIMESTAMP,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  BATCH_RECORD_COUNT,
  batchBytes,
} from "../../src/protocol/record/batch.ts";
import { readRecords } from "../../src/protocol/record/records.ts";

export function describeBatches(bytes: Buffer): unknown[] {
  const batches: unknown[] = [];
  for (let position = 0; bytes.length - position >= BATCH_HEADER_BYTES; ) {
    const length = batchBytes(bytes, position);
    if (length < BATCH_HEADER_BYTES || length > bytes.length - position) break;
    batches.push(describeBatch(bytes.subarray(position, position + length)));
    position += length;
  }
  return batches;
}

function describeBatch(batch: Buffer): unknown {
  return {
    baseOffset: String(batch.readBigInt64BE(BATCH_BASE_OFFSET)),
    leaderEpoch: batch.readInt32BE(BATCH_LEADER_EPOCH),
    attributes: batch.readInt16BE(BATCH_ATTRIBUTES),
    lastOffsetDelta: batch.readInt32BE(BATCH_LAST_OFFSET_DELTA),
    baseTimestamp: String(batch.readBigInt64BE(BATCH_BASE_TIMESTAMP)),
    maxTimestamp: String(batch.readBigInt64BE(BATCH_MAX_TIMESTAMP)),
    producerId: String(batch.readBigInt64BE(BATCH_PRODUCER_ID)),
    producerEpoch: batch.readInt16BE(BATCH_PRODUCER_EPOCH),
    baseSequence: batch.readInt32BE(BATCH_BASE_SEQUENCE),
    recordCount: batch.readInt32BE(BATCH_RECORD_COUNT),
    records: describeRecords(batch),
  };
}

/** A batch whose records our own reader refuses is compared by its bytes. */
function describeRecords(batch: Buffer): unknown {
  try {
    return readRecords(batch).map(({ offset, timestampMs, key, value, headers }) => ({
      offset,
      timestampMs,
      key: key?.toString("hex") ?? null,
      value: value?.toString("hex") ?? null,
      headers: headers.map((header) => `${header.key}=${header.value?.toString("hex") ?? null}`),
    }));
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    return { unreadable: batch.subarray(BATCH_HEADER_BYTES).toString("hex") };
  }
}

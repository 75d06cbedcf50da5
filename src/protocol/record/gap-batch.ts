/**
 * A batch without records: it says that a range of offsets holds nothing, so that a reader goes on behind it.
 *
 * Readers pass a gap in the offsets by themselves when a batch follows it. At the end of a log none does: what was lost there would
 * keep every consumer waiting for an offset that will never come. Kafka's compaction leaves such batches for the same reason
 * (record count 0, last offset delta kept), so its clients know them. Ours is made for an answer and is never stored.
 */

import { writeInt64 } from "../../base/bytes.ts";
import {
  BATCH_BASE_OFFSET,
  BATCH_BASE_SEQUENCE,
  BATCH_BASE_TIMESTAMP,
  BATCH_CRC,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_LENGTH,
  BATCH_MAGIC,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  computeBatchCrc,
  LOG_OVERHEAD,
  MAGIC,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
} from "./batch.ts";

/** The epoch under which nothing was written is not known. */
const NO_LEADER_EPOCH = -1;
const LAST_OFFSET_DELTA_MAX = 2 ** 31 - 1;

/** The batch for `[offset, endOffset)`, or for as much of it as one batch can span. `endOffset` must lie behind `offset`. */
export function gapBatch(offset: number, endOffset: number): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES);
  writeInt64(batch, BATCH_BASE_OFFSET, offset);
  batch.writeInt32BE(BATCH_HEADER_BYTES - LOG_OVERHEAD, BATCH_LENGTH);
  batch.writeInt32BE(NO_LEADER_EPOCH, BATCH_LEADER_EPOCH);
  batch[BATCH_MAGIC] = MAGIC;
  batch.writeInt32BE(Math.min(endOffset - offset - 1, LAST_OFFSET_DELTA_MAX), BATCH_LAST_OFFSET_DELTA);
  writeInt64(batch, BATCH_BASE_TIMESTAMP, NO_TIMESTAMP);
  writeInt64(batch, BATCH_MAX_TIMESTAMP, NO_TIMESTAMP);
  writeInt64(batch, BATCH_PRODUCER_ID, NO_PRODUCER_ID);
  batch.writeInt16BE(NO_PRODUCER_EPOCH, BATCH_PRODUCER_EPOCH);
  batch.writeInt32BE(NO_SEQUENCE, BATCH_BASE_SEQUENCE);
  batch.writeUInt32BE(computeBatchCrc(batch, 0, BATCH_HEADER_BYTES), BATCH_CRC);
  return batch;
}

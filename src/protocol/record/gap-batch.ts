/**
 * A batch without records: it says that a range of offsets holds nothing, so that a reader goes on after it.
 *
 * Readers pass a gap in the offsets by themselves when a batch follows it. At the end of a log none does: what was lost there would
 * keep every consumer waiting for an offset that will never come. Kafka's compaction leaves such batches for the same reason
 * (record count 0, last offset delta kept), so its clients know them. Ours is built for a response and is never stored.
 */

import {
  BATCH_HEADER_BYTES,
  NO_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  writeBatchHeader,
} from "./batch.ts";

const LAST_OFFSET_DELTA_MAX = 2 ** 31 - 1;

/** The batch for `[offset, endOffset)`, or for as much of it as one batch can span. `endOffset` must lie after `offset`. */
export function gapBatch(offset: number, endOffset: number): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES);
  writeBatchHeader(batch, {
    baseOffset: offset,
    leaderEpoch: NO_LEADER_EPOCH, // the one under which nothing was written is not known
    attributes: 0,
    lastOffsetDelta: Math.min(endOffset - offset - 1, LAST_OFFSET_DELTA_MAX),
    baseTimestampMs: NO_TIMESTAMP,
    maxTimestampMs: NO_TIMESTAMP,
    producerId: NO_PRODUCER_ID,
    producerEpoch: NO_PRODUCER_EPOCH,
    baseSequence: NO_SEQUENCE,
    recordCount: 0,
  });
  return batch;
}

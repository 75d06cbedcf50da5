/**
 * Where a sealed segment really ends, for a start that reads no sealed segment: compared with the name of the next file it tells whether one
 * between the two is missing.
 *
 *     index, last entry ----+
 *                           v
 *     log   [batch][batch][batch][batch][batch]     headers are walked from there to the end
 *
 * Cost: one read of the index and mostly one of the log, as an entry is made for each 4 KiB. Inconsistencies are not
 * judged here: readers and `verify` find them.
 */

import { errnoOf } from "../../../base/errors.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchBaseOffset,
  batchBytes,
  batchLastOffset,
  MAGIC,
} from "../../../protocol/record/batch.ts";
import type { Segment } from "../segment.ts";
import { OFFSET_ENTRY_BYTES } from "../segment-index.ts";
import { LOOK_BYTES, type Store } from "../store.ts";

/** Without an index the walk begins at the front. A segment of small batches is not worth more reads. */
const READS_MAX = 64;

/** The offset after the last batch; null when it is unknown. Uses the store's look buffer. */
export function segmentEnd(store: Store, segment: Segment): number | null {
  try {
    return segment.bytes === 0 ? segment.baseOffset : walkToEnd(store, segment, lastIndexed(store, segment));
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return null;
  }
}

/** Position of the last batch that the index names; 0 without one. */
function lastIndexed(store: Store, segment: Segment): number {
  const { files, lookBuffer } = store;
  if (!files.exists(segment.indexPath)) return 0;
  const descriptor = store.pool.withRoom(segment.indexPath, () => files.open(segment.indexPath, "read"));
  try {
    const bytes = files.size(descriptor);
    if (bytes < OFFSET_ENTRY_BYTES) return 0;
    const at = bytes - (bytes % OFFSET_ENTRY_BYTES) - OFFSET_ENTRY_BYTES;
    if (files.read(descriptor, lookBuffer, 0, OFFSET_ENTRY_BYTES, at) < OFFSET_ENTRY_BYTES) return 0;
    const position = lookBuffer.readInt32BE(4);
    return position >= 0 && position < segment.bytes ? position : 0;
  } finally {
    files.close(descriptor);
  }
}

function walkToEnd(store: Store, segment: Segment, start: number): number | null {
  const { files, lookBuffer } = store;
  const descriptor = store.pool.use(segment.file);
  let position = start;
  let end = segment.baseOffset;
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    const got = files.read(descriptor, lookBuffer, 0, LOOK_BYTES, position);
    let at = 0;
    while (at + BATCH_HEADER_BYTES <= got) {
      const bytes = batchBytes(lookBuffer, at);
      const isHeader = lookBuffer[at + BATCH_MAGIC] === MAGIC && bytes >= BATCH_HEADER_BYTES;
      if (!isHeader || position + bytes > segment.bytes || batchBaseOffset(lookBuffer, at) < end) return null;
      end = batchLastOffset(lookBuffer, at) + 1;
      position += bytes;
      at += bytes;
      if (position === segment.bytes) return end;
    }
    if (at === 0) return null;
  }
  return null;
}

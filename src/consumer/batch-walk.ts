/**
 * Steps over whole batches by their headers alone. The bytes come from the log, which checked them.
 */

import { fail } from "../base/assert.ts";
import { readInt64 } from "../base/bytes.ts";
import {
  BATCH_BASE_OFFSET,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LENGTH,
  LOG_OVERHEAD,
} from "../protocol/record/batch.ts";

/** The offset behind the last of the whole batches in `records`; `fallback` when there is none. O(batches) */
export function nextOffsetBehind(records: Buffer, fallback: number): number {
  let position = 0;
  let next = fallback;
  while (position < records.length) {
    if (records.length - position < BATCH_HEADER_BYTES) fail("a read from the log ended inside a batch");
    next =
      readInt64(records, position + BATCH_BASE_OFFSET) +
      records.readInt32BE(position + BATCH_LAST_OFFSET_DELTA) +
      1;
    position += LOG_OVERHEAD + records.readInt32BE(position + BATCH_LENGTH);
  }
  return next;
}

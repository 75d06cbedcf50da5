/**
 * The largest timestamp of one batch, for indexes and for those who check them. (record-search.ts looks for records.)
 *
 * The header's max timestamp is right in batches that came in through `admitBatch` (with compressed ones as far as it can be
 * told), and is what the client left there in older ones. So it is not trusted here: records that are not compressed are
 * looked at, and compressed ones where the header cannot be right.
 *
 * Where the records do not open the header counts.
 */

import { ObeliskError } from "../base/errors.ts";
import {
  BATCH_HEADER_BYTES,
  batchBaseTimestamp,
  batchBytes,
  batchCodec,
  batchMaxTimestamp,
  batchRecordCount,
  isLogAppendTime,
  isMaxTimestampCredible,
  NO_TIMESTAMP,
} from "../protocol/record/batch.ts";
import { RecordWalk } from "../protocol/record/record-walk.ts";
import { RecordCursor } from "../protocol/record/records.ts";

const walk = new RecordWalk();
const cursor = new RecordCursor();

/** The largest timestamp in the batch at `position`: of its records, or the header's where it can be trusted. */
export function largestTimestamp(buffer: Buffer, position: number): number {
  const isTold = isLogAppendTime(buffer, position) || batchRecordCount(buffer, position) === 0;
  if (isTold) return batchMaxTimestamp(buffer, position);
  if (batchCodec(buffer, position) === 0) {
    const start = position + BATCH_HEADER_BYTES;
    return largestWalked(buffer, position, buffer, start, position + batchBytes(buffer, position));
  }
  if (isMaxTimestampCredible(buffer, position)) return batchMaxTimestamp(buffer, position);
  try {
    cursor.open(buffer, position);
    return largestWalked(buffer, position, cursor.buffer, 0, cursor.buffer.length);
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    return batchMaxTimestamp(buffer, position);
  } finally {
    cursor.close();
  }
}

function largestWalked(batch: Buffer, position: number, records: Buffer, start: number, end: number): number {
  const fault = walk.faultOf(records, start, end, batchRecordCount(batch, position));
  if (fault !== null) return batchMaxTimestamp(batch, position);
  const largestMs = batchBaseTimestamp(batch, position) + walk.maxTimestampDelta;
  return Number.isSafeInteger(largestMs)
    ? Math.max(largestMs, NO_TIMESTAMP)
    : batchMaxTimestamp(batch, position);
}

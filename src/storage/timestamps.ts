/**
 * What the records of one batch say of time. Cold paths: they look into the batch.
 *
 * The header's max timestamp is right in batches that came in through `admitBatch` (with compressed ones as far as it can be
 * told), and is what the client left there in older ones. So it is never the last word here: records that are not
 * compressed are looked at, and compressed ones where the header cannot be right.
 *
 * A batch whose records do not open is passed over when they are its producer's garbage, for then it holds no record; one that
 * is beyond a limit of ours, or of a codec that is missing here, counts by its header, and its first offset stands for its records.
 */

import { ObeliskError } from "../base/errors.ts";
import {
  BATCH_HEADER_BYTES,
  batchBaseOffset,
  batchBaseTimestamp,
  batchBytes,
  batchCodec,
  batchLastOffset,
  batchLeaderEpoch,
  batchMaxTimestamp,
  batchRecordCount,
  isLogAppendTime,
  isMaxTimestampCredible,
  NO_TIMESTAMP,
} from "../protocol/record/batch.ts";
import { RecordWalk } from "../protocol/record/record-walk.ts";
import { RecordCursor } from "../protocol/record/records.ts";
import type { TimestampedOffset } from "./contract.ts";

const walk = new RecordWalk();
const cursor = new RecordCursor();

/** The largest timestamp in the batch at `position`: of its records, or the header's where it can be believed. */
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

/**
 * The first record at or above `offsetMin` whose timestamp is `timestampMs` or later in the batch that starts at
 * `position`; null when the batch has none.
 */
export function findRecordByTimestamp(
  buffer: Buffer,
  position: number,
  timestampMs: number,
  offsetMin: number,
): TimestampedOffset | null {
  const canBePassed = batchCodec(buffer, position) !== 0 && isMaxTimestampCredible(buffer, position);
  if (canBePassed && batchMaxTimestamp(buffer, position) < timestampMs) return null;
  return lookInto(buffer, position, offsetMin, (best) =>
    best === null && cursor.timestampMs >= timestampMs ? "take" : "pass",
  );
}

/** The first of the records at or above `offsetMin` that have the batch's largest timestamp; null when none is there. */
export function findLargestTimestamp(
  buffer: Buffer,
  position: number,
  offsetMin: number,
): TimestampedOffset | null {
  return lookInto(buffer, position, offsetMin, (best) =>
    best === null || cursor.timestampMs > best.timestampMs ? "take" : "pass",
  );
}

/** The last record that `judge` takes, of those at or above `offsetMin`; it sees what was taken before. */
function lookInto(
  buffer: Buffer,
  position: number,
  offsetMin: number,
  judge: (best: TimestampedOffset | null) => "take" | "pass",
): TimestampedOffset | null {
  const leaderEpoch = batchLeaderEpoch(buffer, position);
  let best: TimestampedOffset | null = null;
  try {
    cursor.open(buffer, position);
    while (cursor.next()) {
      if (cursor.offset < offsetMin || judge(best) === "pass") continue;
      best = { offset: cursor.offset, timestampMs: cursor.timestampMs, leaderEpoch };
    }
    return best;
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    if (thrown.code === "GARBLED_RECORDS") return best;
    const offset = Math.max(batchBaseOffset(buffer, position), offsetMin);
    if (offset > batchLastOffset(buffer, position)) return null;
    return { offset, timestampMs: batchMaxTimestamp(buffer, position), leaderEpoch };
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

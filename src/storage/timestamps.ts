/** Finds a record by its timestamp inside one batch, which the engines have found by its header. Cold path: it opens the batch. */

import { batchBytes, batchLeaderEpoch } from "../protocol/record/batch.ts";
import { readRecords } from "../protocol/record/records.ts";
import type { TimestampedOffset } from "./contract.ts";

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
  const batch = buffer.subarray(position, position + batchBytes(buffer, position));
  for (const record of readRecords(batch)) {
    if (record.timestampMs >= timestampMs && record.offset >= offsetMin) {
      return {
        offset: record.offset,
        timestampMs: record.timestampMs,
        leaderEpoch: batchLeaderEpoch(batch, 0),
      };
    }
  }
  return null;
}

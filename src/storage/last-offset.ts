/**
 * Where a partition's offsets end. They are numbers, exact up to 2^53, and the end of a log lies one after its last record. What
 * would go beyond is refused for good: a retry does not help, another topic does.
 */

import { fail } from "../base/assert.ts";
import { ObeliskError } from "../base/errors.ts";
import type { PartitionLog } from "./contract.ts";

export const OFFSET_MAX = Number.MAX_SAFE_INTEGER - 1;

/** The last offset of a batch that is appended now. @throws ObeliskError POLICY_VIOLATION when there are not so many offsets left */
export function lastOffsetFrom(log: PartitionLog, lastOffsetDelta: number): number {
  if (!(lastOffsetDelta >= 0)) fail("a batch spans no offset");
  const lastOffset = log.endOffset + lastOffsetDelta;
  if (lastOffset <= OFFSET_MAX) return lastOffset;
  throw new ObeliskError("POLICY_VIOLATION", {
    detail: "the partition's offsets are used up: there are none above 2^53",
    topic: log.topic,
    partition: log.partition,
    offset: log.endOffset,
    remedy: "write to another topic",
  });
}

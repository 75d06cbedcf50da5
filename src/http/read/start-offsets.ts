/** Where a read begins in each of its partitions. */

import { ObeliskError } from "../../base/errors.ts";
import type { Partition } from "../../broker/partition.ts";
import type { Start } from "./read-query.ts";

/**
 * In the order of the partitions. `isWanted`: once it says no, nobody waits for a search any more.
 * @throws ObeliskError OFFSET_OUT_OF_RANGE, and as `Partition.offsetForTimestamp`
 */
export async function startOffsets(
  partitions: readonly Partition[],
  start: Exclude<Start, { kind: "last" }>,
  isWanted: () => boolean,
): Promise<number[]> {
  const offsets: number[] = [];
  for (const partition of partitions) offsets.push(await startIn(partition, start, isWanted));
  return offsets;
}

async function startIn(
  partition: Partition,
  start: Exclude<Start, { kind: "last" }>,
  isWanted: () => boolean,
): Promise<number> {
  switch (start.kind) {
    case "earliest":
      return partition.startOffset;
    case "latest":
      return await partition.latestOffset();
    case "time": {
      const found = await partition.offsetForTimestamp(start.timestampMs, isWanted);
      return found?.offset ?? (await partition.latestOffset());
    }
    default:
      return await checkedOffset(partition, start.offsets.get(partition.index) ?? partition.startOffset);
  }
}

async function checkedOffset(partition: Partition, offset: number): Promise<number> {
  const { topic, index, startOffset } = partition;
  if (offset >= startOffset && offset <= partition.highWatermark) return offset;
  const latestOffset = await partition.latestOffset();
  if (offset >= startOffset && offset <= latestOffset) return offset;
  throw new ObeliskError("OFFSET_OUT_OF_RANGE", {
    detail: `the partition has offsets ${startOffset} to ${latestOffset}`,
    topic,
    partition: index,
    offset,
  });
}

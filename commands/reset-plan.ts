/**
 * What a reset would change: for each partition the offset that the group has now and the one that it would have, kept within
 * what the partition holds.
 *
 *        start                         end
 *   .....|==============================|.....
 *      ^ requested: clamped to start        ^ requested: clamped to end
 */

import type { Admin } from "../src/client/admin.ts";
import type { PartitionOffset } from "../src/client/partition-offsets.ts";
import type { TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import { TIMESTAMP_EARLIEST, TIMESTAMP_LATEST } from "../src/protocol/kafka/apis/list-offsets.ts";
import type { Place } from "./consume-start.ts";

/** So many records on from what is committed, back when negative. */
export interface Shift {
  readonly by: number;
}

export interface OffsetChange extends TopicPartition {
  /** -1: nothing committed. */
  readonly from: number;
  readonly to: number;
  /** Why `to` is not what was requested; empty when it is. */
  readonly note: string;
}

/** Reads the offsets that it takes to plan; changes nothing. */
export async function planReset(
  admin: Pick<Admin, "groupOffsets" | "listOffsets">,
  group: string,
  partitions: readonly TopicPartition[],
  place: Place | Shift,
): Promise<OffsetChange[]> {
  const list = (at: number) =>
    admin.listOffsets(partitions.map(({ topic, partition }) => ({ topic, partition, at })));
  const committed = await admin.groupOffsets(group, partitions);
  const starts = await list(TIMESTAMP_EARLIEST);
  const ends = await list(TIMESTAMP_LATEST);
  const byTime = typeof place === "object" && "timestampMs" in place ? await list(place.timestampMs) : [];
  return partitions.map(({ topic, partition }, index) => {
    const now = committed.find((one) => one.topic === topic && one.partition === partition);
    const range = { start: starts[index]!.offset, end: ends[index]!.offset };
    const from = now?.offset ?? -1;
    if (typeof place === "object" && "by" in place)
      return { topic, partition, from, ...shifted(from, place.by, range) };
    return { topic, partition, from, ...target(place, range, byTime[index]) };
  });
}

/** Where nothing is committed there is nothing to shift, and it stays so. */
export function shifted(
  from: number,
  by: number,
  range: { start: number; end: number },
): { to: number; note: string } {
  return from < 0
    ? { to: -1, note: "nothing is committed" }
    : target({ offset: from + by }, range, undefined);
}

/** Where a place is in a partition that holds [start, end). */
export function target(
  place: Place,
  { start, end }: { start: number; end: number },
  byTime: Pick<PartitionOffset, "offset"> | undefined,
): { to: number; note: string } {
  if (place === "earliest") return { to: start, note: "" };
  if (place === "latest") return { to: end, note: "" };
  if ("last" in place) {
    const isShort = end - place.last < start;
    return {
      to: Math.max(start, end - place.last),
      note: isShort ? `holds only ${end - start} records` : "",
    };
  }
  if ("timestampMs" in place) {
    if (byTime === undefined || byTime.offset < 0) return { to: end, note: "no record is that new" };
    return { to: byTime.offset, note: "" };
  }
  if (place.offset < start) return { to: start, note: `${place.offset} is before the start offset` };
  if (place.offset > end) return { to: end, note: `${place.offset} is after the end offset` };
  return { to: place.offset, note: "" };
}

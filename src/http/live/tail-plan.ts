/**
 * What a live tail reads, and where it begins: what any read of messages may say (read/read-query.ts), with these differences.
 *
 *   - Without a place it begins at the end, with what comes from now on.
 *   - -N is the last N of each partition, because they come partition by partition.
 *   - It may go on where an earlier tail has stopped (tail-position.ts), whatever else it says about places.
 *   - Where no partition is named, partitions that the topic gets are read too; those that it got since, from their first record.
 */

import { ObeliskError } from "../../base/errors.ts";
import type { Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import { planOf, type ReadQuery, type Start } from "../read/read-query.ts";
import type { RecordTest } from "../read/record-read.ts";
import { startOffsets } from "../read/start-offsets.ts";
import { type Offsets, parsePosition, topicMark } from "./tail-position.ts";

export type TailQuery = ReadQuery;

export interface TailPlan {
  readonly starts: Offsets;
  /** Whether partitions that the topic gets are read too. */
  readonly followsTopic: boolean;
  readonly matches: RecordTest;
  /** Records after which it ends; Infinity: none. */
  readonly limit: number;
}

/**
 * `position`: where an earlier tail has stopped; null: none is known. May be long work, which ends early once `isWanted` says no.
 * @throws ObeliskError INVALID_REQUEST, INVALID_FILTER, UNKNOWN_TOPIC_OR_PARTITION, OFFSET_OUT_OF_RANGE, INCONSISTENT_TOPIC_ID
 */
export async function tailPlan(
  topic: Topic,
  query: TailQuery,
  position: string | null,
  isWanted: () => boolean,
): Promise<TailPlan> {
  if (query.order === "desc" || query.wait !== undefined) {
    throw new ObeliskError("INVALID_REQUEST", {
      detail: "a live tail reads forwards and always waits",
      remedy: "leave out order and wait",
    });
  }
  const { partition, offset, timestamp } = query;
  const isPlaced = position === null && (offset !== undefined || timestamp !== undefined);
  const placed = isPlaced ? query : { ...withoutPlace(query), offset: "latest" };
  const { partitions, start, limit, matches } = planOf(topic, placed, Number.POSITIVE_INFINITY);
  for (const { refusal, index } of partitions)
    if (refusal !== null) throw new ObeliskError(refusal, { topic: topic.name, partition: index });
  const begin: Start =
    position === null ? start : { kind: "offsets", offsets: parsePosition(position, topicMark(topic.id)) };
  const offsets = await offsetsOf(partitions, begin, isWanted);
  return {
    starts: new Map(partitions.map(({ index }, slot) => [index, offsets[slot]!])),
    followsTopic: partition === undefined,
    limit,
    matches,
  };
}

function withoutPlace({ partition, filter, limit }: TailQuery): TailQuery {
  return {
    ...(partition === undefined ? {} : { partition }),
    ...(filter === undefined ? {} : { filter }),
    ...(limit === undefined ? {} : { limit }),
  };
}

async function offsetsOf(
  partitions: readonly Partition[],
  start: Start,
  isWanted: () => boolean,
): Promise<number[]> {
  if (start.kind !== "last") return await startOffsets(partitions, start, isWanted);
  return await Promise.all(
    partitions.map(async (partition) => {
      const latest = await partition.latestOffset();
      return Math.max(Math.min(partition.startOffset, latest), latest - start.count);
    }),
  );
}

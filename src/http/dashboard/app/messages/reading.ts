/**
 * Which messages are looked for: it stands in the address of the view, so that it can be passed on.
 *
 *     newest     backwards from the end         offset     from an offset of one partition on
 *     oldest     from the beginning on          time       from a time on
 */

import type { TopicDescribed } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";

export type From = "newest" | "oldest" | "offset" | "time";

export const FROMS = [
  ["newest", "The newest"],
  ["oldest", "The oldest"],
  ["offset", "An offset"],
  ["time", "A time"],
] as const satisfies readonly (readonly [From, string])[];

export interface Reading {
  readonly topic: string;
  /** "": all. */
  readonly partition: string;
  readonly from: From;
  readonly offset: string;
  /** As an input of the browser writes local times. */
  readonly time: string;
  readonly filter: string;
  readonly key: string;
  /** Only the newest message of each key. */
  readonly isLatest: boolean;
}

/** Where a page begins in each partition; null: where the reading begins. */
export type Position = Readonly<Record<string, number>> | null;

export function readingOf(query: URLSearchParams): Reading {
  const isLatest = query.get("latest") !== null;
  const from = FROMS.find(([name]) => name === query.get("from"))?.[0] ?? "newest";
  return {
    topic: query.get("topic") ?? "",
    partition: query.get("partition") ?? "",
    // The newest of a key is known only from behind.
    from: isLatest ? "newest" : from,
    offset: query.get("offset") ?? "",
    time: query.get("time") ?? "",
    filter: query.get("filter") ?? "",
    key: query.get("key") ?? "",
    isLatest,
  };
}

export function queryOf(reading: Reading): Record<string, string | null> {
  return {
    topic: reading.topic,
    partition: reading.partition,
    from: reading.from === "newest" ? null : reading.from,
    offset: reading.from === "offset" ? reading.offset : null,
    time: reading.from === "time" ? reading.time : null,
    filter: reading.filter,
    key: reading.key,
    latest: reading.isLatest ? "1" : null,
  };
}

export function isBackwards({ from }: Reading): boolean {
  return from === "newest";
}

/** The filter of the API: that of the reading, and its key. */
export function filterOf({ filter, key }: Reading): string | undefined {
  const wanted = filter.trim();
  if (key === "") return wanted === "" ? undefined : filter;
  const isKey = `key == ${JSON.stringify(key)}`;
  return wanted === "" ? isKey : `(${filter}) and ${isKey}`;
}

/** How far what the reader typed begins behind the beginning of `filterOf`. */
export function filterShift({ filter, key }: Reading): number {
  return key !== "" && filter.trim() !== "" ? 1 : 0;
}

export function pagePath(reading: Reading, position: Position, limit: number): string {
  return routeOf(["topics", reading.topic, "messages"], {
    ...placeOf(reading, position),
    partition: reading.partition === "" ? undefined : reading.partition,
    limit,
    filter: filterOf(reading),
    order: isBackwards(reading) ? "desc" : undefined,
  });
}

/** For the live tail, which begins at the end, or at the position (`MARK/PARTITION:OFFSET,...`) of an earlier one. */
export function followPath(reading: Reading, position: string): string {
  return routeOf(["topics", reading.topic, "messages"], {
    offset: position === "" ? "latest" : position.slice(position.indexOf("/") + 1),
    partition: reading.partition === "" ? undefined : reading.partition,
    filter: filterOf(reading),
  });
}

/** For a file: forwards from where the reading begins; from the end that is the last so many of each partition. */
export function downloadPath(reading: Reading, limit: number): string {
  const place = isBackwards(reading) ? { offset: `-${limit}` } : { ...placeOf(reading, null), limit };
  return routeOf(["topics", reading.topic, "messages"], {
    ...place,
    partition: reading.partition === "" ? undefined : reading.partition,
    filter: filterOf(reading),
  });
}

/** Whether nothing comes after a position in any of its partitions. */
export function isEnd(reading: Reading, position: Position, topic: TopicDescribed): boolean {
  if (position === null) return false;
  return Object.entries(position).every(([index, offset]) => {
    const partition = topic.partitions[Number(index)];
    if (partition === undefined) return true;
    return isBackwards(reading) ? offset <= partition.startOffset : offset >= partition.highWatermark;
  });
}

function placeOf(reading: Reading, position: Position): { offset?: string; timestamp?: string } {
  if (position !== null) {
    const offset = Object.entries(position)
      .map(([partition, next]) => `${partition}:${next}`)
      .join(",");
    return { offset };
  }
  if (reading.from === "oldest") return { offset: "earliest" };
  if (reading.from === "offset") return { offset: reading.offset === "" ? "0" : reading.offset };
  if (reading.from === "time" && reading.time !== "")
    return { timestamp: String(new Date(reading.time).getTime()) };
  return {};
}

/**
 * What a reader asks for: which partitions, from where, how many, which records, in which direction.
 *
 *   partition    a number, or several with commas; left out: all
 *   offset       a number; `earliest` (the default), `latest`; -N: the last N; or for several partitions 0:120,1:88
 *   timestamp    from the first record of that time or later: milliseconds since 1970, or as people write times
 *   order        asc, or desc: from there backwards
 */

import { t } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import { MINUTE_MS } from "../../base/units.ts";
import type { Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import { parseFilter } from "../../filter/filter.ts";
import { timeIn } from "../time-text.ts";
import { EVERY_RECORD, type RecordTest } from "./record-read.ts";

/** Messages of one JSON answer. */
export const LIMIT_MAX = 10_000;
export const WAIT_MS_MAX = 5 * MINUTE_MS;
/** Partitions that are read together: each has its part of the memory. */
export const PARTITIONS_MAX = 100;

export const READ_QUERY = t.Object({
  partition: t.Optional(
    t.String({ description: "A partition, or several with commas. Default: all.", examples: ["0"] }),
  ),
  offset: t.Optional(
    t.String({
      description:
        "Where to begin: a number, `earliest` (the default), `latest`, -N for the last N, or for several partitions PARTITION:OFFSET with commas.",
      examples: ["earliest", "-10", "0:120,1:88"],
    }),
  ),
  timestamp: t.Optional(
    t.String({
      description:
        "Begin with the first record of this time or later: milliseconds since 1970, or 2026-01-31T12:00Z.",
      examples: ["2026-01-31T12:00Z"],
    }),
  ),
  limit: t.Optional(
    t.Integer({ minimum: 1, description: "Messages at most. Default: 100, and of NDJSON all." }),
  ),
  wait: t.Optional(
    t.Integer({
      minimum: 0,
      maximum: WAIT_MS_MAX,
      description: "How long to wait for messages when there are none, in milliseconds. Default: 0.",
    }),
  ),
  filter: t.Optional(
    t.String({
      description: "Only messages that match, such as value.amount > 100. docs/filter.md.",
      examples: ['key == "user-1"'],
    }),
  ),
  order: t.Optional(
    t.Union([t.Literal("asc"), t.Literal("desc")], {
      description: "desc: backwards from where it begins (default: the end). Default: asc.",
    }),
  ),
});

export type ReadQuery = (typeof READ_QUERY)["static"];

export type Start =
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" }
  | { readonly kind: "last"; readonly count: number }
  | { readonly kind: "offsets"; readonly offsets: ReadonlyMap<number, number> }
  | { readonly kind: "time"; readonly timestampMs: number };

export interface ReadPlan {
  readonly topic: Topic;
  readonly partitions: readonly Partition[];
  readonly start: Start;
  /** Infinity: all. */
  readonly limit: number;
  readonly waitMs: number;
  readonly matches: RecordTest;
  readonly isBackwards: boolean;
}

/** @throws ObeliskError INVALID_REQUEST, INVALID_FILTER, UNKNOWN_TOPIC_OR_PARTITION */
export function planOf(topic: Topic, query: ReadQuery, limitDefault: number): ReadPlan {
  const isBackwards = query.order === "desc";
  const partitions = partitionsOf(topic, query.partition);
  const filter = query.filter === undefined ? null : parseFilter(query.filter);
  return {
    topic,
    partitions,
    start: startOf(query, partitions, isBackwards),
    limit: query.limit ?? limitDefault,
    waitMs: query.wait ?? 0,
    matches: filter === null ? EVERY_RECORD : (record) => filter.matches(record),
    isBackwards,
  };
}

function partitionsOf(topic: Topic, text: string | undefined): Partition[] {
  const { partitions, name } = topic;
  const chosen =
    text === undefined
      ? [...partitions]
      : text.split(",").map((word) => {
          const partition = partitions[numberOf("partition", word)];
          if (partition !== undefined) return partition;
          throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name, partition: Number(word) });
        });
  if (chosen.length <= PARTITIONS_MAX) return chosen;
  throw new ObeliskError("INVALID_REQUEST", {
    detail: `${chosen.length} partitions cannot be read together`,
    limit: PARTITIONS_MAX,
    remedy: "name some with partition=0,1,2",
  });
}

function startOf(
  { offset, timestamp }: ReadQuery,
  partitions: readonly Partition[],
  isBackwards: boolean,
): Start {
  if (offset !== undefined && timestamp !== undefined)
    throw new ObeliskError("INVALID_REQUEST", { detail: "offset and timestamp exclude each other" });
  if (timestamp !== undefined) return { kind: "time", timestampMs: timeIn("timestamp", timestamp) };
  if (offset === undefined) return { kind: isBackwards ? "latest" : "earliest" };
  if (offset === "earliest" || offset === "latest") return { kind: offset };
  if (offset.startsWith("-")) {
    if (isBackwards)
      throw new ObeliskError("INVALID_REQUEST", {
        detail: "with order=desc use limit, not a negative offset",
      });
    return { kind: "last", count: numberOf("offset", offset.slice(1)) };
  }
  return { kind: "offsets", offsets: offsetsOf(offset, partitions) };
}

function offsetsOf(text: string, partitions: readonly Partition[]): Map<number, number> {
  const offsets = new Map<number, number>();
  if (!text.includes(":")) {
    if (partitions.length > 1) {
      throw new ObeliskError("INVALID_REQUEST", {
        detail: `an offset is one of a partition, and ${partitions.length} are read`,
        remedy: "name one with partition=N, or say offset=0:120,1:88",
      });
    }
    for (const { index } of partitions) offsets.set(index, numberOf("offset", text));
    return offsets;
  }
  for (const word of text.split(",")) {
    const [partition = "", offset = ""] = word.split(":");
    offsets.set(numberOf("partition", partition), numberOf("offset", offset));
  }
  return offsets;
}

function numberOf(name: string, text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new ObeliskError("INVALID_REQUEST", { detail: `${name} cannot be ${JSON.stringify(text)}` });
}

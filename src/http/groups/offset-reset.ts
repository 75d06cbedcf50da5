/**
 * `POST /groups/{group}/reset`: moves what a group has committed, or tells what that would change.
 *
 *        start                         end
 *   .....|==============================|.....
 *      ^ asked for: becomes start           ^ asked for: becomes end
 *
 *   - A group with members is refused: they would overwrite the change. It is asked again in the turn in which the offsets go to the store.
 *   - Without topics it is about every partition that the group has committed for and that is there.
 *   - All offsets change together, or none does.
 */

import { t } from "elysia";
import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Partition } from "../../broker/partition.ts";
import { NO_MEMBER } from "../../consumer/group-requests.ts";
import { timeIn } from "../time-text.ts";
import { topicNamed } from "../topic-lookup.ts";
import { noGroup } from "./group-json.ts";
import type { GroupParts } from "./group-parts.ts";

/** Partitions of one reset. */
const PARTITIONS_MAX = 10_000;

export const RESET_BODY = t.Object({
  to: t.Union(
    [
      t.Literal("earliest"),
      t.Literal("latest"),
      t.Literal("offset"),
      t.Literal("timestamp"),
      t.Literal("shift"),
    ],
    {
      description:
        "Where to: the first record, the end, `offset`, `timestamp`, or `by` from what is committed.",
    },
  ),
  offset: t.Optional(t.Integer({ description: "With `to: offset`. -N: the last N records." })),
  timestamp: t.Optional(
    t.Union([t.Integer(), t.String()], {
      description:
        "With `to: timestamp`: the first record of this time or later; milliseconds since 1970, or 2026-01-31T12:00Z.",
    }),
  ),
  by: t.Optional(t.Integer({ description: "With `to: shift`: so many records on, or back when negative." })),
  topics: t.Optional(
    t.Array(t.String(), {
      minItems: 1,
      maxItems: PARTITIONS_MAX,
      description: "All partitions of these topics. Default: what the group has committed for.",
    }),
  ),
  partitions: t.Optional(
    t.Array(t.Integer({ minimum: 0 }), {
      minItems: 1,
      maxItems: PARTITIONS_MAX,
      description: "Only these partitions of each topic.",
    }),
  ),
  dryRun: t.Optional(t.Boolean({ description: "Only tell what would change." })),
});

export type ResetBody = (typeof RESET_BODY)["static"];

export interface OffsetChange {
  readonly topic: string;
  readonly partition: number;
  /** Null: nothing is committed. */
  readonly from: number | null;
  /** Null: it stays so. */
  readonly to: number | null;
  /** Why `to` is not what was asked for. */
  readonly note?: string;
}

interface Target {
  readonly to: number | null;
  readonly note?: string;
}

type Parts = GroupParts & { broker: Broker; clock: Clock };

/** @throws ObeliskError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST, of the store */
export async function resetOffsets(
  parts: Parts,
  group: string,
  body: ResetBody,
  isWanted: () => boolean,
): Promise<{ group: string; changed: boolean; partitions: OffsetChange[] }> {
  const move = moveOf(body);
  checkEmpty(parts, group, body.topics !== undefined);
  const partitions = await partitionsOf(parts, group, body);
  const share = new TurnShare(parts.clock);
  const changes: OffsetChange[] = [];
  for (const partition of partitions) {
    if (share.isUsedUp) await share.rest();
    const { topic, index } = partition;
    const from = parts.offsets.fetch(group, topic, index)?.offset ?? null;
    changes.push({ topic, partition: index, from, ...(await move(partition, from, isWanted)) });
  }
  const moved = changes.flatMap(({ topic, partition, from, to }) =>
    to === null || to === from ? [] : [{ topic, partition, offset: to, leaderEpoch: -1, metadata: "" }],
  );
  if (body.dryRun === true) return { group, changed: false, partitions: changes };
  await parts.offsets.commitGathered(group, async () => {
    checkEmpty(parts, group, true);
    return moved;
  });
  return { group, changed: moved.length > 0, partitions: changes };
}

function checkEmpty({ groups }: Parts, group: string, mayBeNew: boolean): void {
  const view = groups.find(group);
  if (view === undefined) {
    if (mayBeNew) return;
    throw noGroup(group);
  }
  if (view.isEmpty && groups.commitFault(group, NO_MEMBER, []) === null) return;
  throw new ObeliskError("NON_EMPTY_GROUP", {
    detail: `the group ${JSON.stringify(group)} has members, which would overwrite the change`,
    remedy: "stop its consumers, then try again",
  });
}

async function partitionsOf(
  { broker, offsets, clock }: Parts,
  group: string,
  body: ResetBody,
): Promise<Partition[]> {
  const wanted = body.partitions === undefined ? null : new Set(body.partitions);
  const found: Partition[] = [];
  const take = (partition: Partition) => {
    if (wanted === null || wanted.has(partition.index)) found.push(partition);
    if (found.length > PARTITIONS_MAX) throw tooMany();
  };
  if (body.topics === undefined) {
    const share = new TurnShare(clock);
    const listing = await offsets.listing(group);
    for (let next = listing.next(); next !== null; next = listing.next()) {
      if (share.isUsedUp) await share.rest();
      const topic = broker.topics.get(next.topic);
      for (const { partition } of next.partitions) {
        const known = topic?.partitions[partition];
        if (known !== undefined) take(known);
      }
    }
    return found;
  }
  for (const name of new Set(body.topics)) {
    const topic = topicNamed(broker, name);
    const missing = body.partitions?.find((index) => topic.partitions[index] === undefined);
    if (missing !== undefined)
      throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name, partition: missing });
    for (const partition of topic.partitions) take(partition);
  }
  return found;
}

type Move = (partition: Partition, from: number | null, isWanted: () => boolean) => Promise<Target>;

/** @throws ObeliskError INVALID_REQUEST when what `to` needs is not there */
function moveOf({ to, offset, timestamp, by }: ResetBody): Move {
  switch (to) {
    case "earliest":
      return async ({ startOffset }) => ({ to: startOffset });
    case "latest":
      return async (partition) => ({ to: await partition.latestOffset() });
    case "offset": {
      if (offset === undefined) throw missing("offset");
      return async (partition) =>
        offset < 0 ? await last(partition, -offset) : await within(partition, offset);
    }
    case "timestamp": {
      if (timestamp === undefined) throw missing("timestamp");
      const timestampMs = typeof timestamp === "number" ? timestamp : timeIn("timestamp", timestamp);
      return async (partition, _from, isWanted) => {
        const found = await partition.offsetForTimestamp(timestampMs, isWanted);
        return found === null
          ? { to: await partition.latestOffset(), note: "no record is that new" }
          : { to: found.offset };
      };
    }
    case "shift": {
      if (by === undefined) throw missing("by");
      return async (partition, from) =>
        from === null || from < 0
          ? { to: null, note: "nothing is committed" }
          : await within(partition, from + by);
    }
  }
}

async function last(partition: Partition, count: number): Promise<Target> {
  const end = await partition.latestOffset();
  const { startOffset } = partition;
  if (end - count >= startOffset) return { to: end - count };
  return { to: startOffset, note: `it holds only ${end - startOffset} offsets` };
}

async function within(partition: Partition, offset: number): Promise<Target> {
  const { startOffset } = partition;
  const end = await partition.latestOffset();
  if (offset < startOffset) return { to: startOffset, note: `${offset} is before the start offset` };
  if (offset > end) return { to: end, note: `${offset} is after the end offset` };
  return { to: offset };
}

function missing(name: string): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", { detail: `what \`to\` says needs \`${name}\`` });
}

function tooMany(): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", {
    detail: "these are too many partitions for one reset",
    remedy: "name some of the topics",
    limit: PARTITIONS_MAX,
  });
}

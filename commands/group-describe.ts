/**
 * `obelisk group describe`: the state of groups, who is in them, and for each partition what is committed and how far that is behind.
 *
 * Lag is the end offset less the committed one. It is unknown, and not 0, where nothing is committed or where no broker can tell
 * the end (the partition has no leader, the topic is gone); the total counts what is known, and says so when that is not all.
 *
 * With --json one line for each group; what is unknown is null:
 *   {"group", "type", "state", "protocolType", "assignor", "coordinator", "lag", "isLagComplete",
 *    "members": [{"memberId", "instanceId", "clientId", "host", "partitions": [{"topic", "partition"}]}],
 *    "partitions": [{"topic", "partition", "committed", "end", "lag", "memberId"}]}
 * Exit codes: 0 shown, 1 no such group, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import type { DescribedGroup, DescribedMember } from "../src/client/admin/groups.ts";
import type { Admin } from "../src/client/admin.ts";
import type { TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import { forEach, jsonFlag, withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { groupsArgument, noGroup } from "./group-names.ts";
import { EXIT, output } from "./output.ts";
import { type Column, tableLines } from "./output-table.ts";
import { partitionRanges } from "./partition-ranges.ts";

export const groupDescribeExamples = [
  "obelisk group describe billing",
  "obelisk group describe billing shipping --json",
];

const groupDescribeArgs = { ...groupsArgument, ...jsonFlag, ...brokersFlag } as const;

/** A partition that the group has an offset of, or a member that reads it. */
export interface GroupPartition extends TopicPartition {
  /** Null: nothing is committed. */
  readonly committed: number | null;
  /** Null: nobody can tell. */
  readonly end: number | null;
  readonly lag: number | null;
  /** Who reads it; null: nobody. */
  readonly memberId: string | null;
}

export const groupDescribeCommand = defineCommand({
  meta: {
    name: "group describe",
    description:
      "Shows the state of groups, their members, and the committed offset and lag of each partition.",
  },
  args: groupDescribeArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(groupDescribeArgs, rawArgs);
    const isJson = flags["json"] === "true";
    let isFirst = true;
    return await withAdmin(flags, (admin) =>
      forEach([...new Set(args._)], "group", isJson, async (name) => {
        const group = await admin.describeGroup(name);
        if (group === undefined) throw noGroup(name);
        const partitions = await groupPartitions(admin, group);
        if (isJson) output.json({ ...group, ...totalLag(partitions), partitions });
        else {
          if (!isFirst) output.line();
          for (const line of groupLines(group, partitions)) output.line(line);
        }
        isFirst = false;
        return EXIT.yes;
      }),
    );
  },
});

async function groupPartitions(admin: Admin, group: DescribedGroup): Promise<GroupPartition[]> {
  const committed = await admin.groupOffsets(group.group, null);
  const places = new Map<string, TopicPartition>();
  const readers = new Map<string, string>();
  for (const { topic, partition } of committed) places.set(keyOf({ topic, partition }), { topic, partition });
  for (const { memberId, partitions } of group.members) {
    for (const place of partitions ?? []) {
      places.set(keyOf(place), place);
      readers.set(keyOf(place), memberId);
    }
  }
  const offsets = new Map(committed.map((one) => [keyOf(one), one.offset]));
  const sorted = [...places.values()].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
  const ranges = await partitionRanges(admin, sorted);
  return sorted.map((place, index) => {
    const key = keyOf(place);
    const offset = offsets.get(key) ?? null;
    const end = ranges[index]?.end ?? null;
    return { ...place, committed: offset, end, lag: lagOf(offset, end), memberId: readers.get(key) ?? null };
  });
}

/** A committed offset after the end is of an earlier topic of the same name, or of records that are lost: nothing is left to read. */
export function lagOf(committed: number | null, end: number | null): number | null {
  return committed === null || end === null ? null : Math.max(0, end - committed);
}

/** The sum of what is known; null when nothing is. */
export function totalLag(partitions: readonly GroupPartition[]): {
  lag: number | null;
  isLagComplete: boolean;
} {
  const known = partitions.flatMap(({ lag }) => (lag === null ? [] : [lag]));
  const isLagComplete = known.length === partitions.length;
  if (known.length === 0 && !isLagComplete) return { lag: null, isLagComplete };
  return { lag: known.reduce((sum, lag) => sum + lag, 0), isLagComplete };
}

function groupLines(group: DescribedGroup, partitions: readonly GroupPartition[]): string[] {
  const names = memberNames(group.members);
  return [
    `group        ${group.group}`,
    `state        ${group.state}`,
    `type         ${group.type}${group.protocolType === "" || group.protocolType === "consumer" ? "" : ` (${group.protocolType})`}`,
    `assignor     ${group.assignor || "-"}`,
    `coordinator  ${group.coordinator}`,
    `members      ${group.members.length}`,
    `lag          ${lagWords(totalLag(partitions))}`,
    ...(group.members.length > 0 ? ["", ...tableLines(MEMBER_COLUMNS, group.members)] : []),
    ...(partitions.length > 0 ? ["", ...tableLines(partitionColumns(names), partitions)] : []),
  ];
}

function lagWords({ lag, isLagComplete }: { lag: number | null; isLagComplete: boolean }): string {
  if (lag === null) return "unknown";
  return isLagComplete ? `${lag}` : `at least ${lag} (unknown for some partitions)`;
}

const MEMBER_COLUMNS: readonly Column<DescribedMember>[] = [
  { title: "member", cell: ({ memberId }) => memberId },
  { title: "instance", cell: ({ instanceId }) => instanceId ?? "-" },
  { title: "client", cell: ({ clientId }) => clientId || "-" },
  { title: "host", cell: ({ host }) => host || "-" },
  {
    title: "partitions",
    isNumber: true,
    cell: ({ partitions }) => (partitions === null ? "unknown" : `${partitions.length}`),
  },
];

function partitionColumns(names: ReadonlyMap<string, string>): Column<GroupPartition>[] {
  return [
    { title: "topic", cell: ({ topic }) => topic },
    { title: "partition", isNumber: true, cell: ({ partition }) => `${partition}` },
    {
      title: "committed",
      isNumber: true,
      cell: ({ committed }) => (committed === null ? "none" : `${committed}`),
    },
    { title: "end", isNumber: true, cell: ({ end }) => (end === null ? "unknown" : `${end}`) },
    { title: "lag", isNumber: true, cell: ({ lag }) => (lag === null ? "unknown" : `${lag}`) },
    {
      title: "client",
      cell: ({ memberId }) => (memberId === null ? "-" : (names.get(memberId) ?? memberId)),
    },
  ];
}

/** A member id is long; its instance or client id tells who it is where that is its own. */
function memberNames(members: readonly DescribedMember[]): Map<string, string> {
  const shortOf = ({ instanceId, clientId, memberId }: DescribedMember) =>
    instanceId ?? (clientId || memberId);
  const count = Map.groupBy(members, shortOf);
  return new Map(
    members.map((member) => {
      const short = shortOf(member);
      return [member.memberId, count.get(short)!.length === 1 ? short : member.memberId];
    }),
  );
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

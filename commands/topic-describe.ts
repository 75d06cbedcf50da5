/**
 * `obelisk topic describe`: what a topic is: its partitions with their leaders, offsets and sizes, and its settings with the place
 * that each value comes from.
 *
 *   - A partition without a leader has no offsets: they are shown as unknown, and the others are not held by it.
 *   - Sizes are those of the replica at the leader; unknown where the brokers do not tell.
 *
 * With --json one line for each topic; what is unknown is null:
 *   {"topic", "id", "isInternal", "size", "partitions": [{"partition", "leader", "leaderEpoch", "replicas", "start", "end", "size"}],
 *    "settings": [{"name", "value", "source", "isReadOnly", "isSensitive"}]}
 * Exit codes: 0 shown, 1 no such topic, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { formatBytes } from "../src/base/units.ts";
import type { Config } from "../src/client/admin/configs.ts";
import type { Admin } from "../src/client/admin.ts";
import type { TopicMetadata } from "../src/client/cluster.ts";
import { forEach, jsonFlag, withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, output } from "./output.ts";
import { type Column, tableLines } from "./output-table.ts";
import { partitionRanges } from "./partition-ranges.ts";
import { replicasOf } from "./topic-list.ts";
import { findTopics, regexFlag, topicsArgument } from "./topic-names.ts";

export const topicDescribeExamples = [
  "obelisk topic describe orders",
  "obelisk topic describe --regex '^orders' --json",
];

const topicDescribeArgs = {
  ...topicsArgument,
  ...regexFlag,
  ...jsonFlag,
  ...brokersFlag,
} as const;

interface DescribedPartition {
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly start: number | null;
  readonly end: number | null;
  readonly size: number | null;
}

interface DescribedTopic {
  readonly topic: string;
  readonly id: string;
  readonly isInternal: boolean;
  readonly size: number | null;
  readonly partitions: readonly DescribedPartition[];
  readonly settings: readonly Config[];
}

export const topicDescribeCommand = defineCommand({
  meta: {
    name: "topic describe",
    description:
      "Shows the partitions of topics with their leaders, offsets and sizes, and the settings with their source.",
  },
  args: topicDescribeArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(topicDescribeArgs, rawArgs);
    const isJson = flags["json"] === "true";
    return await withAdmin(flags, async (admin) => {
      const topics = new Map(
        (await findTopics(admin, args._, flags)).map((topic) => [topic.name, topic] as const),
      );
      let isFirst = true;
      return await forEach([...topics.keys()], "topic", isJson, async (name) => {
        const described = await describeTopic(admin, topics.get(name)!);
        if (isJson) output.json(described);
        else {
          if (!isFirst) output.line();
          for (const line of topicLines(described, replicasOf(topics.get(name)!))) output.line(line);
        }
        isFirst = false;
        return EXIT.yes;
      });
    });
  },
});

async function describeTopic(admin: Admin, topic: TopicMetadata): Promise<DescribedTopic> {
  const numbers = topic.partitions.map(({ partition }) => partition);
  const ranges = await partitionRanges(
    admin,
    numbers.map((partition) => ({ topic: topic.name, partition })),
  );
  const sizes = await admin.partitionSizes(new Map([[topic.name, numbers]]));
  const settings = await admin.describeConfigs({ type: "topic", name: topic.name });
  const partitions = topic.partitions.map((partition, index) => {
    const size = sizes?.find(
      (one) => one.partition === partition.partition && one.broker === partition.leader,
    );
    const range = ranges[index];
    return { ...partition, start: range?.start ?? null, end: range?.end ?? null, size: size?.bytes ?? null };
  });
  return {
    topic: topic.name,
    id: topic.id,
    isInternal: topic.isInternal,
    size: sizes === null ? null : sizes.reduce((sum, { bytes }) => sum + bytes, 0),
    partitions,
    settings,
  };
}

function topicLines(topic: DescribedTopic, replicas: number): string[] {
  return [
    `topic       ${topic.topic}${topic.isInternal ? " (internal)" : ""}`,
    `id          ${topic.id}`,
    `partitions  ${topic.partitions.length}`,
    `replicas    ${replicas}`,
    `size        ${topic.size === null ? "unknown" : formatBytes(topic.size)}`,
    "",
    ...tableLines(PARTITION_COLUMNS, topic.partitions),
    "",
    ...tableLines(SETTING_COLUMNS, topic.settings),
  ];
}

const PARTITION_COLUMNS: readonly Column<DescribedPartition>[] = [
  { title: "partition", isNumber: true, cell: ({ partition }) => `${partition}` },
  { title: "leader", isNumber: true, cell: ({ leader }) => (leader < 0 ? "none" : `${leader}`) },
  { title: "epoch", isNumber: true, cell: ({ leaderEpoch }) => (leaderEpoch < 0 ? "-" : `${leaderEpoch}`) },
  { title: "replicas", cell: ({ replicas }) => replicas.join(",") },
  { title: "start", isNumber: true, cell: ({ start }) => numberOrUnknown(start) },
  { title: "end", isNumber: true, cell: ({ end }) => numberOrUnknown(end) },
  { title: "size", isNumber: true, cell: ({ size }) => (size === null ? "unknown" : formatBytes(size)) },
];

/** As `cluster config list` shows them too. */
export const SETTING_COLUMNS: readonly Column<Config>[] = [
  { title: "setting", cell: ({ name }) => name },
  { title: "value", cell: ({ value, isSensitive }) => (isSensitive ? "(secret)" : (value ?? "-")) },
  { title: "source", cell: ({ source }) => source },
];

export function numberOrUnknown(value: number | null): string {
  return value === null ? "unknown" : `${value}`;
}

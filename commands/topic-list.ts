/**
 * `obelisk topic list`: the names of topics, with how many partitions and replicas they have.
 * With --json one line for each: {"topic", "id", "partitions", "replicas", "isInternal"}.
 * Exit codes: 0 also when there are none, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import type { TopicMetadata } from "../src/client/cluster.ts";
import { jsonFlag, withAdmin } from "./admin.ts";
import { REPEATABLE } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, output } from "./output.ts";
import { tableLines } from "./output-table.ts";
import { patternOf, regexFlag } from "./topic-names.ts";

export const topicListExamples = [
  "obelisk topic list",
  "obelisk topic list --regex '^orders' --json",
  "obelisk topic list --brokers=kafka.example:9092 --internal",
];

const topicListArgs = {
  topics: {
    type: "positional",
    required: false,
    valueHint: `${REPEATABLE}TOPIC`,
    description: "Only these topics.",
  },
  ...regexFlag,
  internal: { type: "boolean", alias: "i", description: "List internal topics too." },
  ...jsonFlag,
  ...brokersFlag,
} as const;

export const topicListCommand = defineCommand({
  meta: { name: "topic list", description: "Lists topics with their partitions and replicas." },
  args: topicListArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(topicListArgs, rawArgs);
    const isWanted = filterOf(args._, flags["regex"] === "true");
    const topics = await withAdmin(flags, (admin) => admin.listTopics());
    const shown = topics.filter(
      ({ name, isInternal }) => isWanted(name) && (!isInternal || flags["internal"] === "true"),
    );
    if (flags["json"] === "true") for (const topic of shown) output.json(topicJson(topic));
    else if (shown.length > 0) for (const line of topicLines(shown)) output.line(line);
    return EXIT.yes;
  },
});

function filterOf(words: readonly string[], isRegex: boolean): (name: string) => boolean {
  if (words.length === 0) return () => true;
  if (!isRegex) return (name) => words.includes(name);
  const patterns = words.map(patternOf);
  return (name) => patterns.some((pattern) => pattern.test(name));
}

/** Those of its first partition: they have as many. */
export function replicasOf({ partitions }: TopicMetadata): number {
  return partitions[0]?.replicas.length ?? 0;
}

function topicJson(topic: TopicMetadata): object {
  return {
    topic: topic.name,
    id: topic.id,
    partitions: topic.partitions.length,
    replicas: replicasOf(topic),
    isInternal: topic.isInternal,
  };
}

function topicLines(topics: readonly TopicMetadata[]): string[] {
  return tableLines<TopicMetadata>(
    [
      { title: "topic", cell: ({ name }) => name },
      { title: "partitions", isNumber: true, cell: ({ partitions }) => `${partitions.length}` },
      { title: "replicas", isNumber: true, cell: (topic) => `${replicasOf(topic)}` },
    ],
    topics,
  );
}

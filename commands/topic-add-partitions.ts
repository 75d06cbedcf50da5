/**
 * `obelisk topic add-partitions`: gives topics more partitions. Records with a key go to another partition afterwards.
 * With --json one line for each topic: {"topic", "from", "to", "dryRun"}.
 * Exit codes: 0 added, 1 no such topic, 2 failed, 64 wrong usage or a number refused.
 */

import { defineCommand } from "citty";
import { forEach, jsonFlag, withAdmin } from "./admin.ts";
import { usage } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, output } from "./output.ts";
import { type FlagTexts, wholeNumber } from "./produce-options.ts";
import { findTopics, regexFlag, topicsArgument } from "./topic-names.ts";

export const topicAddPartitionsExamples = [
  "obelisk topic add-partitions orders --num=2",
  "obelisk topic add-partitions orders payments --to=12 --dry-run",
];

const topicAddPartitionsArgs = {
  ...topicsArgument,
  ...regexFlag,
  num: { type: "string", alias: "n", valueHint: "N", description: "How many partitions to add." },
  to: { type: "string", valueHint: "N", description: "How many partitions there are to be." },
  "dry-run": { type: "boolean", alias: "d", description: "Only check whether they could be added." },
  ...jsonFlag,
  ...brokersFlag,
} as const;

const PARTITIONS_MAX = 2 ** 31 - 1;

export const topicAddPartitionsCommand = defineCommand({
  meta: {
    name: "topic add-partitions",
    description: "Adds partitions to topics. Records with a key may go to another partition afterwards.",
  },
  args: topicAddPartitionsArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(topicAddPartitionsArgs, rawArgs);
    const countAfter = countOf(flags);
    const isJson = flags["json"] === "true";
    const isDryRun = flags["dry-run"] === "true";
    return await withAdmin(flags, async (admin) => {
      const topics = await findTopics(admin, args._, flags);
      const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
      return await forEach([...counts.keys()], "topic", isJson, async (name) => {
        const from = counts.get(name)!;
        const to = countAfter(from);
        await admin.createPartitions(name, to, { isDryRun });
        if (isJson) output.json({ topic: name, from, to, dryRun: isDryRun });
        else output.line(`topic ${name}: ${isDryRun ? "could go " : ""}from ${from} to ${to} partitions`);
        return EXIT.yes;
      });
    });
  },
});

function countOf({ num, to }: FlagTexts): (now: number) => number {
  if ((num === undefined) === (to === undefined))
    throw usage("give --num or --to", "--num=2 adds two partitions, --to=12 makes it twelve");
  if (to !== undefined) {
    const count = wholeNumber("to", to, PARTITIONS_MAX);
    return () => count;
  }
  const added = wholeNumber("num", num!, PARTITIONS_MAX);
  if (added === 0) throw usage("--num must be at least 1");
  return (now) => now + added;
}

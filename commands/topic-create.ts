/**
 * `obelisk topic create`: creates topics. With --json one line for each: {"topic", "created", "dryRun"}.
 * Exit codes: 0 created (or there already, with --if-not-exists), 1 there already, 2 failed, 64 wrong usage or a setting refused.
 */

import { defineCommand } from "citty";
import { toObeliskError } from "../src/base/errors.ts";
import type { NewTopic } from "../src/client/admin/topics.ts";
import type { Admin } from "../src/client/admin.ts";
import { forEach, jsonFlag, withAdmin } from "./admin.ts";
import { REPEATABLE, repeatedValues } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, output } from "./output.ts";
import { wholeNumber } from "./produce-options.ts";
import { configPairs, topicsArgument } from "./topic-names.ts";

export const topicCreateExamples = [
  "obelisk topic create orders",
  "obelisk topic create orders payments --partitions=6 --config=retention.ms=86400000",
  "obelisk topic create orders --if-not-exists --json",
];

const topicCreateArgs = {
  ...topicsArgument,
  partitions: {
    type: "string",
    alias: "p",
    valueHint: "N",
    description: "How many partitions. Default: what the broker's settings say.",
  },
  replicas: {
    type: "string",
    alias: "r",
    valueHint: "N",
    description: "How many replicas. Default: what the broker's settings say.",
  },
  config: {
    type: "string",
    alias: "c",
    valueHint: `${REPEATABLE}NAME=VALUE`,
    description: "A setting of the topics.",
  },
  "if-not-exists": { type: "boolean", description: "A topic that is there already is no failure." },
  "dry-run": { type: "boolean", alias: "d", description: "Only check whether they could be created." },
  ...jsonFlag,
  ...brokersFlag,
} as const;

const PARTITIONS_MAX = 2 ** 31 - 1;
const REPLICAS_MAX = 2 ** 15 - 1;

export const topicCreateCommand = defineCommand({
  meta: { name: "topic create", description: "Creates topics." },
  args: topicCreateArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(topicCreateArgs, rawArgs);
    const isJson = flags["json"] === "true";
    const isDryRun = flags["dry-run"] === "true";
    const { partitions, replicas } = flags;
    const options = {
      ...(partitions === undefined
        ? {}
        : { partitions: wholeNumber("partitions", partitions, PARTITIONS_MAX) }),
      ...(replicas === undefined
        ? {}
        : { replicationFactor: wholeNumber("replicas", replicas, REPLICAS_MAX) }),
      configs: Object.fromEntries(configPairs("config", repeatedValues(topicCreateArgs, rawArgs, "config"))),
      isDryRun,
    };
    return await withAdmin(flags, (admin) =>
      forEach([...new Set(args._)], "topic", isJson, async (name) => {
        const isNew = await create(admin, { name, ...options }, flags["if-not-exists"] === "true");
        if (isJson) output.json({ topic: name, created: isNew && !isDryRun, dryRun: isDryRun });
        else output.line(createdWords(name, isNew, isDryRun));
        return EXIT.yes;
      }),
    );
  },
});

/** False when it was there already, and may be. */
async function create(admin: Admin, topic: NewTopic, mayExist: boolean): Promise<boolean> {
  try {
    await admin.createTopic(topic);
    return true;
  } catch (thrown) {
    if (!mayExist || toObeliskError(thrown).code !== "TOPIC_ALREADY_EXISTS") throw thrown;
    return false;
  }
}

function createdWords(name: string, isNew: boolean, isDryRun: boolean): string {
  if (!isNew) return `topic ${name} exists already`;
  return isDryRun ? `topic ${name} could be created` : `created topic ${name}`;
}

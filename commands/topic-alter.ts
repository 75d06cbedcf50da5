/**
 * `obelisk topic alter`: changes single settings of topics; the others stay. All changes of a topic are made, or none.
 * With --json one line for each topic: {"topic", "altered", "dryRun"}.
 * Exit codes: 0 changed, 1 no such topic, 2 failed, 64 wrong usage or a setting refused.
 */

import { defineCommand } from "citty";
import type { ConfigChange } from "../src/client/admin/configs.ts";
import { forEach, jsonFlag, withAdmin } from "./admin.ts";
import { REPEATABLE, repeatedValues, usage } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, output } from "./output.ts";
import { configPairs, findTopics, regexFlag, topicsArgument } from "./topic-names.ts";

export const topicAlterExamples = [
  "obelisk topic alter orders --set=retention.ms=86400000 --unset=segment.bytes",
  "obelisk topic alter orders --append=cleanup.policy=compact",
  "obelisk topic alter --regex '^logs' --set=retention.bytes=1073741824 --dry-run",
];

const topicAlterArgs = {
  ...topicsArgument,
  ...regexFlag,
  set: { type: "string", alias: "s", valueHint: `${REPEATABLE}NAME=VALUE`, description: "Set a setting." },
  unset: {
    type: "string",
    valueHint: `${REPEATABLE}NAME`,
    description: "Let a setting follow its default again.",
  },
  append: {
    type: "string",
    valueHint: `${REPEATABLE}NAME=VALUE`,
    description: "Append to a setting that is a list.",
  },
  subtract: {
    type: "string",
    valueHint: `${REPEATABLE}NAME=VALUE`,
    description: "Remove from a setting that is a list.",
  },
  "dry-run": { type: "boolean", alias: "d", description: "Only check whether they could be changed." },
  ...jsonFlag,
  ...brokersFlag,
} as const;

export const topicAlterCommand = defineCommand({
  meta: { name: "topic alter", description: "Changes single settings of topics; the others stay." },
  args: topicAlterArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(topicAlterArgs, rawArgs);
    const changes = configChanges(rawArgs);
    const isJson = flags["json"] === "true";
    const isDryRun = flags["dry-run"] === "true";
    return await withAdmin(flags, async (admin) => {
      const topics = await findTopics(admin, args._, flags);
      const names = topics.map(({ name }) => name);
      return await forEach(names, "topic", isJson, async (name) => {
        await admin.alterConfigs({ type: "topic", name }, changes, { isDryRun });
        if (isJson) output.json({ topic: name, altered: !isDryRun, dryRun: isDryRun });
        else output.line(isDryRun ? `topic ${name} could be altered` : `altered topic ${name}`);
        return EXIT.yes;
      });
    });
  },
});

function configChanges(rawArgs: readonly string[]): ConfigChange[] {
  const changes: ConfigChange[] = [];
  for (const operation of ["set", "append", "subtract"] as const) {
    const pairs = configPairs(operation, repeatedValues(topicAlterArgs, rawArgs, operation));
    changes.push(...pairs.map(([name, value]) => ({ name, operation, value })));
  }
  for (const name of repeatedValues(topicAlterArgs, rawArgs, "unset"))
    changes.push({ name, operation: "unset", value: null });
  if (changes.length === 0)
    throw usage("no change is given", "add --set=NAME=VALUE, --unset=NAME, --append or --subtract");
  return changes;
}

/**
 * `obelisk cluster config set`: changes settings of all brokers, or of one with --broker, without a restart. What can be changed
 * so, and what cannot, says the broker.
 * With --json one line: {"broker", "altered", "dryRun"}; broker null: all of them.
 * Exit codes: 0 changed, 2 failed, 64 wrong usage or a setting refused.
 */

import { defineCommand } from "citty";
import type { ConfigChange } from "../src/client/admin/configs.ts";
import { withAdmin } from "./admin.ts";
import { REPEATABLE, repeatedValues, usage } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { brokerFlag, brokerId, noBroker } from "./cluster-config.ts";
import { EXIT, output } from "./output.ts";
import { configPairs } from "./topic-names.ts";

export const clusterConfigSetExamples = [
  "obelisk cluster config set log.retention.ms=86400000",
  "obelisk cluster config set --unset=log.retention.ms --broker=1",
];

const clusterConfigSetArgs = {
  settings: {
    type: "positional",
    required: false,
    valueHint: `${REPEATABLE}NAME=VALUE`,
    description: "The settings and their new values.",
  },
  unset: {
    type: "string",
    valueHint: `${REPEATABLE}NAME`,
    description: "Let a setting follow its default again.",
  },
  ...brokerFlag,
  "dry-run": { type: "boolean", alias: "d", description: "Only check whether they could be changed." },
  json: { type: "boolean", description: "Print the outcome as one line of JSON." },
  ...brokersFlag,
} as const;

export const clusterConfigSetCommand = defineCommand({
  meta: {
    name: "cluster config set",
    description: "Changes settings of all brokers, or of one with --broker.",
  },
  args: clusterConfigSetArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(clusterConfigSetArgs, rawArgs);
    const pairs = configPairs("", args._);
    const names = repeatedValues(clusterConfigSetArgs, rawArgs, "unset");
    const changes: ConfigChange[] = [
      ...pairs.map(([name, value]) => ({ name, operation: "set" as const, value })),
      ...names.map((name) => ({ name, operation: "unset" as const, value: null })),
    ];
    if (changes.length === 0) throw usage("no setting is given", "write NAME=VALUE, or --unset=NAME");
    const broker = brokerId(flags);
    const isDryRun = flags["dry-run"] === "true";
    await withAdmin(flags, async (admin) => {
      const { brokers } = await admin.describeCluster();
      if (broker !== undefined && !brokers.some(({ id }) => id === broker)) throw noBroker(broker);
      await admin.alterConfigs({ type: "broker", name: `${broker ?? ""}` }, changes, { isDryRun });
    });
    const who = broker === undefined ? "all brokers" : `broker ${broker}`;
    if (flags["json"] === "true")
      output.json({ broker: broker ?? null, altered: !isDryRun, dryRun: isDryRun });
    else output.line(isDryRun ? `${who} could be altered` : `altered ${who}`);
    return EXIT.yes;
  },
});

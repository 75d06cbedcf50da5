/**
 * `obelisk cluster config list` and `get`: the settings of a broker, each with the place that its value comes from.
 * With --json one line for each: {"name", "value", "source", "isReadOnly", "isSensitive"}; the value of a secret is null.
 * Exit codes: 0 shown, 1 no such setting, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { ObeliskError } from "../src/base/errors.ts";
import type { Config } from "../src/client/admin/configs.ts";
import type { Admin } from "../src/client/admin.ts";
import { nearest } from "../src/config/nearest.ts";
import { jsonFlag, withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, note, output } from "./output.ts";
import { tableLines } from "./output-table.ts";
import { type FlagTexts, wholeNumber } from "./produce-options.ts";
import { SETTING_COLUMNS } from "./topic-describe.ts";

export const clusterConfigListExamples = [
  "obelisk cluster config list",
  "obelisk cluster config list --changed --json",
];

export const clusterConfigGetExamples = [
  "obelisk cluster config get log.retention.ms",
  "obelisk cluster config get log.retention.ms --broker=1 --json",
];

/** Which broker is meant; its default is for reading only. */
export const brokerFlag = {
  broker: { type: "string", valueHint: "ID", description: "The broker, by its id." },
} as const;

const clusterConfigListArgs = {
  changed: { type: "boolean", description: "Only settings that are not at their default." },
  ...brokerFlag,
  ...jsonFlag,
  ...brokersFlag,
} as const;

const clusterConfigGetArgs = {
  name: { type: "positional", required: true, valueHint: "NAME", description: "The setting." },
  ...brokerFlag,
  ...jsonFlag,
  ...brokersFlag,
} as const;

const BROKER_MAX = 2 ** 31 - 1;

export const clusterConfigListCommand = defineCommand({
  meta: {
    name: "cluster config list",
    description: "Lists the settings of a broker, each with the place that its value comes from.",
  },
  args: clusterConfigListArgs,
  run: async ({ rawArgs }) => {
    const flags = clientFlags(clusterConfigListArgs, rawArgs);
    const configs = await withAdmin(flags, (admin) => brokerConfigs(admin, flags));
    const shown = configs.filter(({ source }) => flags["changed"] !== "true" || source !== "default");
    if (flags["json"] === "true") for (const config of shown) output.json(config);
    else if (shown.length > 0) for (const line of tableLines(SETTING_COLUMNS, shown)) output.line(line);
    return EXIT.yes;
  },
});

export const clusterConfigGetCommand = defineCommand({
  meta: { name: "cluster config get", description: "Prints the value of one setting of a broker." },
  args: clusterConfigGetArgs,
  run: async ({ rawArgs, args: { name } }) => {
    const flags = clientFlags(clusterConfigGetArgs, rawArgs);
    const configs = await withAdmin(flags, (admin) => brokerConfigs(admin, flags));
    const found = configs.find((config) => config.name === name);
    if (found === undefined) {
      const near = nearest(
        name,
        configs.map((config) => config.name),
      );
      note(`obelisk: there is no setting ${name}${near === undefined ? "" : `, did you mean ${near}?`}`);
      return EXIT.no;
    }
    if (flags["json"] === "true") output.json(found);
    else output.line(shownValue(found));
    return EXIT.yes;
  },
});

function shownValue({ value, isSensitive }: Config): string {
  return isSensitive ? "(secret)" : (value ?? "");
}

/** Of the broker that is named, else of the first one. */
async function brokerConfigs(admin: Admin, flags: FlagTexts): Promise<Config[]> {
  const { brokers } = await admin.describeCluster();
  const wanted = brokerId(flags) ?? brokers[0]?.id;
  if (!brokers.some(({ id }) => id === wanted)) throw noBroker(wanted);
  return await admin.describeConfigs({ type: "broker", name: `${wanted}` });
}

/** Undefined: no broker is named. @throws ObeliskError INVALID_USAGE */
export function brokerId({ broker }: FlagTexts): number | undefined {
  return broker === undefined ? undefined : wholeNumber("broker", broker, BROKER_MAX);
}

export function noBroker(id: number | undefined): ObeliskError {
  return new ObeliskError("INVALID_USAGE", {
    detail: `the cluster has no broker ${id ?? ""}`.trimEnd(),
    remedy: "`obelisk cluster info` shows those that there are",
  });
}

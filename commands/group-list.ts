/**
 * `obelisk group list`: the groups of all brokers.
 * With --json one line for each: {"group", "state", "type", "protocolType", "coordinator"}; state and type are empty where the
 * broker is too old to say.
 * Exit codes: 0 also when there are none, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import type { ListedGroup } from "../src/client/admin/groups.ts";
import { jsonFlag, withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, output } from "./output.ts";
import { tableLines } from "./output-table.ts";

export const groupListExamples = ["obelisk group list", "obelisk group list --state=stable --json"];

const groupListArgs = {
  state: {
    type: "string",
    alias: "s",
    valueHint: "STATE,...",
    description: "Only groups in these states: stable, empty, preparingrebalance and so on.",
  },
  ...jsonFlag,
  ...brokersFlag,
} as const;

export const groupListCommand = defineCommand({
  meta: { name: "group list", description: "Lists the groups of all brokers." },
  args: groupListArgs,
  run: async ({ rawArgs }) => {
    const flags = clientFlags(groupListArgs, rawArgs);
    const states = flags["state"]?.toLowerCase().split(",");
    const groups = await withAdmin(flags, (admin) => admin.listGroups());
    const shown = groups.filter(({ state }) => states === undefined || states.includes(state.toLowerCase()));
    if (flags["json"] === "true") for (const group of shown) output.json(group);
    else if (shown.length > 0) for (const line of groupLines(shown)) output.line(line);
    return EXIT.yes;
  },
});

function groupLines(groups: readonly ListedGroup[]): string[] {
  return tableLines<ListedGroup>(
    [
      { title: "group", cell: ({ group }) => group },
      { title: "state", cell: ({ state }) => state || "-" },
      { title: "type", cell: ({ type }) => type || "-" },
      { title: "protocol", cell: ({ protocolType }) => protocolType || "-" },
      { title: "coordinator", isNumber: true, cell: ({ coordinator }) => `${coordinator}` },
    ],
    groups,
  );
}

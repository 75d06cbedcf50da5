/**
 * `obelisk profile list` and `show`.
 * With --json one line for each profile: {"profile", "isCurrent", "brokers", "group", "native"}; null for what it does not say.
 * Exit codes: 0 shown, 2 failed, 64 wrong usage, also for a profile that there is not.
 */

import { defineCommand } from "citty";
import { checkVariables } from "../src/config/variables.ts";
import { jsonFlag } from "./admin.ts";
import { flagValues, usage } from "./arguments.ts";
import { EXIT, output } from "./output.ts";
import { tableLines } from "./output-table.ts";
import { type Profiles, profileOf, readProfiles } from "./profiles.ts";

export const profileListExamples = ["obelisk profile list", "obelisk profile list --json"];
export const profileShowExamples = ["obelisk profile show", "obelisk profile show prod --json"];

const profileListArgs = { ...jsonFlag } as const;

const profileShowArgs = {
  name: {
    type: "positional",
    required: false,
    valueHint: "NAME",
    description: "The profile. Default: the one in use.",
  },
  ...jsonFlag,
} as const;

interface Row {
  readonly profile: string;
  readonly isCurrent: boolean;
  readonly brokers: string | null;
  readonly group: string | null;
  readonly native: string | null;
}

export const profileListCommand = defineCommand({
  meta: { name: "profile list", description: "Lists the profiles; the one in use has a star." },
  args: profileListArgs,
  run: ({ rawArgs }) => {
    checkVariables(process.env);
    const all = readProfiles(process.env);
    const rows = Object.keys(all.profiles)
      .toSorted()
      .map((name) => rowOf(all, name));
    if (flagValues(profileListArgs, rawArgs)["json"] === "true") for (const row of rows) output.json(row);
    else if (rows.length > 0) for (const line of listLines(rows)) output.line(line);
    return EXIT.yes;
  },
});

export const profileShowCommand = defineCommand({
  meta: { name: "profile show", description: "Shows what a profile says." },
  args: profileShowArgs,
  run: ({ rawArgs, args }) => {
    checkVariables(process.env);
    const all = readProfiles(process.env);
    const name = args.name ?? process.env["OBELISK_PROFILE"] ?? all.current;
    if (name === null)
      throw usage("no profile is in use", "name one, or choose one with `obelisk profile use`");
    const row = rowOf(all, name);
    if (flagValues(profileShowArgs, rawArgs)["json"] === "true") output.json(row);
    else for (const line of showLines(row)) output.line(line);
    return EXIT.yes;
  },
});

function rowOf(all: Profiles, name: string): Row {
  const { brokers = null, group = null, native = null } = profileOf(all, name);
  return { profile: name, isCurrent: all.current === name, brokers, group, native };
}

function listLines(rows: readonly Row[]): string[] {
  return tableLines<Row>(
    [
      { title: "profile", cell: ({ profile, isCurrent }) => (isCurrent ? `${profile} *` : profile) },
      { title: "brokers", cell: ({ brokers }) => brokers ?? "-" },
      { title: "group", cell: ({ group }) => group ?? "-" },
      { title: "native", cell: ({ native }) => native ?? "-" },
    ],
    rows,
  );
}

function showLines({ profile, isCurrent, brokers, group, native }: Row): string[] {
  return [
    `profile  ${profile}${isCurrent ? " (in use)" : ""}`,
    `brokers  ${brokers ?? "-"}`,
    `group    ${group ?? "-"}`,
    `native   ${native ?? "-"}`,
  ];
}

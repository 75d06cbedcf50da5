/**
 * `obelisk profile create`, `edit`, `use` and `delete`. The first profile is in use at once.
 * Exit codes: 0 done, 1 there is a profile of this name already (create), 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { checkVariables } from "../src/config/variables.ts";
import { flagValues, usage } from "./arguments.ts";
import { EXIT, note, output } from "./output.ts";
import {
  checkProfile,
  PROFILE_KEYS,
  type Profile,
  profileOf,
  readProfiles,
  writeProfiles,
} from "./profiles.ts";

export const profileCreateExamples = [
  "obelisk profile create prod --brokers=kafka.example:9092 --group=billing",
  "obelisk profile create local --native=localhost:8080 --use",
];
export const profileEditExamples = [
  "obelisk profile edit prod --brokers=kafka-1.example:9092,kafka-2.example:9092",
  "obelisk profile edit prod --group=",
];
export const profileUseExamples = ["obelisk profile use prod", "obelisk profile use --none"];
export const profileDeleteExamples = ["obelisk profile delete prod"];

const nameArgument = {
  name: { type: "positional", required: true, valueHint: "NAME", description: "The profile." },
} as const;

const valueFlags = {
  brokers: { type: "string", alias: "b", valueHint: "HOST:PORT,...", description: "Its bootstrap brokers." },
  group: { type: "string", alias: "g", valueHint: "NAME", description: "Its consumer group." },
  native: {
    type: "string",
    valueHint: "HOST:PORT",
    description: "Its address of the native protocol, for `obelisk produce --protocol=native`.",
  },
} as const;

const createArgs = {
  ...nameArgument,
  ...valueFlags,
  use: { type: "boolean", description: "Use it from now on." },
} as const;
const editArgs = { ...nameArgument, ...valueFlags } as const;
const useArgs = {
  name: { type: "positional", required: false, valueHint: "NAME", description: "The profile." },
  none: { type: "boolean", description: "Use none of them." },
} as const;

/** A name is typed often and may be a part of a variable's value. */
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const profileCreateCommand = defineCommand({
  meta: { name: "profile create", description: "Creates a profile. The first one is in use at once." },
  args: createArgs,
  run: ({ rawArgs, args: { name } }) => {
    checkVariables(process.env);
    if (!NAME_PATTERN.test(name))
      throw usage(
        `\`${name}\` is no name for a profile`,
        "use letters, digits, dots, dashes and underscores",
      );
    const flags = flagValues(createArgs, rawArgs);
    const profile = changed({}, flags);
    const all = readProfiles(process.env);
    if (Object.hasOwn(all.profiles, name)) {
      note(`obelisk: there is a profile ${name} already; change it with \`obelisk profile edit ${name}\``);
      return EXIT.no;
    }
    const isUsed = flags["use"] === "true" || Object.keys(all.profiles).length === 0;
    writeProfiles(process.env, {
      current: isUsed ? name : all.current,
      profiles: { ...all.profiles, [name]: profile },
    });
    output.line(`created profile ${name}${isUsed ? ", and it is in use" : ""}`);
    return EXIT.yes;
  },
});

export const profileEditCommand = defineCommand({
  meta: { name: "profile edit", description: "Changes a profile; an empty value removes what it says." },
  args: editArgs,
  run: ({ rawArgs, args: { name } }) => {
    checkVariables(process.env);
    const all = readProfiles(process.env);
    const flags = flagValues(editArgs, rawArgs);
    const now = profileOf(all, name);
    if (PROFILE_KEYS.every((key) => flags[key] === undefined))
      throw usage("no change is given", "add --brokers, --group or --native");
    writeProfiles(process.env, { ...all, profiles: { ...all.profiles, [name]: changed(now, flags) } });
    output.line(`changed profile ${name}`);
    return EXIT.yes;
  },
});

export const profileUseCommand = defineCommand({
  meta: { name: "profile use", description: "Chooses the profile that counts where none is named." },
  args: useArgs,
  run: ({ rawArgs, args: { name } }) => {
    checkVariables(process.env);
    const isNone = flagValues(useArgs, rawArgs)["none"] === "true";
    if (isNone === (name !== undefined)) throw usage("give a name or --none");
    const all = readProfiles(process.env);
    if (name !== undefined) profileOf(all, name);
    writeProfiles(process.env, { ...all, current: name ?? null });
    output.line(name === undefined ? "no profile is in use" : `profile ${name} is in use`);
    return EXIT.yes;
  },
});

export const profileDeleteCommand = defineCommand({
  meta: { name: "profile delete", description: "Deletes a profile." },
  args: nameArgument,
  run: ({ args: { name } }) => {
    checkVariables(process.env);
    const all = readProfiles(process.env);
    profileOf(all, name);
    const { [name]: _gone, ...profiles } = all.profiles;
    writeProfiles(process.env, { current: all.current === name ? null : all.current, profiles });
    output.line(`deleted profile ${name}`);
    return EXIT.yes;
  },
});

function changed(profile: Profile, flags: Readonly<Record<string, string>>): Profile {
  const values = PROFILE_KEYS.flatMap((key): [string, string][] => {
    const value = flags[key] ?? profile[key];
    return value === undefined || value === "" ? [] : [[key, value]];
  });
  const result: Profile = Object.fromEntries(values);
  checkProfile(result);
  return result;
}

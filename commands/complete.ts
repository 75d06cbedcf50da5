/**
 * `obelisk complete SHELL -- WORD ...`: what may stand in the place of the last word. The completion scripts call it at each Tab; it
 * is in no help.
 *
 * Commands, flags, and values that are one of a few come from the definitions that read the command line; the names of topics and
 * groups from the brokers that the line, the environment or the profile names. A broker that does not answer within
 * LOOK_UP_MS has none: nobody waits longer for a Tab, and an error would tear the line that is being typed.
 *
 * bash cuts words at `=` and `:`; they are put together here, and only the last piece is answered.
 */

import type { ArgsDef } from "citty";
import { systemClock } from "../src/base/clock.ts";
import { ObeliskError } from "../src/base/errors.ts";
import { Admin } from "../src/client/admin.ts";
import { aliasesOf, type Command, isRepeatable, REPEATABLE } from "./arguments.ts";
import { clientFlags } from "./brokers-flag.ts";
import type { Shell } from "./completion-scripts.ts";
import { EXIT, output } from "./output.ts";
import { readProfiles } from "./profiles.ts";
import { type CommandTree, isGroup } from "./tree.ts";

const LOOK_UP_MS = 1000;

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What fits in a place; "files": the names of files, which shells know better. */
export type Candidates = readonly Candidate[] | "files";

/** Names that only the outside world knows. */
export interface Lookups {
  topics(): Promise<readonly string[]>;
  groups(): Promise<readonly string[]>;
  profiles(): readonly string[];
}

type Definition = ArgsDef[string];

/** Prints the candidates for a command line of the program. Fails never. */
export async function complete(tree: CommandTree, rawArgs: readonly string[]): Promise<number> {
  const [shell, , ...raw] = rawArgs;
  const words = shell === "bash" ? joined(raw) : raw;
  const current = words.at(-1) ?? "";
  const found = await candidatesFor(tree, words, lookupsOf);
  if (found === "files") output.line(":files");
  else for (const line of candidateLines(found, current, shell as Shell)) output.line(line);
  return EXIT.yes;
}

/** The candidates for the last word. */
export async function candidatesFor(
  tree: CommandTree,
  words: readonly string[],
  lookups: (command: Command, words: readonly string[]) => Lookups,
): Promise<Candidates> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const isHelp = before[0] === "help";
  let commands = tree;
  let index = isHelp ? 1 : 0;
  const path: string[] = [];
  for (; index < before.length; index += 1) {
    const name = before[index]!;
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry === undefined) return [];
    path.push(name);
    if (!isGroup(entry)) {
      if (isHelp) return [];
      const command = await entry.load();
      const own = before.slice(index + 1);
      return await argumentCandidates(command, path, own, current, lookups(command, own));
    }
    commands = entry.commands;
  }
  return startingWith(
    Object.entries(commands).map(([value, { summary }]) => ({ value, description: summary })),
    current,
  );
}

async function argumentCandidates(
  { args }: Command,
  path: readonly string[],
  before: readonly string[],
  current: string,
  lookups: Lookups,
): Promise<Candidates> {
  const isOver = before.includes("--");
  const last = before.at(-1) ?? "";
  const pending = isOver ? undefined : flagOf(args, last);
  if (pending !== undefined && takesValue(pending[1]))
    return await valuesOf(pending, path, current, "", lookups);
  const equals = current.indexOf("=");
  if (!isOver && current.startsWith("-") && equals !== -1) {
    const flag = flagOf(args, current.slice(0, equals));
    if (flag === undefined || !takesValue(flag[1])) return [];
    return await valuesOf(flag, path, current.slice(equals + 1), current.slice(0, equals + 1), lookups);
  }
  if (!isOver && current.startsWith("-")) return startingWith(flagCandidates(args, before), current);
  const place = placeOf(args, before);
  return place === undefined ? [] : await valuesOf(place, path, current, "", lookups);
}

/** The flags that may still be given. */
function flagCandidates(args: ArgsDef, before: readonly string[]): Candidate[] {
  const used = new Set(before.map((word) => flagOf(args, word.split("=")[0]!)?.[0]));
  return Object.entries(args)
    .filter(
      ([name, definition]) =>
        definition.type !== "positional" && (!used.has(name) || isRepeatable(definition)),
    )
    .map(([name, definition]) => ({
      value: definition.type === "boolean" && definition.default === true ? `--no-${name}` : `--${name}`,
      description: definition.description ?? "",
    }));
}

async function valuesOf(
  [name, definition]: [string, Definition],
  path: readonly string[],
  text: string,
  prefix: string,
  lookups: Lookups,
): Promise<Candidates> {
  const hint = (definition.valueHint ?? "").replace(REPEATABLE, "");
  const comma = hint.endsWith(",...") ? text.lastIndexOf(",") + 1 : 0;
  const values = await valuesByKind(name, hint, path, lookups);
  if (values === "files") return prefix === "" ? "files" : [];
  return startingWith(
    values.map((value) => ({ value: prefix + text.slice(0, comma) + value, description: "" })),
    prefix + text,
  );
}

async function valuesByKind(
  name: string,
  hint: string,
  path: readonly string[],
  lookups: Lookups,
): Promise<readonly string[] | "files"> {
  if (hint.startsWith("TOPIC")) return await lookups.topics();
  if (hint === "GROUP" || name === "group") return await lookups.groups();
  if (name === "profile" || (path[0] === "profile" && path[1] !== "create" && name === "name"))
    return lookups.profiles();
  if (hint === "FILE" || name === "path" || name === "data") return "files";
  return hint.includes("|") ? hint.split("|").filter((word) => /^[a-z0-9-]+$/.test(word)) : [];
}

/** The positional in whose place the next word stands. */
function placeOf(args: ArgsDef, before: readonly string[]): [string, Definition] | undefined {
  const places = Object.entries(args).filter(([, definition]) => definition.type === "positional");
  let count = 0;
  for (let index = 0; index < before.length; index += 1) {
    const word = before[index]!;
    if (word === "--") {
      count += before.length - index - 1;
      break;
    }
    if (!word.startsWith("-")) count += 1;
    else if (!word.includes("=") && takesValue(flagOf(args, word)?.[1])) index += 1;
  }
  const last = places.at(-1);
  return places[count] ?? (last !== undefined && isRepeatable(last[1]) ? last : undefined);
}

function flagOf(args: ArgsDef, word: string): [string, Definition] | undefined {
  return Object.entries(args).find(
    ([name, definition]) =>
      definition.type !== "positional" &&
      (word === `--${name}` ||
        aliasesOf(definition).some((alias) => word === (alias.length === 1 ? `-${alias}` : `--${alias}`))),
  );
}

function takesValue(definition: Definition | undefined): boolean {
  return definition !== undefined && definition.type !== "boolean";
}

function startingWith(candidates: readonly Candidate[], text: string): Candidate[] {
  return candidates.filter(({ value }) => value.startsWith(text));
}

/** The words of bash, which are cut at `=` and `:`, as they were typed. */
export function joined(words: readonly string[]): string[] {
  const whole: string[] = [];
  let isOpen = false;
  for (const word of words) {
    const isCut = /^[=:]+$/.test(word);
    if ((isCut || isOpen) && whole.length > 0) whole[whole.length - 1] += word;
    else whole.push(word);
    isOpen = isCut;
  }
  return whole;
}

/** As the scripts take them. What a name holds is escaped where the shell puts it into the line as it is. */
export function candidateLines(candidates: readonly Candidate[], current: string, shell: Shell): string[] {
  const kept = shell === "bash" ? Math.max(current.lastIndexOf("="), current.lastIndexOf(":")) + 1 : 0;
  return candidates
    .filter(({ value }) => !hasControls(value))
    .map(({ value, description }) => {
      const text = value.slice(kept);
      const word = shell === "bash" ? text.replace(/[^\p{L}\p{N}_./:=,@%+-]/gu, "\\$&") : text;
      return `${word}\t${description}`;
    });
}

function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function lookupsOf({ args }: Command, words: readonly string[]): Lookups {
  return {
    topics: () =>
      lookUp(args, words, async (admin) =>
        (await admin.listTopics()).filter(({ isInternal }) => !isInternal).map(({ name }) => name),
      ),
    groups: () => lookUp(args, words, async (admin) => (await admin.listGroups()).map(({ group }) => group)),
    profiles: () => Object.keys(readProfiles(process.env).profiles),
  };
}

/** Nothing when the broker is not there, or not in time. */
async function lookUp(
  args: ArgsDef,
  words: readonly string[],
  list: (admin: Admin) => Promise<string[]>,
): Promise<readonly string[]> {
  const { promise: late, resolve } = Promise.withResolvers<string[]>();
  const timer = systemClock.after(LOOK_UP_MS, () => resolve([]));
  try {
    return await Promise.race([late, listed()]);
  } finally {
    timer.cancel();
  }

  async function listed(): Promise<string[]> {
    try {
      const { brokers = "" } = clientFlags(args, words);
      const limits = { connectTimeoutMs: LOOK_UP_MS, requestTimeoutMs: LOOK_UP_MS, retryTimeoutMs: 0 };
      const admin = await Admin.connect({ brokers, clientId: "obelisk-complete", ...limits });
      try {
        return await list(admin);
      } finally {
        await admin.close();
      }
    } catch (thrown) {
      if (thrown instanceof ObeliskError) return [];
      throw thrown;
    }
  }
}

/**
 * The command line, checked before citty reads it. citty takes unknown flags silently, takes the next flag as a missing value,
 * keeps the last of repeated flags, and exits with 1 for everything; here each of these is one clear sentence and exit code 64.
 *
 *     obelisk COMMAND [--flag value] [--flag=value] [--switch] [--no-switch] [-f value] [POSITIONAL] [-- POSITIONAL ...]
 *
 * After `--` everything is a positional. `--help` and `-h` count before `--` only.
 */

import { type ArgsDef, type CommandDef, runCommand } from "citty";
import { ObeliskError } from "../src/base/errors.ts";
import { type ConfigError, ConfigErrors } from "../src/config/config-errors.ts";
import { nearest } from "../src/config/nearest.ts";
import { EXIT } from "./output.ts";

/** A command as `main` runs it. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly args: ArgsDef;
  readonly examples: readonly string[];
  /** Runs it with the arguments after its name; the exit code. */
  run(rawArgs: readonly string[]): Promise<number>;
}

/**
 * A citty definition with its examples. Its `run` may return an exit code; nothing means 0. `moreErrors` is called when the
 * command line has errors, for those in other sources, so that all are reported together.
 */
export function describeCommand<const T extends ArgsDef>(
  definition: CommandDef<T>,
  examples: readonly string[],
  moreErrors: (rawArgs: readonly string[]) => readonly ConfigError[] = () => [],
): Command {
  const { meta, args = {} } = definition as {
    meta?: { name?: string; description?: string };
    args?: ArgsDef;
  };
  return {
    name: meta?.name ?? "",
    summary: meta?.description ?? "",
    args,
    examples,
    run: async (rawArgs) => {
      const errors = findConfigErrors(args, rawArgs);
      if (errors.length > 0) throw new ConfigErrors("INVALID_USAGE", [...errors, ...moreErrors(rawArgs)]);
      const { result } = await runCommand(definition, { rawArgs: [...rawArgs] });
      return typeof result === "number" ? result : EXIT.yes;
    },
  };
}

/**
 * What is wrong with a command line: unknown flags (with the nearest), missing or needless values, a flag repeated that counts
 * once, a missing positional or one too many, and words that are not UTF-8.
 */
export function findConfigErrors(args: ArgsDef, rawArgs: readonly string[]): ConfigError[] {
  const { uses, positionals, errors } = scan(args, rawArgs);
  const messages = [...errors, ...wordsWithoutUtf8(args, rawArgs)];
  const names = uses.map(({ name }) => name);
  const duplicates = names.filter((name, index) => names.indexOf(name) < index && !isRepeatable(args[name]));
  messages.push(...new Set(duplicates.map((name) => `--${name} is given more than once`)));
  const places = Object.entries(args).filter(([, definition]) => definition.type === "positional");
  const missing = places.slice(positionals.length).filter(([, definition]) => definition.required === true);
  messages.push(...missing.map(([name]) => `${name.toUpperCase()} is missing`));
  const takesMany = places.some(([, definition]) => isRepeatable(definition));
  // What follows an unknown flag may be its value.
  if (!takesMany && errors.length === 0)
    messages.push(...positionals.slice(places.length).map((word) => `unexpected argument \`${word}\``));
  return messages.map((message) => ({ source: "", message }));
}

/** The flags that are known and have a value (a switch: `true` or `false`); the last of repeated ones. Errors are ignored. */
export function flagValues(args: ArgsDef, rawArgs: readonly string[]): Record<string, string> {
  return Object.fromEntries(scan(args, rawArgs).uses.map(({ name, value }) => [name, value]));
}

/** Every value of a flag that may be given more than once, in order. */
export function repeatedValues(args: ArgsDef, rawArgs: readonly string[], name: string): string[] {
  return scan(args, rawArgs).uses.flatMap((use) =>
    use.name === name && use.value !== undefined ? [use.value] : [],
  );
}

/** Whether help is requested: before `--`, and not as the value of a flag. */
export function asksForHelp(rawArgs: readonly string[]): boolean {
  const end = rawArgs.indexOf("--");
  return rawArgs
    .slice(0, end === -1 ? rawArgs.length : end)
    .some((word) => word === "--help" || word === "-h");
}

/** Marks a flag or a positional that may be given more than once; written in front of the value hint. */
export const REPEATABLE = "repeatable:";

/** A wrong command line. */
export function usage(detail: string, remedy?: string): ObeliskError {
  return new ObeliskError("INVALID_USAGE", remedy === undefined ? { detail } : { detail, remedy });
}

type Definition = ArgsDef[string];

/** One flag as it was written; a switch has the value `true` or `false`. */
interface FlagUse {
  readonly name: string;
  readonly value: string;
}

interface Scan {
  readonly uses: FlagUse[];
  readonly positionals: string[];
  readonly errors: string[];
}

function scan(args: ArgsDef, rawArgs: readonly string[]): Scan {
  const names = namesOf(args);
  const found: Scan = { uses: [], positionals: [], errors: [] };
  for (let index = 0; index < rawArgs.length; index += 1) {
    const word = rawArgs[index]!;
    if (word === "--") {
      found.positionals.push(...rawArgs.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      found.positionals.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const spelled = equals === -1 ? word : word.slice(0, equals);
    const name = names.get(spelled);
    const value = equals === -1 ? undefined : word.slice(equals + 1);
    if (name === undefined) found.errors.push(unknownFlag(spelled, names.keys()));
    else if (args[name]!.type === "boolean") takeSwitch(found, name, spelled, value);
    else if (value !== undefined) found.uses.push({ name, value });
    else {
      const next = rawArgs[index + 1];
      if (next === undefined || names.has(next)) {
        found.errors.push(`${spelled} needs a value`);
        continue;
      }
      found.uses.push({ name, value: next });
      index += 1;
    }
  }
  return found;
}

function takeSwitch(found: Scan, name: string, spelled: string, value: string | undefined): void {
  if (value !== undefined && value !== "true" && value !== "false")
    found.errors.push(`${spelled} takes no value but true or false`);
  else found.uses.push({ name, value: value ?? (spelled === `--no-${name}` ? "false" : "true") });
}

/** How each flag may be written: `--name`, `-a` for one-letter aliases, `--no-name` for switches. */
function namesOf(args: ArgsDef): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, definition] of Object.entries(args)) {
    if (definition.type === "positional") continue;
    names.set(`--${name}`, name);
    if (definition.type === "boolean") names.set(`--no-${name}`, name);
    for (const alias of aliasesOf(definition))
      names.set(alias.length === 1 ? `-${alias}` : `--${alias}`, name);
  }
  return names;
}

export function aliasesOf(definition: Definition): string[] {
  const alias = "alias" in definition ? definition.alias : undefined;
  if (alias === undefined) return [];
  return typeof alias === "string" ? [alias] : alias;
}

export function isRepeatable(definition: Definition | undefined): boolean {
  return definition?.valueHint?.startsWith(REPEATABLE) === true;
}

/** The system hands words over as bytes; those that are not UTF-8 have become another text before anyone could look at them. */
function wordsWithoutUtf8(args: ArgsDef, rawArgs: readonly string[]): string[] {
  const remedy =
    args["file"] === undefined ? "" : "; records of any bytes come from standard input or --file";
  return rawArgs.flatMap((word, index) =>
    word.includes("\ufffd") ? [`argument ${index + 1} is not UTF-8: \`${word}\`${remedy}`] : [],
  );
}

function unknownFlag(spelled: string, known: Iterable<string>): string {
  const near = nearest(spelled, known);
  return `unknown flag \`${spelled}\`${near === undefined ? ", see --help" : `, did you mean \`${near}\`?`}`;
}

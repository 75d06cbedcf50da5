/**
 * The command line, checked before citty reads it. citty takes unknown flags silently, takes the next flag as a missing value,
 * keeps the last of repeated flags, and exits with 1 for everything; here each of these is one clear sentence and exit code 64.
 *
 *     obelisk COMMAND [--flag value] [--flag=value] [--switch] [--no-switch] [-f value] [POSITIONAL] [-- POSITIONAL ...]
 *
 * Behind `--` everything is a positional. `--help` and `-h` count before `--` only.
 */

import { type ArgsDef, type CommandDef, runCommand } from "citty";
import { ObeliskError } from "../src/base/errors.ts";
import { nearest } from "../src/config/nearest.ts";

/** A command as `main` runs it. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly args: ArgsDef;
  readonly examples: readonly string[];
  /** Runs it with the arguments behind its name; the exit code. */
  run(rawArgs: readonly string[]): Promise<number>;
}

/** A citty definition with its examples. Its `run` may return an exit code; nothing means 0. */
export function describeCommand<const T extends ArgsDef>(
  definition: CommandDef<T>,
  examples: readonly string[],
): Command {
  const { meta, args } = definition as { meta?: { name?: string; description?: string }; args?: ArgsDef };
  return {
    name: meta?.name ?? "",
    summary: meta?.description ?? "",
    args: args ?? {},
    examples,
    run: async (rawArgs) => {
      checkArguments(args ?? {}, rawArgs);
      const { result } = await runCommand(definition, { rawArgs: [...rawArgs] });
      return typeof result === "number" ? result : 0;
    },
  };
}

/** One flag as it was written. */
export interface FlagUse {
  readonly name: string;
  readonly value: string | undefined;
}

/**
 * Refuses what the definition does not know.
 * @throws ObeliskError INVALID_USAGE for the first mistake: unknown flag (with the nearest), missing or needless value,
 *   a flag twice that counts once, a positional too many
 */
export function checkArguments(args: ArgsDef, rawArgs: readonly string[]): void {
  const { uses, positionals } = scan(args, rawArgs);
  const seen = new Set<string>();
  for (const { name } of uses) {
    if (seen.has(name) && !isRepeatable(args[name])) throw usage(`--${name} is given twice`);
    seen.add(name);
  }
  const places = Object.entries(args).filter(([, definition]) => definition.type === "positional");
  const missing = places.slice(positionals.length).find(([, definition]) => definition.required === true);
  if (missing !== undefined) throw usage(`${missing[0].toUpperCase()} is missing`);
  const takesMany = places.some(([, definition]) => isRepeatable(definition));
  if (positionals.length > places.length && !takesMany)
    throw usage(`unexpected argument \`${positionals[places.length]}\``);
}

/** Every value of a flag that may be given more than once, in order. */
export function repeatedValues(args: ArgsDef, rawArgs: readonly string[], name: string): string[] {
  return scan(args, rawArgs).uses.flatMap((use) =>
    use.name === name && use.value !== undefined ? [use.value] : [],
  );
}

/** Whether help is asked for: before `--`, and not as the value of a flag. */
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

interface Scan {
  readonly uses: FlagUse[];
  readonly positionals: string[];
}

function scan(args: ArgsDef, rawArgs: readonly string[]): Scan {
  const names = namesOf(args);
  const uses: FlagUse[] = [];
  const positionals: string[] = [];
  for (let index = 0; index < rawArgs.length; index += 1) {
    const word = rawArgs[index]!;
    if (word === "--") return { uses, positionals: [...positionals, ...rawArgs.slice(index + 1)] };
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const spelled = equals === -1 ? word : word.slice(0, equals);
    const name = names.get(spelled);
    if (name === undefined) throw unknownFlag(spelled, names.keys());
    const isSwitch = args[name]!.type === "boolean";
    if (isSwitch) {
      if (equals !== -1 && !/^(true|false)$/.test(word.slice(equals + 1)))
        throw usage(`${spelled} takes no value`);
      uses.push({ name, value: undefined });
    } else if (equals !== -1) {
      uses.push({ name, value: word.slice(equals + 1) });
    } else {
      const value = rawArgs[index + 1];
      if (value === undefined || names.has(value)) throw usage(`${spelled} needs a value`);
      uses.push({ name, value });
      index += 1;
    }
  }
  return { uses, positionals };
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

function unknownFlag(spelled: string, known: Iterable<string>): ObeliskError {
  const near = nearest(spelled, known);
  return usage(
    `unknown flag \`${spelled}\``,
    near === undefined ? "see --help" : `did you mean \`${near}\`?`,
  );
}

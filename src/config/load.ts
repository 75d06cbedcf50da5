/**
 * Settings from their sources, in rising priority: defaults, YAML file, OBELISK_* variables, flags.
 *
 *   - The file is the one named by --config (or OBELISK_CONFIG), else `obelisk.yaml` in the working directory when it is there.
 *   - Every mistake in every source is reported together, each with its place, also when a stronger source hides it.
 *   - An unknown key, variable or flag is a mistake that names the nearest known name.
 *   - Each value knows where it came from (`origins`), for the manual and the start-up lines.
 *
 * Nothing else in the program reads the environment for settings.
 */

import { join, resolve } from "node:path";
import type { Files } from "../base/files.ts";
import { checkTogether } from "./check.ts";
import { DEFAULT_ORIGIN, fitDefaults } from "./defaults.ts";
import { Refusal } from "./kinds.ts";
import { type Given, type Mistake, MistakesError } from "./mistakes.ts";
import { nearest } from "./nearest.ts";
import {
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type Settings,
  VARIABLE_PREFIX,
  variableOf,
} from "./settings.ts";
import { readYaml } from "./yaml.ts";

export const CONFIG_FLAG = "config";
const CONFIG_VARIABLE = `${VARIABLE_PREFIX}CONFIG`;
const CONFIG_FILE = "obelisk.yaml";

export interface SettingSources {
  /** Flags by their name without dashes; only those that were given. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly files: Pick<Files, "exists" | "readFile">;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Where each value came from: `default`, `default, to fit memory`, `obelisk.yaml line 3`, `OBELISK_MEMORY`, `--memory`. */
  readonly origins: Readonly<Record<SettingKey, string>>;
}

/** @throws MistakesError INVALID_SETTING with every mistake that was found */
export function loadSettings(sources: SettingSources): LoadedSettings {
  const mistakes: Mistake[] = [];
  const values = new Map<SettingKey, unknown>();
  const origins = new Map<SettingKey, string>();
  for (const given of [
    ...fromFile(sources, mistakes),
    ...fromVariables(sources.env, mistakes),
    ...fromFlags(sources.flags, mistakes),
  ]) {
    const key = KEYS_BY_NAME.get(given.name)!;
    const value: unknown = SETTINGS[key].kind.parse(given.text);
    if (value instanceof Refusal) {
      mistakes.push({
        source: given.source,
        message: `${given.name} ${value.reason}, not \`${given.text}\``,
      });
    } else {
      values.set(key, value);
      origins.set(key, given.source);
    }
  }
  const given = Object.fromEntries(
    SETTING_KEYS.map((key) => [key, values.has(key) ? values.get(key) : SETTINGS[key].default]),
  ) as unknown as Settings;
  const places = Object.fromEntries(
    SETTING_KEYS.map((key) => [key, origins.get(key) ?? DEFAULT_ORIGIN]),
  ) as Record<SettingKey, string>;
  const loaded = fitDefaults(given, places);
  if (mistakes.length === 0) mistakes.push(...checkTogether(loaded.settings, loaded.origins));
  if (mistakes.length > 0) throw new MistakesError("INVALID_SETTING", mistakes);
  return loaded;
}

const KEYS_BY_NAME = new Map(SETTING_KEYS.map((key) => [SETTINGS[key].name, key]));
const NAMES_BY_VARIABLE = new Map([...KEYS_BY_NAME.keys()].map((name) => [variableOf(name), name]));

function fromFile({ flags, env, cwd, files }: SettingSources, mistakes: Mistake[]): Given[] {
  const named = flags[CONFIG_FLAG] ?? (env[CONFIG_VARIABLE] || undefined);
  if (named === undefined && !files.exists(join(cwd, CONFIG_FILE))) return [];
  const label = named ?? CONFIG_FILE;
  const result = readYaml(label, resolve(cwd, label), files);
  mistakes.push(...result.mistakes);
  return known(result.given, mistakes, "", KEYS_BY_NAME.keys());
}

function fromVariables(env: SettingSources["env"], mistakes: Mistake[]): Given[] {
  const given: Given[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(VARIABLE_PREFIX) || variable === CONFIG_VARIABLE || !value) continue;
    const name = NAMES_BY_VARIABLE.get(variable);
    if (isServiceLink(variable, value, name !== undefined)) continue;
    if (name === undefined)
      mistakes.push({
        source: variable,
        message: unknownWords("variable", variable, "", NAMES_BY_VARIABLE.keys()),
      });
    else given.push({ name, text: value, source: variable });
  }
  return given;
}

function fromFlags(flags: SettingSources["flags"], mistakes: Mistake[]): Given[] {
  const given = Object.entries(flags)
    .filter(([name]) => name !== CONFIG_FLAG)
    .map(([name, text]) => ({ name, text, source: `--${name}` }));
  return known(given, mistakes, "--", KEYS_BY_NAME.keys());
}

/** Those with a known name; the others become mistakes. */
function known(
  given: readonly Given[],
  mistakes: Mistake[],
  prefix: string,
  names: Iterable<string>,
): Given[] {
  const all = [...names];
  return given.filter(({ name, source }) => {
    if (KEYS_BY_NAME.has(name)) return true;
    mistakes.push({ source, message: unknownWords("setting", name, prefix, all) });
    return false;
  });
}

function unknownWords(noun: string, name: string, prefix: string, names: Iterable<string>): string {
  const near = nearest(name, names);
  return `unknown ${noun} \`${prefix}${name}\`${near === undefined ? "" : `, did you mean \`${prefix}${near}\`?`}`;
}

/**
 * Kubernetes puts variables into every container for each service of the namespace; for a service named `obelisk` they begin
 * as ours do (OBELISK_SERVICE_HOST, OBELISK_PORT=tcp://10.0.0.1:9092, OBELISK_PORT_9092_TCP_ADDR). They are nobody's setting.
 */
function isServiceLink(variable: string, value: string, isKnown: boolean): boolean {
  if (/^(tcp|udp|sctp):\/\//.test(value)) return true;
  return (
    !isKnown &&
    /_(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR))$/.test(variable)
  );
}

/**
 * Settings from their sources, in rising priority: defaults, YAML file, OBELISK_* variables, flags.
 *
 *   - The file is the one named by --config (or OBELISK_CONFIG), else `obelisk.yaml` in the working directory when it is there.
 *   - Every error in every source is reported together, each with its place, also when a stronger source overrides it.
 *   - An unknown key, variable or flag is an error that names the nearest known name.
 *   - A command that uses only some settings is not stopped by the values of others; misspelt names are errors for it too.
 *   - Each value knows where it came from (`origins`), for the manual and the start-up lines.
 */

import { join, resolve } from "node:path";
import type { Files } from "../base/files.ts";
import { checkTogether } from "./check.ts";
import { type ConfigError, ConfigErrors, type Given } from "./config-errors.ts";
import { DEFAULT_ORIGIN, fitDefaults } from "./defaults.ts";
import { Refusal } from "./kinds.ts";
import { SETTING_KEYS, SETTINGS, type SettingKey, type Settings } from "./settings.ts";
import { CONFIG_VARIABLE, type Environment, settingVariables, unknownWords } from "./variables.ts";
import { readYaml } from "./yaml.ts";

export const CONFIG_FLAG = "config";
const CONFIG_FILE = "obelisk.yaml";

export interface SettingSources {
  /** Flags by their name without dashes; only those that were given. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Environment;
  readonly cwd: string;
  readonly files: Pick<Files, "exists" | "readFile">;
  /** The settings that the caller uses: the values of others are ignored, whatever they are. Default: all. */
  readonly only?: readonly SettingKey[];
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Where each value came from: `default`, `default, to fit memory`, `obelisk.yaml line 3`, `OBELISK_MEMORY`, `--memory`. */
  readonly origins: Readonly<Record<SettingKey, string>>;
}

/** @throws ConfigErrors INVALID_SETTING with every error that was found */
export function loadSettings(sources: SettingSources): LoadedSettings {
  const errors: ConfigError[] = [];
  const values = new Map<SettingKey, unknown>();
  const origins = new Map<SettingKey, string>();
  for (const given of [
    ...fromFile(sources, errors),
    ...fromVariables(sources.env, errors),
    ...fromFlags(sources.flags, errors),
  ]) {
    const key = KEYS_BY_NAME.get(given.name)!;
    if (sources.only?.includes(key) === false) continue;
    const value: unknown = SETTINGS[key].kind.parse(given.text);
    if (value instanceof Refusal) {
      errors.push({
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
  if (errors.length === 0) errors.push(...checkTogether(loaded.settings, loaded.origins));
  if (errors.length > 0) throw new ConfigErrors("INVALID_SETTING", errors);
  return loaded;
}

const KEYS_BY_NAME = new Map(SETTING_KEYS.map((key) => [SETTINGS[key].name, key]));

function fromFile({ flags, env, cwd, files }: SettingSources, errors: ConfigError[]): Given[] {
  const named = flags[CONFIG_FLAG] ?? (env[CONFIG_VARIABLE] || undefined);
  if (named === undefined && !files.exists(join(cwd, CONFIG_FILE))) return [];
  const label = named ?? CONFIG_FILE;
  const result = readYaml(label, resolve(cwd, label), files);
  errors.push(...result.errors);
  return known(result.given, errors, "", KEYS_BY_NAME.keys());
}

function fromVariables(env: Environment, errors: ConfigError[]): Given[] {
  const found = settingVariables(env);
  errors.push(...found.errors);
  return found.given;
}

function fromFlags(flags: SettingSources["flags"], errors: ConfigError[]): Given[] {
  const given = Object.entries(flags)
    .filter(([name]) => name !== CONFIG_FLAG)
    .map(([name, text]) => ({ name, text, source: `--${name}` }));
  return known(given, errors, "--", KEYS_BY_NAME.keys());
}

/** Those with a known name; the others become errors. */
function known(
  given: readonly Given[],
  errors: ConfigError[],
  prefix: string,
  names: Iterable<string>,
): Given[] {
  const all = [...names];
  return given.filter(({ name, source }) => {
    if (KEYS_BY_NAME.has(name)) return true;
    errors.push({ source, message: unknownWords("setting", name, prefix, all) });
    return false;
  });
}

/**
 * The manual of the settings, written from the table: what `obelisk serve --print-config` prints. It is itself a YAML
 * file: read back with --config it gives the same settings.
 */

import type { Kind } from "./kinds.ts";
import type { LoadedSettings } from "./load.ts";
import { SETTING_KEYS, SETTINGS, type SettingKey, type Settings, variableOf } from "./settings.ts";

const WIDTH = 98;

/** Every setting with its value, where that came from, default, range and advice, as YAML. */
export function printManual({ settings, origins }: LoadedSettings): string {
  const head = [
    "# Every setting of Obelisk, with its current value. This is a YAML file: edit it and pass it to --config,",
    "# or save it as obelisk.yaml where the server starts.",
    "# Sources in rising priority: default, YAML file, OBELISK_* variable, flag.",
  ];
  return `${[head.join("\n"), ...SETTING_KEYS.map((key) => entry(key, settings, origins[key]))].join("\n\n")}\n`;
}

/** A setting's value as it is written in every source. */
export function formatSetting(key: SettingKey, value: Settings[SettingKey]): string {
  return (SETTINGS[key].kind as Kind<unknown>).format(value);
}

function entry(key: SettingKey, settings: Settings, origin: string): string {
  const { name, kind, advice } = SETTINGS[key];
  const defaultValue = formatSetting(key, SETTINGS[key].default);
  const range = kind.range === "" ? kind.hint : `${kind.hint}; ${kind.range}`;
  return [
    ...comment(advice),
    ...comment(`Default: ${defaultValue === "" ? "empty" : defaultValue}. Takes ${range}.`),
    ...comment(`Flag --${name}, variable ${variableOf(name)}. Set by: ${origin}.`),
    `${name}: ${scalar(formatSetting(key, settings[key]))}`,
  ].join("\n");
}

/** A YAML value that reads back as the same text: bare when it cannot be mistaken, else in JSON's quotes. */
function scalar(value: string): string {
  return /^(true|false|[0-9]+(\.[0-9]+)?|[./]?[A-Za-z0-9/][A-Za-z0-9._/-]*)$/.test(value) &&
    !YAML_WORDS.test(value)
    ? value
    : JSON.stringify(value);
}

/** Bare words that YAML would read as something else than their text. */
const YAML_WORDS = /^(null|~|yes|no|on|off|\.inf|\.nan|0[xo].*|[0-9.]+e[0-9+-]+|0[0-9].*)$/i;

function comment(sentence: string): string[] {
  const lines: string[] = [];
  let line = "#";
  for (const word of sentence.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

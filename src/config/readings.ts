/** The settings as a running server tells them: each with its value, where that came from, and what the manual says. */

import type { Kind } from "./kinds.ts";
import { formatSetting } from "./manual.ts";
import { SETTING_KEYS, SETTINGS, type SettingKey, type Settings, variableOf } from "./settings.ts";

export interface SettingReading {
  readonly name: string;
  /** As every source writes it. */
  readonly value: string;
  readonly default: string;
  /** `default`, `obelisk.yaml line 3`, `OBELISK_MEMORY`, `--memory`. */
  readonly source: string;
  /** The value as a number, where it is one, and what that counts. */
  readonly number: number | null;
  readonly unit: "bytes" | "ms" | null;
  /** What may be written. */
  readonly takes: string;
  /** Empty: there is nothing to say beyond that. */
  readonly range: string;
  readonly advice: string;
  readonly variable: string;
  /** Whether a running server takes a new value. */
  readonly isLive: boolean;
}

/** `origins`: where each value came from, as far as that is known. */
export function readSettings(
  settings: Settings,
  origins: Readonly<Partial<Record<SettingKey, string>>>,
): SettingReading[] {
  return SETTING_KEYS.map((key) => {
    const { name, advice, isLive = false } = SETTINGS[key];
    const kind = SETTINGS[key].kind as Kind<unknown>;
    const own: unknown = settings[key];
    const value = kind.format(own);
    const standard = formatSetting(key, SETTINGS[key].default);
    return {
      name,
      value,
      default: standard,
      source: origins[key] ?? (value === standard ? "default" : "set"),
      number: typeof own === "number" ? own : null,
      unit: kind.unit,
      takes: kind.hint,
      range: kind.range,
      advice,
      variable: variableOf(name),
      isLive,
    };
  });
}

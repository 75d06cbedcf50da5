/** What a reload of the settings changes for a server that runs. */

import type { LoadedSettings } from "./load.ts";
import { formatSetting } from "./manual.ts";
import { SETTING_KEYS, SETTINGS, type Settings } from "./settings.ts";

/** A setting whose value is another now. */
export interface SettingChange {
  readonly name: string;
  /** What the server runs with, as it is written. */
  readonly running: string;
  /** What the sources say now. */
  readonly given: string;
  /** Where that stands; `default` when it stands nowhere any more. */
  readonly source: string;
  /** Whether it takes effect without a restart. */
  readonly isLive: boolean;
}

/** Every setting that differs from what runs, in the order of the manual. */
export function changedSettings(running: Settings, { settings, origins }: LoadedSettings): SettingChange[] {
  return SETTING_KEYS.flatMap((key) => {
    const change = {
      name: SETTINGS[key].name,
      running: formatSetting(key, running[key]),
      given: formatSetting(key, settings[key]),
      source: origins[key],
      isLive: SETTINGS[key].isLive === true,
    };
    return change.running === change.given ? [] : [change];
  });
}

/** What must hold between settings, beyond the range of each. */

import { formatBytes } from "../base/units.ts";
import type { Mistake } from "./mistakes.ts";
import { SETTINGS, type SettingKey, type Settings } from "./settings.ts";

/** Every contradiction between two settings, named at the one that someone set. */
export function checkTogether(settings: Settings, origins: Readonly<Record<SettingKey, string>>): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const [small, large, why] of AT_MOST) {
    if (settings[small] <= settings[large]) continue;
    const sizes = `${formatBytes(settings[small])} against ${formatBytes(settings[large])}`;
    mistakes.push({
      source: origins[small] === "default" ? origins[large] : origins[small],
      message: `${SETTINGS[small].name} must not be larger than ${SETTINGS[large].name} (${sizes}): ${why}`,
    });
  }
  mistakes.push(...samePorts(settings, origins));
  return mistakes;
}

type BytesKey = { [Key in SettingKey]: Settings[Key] extends number ? Key : never }[SettingKey];

const AT_MOST: readonly (readonly [BytesKey, BytesKey, string])[] = [
  ["messageBytesMax", "frameBytesMax", "a batch arrives in one request"],
  ["messageBytesMax", "segmentBytes", "a batch lies in one file"],
  ["messageBytesMax", "memoryBytes", "a batch is held whole"],
  ["frameBytesMax", "memoryBytes", "a request is held whole"],
  ["batchBytes", "messageBytesMax", "a shared batch is a batch"],
  ["recentBytes", "memoryBytes", "it is part of it"],
];

const PORTS = ["nativePort", "httpPort", "kafkaPort"] as const;

function samePorts(settings: Settings, origins: Readonly<Record<SettingKey, string>>): Mistake[] {
  const mistakes: Mistake[] = [];
  PORTS.forEach((second, index) => {
    for (const first of PORTS.slice(0, index)) {
      if (settings[first] === 0 || settings[first] !== settings[second]) continue;
      mistakes.push({
        source: origins[second] === "default" ? origins[first] : origins[second],
        message: `${SETTINGS[first].name} and ${SETTINGS[second].name} are both ${settings[second]}`,
      });
    }
  });
  return mistakes;
}

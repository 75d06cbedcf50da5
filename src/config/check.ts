/** What must hold between settings, beyond the range of each. */

import { formatBytes } from "../base/units.ts";
import type { ConfigError } from "./config-errors.ts";
import { isDefaultOrigin, REQUEST_PARTS_OF_MEMORY } from "./defaults.ts";
import { SETTINGS, type SettingKey, type Settings } from "./settings.ts";

/** Every contradiction between two settings, named at the one that someone set. */
export function checkTogether(
  settings: Settings,
  origins: Readonly<Record<SettingKey, string>>,
): ConfigError[] {
  const errors: ConfigError[] = [];
  for (const [small, large, why] of AT_MOST) {
    if (settings[small] <= settings[large]) continue;
    const sizes = `${formatBytes(settings[small])} against ${formatBytes(settings[large])}`;
    errors.push({
      source: firstSet(origins, small, large),
      message: `${SETTINGS[small].name} must not be larger than ${SETTINGS[large].name} (${sizes}): ${why}`,
    });
  }
  errors.push(...memoryShares(settings, origins), ...samePorts(settings, origins));
  return errors;
}

type BytesKey = { [Key in SettingKey]: Settings[Key] extends number ? Key : never }[SettingKey];

const AT_MOST: readonly (readonly [BytesKey, BytesKey, string])[] = [
  ["messageBytesMax", "frameBytesMax", "a batch arrives in one request"],
  ["batchBytes", "messageBytesMax", "a shared batch is a batch"],
];

/** The server divides its memory: recent batches, then halves for requests and for responses; a request gets two thirds of its half. */
function memoryShares(settings: Settings, origins: Readonly<Record<SettingKey, string>>): ConfigError[] {
  const { memoryBytes, recentBytes, messageBytesMax } = settings;
  if (recentBytes > memoryBytes / 2) {
    const message = `recent-bytes (${formatBytes(recentBytes)}) must not be more than half of memory (${formatBytes(memoryBytes)})`;
    return [{ source: firstSet(origins, "recentBytes", "memoryBytes"), message }];
  }
  const requestBytes = (memoryBytes - recentBytes) / REQUEST_PARTS_OF_MEMORY;
  if (messageBytesMax > requestBytes) {
    const message = `message-bytes-max (${formatBytes(messageBytesMax)}) must not be more than what a request may have, which is a third of memory without recent-bytes (${formatBytes(requestBytes)})`;
    return [{ source: firstSet(origins, "messageBytesMax", "memoryBytes"), message }];
  }
  return [];
}

/** Where the first of two settings was set, or the second where the first has its default. */
function firstSet(
  origins: Readonly<Record<SettingKey, string>>,
  first: SettingKey,
  second: SettingKey,
): string {
  return isDefaultOrigin(origins[first]) ? origins[second] : origins[first];
}

const PORTS = ["nativePort", "httpPort", "kafkaPort"] as const;

function samePorts(settings: Settings, origins: Readonly<Record<SettingKey, string>>): ConfigError[] {
  const errors: ConfigError[] = [];
  PORTS.forEach((second, index) => {
    for (const first of PORTS.slice(0, index)) {
      if (settings[first] === 0 || settings[first] !== settings[second]) continue;
      errors.push({
        source: firstSet(origins, second, first),
        message: `${SETTINGS[first].name} and ${SETTINGS[second].name} are both ${settings[second]}`,
      });
    }
  });
  return errors;
}

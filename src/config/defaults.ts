/**
 * Defaults that follow other settings, so that a small value of one does not contradict the default of another: each setting may
 * be given alone, down to the lower end of its range.
 *
 *     recent-bytes        an eighth of memory
 *     message-bytes-max   frame-bytes-max, and what memory leaves for a request
 *     batch-bytes         message-bytes-max
 *
 * A default is only lowered, and only where nobody set the setting itself. Where it was, its place says what for.
 */

import { SETTINGS, type SettingKey, type Settings } from "./settings.ts";

/** Of a default nobody has set anything. */
export const DEFAULT_ORIGIN = "default";

type Origins = Record<SettingKey, string>;

const RECENT_PART_OF_MEMORY = 8;
/** Of what recent batches leave, half is for requests, and the largest may have two thirds of that. */
export const REQUEST_PARTS_OF_MEMORY = 3;

/** The defaults among `settings` that are too large for what was set beside them, lowered. */
export function fitDefaults(settings: Settings, origins: Origins): { settings: Settings; origins: Origins } {
  const fitted = { ...settings };
  const places = { ...origins };
  const lower = (key: "recentBytes" | "messageBytesMax" | "batchBytes", max: number, to: SettingKey) => {
    if (origins[key] !== DEFAULT_ORIGIN || fitted[key] <= max) return;
    fitted[key] = max;
    places[key] = `${DEFAULT_ORIGIN}, to fit ${SETTINGS[to].name}`;
  };
  lower("recentBytes", Math.floor(fitted.memoryBytes / RECENT_PART_OF_MEMORY), "memoryBytes");
  lower("messageBytesMax", fitted.frameBytesMax, "frameBytesMax");
  const requestBytes = Math.floor((fitted.memoryBytes - fitted.recentBytes) / REQUEST_PARTS_OF_MEMORY);
  lower("messageBytesMax", requestBytes, "memoryBytes");
  lower("batchBytes", fitted.messageBytesMax, "messageBytesMax");
  return { settings: fitted, origins: places };
}

/** Whether a value stands in none of the sources. */
export function isDefaultOrigin(origin: string): boolean {
  return origin.startsWith(DEFAULT_ORIGIN);
}

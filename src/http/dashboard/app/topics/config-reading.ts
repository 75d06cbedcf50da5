/** What a setting's number means: `604800000` of `retention.ms` is 7 d. */

import { formatBytes, formatDuration } from "../base/format.ts";

/** Kafka writes "no bound" as the largest number of the type, or as -1. */
const BOUNDLESS = new Set(["-1", "9223372036854775807"]);

/** Null where the number says it all. */
export function readingOf(name: string, value: string): string | null {
  const isTime = name.endsWith(".ms");
  const isSize = name.endsWith(".bytes");
  if (!isTime && !isSize) return null;
  if (BOUNDLESS.has(value)) return "no bound";
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number) || number < 1024) return null;
  return isTime ? formatDuration(number) : formatBytes(number);
}

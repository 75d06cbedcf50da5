/**
 * Points in time as people write them: 2026-01-31, 2026-01-31T12:00, 2026-01-31 12:00:00.250, with a zone (Z, +01:00) or without, which is UTC, so
 * that it means the same on every machine.
 */

import { MINUTE_MS, SECOND_MS } from "./units.ts";

const TIME_PATTERN =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** Milliseconds since 1970, rounded down. Undefined: it is not written as a time. Null: a day, an hour or a zone that does not exist. */
export function parseTime(text: string): number | null | undefined {
  const time = TIME_PATTERN.exec(text);
  return time === null ? undefined : timeOf(time);
}

function timeOf([
  ,
  year,
  month,
  day,
  hour = "0",
  minute = "0",
  second = "0",
  fraction = "",
  zone = "Z",
]: RegExpExecArray): number | null {
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return null;
  const zoneMinutes = zone === "Z" ? 0 : minutesOf(zone.slice(1, 3), zone.slice(-2));
  const dayMinutes = minutesOf(hour, minute);
  if (zoneMinutes === null || dayMinutes === null || Number(second) > 59) return null;
  const ahead = zone.startsWith("-") ? -zoneMinutes : zoneMinutes;
  const ms = Number(fraction.padEnd(3, "0").slice(0, 3));
  return date.getTime() + (dayMinutes - ahead) * MINUTE_MS + Number(second) * SECOND_MS + ms;
}

function minutesOf(hour: string, minute: string): number | null {
  if (Number(hour) > 23 || Number(minute) > 59) return null;
  return Number(hour) * 60 + Number(minute);
}

/**
 * A place in a topic as people write it, for `consume --from` and `reset --to`:
 *
 *   earliest | latest | 120 (an offset) | -10 (the last ten) | 2026-01-31T12:00:00Z | 2026-01-31 | 1700000000000ms
 *
 * A time without a zone is UTC, with and without an hour, so that it means the same on every machine. One before 1970 is taken
 * for 1970; a day or an hour that does not exist is refused.
 */

import { MINUTE_MS, SECOND_MS } from "../src/base/units.ts";
import type { StartPoint } from "../src/client/consumer.ts";
import { usage } from "./arguments.ts";

export const START_HINT = "earliest|latest|OFFSET|-COUNT|TIME";
export const TIME_RULE = "TIME is 2026-01-31T12:00 in UTC, or with its zone (Z, +01:00).";

export type Place = Exclude<StartPoint, "committed">;

const TIME_PATTERN =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** @throws ObeliskError INVALID_USAGE */
export function parsePlace(flag: string, text: string): Place {
  if (text === "earliest" || text === "latest") return text;
  const number = /^(-?)(\d{1,15})(ms)?$/.exec(text);
  if (number !== null) {
    const value = Number(number[2]);
    if (number[3] !== undefined && number[1] === "") return { timestampMs: value };
    if (number[3] === undefined) return number[1] === "" ? { offset: value } : { last: value };
  }
  const time = TIME_PATTERN.exec(text);
  if (time === null) {
    throw usage(
      `--${flag} does not understand \`${text}\``,
      "write earliest, latest, an offset (120), the last so many (-10), a time (2026-01-31T12:00:00Z) or milliseconds (1700000000000ms)",
    );
  }
  const timestampMs = timeOf(time);
  if (timestampMs === null) throw usage(`--${flag}: there is no such time as \`${text}\``);
  // No record is older than 1970, and negative numbers mean other things to a broker.
  return { timestampMs: Math.max(timestampMs, 0) };
}

/** Milliseconds since 1970, rounded down; null for a day, an hour or a zone that does not exist. */
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

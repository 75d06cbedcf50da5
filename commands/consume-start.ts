/**
 * A place in a topic as people write it, for `consume --from` and `reset --to`:
 *
 *   earliest | latest | 120 (an offset) | -10 (the last ten) | 2026-01-31T12:00:00Z | 2026-01-31 | 1700000000000ms
 *
 * A time without a zone is UTC, with and without an hour, so that it means the same on every machine. One before 1970 is taken
 * for 1970; a day or an hour that does not exist is refused.
 */

import { parseTime } from "../src/base/time-text.ts";
import type { StartPoint } from "../src/client/consumer.ts";
import { usage } from "./arguments.ts";

export const START_HINT = "earliest|latest|OFFSET|-COUNT|TIME";
export const TIME_RULE = "TIME is 2026-01-31T12:00 in UTC, or with its zone (Z, +01:00).";

export type Place = Exclude<StartPoint, "committed">;

/** @throws ObeliskError INVALID_USAGE */
export function parsePlace(flag: string, text: string): Place {
  if (text === "earliest" || text === "latest") return text;
  const number = /^(-?)(\d{1,15})(ms)?$/.exec(text);
  if (number !== null) {
    const value = Number(number[2]);
    if (number[3] !== undefined && number[1] === "") return { timestampMs: value };
    if (number[3] === undefined) return number[1] === "" ? { offset: value } : { last: value };
  }
  const timestampMs = parseTime(text);
  if (timestampMs === undefined) {
    throw usage(
      `--${flag} does not understand \`${text}\``,
      "write earliest, latest, an offset (120), the last so many (-10), a time (2026-01-31T12:00:00Z) or milliseconds (1700000000000ms)",
    );
  }
  if (timestampMs === null) throw usage(`--${flag}: there is no such time as \`${text}\``);
  // No record is older than 1970, and negative numbers mean other things to a broker.
  return { timestampMs: Math.max(timestampMs, 0) };
}

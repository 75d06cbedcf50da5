/**
 * A place in a topic as people write it, for `consume --from` and `reset --to`:
 *
 *   earliest | latest | 120 (an offset) | -10 (the last ten) | 2026-01-31T12:00:00Z | 2026-01-31 (UTC) | 1700000000000ms
 */

import type { StartPoint } from "../src/client/consumer.ts";
import { usage } from "./arguments.ts";

export const START_HINT = "earliest|latest|OFFSET|-COUNT|TIME";

export type Place = Exclude<StartPoint, "committed">;

const ISO_PATTERN = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;

/** @throws ObeliskError INVALID_USAGE */
export function parsePlace(flag: string, text: string): Place {
  if (text === "earliest" || text === "latest") return text;
  const number = /^(-?)(\d{1,15})(ms)?$/.exec(text);
  if (number !== null) {
    const value = Number(number[2]);
    if (number[3] !== undefined && number[1] === "") return { timestampMs: value };
    if (number[3] === undefined) return number[1] === "" ? { offset: value } : { last: value };
  }
  const timestampMs = ISO_PATTERN.test(text) ? Date.parse(text.replace(" ", "T")) : Number.NaN;
  if (Number.isFinite(timestampMs)) return { timestampMs };
  throw usage(
    `--${flag} does not understand \`${text}\``,
    "write earliest, latest, an offset (120), the last so many (-10), a time (2026-01-31T12:00:00Z) or milliseconds (1700000000000ms)",
  );
}

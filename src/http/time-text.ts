/** Points in time as requests write them. */

import { ObeliskError } from "../base/errors.ts";
import { parseTime } from "../base/time-text.ts";

/** Milliseconds since 1970. @throws ObeliskError INVALID_REQUEST, that `name` cannot be so */
export function timeIn(name: string, text: string): number {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  const timeMs = parseTime(text);
  if (typeof timeMs === "number") return timeMs;
  throw new ObeliskError("INVALID_REQUEST", {
    detail: `${name} cannot be ${JSON.stringify(text)}`,
    remedy: "use milliseconds since 1970, or 2026-01-31T12:00Z",
  });
}

/**
 * The differences from Apache Kafka that we mean (allowed.json). Each has a sentence that docs/protocol.md shows too, and
 * matches narrowly: by API, versions, path without indices and case, and by the two values where they are named.
 */

import { parseVersions } from "../../src/protocol/kafka/schema.ts";
import data from "./allowed.json" with { type: "json" };
import { withoutIndices } from "./compare.ts";

export interface Allowance {
  /** Stands in docs/protocol.md, word for word. */
  readonly sentence: string;
  readonly api: string;
  /** As in "3-11". */
  readonly versions: string;
  /** Without indices; `*` stands for any characters. */
  readonly path: string;
  /** The case's name; `*` stands for any characters. */
  readonly case: string;
  /** Left out: any value. */
  readonly kafka?: unknown;
  readonly obelisk?: unknown;
}

/** A difference and where it was found. */
export interface Place {
  readonly api: string;
  readonly version: number;
  readonly path: string;
  readonly case: string;
  readonly kafka: unknown;
  readonly obelisk: unknown;
}

export const ALLOWED: readonly Allowance[] = data;

export function allowanceFor(allowed: readonly Allowance[], place: Place): Allowance | null {
  return allowed.find((allowance) => isMatch(allowance, place)) ?? null;
}

function isMatch(allowance: Allowance, place: Place): boolean {
  const { from, to } = parseVersions(allowance.versions);
  return (
    allowance.api === place.api &&
    place.version >= from &&
    place.version <= to &&
    isLike(allowance.path, withoutIndices(place.path)) &&
    isLike(allowance.case, place.case) &&
    isValue(allowance, "kafka", place) &&
    isValue(allowance, "obelisk", place)
  );
}

function isValue(allowance: Allowance, side: "kafka" | "obelisk", place: Place): boolean {
  if (!(side in allowance)) return true;
  const found = place[side];
  const outcome =
    typeof found === "object" && found !== null ? (found as { outcome?: unknown }).outcome : found;
  return allowance[side] === found || allowance[side] === outcome;
}

function isLike(pattern: string, text: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(text);
}

/**
 * A committed offset as the state store keeps it:
 *
 *     "offset/GROUP/TOPIC/PARTITION" -> {"offset":42,"leaderEpoch":0,"metadata":"","committedAtMs":1700000000000}
 *
 * (names percent-encoded, so that a slash in a group name cannot leave its place)
 */

import type { StateEntry } from "../storage/contract.ts";
import type { CommittedOffset } from "./offset-table.ts";

export const OFFSET_KEY_PREFIX = "offset/";

export interface StoredOffset {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly committed: CommittedOffset;
}

/** The state store's key of a committed offset. */
export function keyOf(group: string, topic: string, partition: number): string {
  return `${OFFSET_KEY_PREFIX}${encode(group)}/${encode(topic)}/${partition}`;
}

export function encodeOffset({ offset, leaderEpoch, metadata, committedAtMs }: CommittedOffset): string {
  return JSON.stringify({ offset, leaderEpoch, metadata, committedAtMs });
}

/** Null when the entry is none that can be read. */
export function readEntry({ key, value }: StateEntry): StoredOffset | null {
  const place = parseKey(key);
  const committed = parseValue(value);
  return place === null || committed === null ? null : { ...place, committed };
}

function encode(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

function parseKey(key: string): { group: string; topic: string; partition: number } | null {
  const parts = key.slice(OFFSET_KEY_PREFIX.length).split("/");
  if (parts.length !== 3 || !/^\d{1,10}$/.test(parts[2]!) || !isInt32(Number(parts[2]))) return null;
  try {
    return {
      group: decodeURIComponent(parts[0]!),
      topic: decodeURIComponent(parts[1]!),
      partition: Number(parts[2]),
    };
  } catch (thrown) {
    if (thrown instanceof URIError) return null;
    throw thrown;
  }
}

function parseValue(value: string): CommittedOffset | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
  if (typeof parsed !== "object" || parsed === null) return null;
  const { offset, leaderEpoch = -1, metadata = "", committedAtMs = 0 } = parsed as Record<string, unknown>;
  if (!Number.isSafeInteger(offset) || !isInt32(leaderEpoch)) return null;
  if (typeof metadata !== "string" || typeof committedAtMs !== "number") return null;
  return { offset: offset as number, leaderEpoch, metadata, committedAtMs };
}

function isInt32(value: unknown): value is number {
  return typeof value === "number" && (value | 0) === value;
}

/** Records for filters. */

import type { FilterRecord } from "../../src/filter/record-view.ts";

export interface RecordTexts {
  topic?: string;
  partition?: number;
  offset?: number;
  timestampMs?: number;
  key?: string | Buffer | null;
  value?: string | Buffer | null;
  headers?: readonly (readonly [name: string, value: string | Buffer | null])[];
}

export function recordOf(texts: RecordTexts = {}): FilterRecord {
  const { topic = "t", partition = 0, offset = 0, timestampMs = 0, key = null, value = null } = texts;
  return {
    topic,
    partition,
    offset,
    timestampMs,
    key: bytesOf(key),
    value: bytesOf(value),
    headers: (texts.headers ?? []).map(([name, content]) => ({ key: name, value: bytesOf(content) })),
  };
}

function bytesOf(text: string | Buffer | null): Buffer | null {
  return typeof text === "string" ? Buffer.from(text) : text;
}

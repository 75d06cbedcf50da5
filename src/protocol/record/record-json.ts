/**
 * A record as one JSON object. Bytes that are valid UTF-8 are text; others are base64, and a flag says so:
 *
 *   {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"key":"a","value":"/wA=","valueIsBase64":true,
 *    "headers":[{"key":"h","value":"x"}]}
 *
 * Null stays null. Header names follow the same rule. Headers keep their order and may repeat a name, which is why they are a list. Empty lists are left out.
 */

import type { RecordHeader } from "./builder.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A record with its place, as it is read. */
export interface PlacedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** -1: none. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

export interface RecordJson {
  topic: string;
  partition: number;
  offset: number;
  /** Milliseconds since 1970; -1: none. */
  timestamp: number;
  key: string | null;
  keyIsBase64?: true;
  value: string | null;
  valueIsBase64?: true;
  headers?: HeaderJson[];
}

export interface HeaderJson {
  key: string;
  keyIsBase64?: true;
  value: string | null;
  valueIsBase64?: true;
}

export function recordJson(record: PlacedRecord): RecordJson {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestampMs,
    ...keyField(record.key),
    ...valueField(record.value),
    ...(record.headers.length === 0
      ? {}
      : {
          headers: record.headers.map(({ key, value, keyBytes }) => ({
            ...(keyBytes === undefined ? { key } : nameField(keyBytes)),
            ...valueField(value),
          })),
        }),
  };
}

function keyField(bytes: Buffer | null): Pick<RecordJson, "key" | "keyIsBase64"> {
  return bytes === null ? { key: null } : nameField(bytes);
}

function nameField(bytes: Buffer): Pick<HeaderJson, "key" | "keyIsBase64"> {
  const text = textOf(bytes);
  return text === null ? { key: bytes.toString("base64"), keyIsBase64: true } : { key: text };
}

function valueField(bytes: Buffer | null): Pick<RecordJson, "value" | "valueIsBase64"> {
  if (bytes === null) return { value: null };
  const text = textOf(bytes);
  return text === null ? { value: bytes.toString("base64"), valueIsBase64: true } : { value: text };
}

/** Null: it is no UTF-8. */
function textOf(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    return null;
  }
}

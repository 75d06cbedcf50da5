/**
 * A record as one JSON object. Bytes that are valid UTF-8 are text; others are base64, and a flag says so:
 *
 *   {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"key":"a","value":"/wA=","valueIsBase64":true,
 *    "headers":[{"key":"h","value":"x"}]}
 *
 * Null stays null. Header names follow the same rule. Headers keep their order and may repeat a name, which is why they are a list. Empty lists are left out.
 */

import type { ConsumerRecord } from "../src/client/fetched-batches.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function recordJson(record: ConsumerRecord): object {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestampMs,
    ...field("key", record.key),
    ...field("value", record.value),
    ...(record.headers.length === 0
      ? {}
      : {
          headers: record.headers.map(({ key, value, keyBytes }) => ({
            ...(keyBytes === undefined ? { key } : field("key", keyBytes)),
            ...field("value", value),
          })),
        }),
  };
}

function field(name: "key" | "value", bytes: Buffer | null): object {
  if (bytes === null) return { [name]: null };
  try {
    return { [name]: utf8.decode(bytes) };
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    return { [name]: bytes.toString("base64"), [`${name}IsBase64`]: true };
  }
}

/**
 * Which topic names are legal: Kafka's rule, which also keeps every name inside the data directory.
 * 1 to 249 characters out of a-z A-Z 0-9 . _ - and neither "." nor "..".
 */

import { ObeliskError } from "../base/errors.ts";

const NAME_PATTERN = /^[a-zA-Z0-9._-]{1,249}$/;

export function isTopicName(name: string): boolean {
  return NAME_PATTERN.test(name) && name !== "." && name !== "..";
}

/** @throws ObeliskError INVALID_TOPIC_EXCEPTION */
export function checkTopicName(name: string): void {
  if (isTopicName(name)) return;
  throw new ObeliskError("INVALID_TOPIC_EXCEPTION", {
    detail: `the topic name ${JSON.stringify(name.slice(0, 260))} is not allowed`,
    remedy: 'use 1 to 249 characters out of a-z A-Z 0-9 . _ - and neither "." nor ".."',
  });
}

/**
 * A topic's directory has the topic's name. So a name that would leave the data directory, or that the file system
 * cannot hold, is refused here as well, whatever the broker has checked before.
 */

import { ObeliskError } from "../base/errors.ts";

/** Kafka's limit. File systems hold 255 bytes in one name. */
export const TOPIC_NAME_BYTES_MAX = 249;
const TOPIC_NAME_PATTERN = /^[a-zA-Z0-9._-]+$/;

/** Whether a topic of this name can be stored. */
export function isTopicName(name: string): boolean {
  return (
    name.length <= TOPIC_NAME_BYTES_MAX && TOPIC_NAME_PATTERN.test(name) && name !== "." && name !== ".."
  );
}

/** @throws ObeliskError INVALID_TOPIC_EXCEPTION */
export function checkTopicName(name: string): void {
  if (isTopicName(name)) return;
  throw new ObeliskError("INVALID_TOPIC_EXCEPTION", {
    detail: `the topic name ${JSON.stringify(name.slice(0, TOPIC_NAME_BYTES_MAX + 1))} is not allowed`,
    remedy: `use 1 to ${TOPIC_NAME_BYTES_MAX} characters out of a-z A-Z 0-9 . _ - and neither "." nor ".."`,
  });
}

/** @throws ObeliskError INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS */
export function checkPartitionName(topic: string, partition: number): void {
  checkTopicName(topic);
  if (!Number.isSafeInteger(partition) || partition < 0) {
    throw new ObeliskError("INVALID_PARTITIONS", { topic, partition });
  }
}

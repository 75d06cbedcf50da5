/** Topics and partitions by what a path or a body calls them. */

import { ObeliskError } from "../base/errors.ts";
import type { Broker } from "../broker/broker.ts";
import type { Partition } from "../broker/partition.ts";
import type { Topic } from "../broker/topic.ts";

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION */
export function topicNamed(broker: Broker, name: string): Topic {
  const topic = broker.topics.get(name);
  if (topic === undefined) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
  return topic;
}

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION */
export function partitionIn({ name, partitions }: Topic, index: number): Partition {
  const partition = partitions[index];
  if (partition !== undefined) return partition;
  throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name, partition: index });
}

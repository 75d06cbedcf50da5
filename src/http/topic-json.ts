/**
 * Topics and their settings as the HTTP API tells them. What is known only elsewhere, or not at the moment, is told as it is known
 * here: bounds are a view (src/broker/partition.ts).
 */

import type { Broker } from "../broker/broker.ts";
import { canonical } from "../broker/config-kinds.ts";
import type { Partition } from "../broker/partition.ts";
import type { Topic } from "../broker/topic.ts";
import { TOPIC_CONFIGS, type TopicConfig } from "../broker/topic-configs.ts";
import { CONFIG_SOURCES } from "../broker/topic-rules.ts";

const SOURCE_NAMES: ReadonlyMap<number, string> = new Map([
  [CONFIG_SOURCES.topic, "topic"],
  [CONFIG_SOURCES.changedBroker, "broker"],
  [CONFIG_SOURCES.changedDefault, "all-brokers"],
  [CONFIG_SOURCES.server, "server"],
  [CONFIG_SOURCES.default, "default"],
]);

export function listedTopic(broker: Broker, topic: Topic): object {
  let bytes = 0;
  let records = 0;
  let unavailable = 0;
  for (const partition of topic.partitions) {
    bytes += partition.bytes;
    records += partition.highWatermark - partition.startOffset;
    if (partition.isUnavailable) unavailable += 1;
  }
  return {
    name: topic.name,
    id: topic.id,
    partitions: topic.partitions.length,
    unavailablePartitions: unavailable,
    replicas: 1,
    bytes,
    records,
    cleanupPolicy: broker.topicDefaults.valueFor(topic.configs, "cleanup.policy"),
    isInternal: false,
  };
}

export function describedPartition(broker: Broker, partition: Partition): object {
  const { index, startOffset, highWatermark, bytes, isUnavailable, leaderEpoch } = partition;
  return {
    partition: index,
    startOffset,
    highWatermark,
    bytes,
    leader: broker.nodeId,
    leaderEpoch,
    isUnavailable,
  };
}

/** All settings of a topic, by name. */
export function describedConfigs(broker: Broker, topic: Topic): object[] {
  return [...TOPIC_CONFIGS.values()].map((config) => describedConfig(broker, topic, config));
}

function describedConfig({ topicDefaults }: Broker, topic: Topic, config: TopicConfig): object {
  const { name, kind, stance, documentation } = config;
  const inherited = topicDefaults.valuesOf(name)[0]!;
  const own = topic.configs[name];
  return {
    name,
    value: canonical(kind, own ?? inherited.value),
    default: canonical(kind, inherited.value),
    source: SOURCE_NAMES.get(own === undefined ? inherited.source : CONFIG_SOURCES.topic),
    type: kind.type,
    must: kind.must,
    stance,
    documentation,
    isReadOnly: stance === "fixed",
  };
}

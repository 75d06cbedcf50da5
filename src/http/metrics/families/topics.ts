/**
 * Topics: the largest by name, all others together as "(other)" (named-topics.ts). Partitions of the named ones, topic by topic from the
 * largest on, as far as the limit allows whole topics; those of "(other)" are told as sums only.
 */

import type { Partition } from "../../../broker/partition.ts";
import { type Family, gauge, type Row, rows } from "../family.ts";
import type { TopicReading } from "../named-topics.ts";
import type { Reading } from "../readings.ts";

export const TOPIC_FAMILIES: readonly Family[] = [
  gauge("obelisk_topics", "Topics.", ({ topics }) => topics.all.topics),
  gauge("obelisk_partitions", "Partitions.", ({ topics }) => topics.all.partitions),
  gauge(
    "obelisk_topics_summed",
    'Topics that are told together, as topic="(other)": metrics-topics-max says how many have names.',
    ({ topics }) => topics.other.topics,
  ),
  byTopic(
    "counter",
    "obelisk_topic_records_in_total",
    "Records stored, since the start.",
    (topic) => topic.recordsIn,
  ),
  byTopic(
    "counter",
    "obelisk_topic_bytes_in_total",
    "Bytes of record batches stored, since the start.",
    (topic) => topic.bytesIn,
  ),
  byTopic(
    "counter",
    "obelisk_topic_records_out_total",
    "Records that went out to readers.",
    (topic) => topic.recordsOut,
  ),
  byTopic(
    "counter",
    "obelisk_topic_bytes_out_total",
    "Bytes of record batches that went out to readers.",
    (topic) => topic.bytesOut,
  ),
  byTopic("gauge", "obelisk_topic_log_bytes", "Bytes that are kept.", (topic) => topic.bytes),
  byTopic(
    "gauge",
    "obelisk_topic_records",
    "Records that are kept, by their offsets.",
    (topic) => topic.records,
  ),
  byTopic("gauge", "obelisk_topic_partitions", "Partitions.", (topic) => topic.partitions),
  byPartition("obelisk_partition_start_offset", "The log start.", (partition) => partition.startOffset),
  byPartition(
    "obelisk_partition_end_offset",
    "The high watermark: the offset after the last record that readers see.",
    (partition) => partition.highWatermark,
  ),
  byPartition("obelisk_partition_log_bytes", "Bytes that are kept.", (partition) => partition.bytes),
];

function byTopic(
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (topic: TopicReading) => number,
): Family {
  return rows(type, name, help, function* ({ topics }): Generator<Row> {
    for (const { reading } of topics.named) yield [{ topic: reading.name }, read(reading)];
    if (topics.other.topics > 0 || read(topics.other) > 0)
      yield [{ topic: topics.other.name }, read(topics.other)];
  });
}

function byPartition(name: string, help: string, read: (partition: Partition) => number): Family {
  return rows("gauge", name, help, function* (reading): Generator<Row> {
    for (const partition of namedPartitions(reading))
      yield [{ topic: partition.topic, partition: partition.index }, read(partition)];
  });
}

function* namedPartitions({ parts, topics }: Reading): Generator<Partition> {
  let left = parts.seriesLimits.partitionsMax;
  for (const { topic } of topics.named) {
    if (topic.partitions.length > left) continue;
    left -= topic.partitions.length;
    yield* topic.partitions;
  }
}

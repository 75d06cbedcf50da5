/**
 * The settings of a topic, under Kafka's names: all that Kafka has, as data. DescribeConfigs, CreateTopics, the checks and what
 * partitions obey (topic-rules.ts) derive from this table.
 *
 * Each setting says what Obelisk does with it:
 *
 *   obeyed     it acts as in Kafka
 *   kept       it is stored and returned, and there is nothing here that it could change: why, is in `documentation`
 *   fixed      one value alone is accepted, which is what Obelisk does; another is refused, so that nobody believes in it
 *
 * A name that is not here is refused. A value that a topic does not set comes from the broker (topic-defaults.ts).
 */

import { ObeliskError } from "../base/errors.ts";
import {
  boolean,
  type ConfigKind,
  double,
  int,
  LONG_MAX_TEXT,
  listElements,
  listOf,
  long,
  oneOf,
  only,
  throttledReplicas,
} from "./config-kinds.ts";

export type TopicConfigStance = "obeyed" | "kept" | "fixed";

export interface TopicConfig {
  readonly name: string;
  readonly kind: ConfigKind;
  /** Kafka's default. Where the server has a setting of its own, that one's value takes its place. */
  readonly default: string;
  /** The broker setting that is its default, under Kafka's name; null when there is none. */
  readonly brokerName: string | null;
  readonly stance: TopicConfigStance;
  readonly documentation: string;
}

const TABLE: readonly TopicConfig[] = [
  obeyed(
    "cleanup.policy",
    listOf("delete", "compact"),
    "delete",
    "log.cleanup.policy",
    "What becomes of old records: delete (by retention.ms and retention.bytes), compact (the latest record of each key stays), or " +
      "both. Compaction is not there yet: until then a compacted topic keeps everything.",
  ),
  kept(
    "compression.gzip.level",
    int(-1, 9),
    "-1",
    "compression.gzip.level",
    "The level of gzip where compression.type is gzip. Obelisk uses the library's own default.",
  ),
  kept(
    "compression.lz4.level",
    int(1, 17),
    "9",
    "compression.lz4.level",
    "The level of lz4 where compression.type is lz4. Obelisk uses the library's own default.",
  ),
  obeyed(
    "compression.type",
    oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    "producer",
    "compression.type",
    "The codec that record batches are stored with. producer keeps what the producer chose, which costs nothing; any other is applied " +
      "by the broker to each batch that comes with another codec.",
  ),
  kept(
    "compression.zstd.level",
    int(-131_072, 22),
    "3",
    "compression.zstd.level",
    "The level of zstd where compression.type is zstd. Obelisk uses the library's own default.",
  ),
  kept(
    "delete.retention.ms",
    long(0),
    "86400000",
    "log.cleaner.delete.retention.ms",
    "How long a record without a value stays in a compacted topic, in milliseconds. It acts with compaction.",
  ),
  kept(
    "file.delete.delay.ms",
    long(0),
    "60000",
    "log.segment.delete.delay.ms",
    "How long Kafka waits before it deletes a file. Obelisk deletes it once nobody reads it.",
  ),
  kept(
    "flush.messages",
    long(1),
    LONG_MAX_TEXT,
    "log.flush.interval.messages",
    "After how many records Kafka syncs. Obelisk syncs before each acknowledgement, unless the server's durability says otherwise.",
  ),
  kept(
    "flush.ms",
    long(0),
    LONG_MAX_TEXT,
    "log.flush.interval.ms",
    "After which time Kafka syncs. Obelisk syncs before each acknowledgement, unless the server's durability says otherwise.",
  ),
  kept(
    "follower.replication.throttled.replicas",
    throttledReplicas(),
    "",
    null,
    "Followers whose replication is throttled. There are none.",
  ),
  kept(
    "index.interval.bytes",
    int(0),
    "4096",
    "log.index.interval.bytes",
    "Bytes of log between two index entries. Obelisk has one interval for all topics, the server's.",
  ),
  kept(
    "leader.replication.throttled.replicas",
    throttledReplicas(),
    "",
    null,
    "Leaders whose replication is throttled. There are no followers.",
  ),
  fixed(
    "local.retention.bytes",
    only("-2", long(-2)),
    "-2",
    "log.local.retention.bytes",
    "Bytes kept on the disk of what is in tiered storage. There is no tiered storage.",
  ),
  fixed(
    "local.retention.ms",
    only("-2", long(-2)),
    "-2",
    "log.local.retention.ms",
    "How long what is in tiered storage is kept on the disk. There is no tiered storage.",
  ),
  kept(
    "max.compaction.lag.ms",
    long(1),
    LONG_MAX_TEXT,
    "log.cleaner.max.compaction.lag.ms",
    "The longest that a record of a compacted topic waits for compaction, in milliseconds. It acts with compaction.",
  ),
  obeyed(
    "max.message.bytes",
    int(0),
    "1048588",
    "message.max.bytes",
    "Bytes of the largest record batch, as it is sent.",
  ),
  obeyed(
    "message.timestamp.after.max.ms",
    long(0),
    "3600000",
    "log.message.timestamp.after.max.ms",
    "How far a record's timestamp may be ahead of the broker's clock, in milliseconds, where message.timestamp.type is CreateTime.",
  ),
  obeyed(
    "message.timestamp.before.max.ms",
    long(0),
    LONG_MAX_TEXT,
    "log.message.timestamp.before.max.ms",
    "How far a record's timestamp may be behind the broker's clock, in milliseconds, where message.timestamp.type is CreateTime.",
  ),
  obeyed(
    "message.timestamp.type",
    oneOf("CreateTime", "LogAppendTime"),
    "CreateTime",
    "log.message.timestamp.type",
    "Whether a record has the time that its producer gave it, or the time at which the broker stored it.",
  ),
  kept(
    "min.cleanable.dirty.ratio",
    double(0, 1),
    "0.5",
    "log.cleaner.min.cleanable.ratio",
    "The part of a compacted log that must be new before it is compacted. It acts with compaction.",
  ),
  kept(
    "min.compaction.lag.ms",
    long(0),
    "0",
    "log.cleaner.min.compaction.lag.ms",
    "The shortest that a record of a compacted topic stays as it was sent, in milliseconds. It acts with compaction.",
  ),
  kept(
    "min.insync.replicas",
    int(1),
    "1",
    "min.insync.replicas",
    "How many replicas must have a record before it is acknowledged with acks=all, as many as there are at most: here one.",
  ),
  kept(
    "preallocate",
    boolean(),
    "false",
    "log.preallocate",
    "Whether Kafka takes a segment's room when it makes its file. Obelisk never does.",
  ),
  fixed(
    "remote.log.copy.disable",
    only("false", boolean()),
    "false",
    null,
    "Whether nothing more is copied to tiered storage. There is no tiered storage.",
  ),
  fixed(
    "remote.log.delete.on.disable",
    only("false", boolean()),
    "false",
    null,
    "Whether what is in tiered storage is deleted when it is switched off. There is no tiered storage.",
  ),
  fixed(
    "remote.storage.enable",
    only("false", boolean()),
    "false",
    null,
    "Whether the topic is in tiered storage. There is no tiered storage.",
  ),
  obeyed(
    "retention.bytes",
    long(-1),
    "-1",
    "log.retention.bytes",
    "Bytes that each partition keeps, where cleanup.policy has delete; the oldest segments are deleted beyond it. -1: no limit.",
  ),
  obeyed(
    "retention.ms",
    long(-1),
    "604800000",
    "log.retention.ms",
    "How long records are kept, in milliseconds, where cleanup.policy has delete. -1: for ever.",
  ),
  obeyed(
    "segment.bytes",
    int(1_048_576),
    "1073741824",
    "log.segment.bytes",
    "Bytes of a segment before it is rolled. Old records are deleted by whole segments.",
  ),
  kept(
    "segment.index.bytes",
    int(4),
    "10485760",
    "log.index.size.max.bytes",
    "Bytes of the largest index file. Obelisk's indexes take what their segment needs.",
  ),
  kept(
    "segment.jitter.ms",
    long(0),
    "0",
    "log.roll.jitter.ms",
    "By how much, at random, a segment is rolled earlier than segment.ms. Obelisk rolls in turns by itself.",
  ),
  obeyed(
    "segment.ms",
    long(1),
    "604800000",
    "log.roll.ms",
    "The age at which a segment is rolled, in milliseconds, also when nobody writes.",
  ),
  kept(
    "unclean.leader.election.enable",
    boolean(),
    "false",
    "unclean.leader.election.enable",
    "Whether a replica that is behind may become leader. There is one replica.",
  ),
];

/** By name. */
export const TOPIC_CONFIGS: ReadonlyMap<string, TopicConfig> = new Map(TABLE.map((row) => [row.name, row]));

/** Of the settings that the server itself decides, or an operator has changed, by the topic setting's name. */
export type TopicConfigValues = Readonly<Record<string, string>>;

/**
 * `messageBytesLimit`: the largest record batch that the server can take in, bytes.
 * @throws ObeliskError INVALID_CONFIG naming the first setting that is unknown or cannot have its value
 */
export function checkTopicConfigs(configs: TopicConfigValues, messageBytesLimit: number): void {
  for (const [name, value] of Object.entries(configs)) checkTopicConfig(name, value, messageBytesLimit);
}

/** The setting of that name. @throws ObeliskError INVALID_CONFIG when there is none */
export function topicConfigNamed(name: string): TopicConfig {
  const config = TOPIC_CONFIGS.get(name);
  if (config !== undefined) return config;
  throw new ObeliskError("INVALID_CONFIG", {
    detail: `there is no topic setting ${name}`,
    remedy: "`obelisk topic describe` lists all of them",
  });
}

/** Whether a topic's values have compaction among their cleanup policies. */
export function isCompactedBy(cleanupPolicy: string): boolean {
  return listElements(cleanupPolicy).includes("compact");
}

function checkTopicConfig(name: string, value: string, messageBytesLimit: number): void {
  const { kind } = topicConfigNamed(name);
  const isTooLarge = name === "max.message.bytes" && kind.accepts(value) && Number(value) > messageBytesLimit;
  if (kind.accepts(value) && !isTooLarge) return;
  const must = isTooLarge ? `at most ${messageBytesLimit}, what a request can carry` : kind.must;
  throw new ObeliskError("INVALID_CONFIG", {
    detail: `the topic setting ${name} cannot be ${JSON.stringify(value)}`,
    remedy: `it must be ${must}`,
  });
}

function obeyed(
  name: string,
  kind: ConfigKind,
  value: string,
  brokerName: string,
  documentation: string,
): TopicConfig {
  return { name, kind, default: value, brokerName, stance: "obeyed", documentation };
}

function kept(
  name: string,
  kind: ConfigKind,
  value: string,
  brokerName: string | null,
  documentation: string,
): TopicConfig {
  return { name, kind, default: value, brokerName, stance: "kept", documentation };
}

function fixed(
  name: string,
  kind: ConfigKind,
  value: string,
  brokerName: string | null,
  documentation: string,
): TopicConfig {
  return { name, kind, default: value, brokerName, stance: "fixed", documentation };
}

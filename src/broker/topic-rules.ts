/**
 * The values that count for a topic, and what its partitions obey of them.
 *
 *   its own  ->  what an operator has changed for all topics  ->  the server's setting  ->  Kafka's default
 *
 * The first that is there counts. `TopicDefaults` holds the two in the middle, under the topic settings' names.
 */

import type { Codec } from "../protocol/record/compression.ts";
import { longValue } from "./config-kinds.ts";
import type { PartitionRules } from "./owned-partition.ts";
import { isCompactedBy, TOPIC_CONFIGS, type TopicConfigValues } from "./topic-configs.ts";

/** Where a value comes from, as DescribeConfigs numbers it. */
export const CONFIG_SOURCES = {
  topic: 1,
  changedBroker: 2,
  changedDefault: 3,
  server: 4,
  default: 5,
  group: 8,
} as const;

export type ConfigSource = (typeof CONFIG_SOURCES)[keyof typeof CONFIG_SOURCES];

export interface SourcedValue {
  readonly value: string;
  readonly source: ConfigSource;
}

export interface TopicDefaultsOptions {
  /** Of the settings that the server itself has: their values. */
  readonly server: TopicConfigValues;
  /** Those of them that somebody has set; the others are the server's own defaults. */
  readonly serverSet: ReadonlySet<string>;
}

export class TopicDefaults {
  readonly #server: TopicConfigValues;
  readonly #serverSet: ReadonlySet<string>;
  /** What an operator has changed while the server was running: for all brokers, and for this one, which counts first. */
  #changed: TopicConfigValues = {};
  #changedHere: TopicConfigValues = {};

  constructor({ server, serverSet }: TopicDefaultsOptions) {
    this.#server = server;
    this.#serverSet = serverSet;
  }

  change(forAll: TopicConfigValues, here: TopicConfigValues): void {
    this.#changed = forAll;
    this.#changedHere = here;
  }

  /** All values of a broker's setting for new and old topics, the one that counts first. Never empty. */
  valuesOf(name: string): SourcedValue[] {
    const values: SourcedValue[] = [];
    const here = this.#changedHere[name];
    if (here !== undefined) values.push({ value: here, source: CONFIG_SOURCES.changedBroker });
    const forAll = this.#changed[name];
    if (forAll !== undefined) values.push({ value: forAll, source: CONFIG_SOURCES.changedDefault });
    const server = this.#server[name];
    if (server !== undefined) {
      const source = this.#serverSet.has(name) ? CONFIG_SOURCES.server : CONFIG_SOURCES.default;
      values.push({ value: server, source });
    } else values.push({ value: TOPIC_CONFIGS.get(name)!.default, source: CONFIG_SOURCES.default });
    return values;
  }

  /** The value that counts for a topic which sets `own`. */
  valueFor(own: TopicConfigValues, name: string): string {
    return own[name] ?? this.valuesOf(name)[0]!.value;
  }
}

/** What the partitions of a topic that sets `own` obey. */
export function partitionRules(own: TopicConfigValues, defaults: TopicDefaults): PartitionRules {
  const text = (name: string) => defaults.valueFor(own, name);
  const long = (name: string) => longValue(text(name));
  return {
    bytesMax: Number(text("max.message.bytes")),
    isLogAppendTime: text("message.timestamp.type") === "LogAppendTime",
    timestampBeforeMaxMs: long("message.timestamp.before.max.ms"),
    timestampAfterMaxMs: long("message.timestamp.after.max.ms"),
    codec: codecNamed(text("compression.type")),
    isDeleted: text("cleanup.policy").includes("delete"),
    isCompacted: isCompactedBy(text("cleanup.policy")),
    retentionMs: long("retention.ms"),
    retentionBytes: long("retention.bytes"),
    segmentBytes: Number(text("segment.bytes")),
    segmentMs: long("segment.ms"),
  };
}

function codecNamed(compressionType: string): Codec | null {
  if (compressionType === "producer") return null;
  return compressionType === "uncompressed" ? "none" : (compressionType as Codec);
}

/**
 * Every setting once, as data: the manual (`serve --print-config`), the flags of `serve`, the variables, the keys of
 * the YAML file and the type `Settings` all derive from this table.
 *
 * One name, spelled as each place spells names:
 *
 *     setting `segment-bytes`     --segment-bytes 1GiB     OBELISK_SEGMENT_BYTES=1GiB     segment-bytes: 1GiB (YAML)
 *
 * The property in `Settings` carries its unit (`memory` is `memoryBytes`). A setting stands here only when a part of the
 * server obeys it. Names are never reused for another meaning.
 */

import { LOG_LEVELS } from "../base/log.ts";
import { DAY_MS, GiB, HOUR_MS, KiB, MINUTE_MS, MiB, SECOND_MS } from "../base/units.ts";
import {
  bytes,
  choice,
  durability,
  duration,
  flag,
  host,
  hosts,
  integer,
  type Kind,
  limitless,
  optionalAddress,
  origins,
  ratio,
  text,
} from "./kinds.ts";

export interface Setting<T> {
  /** The name in flags and in YAML. */
  readonly name: string;
  readonly kind: Kind<T>;
  readonly default: NoInfer<T>;
  /** What it does and when to change it. */
  readonly advice: string;
  /** Whether a running server takes a new value (SIGHUP); the others need a restart. */
  readonly isLive?: boolean;
}

const port: Kind<number> = integer({ min: 0, max: 65_535 });

export const SETTINGS = {
  data: setting({
    name: "data",
    kind: text("a directory"),
    default: "./data",
    advice:
      "The data directory. One server owns it at a time. Put it on a local disk that honours fsync. `memory:` keeps nothing.",
  }),
  host: setting({
    name: "host",
    kind: host(),
    default: "localhost",
    advice:
      "The address that all listeners bind to. `localhost` listens on IPv4 and IPv6 loopback. Anything wider, such as " +
      "0.0.0.0 (all of IPv4) or `*` (IPv6 too), lets everyone who reaches the port read and write: there is no authentication.",
  }),
  nativePort: setting({
    name: "native-port",
    kind: port,
    default: 8080,
    advice: "The port of the native protocol (length-prefixed messages over plain TCP). 0 takes a free port.",
  }),
  httpPort: setting({
    name: "http-port",
    kind: port,
    default: 8081,
    advice: "The port of the HTTP API. 0 takes a free port.",
  }),
  kafkaPort: setting({
    name: "kafka-port",
    kind: port,
    default: 9092,
    advice: "The port of the Kafka API. 0 takes a free port.",
  }),
  advertise: setting({
    name: "advertise",
    kind: optionalAddress(),
    default: null,
    advice:
      "The address that Kafka clients are told to connect to (Kafka's advertised.listeners). Empty: `host` and the port that was " +
      "taken, or where `host` is all addresses, the one that each client connected to. Set it when clients reach the server by " +
      "another name, as from outside a container.",
  }),
  nodeId: setting({
    name: "node-id",
    kind: integer({ min: 0, max: 2 ** 31 - 1 }),
    default: 1,
    advice: "The broker id in Kafka's metadata. Any number does for a single server; keep it once chosen.",
  }),
  durability: setting({
    name: "durability",
    kind: durability(),
    default: { mode: "fsync", intervalMs: 0 },
    advice:
      "What an acknowledgement means. fsync: the record is on the disk and survives a power cut. interval:MS: synced every MS " +
      "milliseconds, so a power cut can lose what was acknowledged since. os: when the operating system writes it back, within about half a minute.",
  }),
  memoryBytes: setting({
    name: "memory",
    kind: bytes({ min: 64 * MiB, max: 1024 * GiB }),
    default: 512 * MiB,
    advice:
      "The limit for the buffers of all connections, fetches and caches together. At the limit work waits or is refused. " +
      "The process needs about 100 MiB on top.",
  }),
  partitions: setting({
    name: "partitions",
    kind: integer({ min: 1, max: 10_000 }),
    default: 1,
    advice:
      "The default number of partitions of a new topic (Kafka's num.partitions). Order holds within a partition only.",
  }),
  autoCreate: setting({
    name: "auto-create",
    kind: flag(),
    default: true,
    advice:
      "Whether a topic is created on first use (Kafka's auto.create.topics.enable). Turn it off where a typo must not create a topic.",
  }),
  topicsMax: setting({
    name: "topics-max",
    kind: integer({ min: 1, max: 1_000_000 }),
    default: 5_000,
    advice:
      "The maximum number of topics. It keeps a client that invents names from filling the disk with directories.",
  }),
  partitionsMax: setting({
    name: "partitions-max",
    kind: integer({ min: 1, max: 1_000_000 }),
    default: 10_000,
    advice:
      "The maximum number of partitions of all topics together. Each costs a file, an index and some KiB of memory.",
  }),
  messageBytesMax: setting({
    name: "message-bytes-max",
    kind: bytes({ min: KiB, max: 100 * MiB }),
    default: 11 * MiB,
    advice:
      "The largest record batch, as sent (compressed or not). The default admits a message of 10 MiB, the native protocol's limit, " +
      "with its header, and is never more than `frame-bytes-max`. Kafka's own default is 1 MiB.",
  }),
  frameBytesMax: setting({
    name: "frame-bytes-max",
    // Recovery takes a batch length above 128 MiB for damage (storage/scan.ts), so none may come in.
    kind: bytes({ min: 64 * KiB, max: 128 * MiB }),
    default: 100 * MiB,
    advice:
      "The largest Kafka request; a connection that announces more is closed. The default is Kafka's. " +
      "It must hold the largest record batch.",
  }),
  httpBodyBytesMax: setting({
    name: "http-body-bytes-max",
    kind: bytes({ min: KiB, max: 64 * MiB }),
    default: 10 * MiB,
    advice:
      "The largest JSON document that the HTTP API takes, and the longest line of an NDJSON stream, which itself may be endless.",
  }),
  httpConnectionsMax: setting({
    name: "http-connections-max",
    kind: integer({ min: 1, max: 100_000 }),
    default: 256,
    advice:
      "The maximum number of connections of the HTTP API, and of requests under way in it; further ones are refused (503). Live tails take " +
      "up to half of them. Raise it for many open dashboards or tails; each connection is a descriptor.",
  }),
  httpHosts: setting({
    name: "http-hosts",
    kind: hosts(),
    default: [],
    advice:
      "Further names by which the HTTP API is called. Where only this machine reaches it, requests for any other name than those of the " +
      "loopback are refused, so that no page in a browser here can reach it by a name of its own (DNS rebinding). Set it behind a " +
      "reverse proxy. Where `host` is wider, all names are taken unless some are given here.",
  }),
  httpCorsOrigins: setting({
    name: "http-cors-origins",
    kind: origins(),
    default: [],
    advice:
      "Web pages of these origins may use the HTTP API from a browser (CORS). All others but its own are refused: there is no " +
      "authentication, and they would read and write with the reach of whoever looks at them.",
  }),
  connectionsMax: setting({
    name: "connections-max",
    kind: integer({ min: 1, max: 1_000_000 }),
    default: 1_000,
    advice:
      "The maximum number of connections of the native and the Kafka listener, each. Further " +
      "ones are refused. Where `ulimit -n` leaves less than all listeners may have, that is the limit.",
  }),
  nativeIdleTimeoutMs: setting({
    name: "native-idle-timeout",
    kind: duration({ min: SECOND_MS, max: DAY_MS }),
    default: 30 * SECOND_MS,
    advice: "A native connection that sends nothing for so long is closed.",
  }),
  kafkaIdleTimeoutMs: setting({
    name: "kafka-idle-timeout",
    kind: duration({ min: 10 * SECOND_MS, max: DAY_MS }),
    default: 10 * MINUTE_MS,
    advice:
      "A Kafka connection that sends nothing for so long, with no request waiting, is closed. Clients keep connections of rare use " +
      "open and expect minutes: Kafka's own default is 10.",
  }),
  batchCount: setting({
    name: "batch-count",
    kind: integer({ min: 1, max: 100_000 }),
    default: 10_000,
    advice:
      "Single messages (native protocol) share a record batch; it is closed at this many. Fewer makes more writes for each sync: " +
      "with 100 many clients together get half the throughput.",
  }),
  batchBytes: setting({
    name: "batch-bytes",
    kind: bytes({ min: KiB, max: 64 * MiB }),
    default: MiB,
    advice:
      "A shared record batch is closed at this size, which is at most `message-bytes-max`. A larger message gets a batch of its own.",
  }),
  lingerMs: setting({
    name: "linger-ms",
    kind: duration({ min: 0, max: 10 * SECOND_MS }),
    default: 5,
    advice:
      "The longest that a shared batch stays open while the disk is busy with earlier ones. When the disk is idle nothing waits, " +
      "so a longer time hardly makes batches larger.",
  }),
  recentBytes: setting({
    name: "recent-bytes",
    // One piece of memory; a consumer that lags further behind is served from the page cache as fast.
    kind: bytes({ min: 0, max: 2 * GiB }),
    default: 64 * MiB,
    advice:
      "Cache for the latest batches of all partitions, part of `memory`: at most half of it, and by default no more than an eighth. Consumers that keep up are served from it without the disk.",
  }),
  fetchSessionsMax: setting({
    name: "fetch-sessions-max",
    kind: integer({ min: 0, max: 100_000 }),
    default: 1000,
    advice:
      "Fetch sessions of consumers that are kept (Kafka's max.incremental.fetch.session.cache.slots): with one, a consumer of many " +
      "partitions does not send and get all of them each time. 0: none. The default is Kafka's.",
  }),
  producerIdExpirationMs: setting({
    name: "producer-id-expiration-ms",
    kind: duration({ min: 1, max: 365 * DAY_MS }),
    default: DAY_MS,
    advice:
      "After this time without a batch an idempotent producer expires in a partition (Kafka's producer.id.expiration.ms). A batch " +
      "that is sent again later is stored a second time. The default is Kafka's.",
  }),
  groupInitialRebalanceDelayMs: setting({
    name: "group-initial-rebalance-delay",
    kind: duration({ min: 0, max: 10 * MINUTE_MS }),
    default: 50,
    advice:
      "How long the first rebalance of a group waits for more members, and again each time that one has come (Kafka's " +
      "group.initial.rebalance.delay.ms, 3 s there). Short lets a first consumer read at once; longer saves rebalances where many start together.",
  }),
  groupMinSessionTimeoutMs: setting({
    name: "group-min-session-timeout",
    kind: duration({ min: 1, max: HOUR_MS }),
    default: 6 * SECOND_MS,
    advice:
      "The shortest session that a member of a group may ask for (Kafka's group.min.session.timeout.ms). A shorter one finds a dead member " +
      "sooner, and takes one that pauses for dead.",
  }),
  groupMaxSessionTimeoutMs: setting({
    name: "group-max-session-timeout",
    kind: duration({ min: SECOND_MS, max: DAY_MS }),
    default: 30 * MINUTE_MS,
    advice:
      "The longest session that a member of a group may ask for (Kafka's group.max.session.timeout.ms). So long may partitions of a dead member lie idle.",
  }),
  groupMaxSize: setting({
    name: "group-max-size",
    kind: integer({ min: 1, max: 100_000 }),
    default: 5_000,
    advice:
      "The maximum number of members of one group (Kafka's group.max.size, unlimited there). A leader is told of all of them at once.",
  }),
  offsetsRetentionMs: setting({
    name: "offsets-retention",
    kind: duration({ min: MINUTE_MS, max: 3650 * DAY_MS }),
    default: 7 * DAY_MS,
    advice:
      "Committed offsets are removed when their group has been empty for so long (Kafka's offsets.retention.minutes); without members " +
      "from the beginning, so long after the commit.",
  }),
  groupConsumerSessionTimeoutMs: setting({
    name: "group-consumer-session-timeout",
    kind: duration({ min: SECOND_MS, max: HOUR_MS }),
    default: 45 * SECOND_MS,
    advice:
      "A member of a group of the consumer protocol that is not heard of for so long is removed, and others get its partitions " +
      "(Kafka's group.consumer.session.timeout.ms). The default is Kafka's.",
  }),
  groupConsumerHeartbeatIntervalMs: setting({
    name: "group-consumer-heartbeat-interval",
    kind: duration({ min: 100, max: 5 * MINUTE_MS }),
    default: 5 * SECOND_MS,
    advice:
      "How often members of groups of the consumer protocol are told to report (Kafka's group.consumer.heartbeat.interval.ms). Members " +
      "learn of changes when they report, so less makes rebalances faster. It must be below the session timeout. The default is Kafka's.",
  }),
  groupConsumerAssignmentIntervalMs: setting({
    name: "group-consumer-assignment-interval",
    kind: duration({ min: 0, max: MINUTE_MS }),
    default: SECOND_MS,
    advice:
      "The partitions of a group of the consumer protocol are divided anew at most this often, so that members that come together cost " +
      "one division (Kafka's group.consumer.assignment.interval.ms). The default is Kafka's.",
  }),
  groupConsumerMigrationPolicy: setting({
    name: "group-consumer-migration-policy",
    kind: choice(["bidirectional", "upgrade", "downgrade", "disabled"]),
    default: "bidirectional",
    advice:
      "Whether a group with members may change between the classic and the consumer protocol while its members are replaced one by one " +
      "(Kafka's group.consumer.migration.policy). The default is Kafka's.",
  }),
  groupConsumerMaxSize: setting({
    name: "group-consumer-max-size",
    kind: integer({ min: 1, max: 100_000 }),
    default: 10_000,
    advice:
      "The maximum number of members of one group of the consumer protocol (Kafka's group.consumer.max.size, which has no limit by default).",
  }),
  segmentBytes: setting({
    name: "segment-bytes",
    kind: bytes({ min: MiB, max: GiB }),
    default: 256 * MiB,
    advice:
      "A segment is rolled before it grows over this size (Kafka's segment.bytes); a larger batch gets a segment of its own. " +
      "Old data is deleted by whole segments.",
  }),
  segmentMs: setting({
    name: "segment-ms",
    kind: duration({ min: MINUTE_MS, max: 365 * DAY_MS }),
    default: HOUR_MS,
    advice:
      "A segment that was written to is rolled at this age too (Kafka's segment.ms), so that old data can be deleted from small topics in time.",
  }),
  retentionMs: setting({
    name: "retention-ms",
    kind: limitless(duration({ min: 0, max: 1000 * 365 * DAY_MS })),
    default: 7 * DAY_MS,
    advice:
      "How long records are kept where a topic does not say otherwise (Kafka's retention.ms); -1: for ever. Older ones are deleted, by " +
      "whole segments. The default is Kafka's.",
  }),
  retentionBytes: setting({
    name: "retention-bytes",
    kind: limitless(bytes({ min: 0, max: 1024 * 1024 * GiB })),
    default: -1,
    advice:
      "Bytes that each partition keeps where a topic does not say otherwise (Kafka's retention.bytes); -1: no limit. The oldest records " +
      "are deleted beyond it.",
  }),
  indexIntervalBytes: setting({
    name: "index-interval-bytes",
    kind: bytes({ min: 512, max: MiB }),
    default: 4 * KiB,
    advice:
      "Bytes of log between two index entries (Kafka's index.interval.bytes). Smaller finds an offset with less reading and makes larger indexes.",
  }),
  openFilesMax: setting({
    name: "open-files-max",
    kind: integer({ min: 16, max: 1_000_000 }),
    default: 1_000,
    advice:
      "The maximum number of files kept open for reading; the least recently used is closed for the next. Where `ulimit -n` leaves less, fewer stay open.",
  }),
  fileIdleMs: setting({
    name: "file-idle-ms",
    kind: duration({ min: SECOND_MS, max: 30 * DAY_MS }),
    default: HOUR_MS,
    advice: "A file that was not read for so long is closed.",
  }),
  healthThreshold: setting({
    name: "health-threshold",
    kind: ratio({ min: 0, max: 1 }),
    default: 0.95,
    advice: "A component is healthy when at least this part of its latest operations succeeded.",
  }),
  healthWindow: setting({
    name: "health-window",
    kind: integer({ min: 1, max: 100_000 }),
    default: 100,
    advice:
      "How many of the latest operations, none older than a minute, count for the health of a component.",
  }),
  metricsTopicsMax: setting({
    name: "metrics-topics-max",
    kind: integer({ min: 0, max: 10_000 }),
    default: 100,
    advice:
      'How many topics have metrics by their name: the largest, by the bytes that they keep. All others are summed as topic="(other)". ' +
      "Each takes some seven series in the system that collects them.",
  }),
  metricsPartitionsMax: setting({
    name: "metrics-partitions-max",
    kind: integer({ min: 0, max: 100_000 }),
    default: 1_000,
    advice:
      "How many partitions of those topics have metrics of their own: topic by topic, from the largest on. Each takes three series.",
  }),
  metricsGroupsMax: setting({
    name: "metrics-groups-max",
    kind: integer({ min: 0, max: 10_000 }),
    default: 100,
    advice:
      'How many groups have metrics by their name: those with the largest lag. All others are summed as group="(other)".',
  }),
  shutdownTimeoutMs: setting({
    name: "shutdown-timeout",
    kind: duration({ min: 100, max: 10 * MINUTE_MS }),
    default: 10 * SECOND_MS,
    advice:
      "The time limit of a graceful shutdown: requests under way are completed, files synced, the clean-shutdown flag set.",
  }),
  logLevel: setting({
    name: "log-level",
    kind: choice(LOG_LEVELS),
    default: "info",
    advice: "The level of the log on standard error. SIGHUP reloads it.",
    isLive: true,
  }),
  logFormat: setting({
    name: "log-format",
    kind: choice(["text", "json"]),
    default: "text",
    advice: "The format of the log: text, or one JSON object per line.",
  }),
};

export type SettingKey = keyof typeof SETTINGS;

type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** All settings, as plain values with their units in the names. */
export type Settings = { readonly [Key in SettingKey]: ValueOf<(typeof SETTINGS)[Key]> };

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The variable of a setting: `segment-bytes` is `OBELISK_SEGMENT_BYTES`. */
export function variableOf(name: string): string {
  return `${VARIABLE_PREFIX}${name.replaceAll("-", "_").toUpperCase()}`;
}

export const VARIABLE_PREFIX = "OBELISK_";

/** The defaults, with some of them replaced. For tests and for embedding; values are not checked. */
export function defaultSettings(overrides: Partial<Settings> = {}): Settings {
  const defaults = Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default]));
  return { ...(defaults as unknown as Settings), ...overrides };
}

function setting<T>(row: Setting<T>): Setting<T> {
  return row;
}

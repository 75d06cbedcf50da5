/**
 * The server's settings under the names that Kafka's brokers have for them, for clients that ask a broker for its settings. Those that
 * are defaults of topic settings are not here: the broker knows them (broker/topic-configs.ts).
 */

import { formatAddress } from "../base/address.ts";
import { MINUTE_MS } from "../base/units.ts";
import { SETTINGS, type SettingKey, type Settings } from "./settings.ts";

export interface NamedSetting {
  readonly name: string;
  /** Kafka's type of it. */
  readonly type: "boolean" | "string" | "int" | "long" | "list";
  readonly value: string;
  /** Whether somebody has set it where the server was started. */
  readonly isSet: boolean;
  readonly documentation: string;
}

/** `kafkaPort`: the port that was taken. */
export function namedSettings(settings: Settings, kafkaPort: number): NamedSetting[] {
  const rows: NamedSetting[] = [];
  const add = (name: string, type: NamedSetting["type"], key: SettingKey, value: unknown) => {
    const isSet = String(settings[key]) !== String(SETTINGS[key].default);
    rows.push({ name, type, value: String(value), isSet, documentation: SETTINGS[key].advice });
  };
  const fix = (name: string, type: NamedSetting["type"], value: string, documentation: string) => {
    rows.push({ name, type, value, isSet: false, documentation });
  };
  const host = settings.host === "*" ? "" : settings.host;
  const listener = `PLAINTEXT://${formatAddress({ host, port: kafkaPort })}`;
  const advertised =
    settings.advertise === null ? listener : `PLAINTEXT://${formatAddress(settings.advertise)}`;
  add("advertised.listeners", "string", "advertise", advertised);
  add("auto.create.topics.enable", "boolean", "autoCreate", settings.autoCreate);
  add("broker.id", "int", "nodeId", settings.nodeId);
  add("connections.max.idle.ms", "long", "kafkaIdleTimeoutMs", settings.kafkaIdleTimeoutMs);
  fix(
    "default.replication.factor",
    "int",
    "1",
    "Replicas of a topic that does not say how many. There is one broker.",
  );
  fix("delete.topic.enable", "boolean", "true", "Whether topics can be deleted.");
  add(
    "group.initial.rebalance.delay.ms",
    "int",
    "groupInitialRebalanceDelayMs",
    settings.groupInitialRebalanceDelayMs,
  );
  add("group.max.session.timeout.ms", "int", "groupMaxSessionTimeoutMs", settings.groupMaxSessionTimeoutMs);
  add("group.max.size", "int", "groupMaxSize", settings.groupMaxSize);
  add("group.min.session.timeout.ms", "int", "groupMinSessionTimeoutMs", settings.groupMinSessionTimeoutMs);
  add("listeners", "string", "host", listener);
  add("log.dirs", "string", "data", settings.data);
  add("max.connections", "int", "connectionsMax", settings.connectionsMax);
  add("max.incremental.fetch.session.cache.slots", "int", "fetchSessionsMax", settings.fetchSessionsMax);
  add("node.id", "int", "nodeId", settings.nodeId);
  add("num.partitions", "int", "partitions", settings.partitions);
  add(
    "offsets.retention.minutes",
    "int",
    "offsetsRetentionMs",
    Math.floor(settings.offsetsRetentionMs / MINUTE_MS),
  );
  fix("process.roles", "list", "broker,controller", "What this process does in the cluster: all of it.");
  add("producer.id.expiration.ms", "int", "producerIdExpirationMs", settings.producerIdExpirationMs);
  add("socket.request.max.bytes", "int", "frameBytesMax", settings.frameBytesMax);
  return rows;
}

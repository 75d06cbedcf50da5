/**
 * Settings as DescribeConfigs and CreateTopics tell them: value, source, type, and the values that would count if it were not there
 * (synonyms), the one that counts first.
 */

import type { Broker } from "../../broker/broker.ts";
import { CONFIG_TYPES, type ConfigType, canonical } from "../../broker/config-kinds.ts";
import { KEPT_BROKER_CONFIGS } from "../../broker/kept-broker-configs.ts";
import { TOPIC_CONFIGS, type TopicConfig, type TopicConfigValues } from "../../broker/topic-configs.ts";
import { CONFIG_SOURCES, type SourcedValue } from "../../broker/topic-rules.ts";
import { GROUP_CONFIGS, type GroupConfigs } from "../../consumer/group-configs.ts";

export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly synonyms: readonly { readonly name: string; readonly value: string; readonly source: number }[];
  readonly configType: number;
  readonly documentation: string;
}

type DescribedConfig = Pick<TopicConfig, "kind" | "documentation">;

/** A setting of the server that cannot be changed while it runs. */
export interface ServerSetting {
  readonly name: string;
  readonly type: ConfigType;
  readonly value: string;
  /** Whether somebody has set it where the server was started. */
  readonly isSet: boolean;
  readonly documentation: string;
}

/** All settings of a topic that sets `own`, by name. */
export function topicEntries({ topicDefaults }: Broker, own: TopicConfigValues): ConfigEntry[] {
  return [...TOPIC_CONFIGS.values()].map((config) => {
    const value = own[config.name];
    const mine =
      value === undefined ? [] : [{ name: config.name, value, source: CONFIG_SOURCES.topic as number }];
    const theirs = named(config.brokerName ?? config.name, topicDefaults.valuesOf(config.name));
    const { synonyms, ...entry } = entryOf(config.name, [...mine, ...theirs], config);
    return { ...entry, synonyms: config.brokerName === null ? mine : synonyms };
  });
}

/** All settings of this broker, by name. */
export function brokerEntries(
  { topicDefaults, configs }: Broker,
  settings: readonly ServerSetting[],
): ConfigEntry[] {
  const entries: ConfigEntry[] = settings.map(({ name, type, value, isSet, documentation }) => ({
    name,
    value,
    readOnly: true,
    configSource: isSet ? CONFIG_SOURCES.server : CONFIG_SOURCES.default,
    isSensitive: false,
    synonyms: [{ name, value, source: isSet ? CONFIG_SOURCES.server : CONFIG_SOURCES.default }],
    configType: CONFIG_TYPES[type],
    documentation,
  }));
  for (const config of TOPIC_CONFIGS.values()) {
    const { name, brokerName } = config;
    if (brokerName === null) continue;
    entries.push(entryOf(brokerName, named(brokerName, topicDefaults.valuesOf(name)), config));
  }
  for (const kept of KEPT_BROKER_CONFIGS.values())
    entries.push(entryOf(kept.name, named(kept.name, configs.keptValues(kept)), kept));
  return entries.sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** All settings of a group, by name. */
export function groupEntries(configs: GroupConfigs, group: string): ConfigEntry[] {
  const own = configs.of(group);
  return [...GROUP_CONFIGS.values()].map((config) => {
    const { name, brokerName } = config;
    const value = own[name];
    const mine = value === undefined ? [] : [{ name, value, source: CONFIG_SOURCES.group as number }];
    const theirs = { name: brokerName, value: configs.defaultOf(config), source: CONFIG_SOURCES.default };
    return entryOf(name, [...mine, theirs], config);
  });
}

/** What was changed for all brokers, by name. */
export function changedEntries({ configs }: Broker): ConfigEntry[] {
  const byBrokerName = new Map<string | null, DescribedConfig>([
    ...[...TOPIC_CONFIGS.values()].map((config) => [config.brokerName, config] as const),
    ...KEPT_BROKER_CONFIGS,
  ]);
  return Object.entries(configs.changedFor(null)).map(([name, value]) =>
    entryOf(name, named(name, [{ value, source: CONFIG_SOURCES.changedDefault }]), byBrokerName.get(name)!),
  );
}

function named(name: string, values: readonly SourcedValue[]): ConfigEntry["synonyms"] {
  return values.map(({ value, source }) => ({ name, value, source }));
}

function entryOf(
  name: string,
  synonyms: ConfigEntry["synonyms"],
  { kind, documentation }: DescribedConfig,
): ConfigEntry {
  const { value, source } = synonyms[0]!;
  return {
    name,
    value: canonical(kind, value),
    readOnly: false,
    configSource: source,
    isSensitive: false,
    synonyms,
    configType: CONFIG_TYPES[kind.type],
    documentation,
  };
}

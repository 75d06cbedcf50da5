/**
 * The broker settings that are changed while the server runs: those that are the defaults of topic settings, which all topics obey then,
 * and those that are only kept (kept-broker-configs.ts). For all brokers, or for this one, which counts first.
 *
 *     row "broker-config/" (all), "broker-config/1" (node 1)  ->  {"log.retention.ms": "3600000"}
 *
 * A change is durable, and all topics obey it, when `alter` resolves. Everything else about a broker is set where it is started.
 */

import { ObeliskError } from "../base/errors.ts";
import type { StateStore } from "../storage/contract.ts";
import { ConfigRows } from "./config-rows.ts";
import { KEPT_BROKER_CONFIGS, type KeptBrokerConfig } from "./kept-broker-configs.ts";
import { checkTopicConfigs, TOPIC_CONFIGS, type TopicConfigValues } from "./topic-configs.ts";
import { CONFIG_SOURCES, type SourcedValue, type TopicDefaults } from "./topic-rules.ts";

/** The name that a topic setting has where it is set for a broker, to the topic setting's own. Of those that can be changed. */
const TOPIC_NAMES: ReadonlyMap<string, string> = new Map(
  [...TOPIC_CONFIGS.values()]
    .filter(({ brokerName, stance }) => brokerName !== null && stance !== "fixed")
    .map(({ brokerName, name }) => [brokerName!, name]),
);

export interface BrokerConfigsParts {
  readonly state: StateStore;
  readonly nodeId: number;
  readonly defaults: TopicDefaults;
  readonly messageBytesLimit: number;
  /** Called when the defaults of topics have changed. */
  readonly changed: () => void;
}

export class BrokerConfigs {
  readonly #parts: BrokerConfigsParts;
  readonly #rows: ConfigRows;

  constructor(parts: BrokerConfigsParts) {
    this.#parts = parts;
    this.#rows = new ConfigRows(parts.state, "broker-config/");
  }

  async load(): Promise<void> {
    await this.#rows.load();
    this.#tell();
  }

  /** What was changed, under the broker settings' names: for all brokers (null), or for this one. */
  changedFor(nodeId: number | null): TopicConfigValues {
    return this.#rows.of(keyEnd(nodeId));
  }

  /** All values of a setting that is kept, the one that counts first. Never empty. */
  keptValues({ name, default: value }: KeptBrokerConfig): SourcedValue[] {
    const here = this.changedFor(this.#parts.nodeId)[name];
    const forAll = this.changedFor(null)[name];
    return [
      ...(here === undefined ? [] : [{ value: here, source: CONFIG_SOURCES.changedBroker }]),
      ...(forAll === undefined ? [] : [{ value: forAll, source: CONFIG_SOURCES.changedDefault }]),
      { value, source: CONFIG_SOURCES.default },
    ];
  }

  /**
   * Gives all brokers (null), or this one, the settings that `change` makes of those that were changed before.
   * @throws ObeliskError INVALID_CONFIG, what `change` throws, and what the state throws
   */
  async alter(
    nodeId: number | null,
    change: (values: TopicConfigValues) => TopicConfigValues,
    isValidateOnly = false,
  ): Promise<void> {
    const checked = (before: TopicConfigValues) => {
      const values = change(before);
      checkKept(values);
      checkTopicConfigs(byTopicName(values), this.#parts.messageBytesLimit);
      return values;
    };
    if (!(await this.#rows.alter(keyEnd(nodeId), checked, isValidateOnly))) return;
    this.#tell();
    this.#parts.changed();
  }

  #tell(): void {
    const { defaults, nodeId } = this.#parts;
    defaults.change(byTopicName(this.changedFor(null)), byTopicName(this.changedFor(nodeId)));
  }
}

function keyEnd(nodeId: number | null): string {
  return nodeId === null ? "" : String(nodeId);
}

/** @throws ObeliskError INVALID_CONFIG for a setting that is neither kept nor a topic's default, or cannot have its value */
function checkKept(values: TopicConfigValues): void {
  for (const [name, value] of Object.entries(values)) {
    if (TOPIC_NAMES.has(name)) continue;
    const kept = KEPT_BROKER_CONFIGS.get(name);
    if (kept === undefined) {
      throw new ObeliskError("INVALID_CONFIG", {
        detail: `the broker setting ${name} cannot be changed while the server runs`,
        remedy: `these can: ${[...TOPIC_NAMES.keys()].join(", ")}; the others are set where the server is started`,
      });
    }
    if (!kept.kind.accepts(value)) {
      throw new ObeliskError("INVALID_CONFIG", {
        detail: `the broker setting ${name} cannot be ${JSON.stringify(value)}`,
        remedy: `it must be ${kept.kind.must}`,
      });
    }
  }
}

/** Those that are the defaults of topics. */
function byTopicName(values: TopicConfigValues): TopicConfigValues {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      const topicName = TOPIC_NAMES.get(name);
      return topicName === undefined ? [] : [[topicName, value] as const];
    }),
  );
}

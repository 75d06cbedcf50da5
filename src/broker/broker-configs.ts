/**
 * The settings of topics that an operator changes for all topics at once, while the server runs: Kafka's dynamic broker settings, as far
 * as they are the defaults of topic settings. For all brokers, or for this one, which counts first.
 *
 *     row "broker-config/" (all), "broker-config/1" (node 1)  ->  {"log.retention.ms": "3600000"}
 *
 * A change is durable, and all topics obey it, when `alter` resolves. Everything else about a broker is set where it is started.
 */

import { ObeliskError } from "../base/errors.ts";
import type { StateStore } from "../storage/contract.ts";
import { checkTopicConfigs, TOPIC_CONFIGS, type TopicConfigValues } from "./topic-configs.ts";
import type { TopicDefaults } from "./topic-rules.ts";

const KEY_PREFIX = "broker-config/";

/** The name that a topic setting has where it is set for a broker, to the topic setting's own. Of those that can be changed. */
const TOPIC_NAMES: ReadonlyMap<string, string> = new Map(
  [...TOPIC_CONFIGS.values()]
    .filter(({ brokerName, stance }) => brokerName !== null && stance === "obeyed")
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
  /** By the key's end: "" for all brokers. */
  readonly #values = new Map<string, TopicConfigValues>();
  /** Changes are made one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: BrokerConfigsParts) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#parts.state.list(KEY_PREFIX))
      this.#values.set(key.slice(KEY_PREFIX.length), JSON.parse(value) as TopicConfigValues);
    this.#tell();
  }

  /** What was changed, under the broker settings' names: for all brokers (null), or for this one. */
  changedFor(nodeId: number | null): TopicConfigValues {
    return this.#values.get(keyEnd(nodeId)) ?? {};
  }

  /** Whether a broker setting of that name can be changed while the server runs. */
  isChangeable(name: string): boolean {
    return TOPIC_NAMES.has(name);
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
    const alter = async () => {
      const values = change(this.changedFor(nodeId));
      checkTopicConfigs(byTopicName(values), this.#parts.messageBytesLimit);
      if (isValidateOnly) return;
      const end = keyEnd(nodeId);
      await this.#parts.state.change([{ key: KEY_PREFIX + end, value: JSON.stringify(values) }]);
      this.#values.set(end, values);
      this.#tell();
      this.#parts.changed();
    };
    const turn = this.#last.then(alter);
    this.#last = turn.catch(() => {});
    await turn;
  }

  #tell(): void {
    const { defaults, nodeId } = this.#parts;
    defaults.change(byTopicName(this.changedFor(null)), byTopicName(this.changedFor(nodeId)));
  }
}

function keyEnd(nodeId: number | null): string {
  return nodeId === null ? "" : String(nodeId);
}

/** @throws ObeliskError INVALID_CONFIG for a setting that is not a topic's default */
function byTopicName(values: TopicConfigValues): TopicConfigValues {
  const named = Object.entries(values).map(([name, value]) => {
    const topicName = TOPIC_NAMES.get(name);
    if (topicName === undefined) {
      throw new ObeliskError("INVALID_CONFIG", {
        detail: `the broker setting ${name} cannot be changed while the server runs`,
        remedy: `these can: ${[...TOPIC_NAMES.keys()].join(", ")}; the others are set where the server is started`,
      });
    }
    return [topicName, value] as const;
  });
  return Object.fromEntries(named);
}

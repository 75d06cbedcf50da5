/**
 * The settings of a topic, under Kafka's names. A setting is accepted only if Obelisk obeys it: either it is
 * implemented, or its value is what Obelisk does anyway. Everything else is refused with INVALID_CONFIG, so that
 * nobody believes in a retention that does not happen.
 */

import { ObeliskError } from "../base/errors.ts";

interface TopicConfig {
  /** The value of a topic that does not set it; null: the broker's own setting. */
  readonly defaultValue: string | null;
  readonly accepts: (value: string, messageBytesLimit: number) => boolean;
  readonly advice: string;
}

export const TOPIC_CONFIGS: Readonly<Record<string, TopicConfig>> = {
  "max.message.bytes": {
    defaultValue: null,
    accepts: (value, limit) => /^\+?\d{1,10}$/.test(value) && Number(value) <= limit,
    advice: "bytes of the largest record batch, from 0 to what a request can carry",
  },
  "message.timestamp.type": {
    defaultValue: "CreateTime",
    accepts: (value) => value === "CreateTime" || value === "LogAppendTime",
    advice: "CreateTime or LogAppendTime",
  },
  "cleanup.policy": only("delete"),
  "compression.type": only("producer"),
  "min.insync.replicas": only("1"),
  "retention.ms": only("-1"),
  "retention.bytes": only("-1"),
};

/**
 * `messageBytesLimit`: the largest record batch that the server can take in, bytes.
 * @throws ObeliskError INVALID_CONFIG naming the first setting that is unknown or not obeyed
 */
export function checkTopicConfigs(
  configs: Readonly<Record<string, string>>,
  messageBytesLimit: number,
): void {
  for (const [name, value] of Object.entries(configs)) {
    const config = Object.hasOwn(TOPIC_CONFIGS, name) ? TOPIC_CONFIGS[name] : undefined;
    if (config === undefined) {
      throw new ObeliskError("INVALID_CONFIG", {
        detail: `the topic setting ${name} is not supported`,
        remedy: `supported are ${Object.keys(TOPIC_CONFIGS).join(", ")}`,
      });
    }
    if (!config.accepts(value, messageBytesLimit)) {
      throw new ObeliskError("INVALID_CONFIG", {
        detail: `the topic setting ${name} cannot be ${JSON.stringify(value)}`,
        remedy: `it must be ${config.advice}`,
      });
    }
  }
}

function only(value: string): TopicConfig {
  return {
    defaultValue: value,
    accepts: (candidate) => candidate === value,
    advice: `${value}, which is what Obelisk does`,
  };
}

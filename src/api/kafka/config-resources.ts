/** What has settings, as the requests about settings name it: a type and a name. */

import { ObeliskError } from "../../base/errors.ts";
import type { KafkaContext } from "./context.ts";

/** Kafka's numbers. */
export const CONFIG_RESOURCES = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const;

/**
 * The broker that a resource names: null for "" (all brokers).
 * @throws ObeliskError INVALID_REQUEST when it is no number, or not this broker
 */
export function brokerNamed({ broker }: KafkaContext, name: string): number | null {
  if (name === "") return null;
  if (name === String(broker.nodeId)) return broker.nodeId;
  throw new ObeliskError("INVALID_REQUEST", {
    detail: `the broker ${JSON.stringify(name)} is not this one`,
    remedy: `ask for ${broker.nodeId}, or for "" (all brokers)`,
  });
}

export function unsupportedResource(type: number): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", {
    detail: `resources of type ${type} have no settings here`,
    remedy: "topics (2), brokers (4) and groups (32) have",
  });
}

/** A broker over the memory engine, for tests of what stands above the storage. */

import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { DAY_MS, KiB, MiB } from "../../src/base/units.ts";
import { Broker, type BrokerOptions, type BrokerParts } from "../../src/broker/broker.ts";
import type { TopicConfigValues } from "../../src/broker/topic-configs.ts";
import type { RemovalListener } from "../../src/broker/topic-removals.ts";
import type { TopicDefaultsOptions } from "../../src/broker/topic-rules.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";

/** As the server's own, with some of them replaced. Test records are of 1970, and kept. */
export function topicDefaults(values: TopicConfigValues = {}): TopicDefaultsOptions {
  const server = { "max.message.bytes": String(11 * MiB), "retention.ms": "-1", ...values };
  return { server, serverSet: new Set(Object.keys(values)) };
}

export const TEST_BROKER_OPTIONS: BrokerOptions = {
  clusterId: "test-cluster-0000000000",
  nodeId: 1,
  durability: { mode: "fsync" },
  isAutoCreating: true,
  partitionsDefault: 1,
  topicsMax: 100,
  partitionsMax: 1000,
  messageBytesLimit: 100 * MiB,
  topicDefaults: topicDefaults(),
  batchCountMax: 10_000,
  batchBytesMax: 256 * KiB,
  lingerMs: 5,
  recentBytesMax: 4 * MiB,
  producerIdExpirationMs: DAY_MS,
  healthWindow: 100,
};

export function openBroker(
  options: Partial<BrokerOptions> = {},
  parts: Partial<BrokerParts> = {},
): Promise<Broker> {
  return Broker.open(
    { ...TEST_BROKER_OPTIONS, ...options },
    {
      engine: new MemoryEngine(),
      clock: systemClock,
      log: silentLog,
      newId: () => crypto.randomUUID(),
      ...parts,
    },
  );
}

/** A listener that needs only the end of a removal. */
export function removing(removeTopic: (name: string) => Promise<void>): RemovalListener {
  return { hideTopic: () => {}, showTopic: () => {}, removeTopic };
}

/**
 * The ways to keep partitions that tests of everything above the broker run with: logs of this machine, and a sequencer elsewhere.
 * What a kind gives is handed to `openBroker` or `openKafkaApi`.
 */

import type { BrokerParts } from "../../src/broker/broker.ts";
import type { StorageEngine } from "../../src/storage/contract.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { DelayedPartitions } from "./delayed-partition.ts";
import { DelayedStore, type DelayedStoreOptions } from "./delayed-store.ts";
import { GatedEngine, turns } from "./gated-engine.ts";
import { until } from "./kafka-until.ts";

export interface TestPartitions {
  readonly engine: StorageEngine;
  readonly openPartitions?: NonNullable<BrokerParts["openPartitions"]>;
}

/** Whose commits end when the test says so. */
export interface HeldPartitions extends TestPartitions {
  /** Commits that wait. */
  readonly waitingCount: number;
  /** Commits all that waits, or fails it. */
  complete(isFailed?: boolean): Promise<void>;
}

export interface PartitionKind {
  readonly name: string;
  create(): TestPartitions;
  createHeld(): HeldPartitions;
}

export const PARTITION_KINDS: readonly PartitionKind[] = [
  {
    name: "partitions in a local log",
    create: () => ({ engine: new MemoryEngine() }),
    createHeld: () => heldLogs(),
  },
  {
    name: "partitions with delayed commits",
    create: () => delayedPartitions().partitions,
    createHeld: () => heldStore(),
  },
];

/** Partitions of one broker over a store of its own. */
export function delayedPartitions(options: DelayedStoreOptions = {}): {
  store: DelayedStore;
  partitions: TestPartitions;
} {
  const store = new DelayedStore(options);
  return { store, partitions: partitionsOver(store) };
}

/** Partitions of one more broker over the store. Brokers that share topics share the engine. */
export function partitionsOver(
  store: DelayedStore,
  engine: StorageEngine = new MemoryEngine(),
): TestPartitions {
  return { engine, openPartitions: (_engine, parts) => new DelayedPartitions(store, parts) };
}

function heldLogs(): HeldPartitions {
  const engine = new GatedEngine();
  return {
    engine,
    get waitingCount() {
      return engine.waiting.length;
    },
    complete: async (isFailed = false) => {
      while (engine.waiting.length > 0) await engine.waiting[0]!.end(isFailed);
    },
  };
}

function heldStore(): HeldPartitions {
  const { store, partitions } = delayedPartitions({ isHeld: true });
  return {
    ...partitions,
    get waitingCount() {
      return store.commitsHeld;
    },
    complete: async (isFailed = false) => {
      if (isFailed) for (let count = store.commitsHeld; count > 0; count -= 1) store.failNext("definite");
      store.release();
      await until(() => store.isIdle);
      await turns();
      store.isHeld = true;
    },
  };
}

/** The storage engine without a disk: for tests, and for trying Obelisk without leaving a trace. Everything dies with it. */

import { MiB } from "../../base/units.ts";
import type {
  Finding,
  PartitionLog,
  RecoveryListener,
  StateStore,
  StorageEngine,
  StorageSpace,
} from "../contract.ts";
import { checkPartitionName } from "../names.ts";
import { MemoryLog, type MemoryUse } from "./log.ts";
import { MemoryState } from "./state.ts";

/** Room for a try-out, and too little to hurt the machine by accident. */
export const MEMORY_BYTES_MAX = 256 * MiB;

export class MemoryEngine implements StorageEngine {
  readonly findings: readonly Finding[] = [];
  readonly findingCount = 0;
  readonly openFiles = 0;
  readonly recoveredMax = Number.POSITIVE_INFINITY;
  readonly state: StateStore = new MemoryState();
  readonly #logs = new Map<string, MemoryLog[]>();
  readonly #use: MemoryUse;

  constructor(options: { bytesMax?: number } = {}) {
    this.#use = { bytes: 0, bytesMax: options.bytesMax ?? MEMORY_BYTES_MAX };
  }

  async open(topic: string, partition: number, listener: RecoveryListener): Promise<PartitionLog> {
    checkPartitionName(topic, partition);
    const logs = this.#logs.get(topic) ?? [];
    this.#logs.set(topic, logs);
    let log = logs.find((candidate) => candidate.partition === partition);
    if (log === undefined) {
      log = new MemoryLog(topic, partition, this.#use);
      logs.push(log);
    }
    log.recover(listener);
    return log;
  }

  stored(): { topic: string; partitions: number }[] {
    const found = [...this.#logs].map(([topic, logs]) => ({
      topic,
      partitions: logs.reduce((count, log) => Math.max(count, log.partition + 1), 0),
    }));
    return found.sort((left, right) => (left.topic < right.topic ? -1 : 1));
  }

  async sync(logs: readonly PartitionLog[]): Promise<readonly PartitionLog[]> {
    for (const log of logs) if (!log.isOffline) (log as MemoryLog).durableOffset = log.endOffset;
    return logs.filter((log) => log.isOffline);
  }

  async create(topic: string, partitions: number): Promise<void> {
    checkPartitionName(topic, partitions - 1);
  }

  detach(topic: string): Promise<void> {
    checkPartitionName(topic, 0);
    for (const log of this.#logs.get(topic) ?? []) log.release();
    this.#logs.delete(topic);
    return Promise.resolve();
  }

  async discard(_topic: string): Promise<void> {}

  async release(_topic: string): Promise<void> {}

  detached(): string[] {
    return [];
  }

  readonly loss = null;
  readonly filesToWrite = 0;

  space(): StorageSpace {
    const { bytes, bytesMax } = this.#use;
    return {
      freeBytes: bytesMax - bytes,
      totalBytes: bytesMax,
      freeFiles: Number.POSITIVE_INFINITY,
      reservedBytes: 0,
    };
  }

  async close(): Promise<void> {
    for (const topic of [...this.#logs.keys()]) await this.detach(topic);
    await this.state.close();
  }
}

/**
 * Opens partitions over the logs of a storage engine. What recovery has read at a start, and may not be on disk, is synced for many of
 * them together, and they are shown when that is done.
 */

import type { StorageEngine } from "../storage/contract.ts";
import { RecoveredLogs } from "../storage/recovered-logs.ts";
import { LogPartition, type PartitionParts } from "./log-partition.ts";
import type { PartitionOpener, PartitionRules } from "./owned-partition.ts";
import type { PendingAppend } from "./pending-appends.ts";
import { Producers } from "./producers.ts";

export class LogPartitions implements PartitionOpener {
  readonly #engine: StorageEngine;
  readonly #parts: PartitionParts;
  readonly #recovered: RecoveredLogs;
  /** Those of a start that are not shown yet. */
  #stored: LogPartition[] = [];

  constructor(engine: StorageEngine, parts: PartitionParts) {
    this.#engine = engine;
    this.#parts = parts;
    this.#recovered = new RecoveredLogs(engine);
  }

  async openStored(
    topic: string,
    index: number,
    rules: PartitionRules,
    mustExist: boolean,
  ): Promise<LogPartition> {
    const partition = await this.#open(topic, index, rules, mustExist);
    this.#stored.push(partition);
    await this.#recovered.add(partition.log);
    return partition;
  }

  async ready(): Promise<void> {
    await this.#recovered.sync();
    for (const partition of this.#stored) partition.recovered();
    this.#stored = [];
  }

  /** It has no records. Should there be some all the same, they are committed as new ones are. */
  async openNew(topic: string, index: number, rules: PartitionRules): Promise<LogPartition> {
    const partition = await this.#open(topic, index, rules, false);
    await partition.commitRecovered();
    return partition;
  }

  drain(): Promise<void> {
    return this.#parts.commit.drain();
  }

  async #open(
    topic: string,
    index: number,
    rules: PartitionRules,
    mustExist: boolean,
  ): Promise<LogPartition> {
    const producers = new Producers<PendingAppend>(this.#parts.producerIdExpirationMs);
    const recovery = producers.recoveryAt(this.#parts.clock.steadyMs());
    const log = await this.#engine.open(topic, index, recovery, mustExist);
    return new LogPartition(log, rules, producers, this.#parts);
  }
}

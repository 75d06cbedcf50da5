/**
 * Logs that were just opened, until what their recovery found is on disk: they wait for each other and share their syncs, so that a
 * start with thousands of partitions syncs some dozens of times. Nothing above a log's durable offset may be seen or acknowledged before.
 *
 * Each that waits keeps a file open, hence the bound: one group is gathered while another one is synced.
 */

import type { PartitionLog, StorageEngine } from "./contract.ts";

/** Measured: a syncfs takes 2.4 ms for 100 small files, 15 ms for 1,000. Fewer when the engine allows no two such groups. */
const SYNCED_AT_ONCE = 256;

export class RecoveredLogs {
  readonly #engine: StorageEngine;
  #waiting: PartitionLog[] = [];
  /** Of those before; the next are opened meanwhile. */
  #syncing: Promise<unknown> = Promise.resolve();

  /** No other sync of the engine may run meanwhile. */
  constructor(engine: StorageEngine) {
    this.#engine = engine;
  }

  /** Takes a log that has just been opened; syncs those that wait when they are many. `sync` follows the last one. */
  async add(log: PartitionLog): Promise<void> {
    if (log.isOffline || log.durableOffset === log.endOffset) return;
    this.#waiting.push(log);
    const groupMax = Math.min(SYNCED_AT_ONCE, Math.max(Math.floor(this.#engine.recoveredMax / 2), 1));
    if (this.#waiting.length >= groupMax) await this.#syncNext();
  }

  /** A log whose sync fails is offline, and the engine has reported why. */
  async sync(): Promise<void> {
    await this.#syncNext();
    await this.#syncing;
  }

  async #syncNext(): Promise<void> {
    await this.#syncing;
    const logs = this.#waiting;
    this.#waiting = [];
    if (logs.length > 0) this.#syncing = this.#engine.sync(logs);
  }
}

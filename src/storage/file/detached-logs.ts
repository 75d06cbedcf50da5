/**
 * The open logs of a topic that is being removed: taken out of service when topic-directories.ts renames the topic's folder, and closed
 * before it deletes what is in it.
 *
 *     open --detach--> detached --discard--> closed, files deleted
 *       ^                 |
 *       `-- sync failed --`    the logs are open again, and offline: after a power cut either name may be there
 *
 * A detached log takes nothing more. Its files stay open until the sync that may be in flight has ended.
 */

import { Slices } from "../../base/loop/turns.ts";
import type { FileLog } from "./log.ts";
import { storageError } from "./store.ts";
import type { LogSyncer } from "./sync/log-syncer.ts";
import type { TopicDirectories } from "./topic-directories.ts";

/** Logs whose files are closed in one turn of the loop. */
const LOGS_A_TURN = 64;

export class DetachedLogs {
  /** The open logs, by `topic/partition`. */
  readonly #open: Map<string, FileLog>;
  readonly #directories: TopicDirectories;
  readonly #syncer: LogSyncer;
  readonly #slices = new Slices(LOGS_A_TURN);
  /** By topic, until they are closed. */
  readonly #detached = new Map<string, FileLog[]>();

  constructor(open: Map<string, FileLog>, directories: TopicDirectories, syncer: LogSyncer) {
    this.#open = open;
    this.#directories = directories;
    this.#syncer = syncer;
  }

  /** As `StorageEngine.detach`. */
  detach(topic: string): Promise<void> {
    const logs = [...this.#open.values()].filter((log) => log.topic === topic);
    const isDetachedNow = this.#directories.detach(topic);
    for (const log of logs) {
      log.abandon();
      this.#open.delete(`${topic}/${log.partition}`);
    }
    const before = this.#detached.get(topic) ?? [];
    this.#detached.set(topic, [...before, ...logs]);
    return this.#sync(topic, logs, isDetachedNow);
  }

  /** Closes the topic's logs, then deletes what it holds. @throws ObeliskError KAFKA_STORAGE_ERROR when the engine is closed meanwhile */
  async discard(topic: string): Promise<void> {
    for (const log of this.#detached.get(topic) ?? []) {
      await this.#slices.next();
      await this.#syncer.letGo(log);
      await log.discard();
    }
    this.#detached.delete(topic);
    await this.#directories.discard(topic);
  }

  /** Closes those that are left of removals that a disk error has interrupted: the next start continues them. */
  async close(): Promise<void> {
    await Promise.all([...this.#detached.values()].flat().map((log) => log.discard()));
  }

  /**
   * A failed sync takes the topic offline, as any does: what is under its name after a power cut is unknown. A topic that was detached
   * before stays detached: its removal may have been acknowledged.
   */
  async #sync(topic: string, logs: readonly FileLog[], isDetachedNow: boolean): Promise<void> {
    try {
      await this.#directories.sync();
    } catch (thrown) {
      const error = storageError(thrown, { topic, file: this.#directories.path });
      if (isDetachedNow) this.#reattach(topic, logs, error);
      throw error;
    }
  }

  #reattach(topic: string, logs: readonly FileLog[], error: Error): void {
    this.#directories.attach(topic);
    this.#detached.delete(topic);
    for (const log of logs) {
      log.reclaim(error);
      this.#open.set(`${topic}/${log.partition}`, log);
    }
  }
}

/**
 * Adds partitions to topics that are there.
 *
 *     row with more partitions and the number that was there before -> folders -> opened -> there for everyone -> row without that number
 *
 * The row comes first: what a crash leaves is a topic with as many as before, or one that the next start completes. When the disk refuses
 * the folders, nothing is left of them and the row is put back. Should the state refuse even that, the next start completes it.
 *
 * The number that was there before stays in the row until records of the added partitions are on disk, and with them the names of
 * their folders, or until a graceful shutdown: of those that were there, a missing folder is a loss.
 */

import { type ErrorCode, ObeliskError } from "../base/errors.ts";
import type { StorageEngine } from "../storage/contract.ts";
import type { OwnedPartition } from "./owned-partition.ts";
import type { Topic } from "./topic.ts";
import type { TopicRows } from "./topic-rows.ts";

export interface TopicGrowthParts {
  readonly engine: StorageEngine;
  readonly rows: TopicRows;
  /** Does the work after whatever is under way for the name. */
  readonly inTurn: (name: string, work: () => Promise<void>) => Promise<void>;
  /** Opens the partitions `first` to `count - 1` of the topic, in slices; each one is given as soon as it is open. */
  readonly open: (
    topic: Topic,
    first: number,
    count: number,
    opened: (partition: OwnedPartition) => void,
  ) => Promise<void>;
}

export class TopicGrowth {
  readonly #parts: TopicGrowthParts;
  /** Topics whose rows still say how many partitions there were before, by name. */
  readonly #growing = new Map<string, Topic>();
  /** Opened for a growth that the disk refused in the middle, by topic: a log has one writer, so the next attempt takes them. */
  readonly #opened = new WeakMap<Topic, OwnedPartition[]>();

  constructor(parts: TopicGrowthParts) {
    this.#parts = parts;
  }

  /** The row of a topic that has been opened says that partitions from number `first` on are being made. */
  resume(topic: Topic, first: number): void {
    this.#growing.set(topic.name, topic);
    this.#recordWhenUsed(topic, first);
  }

  /** In the topic's turn. @throws ObeliskError what storage and state throw; then the topic has as many as before */
  async grow(topic: Topic, count: number): Promise<void> {
    const { name, id } = topic;
    const { engine, rows } = this.#parts;
    const before = topic.partitions.length;
    const row = await rows.change(name, id, (state) => ({
      ...state,
      partitions: count,
      partitionsMade: Math.min(state.partitionsMade ?? before, before),
    }));
    if (row === null) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
    try {
      await engine.create(name, count);
      topic.grow(await this.#open(topic, count));
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      await this.#putBack(topic, before);
      throw thrown;
    }
    this.#growing.set(name, topic);
    this.#recordWhenUsed(topic, before);
  }

  removed(name: string): void {
    this.#growing.delete(name);
  }

  /** A graceful shutdown: everything is synced when the directory is marked clean. */
  async close(): Promise<void> {
    const topics = [...this.#growing.values()];
    await Promise.all(topics.map((topic) => this.#recordMade(topic, topic.partitions.length)));
  }

  async #open(topic: Topic, count: number): Promise<OwnedPartition[]> {
    const before = topic.partitions.length;
    const opened = this.#opened.get(topic) ?? [];
    this.#opened.set(topic, opened);
    await this.#parts.open(topic, before + opened.length, count, (partition) => opened.push(partition));
    const added = opened.slice(0, count - before);
    for (const partition of added) partition.checkWritable();
    opened.splice(0, added.length);
    return added;
  }

  async #putBack({ name, id }: Topic, before: number): Promise<void> {
    try {
      await this.#parts.rows.change(name, id, ({ partitionsMade = before, ...state }) => ({
        ...state,
        partitions: before,
        ...(partitionsMade < before ? { partitionsMade } : {}),
      }));
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
    }
  }

  #recordWhenUsed(topic: Topic, first: number): void {
    const count = topic.partitions.length;
    let isRecorded = false;
    topic.whenUsed((error: ErrorCode | null) => {
      if (error !== null || isRecorded) return;
      isRecorded = true; // by the first of those that were added
      void this.#parts.inTurn(topic.name, () => this.#recordMade(topic, count));
    }, first);
  }

  /** The first `count` partitions are there for good. What the disk refuses stays as it is: the next start knows no better. */
  async #recordMade({ name, id }: Topic, count: number): Promise<void> {
    try {
      const row = await this.#parts.rows.change(name, id, ({ partitionsMade = count, ...state }) => ({
        ...state,
        ...(state.partitions > count ? { partitionsMade: Math.max(partitionsMade, count) } : {}),
      }));
      if (row?.partitionsMade === undefined) this.#growing.delete(name);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
    }
  }
}

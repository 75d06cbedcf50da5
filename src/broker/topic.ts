/** One topic: what is kept of it in the state, what may be asked of a new one, and its partitions while it is open. */

import { fail } from "../base/assert.ts";
import type { OwnedPartition, PartitionRules, UseListener } from "./owned-partition.ts";
import type { Partition } from "./partition.ts";
import type { TopicConfigValues } from "./topic-configs.ts";

/** Before its name in the key of a topic's row. */
export const TOPIC_KEY_PREFIX = "topic/";

export function topicKey(name: string): string {
  return TOPIC_KEY_PREFIX + name;
}

/** What the state store keeps of a topic, as JSON. */
export interface TopicState {
  /** A uuid; never changes, and a topic that is created again gets another. */
  id: string;
  partitions: number;
  configs: TopicConfigValues;
  createdAtMs: number;
  /**
   * True until records of it are on disk, and with them the names of its folders, or until a graceful shutdown. What a crash takes
   * before that is made again without a word; a folder that is missing later is a loss.
   */
  isBeingMade?: boolean;
  /** While partitions that were added are being made in the same way: how many there were before. Those are not missing without a word. */
  partitionsMade?: number;
}

export interface TopicOptions {
  /** -1: the broker's default. */
  partitions: number;
  configs: TopicConfigValues;
}

export class Topic {
  readonly id: string;
  readonly name: string;
  /** Only ever grows, in place: whoever holds it sees what is added. */
  readonly partitions: readonly Partition[];
  /** What it sets itself. */
  configs: TopicConfigValues;
  readonly #rules: PartitionRules;
  /** The same, for who looks after them. */
  readonly owned: OwnedPartition[];
  #next = 0;

  /** `rules` is what its partitions obey. */
  constructor(name: string, state: TopicState, partitions: readonly OwnedPartition[], rules: PartitionRules) {
    this.id = state.id;
    this.name = name;
    this.owned = [...partitions];
    this.partitions = this.owned;
    this.configs = state.configs;
    this.#rules = rules;
  }

  /** Opened with the rules of this topic. */
  get rules(): PartitionRules {
    return this.#rules;
  }

  /** There for everyone from now on. */
  grow(added: readonly OwnedPartition[]): void {
    for (const partition of added) {
      if (partition.index !== this.owned.length) fail("partitions of a topic are numbered without a gap");
      this.owned.push(partition);
    }
  }

  /** What its partitions obey, from now on. */
  obey(rules: PartitionRules): void {
    Object.assign(this.#rules, rules);
  }

  /** The largest producer id that a partition remembers; -1 when there is none. */
  get producerIdMax(): number {
    let largest = -1;
    for (const { producerIdMax } of this.owned) largest = Math.max(largest, producerIdMax);
    return largest;
  }

  /** Where a message without a key goes: each partition in turn. */
  nextPartition(): Partition {
    this.#next = (this.#next + 1) % this.partitions.length;
    return this.partitions[this.#next]!;
  }

  /** As `OwnedPartition.whenUsed`, for each partition from number `first` on. */
  whenUsed(listener: UseListener, first = 0): void {
    for (const partition of this.owned.slice(first)) partition.whenUsed(listener);
  }

  retire(): void {
    for (const partition of this.owned) partition.retire();
  }

  restore(): void {
    for (const partition of this.owned) partition.restore();
  }

  close(): void {
    for (const partition of this.owned) partition.close();
  }
}

/** One topic: what is kept of it in the state, what may be asked of a new one, and its partitions while it is open. */

import type { Partition } from "./partition.ts";

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
  configs: Record<string, string>;
  createdAtMs: number;
  /**
   * True until records of it are on disk, and with them the names of its folders, or until an orderly stop. What a crash takes
   * before that is made again without a word; a folder that is missing later is a loss.
   */
  isBeingMade?: boolean;
}

export interface TopicOptions {
  /** -1: the broker's default. */
  partitions: number;
  configs: Record<string, string>;
}

export class Topic {
  readonly id: string;
  readonly name: string;
  readonly partitions: readonly Partition[];
  readonly configs: Readonly<Record<string, string>>;
  #next = 0;

  constructor(name: string, state: TopicState, partitions: readonly Partition[]) {
    this.id = state.id;
    this.name = name;
    this.partitions = partitions;
    this.configs = state.configs;
  }

  /** Where a message without a key goes: each partition in turn. */
  nextPartition(): Partition {
    this.#next = (this.#next + 1) % this.partitions.length;
    return this.partitions[this.#next]!;
  }
}

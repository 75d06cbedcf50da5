/** How many topics and partitions there are, with those that are being made, and how many there may be. */

import { ObeliskError } from "../base/errors.ts";

export class TopicLimits {
  readonly #topicsMax: number;
  readonly #partitionsMax: number;
  #topics = 0;
  partitions = 0;

  constructor(topicsMax: number, partitionsMax: number) {
    this.#topicsMax = topicsMax;
    this.#partitionsMax = partitionsMax;
  }

  add(partitions: number): void {
    this.#topics += 1;
    this.partitions += partitions;
  }

  /** One topic has so many more, or fewer. */
  grow(partitions: number): void {
    this.partitions += partitions;
  }

  remove(partitions: number): void {
    this.#topics -= 1;
    this.partitions -= partitions;
  }

  /** @throws ObeliskError POLICY_VIOLATION when one more topic of so many partitions is one too many */
  check(name: string, partitions: number): void {
    if (this.#topics >= this.#topicsMax) {
      throw new ObeliskError("POLICY_VIOLATION", {
        detail: "the limit of topics is reached",
        remedy: "remove topics or raise topics-max",
        topic: name,
        limit: this.#topicsMax,
      });
    }
    this.checkGrowth(name, partitions);
  }

  /** @throws ObeliskError POLICY_VIOLATION when so many more partitions are too many */
  checkGrowth(name: string, partitions: number): void {
    if (this.partitions + partitions > this.#partitionsMax) {
      throw new ObeliskError("POLICY_VIOLATION", {
        detail: `${partitions} more partitions are over the limit of partitions`,
        remedy: "remove topics, ask for fewer partitions or raise partitions-max",
        topic: name,
        limit: this.#partitionsMax,
      });
    }
  }
}

/**
 * Which topics there must be, judged from outside.
 *
 *     there      created, and confirmed: every start finds it, with what its partitions owe
 *     unsure     a removal began, and a crash or a refusal came between: the next start decides
 *     removed    confirmed: never seen again
 *
 * A topic whose creation was under way when a life ended may be found or not, empty in any case.
 */

import type { Topic } from "../../src/broker/topic.ts";
import type { Judge } from "./judge.ts";
import { PartitionOracle } from "./partition-oracle.ts";

export interface TopicOracle {
  readonly id: string;
  readonly name: string;
  readonly partitions: readonly PartitionOracle[];
  outcome: "there" | "unsure" | "removed";
}

export class TopicsOracle {
  readonly #judge: Judge;
  readonly #isSyncedLater: boolean;
  readonly #isDurable: (topic: string, partition: number, bytes: Buffer) => boolean;
  readonly #byId = new Map<string, TopicOracle>();

  constructor(
    judge: Judge,
    isDurable: (topic: string, partition: number, bytes: Buffer) => boolean,
    isSyncedLater: boolean,
  ) {
    this.#judge = judge;
    this.#isSyncedLater = isSyncedLater;
    this.#isDurable = isDurable;
  }

  /** Those that are there, as far as one can know. */
  get there(): TopicOracle[] {
    return [...this.#byId.values()].filter(({ outcome }) => outcome === "there");
  }

  powerCut(): void {
    for (const { partitions } of this.#byId.values())
      for (const partition of partitions) partition.powerCut();
  }

  byId(id: string): TopicOracle | undefined {
    return this.#byId.get(id);
  }

  created(topic: Topic): void {
    const known = this.#byId.get(topic.id);
    if (known !== undefined) {
      known.outcome = "there";
      return;
    }
    const { id, name } = topic;
    const partitions = topic.partitions.map(({ index }) => {
      const isDurable = (bytes: Buffer) => this.#isDurable(name, index, bytes);
      return new PartitionOracle(`${name}-${index}`, this.#judge, isDurable, this.#isSyncedLater);
    });
    this.#byId.set(id, { id, name, partitions, outcome: "there" });
  }

  /** What a new life has found is compared with what must be there. */
  found(topics: readonly Topic[]): void {
    for (const topic of topics) {
      const known = this.#byId.get(topic.id);
      if (known?.outcome === "removed")
        this.#judge.broken(`topic ${topic.name} was removed and is there again`);
      const partitions = known?.partitions.length ?? topic.partitions.length;
      if (partitions !== topic.partitions.length)
        this.#judge.broken(
          `topic ${topic.name} has ${topic.partitions.length} of its ${partitions} partitions`,
        );
      this.created(topic);
    }
    const ids = new Set(topics.map(({ id }) => id));
    for (const topic of this.#byId.values()) {
      if (ids.has(topic.id)) continue;
      if (topic.outcome === "there") this.#judge.broken(`topic ${topic.name} is gone, and nobody removed it`);
      topic.outcome = "removed";
    }
  }
}

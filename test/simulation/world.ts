/**
 * What outlives the lives of a broker: its disk, its state, the time, those who use it, and what it owes them.
 */

import { MemoryState } from "../../src/storage/memory/state.ts";
import { randomOf } from "../support/random.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";
import { Judge, STEPS_KEPT } from "./judge.ts";
import { Life } from "./life.ts";
import type { PartitionOracle } from "./partition-oracle.ts";
import { SimulatedProducer } from "./producer.ts";
import type { Profile } from "./profile.ts";
import { TopicsOracle } from "./topics-oracle.ts";

const START_MS = 1_700_000_000_000;

export class World {
  readonly profile: Profile;
  readonly random: () => number;
  readonly judge: Judge;
  readonly topics: TopicsOracle;
  readonly state = new MemoryState();
  disk: SimulatedFiles;
  life: Life;
  timeMs = START_MS;
  /** For tests of the simulation itself: plants a fault in a life that begins. */
  readonly plant: (life: Life) => void;
  readonly #producers = new Map<PartitionOracle, SimulatedProducer[]>();
  #ids = 0;
  #producerIds = 0;

  constructor(profile: Profile, stepsMax = STEPS_KEPT, plant: (life: Life) => void = () => {}) {
    this.profile = profile;
    this.plant = plant;
    this.judge = new Judge(stepsMax);
    this.random = randomOf(profile.seed);
    this.topics = new TopicsOracle(
      this.judge,
      (topic, partition, bytes) => this.life.files.isDurable(`/data/topics/${topic}/${partition}`, bytes),
      profile.isSyncedLater,
    );
    this.disk = new SimulatedFiles(profile.seed ^ 0xd15c, profile.hasSyncAll);
    this.life = new Life(this);
  }

  newId(): string {
    this.#ids += 1;
    return `00000000-0000-4000-8000-${String(this.#ids).padStart(12, "0")}`;
  }

  /** Two of each partition: an idempotent one and a plain one. */
  producersOf(partition: PartitionOracle): readonly SimulatedProducer[] {
    let producers = this.#producers.get(partition);
    if (producers === undefined) {
      this.#producerIds += 1;
      producers = [new SimulatedProducer(partition, this.#producerIds), new SimulatedProducer(partition, -1)];
      this.#producers.set(partition, producers);
    }
    return producers;
  }

  /**
   * The power or the process is gone: what the life does from now on counts for nothing. A file system that takes nothing more is
   * mounted again, which is as if the power had gone.
   */
  endLife(end: "crash" | "kill"): void {
    if (this.life.isOver) return;
    const how = this.life.weather.isDown ? "crash" : end;
    this.judge.record(how === "crash" ? "the power is gone" : "the process is gone");
    this.life.isOver = true;
    if (how === "crash") this.topics.powerCut();
    this.life.weather.isBad = false;
    this.disk = how === "crash" ? this.life.files.crash() : this.life.files.kill();
    for (const producers of this.#producers.values())
      for (const producer of producers) producer.disconnect(how === "crash" && this.profile.isSyncedLater);
  }

  /** Another one begins, on what the last has left. */
  async nextLife(): Promise<Life> {
    await this.life.scheduler.finish();
    this.timeMs = this.life.clock.steadyMs() + 1 + Math.floor(this.random() * 5000);
    this.life = new Life(this);
    return this.life;
  }
}

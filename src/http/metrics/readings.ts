/**
 * One reading of everything that is told: made when somebody asks, in slices of the loop's time, and the same for all who ask while it
 * is made. O(partitions).
 */

import type { StorageSpace } from "../../storage/contract.ts";
import { type HealthReport, reportHealth } from "../health.ts";
import { GroupLags, type GroupLagsReading } from "./group-lags.ts";
import { NamedTopics, type TopicsReading } from "./named-topics.ts";
import type { ListenerActivity, MetricsParts } from "./parts.ts";

export interface Reading {
  readonly parts: MetricsParts;
  readonly activity: ListenerActivity;
  readonly health: HealthReport;
  readonly topics: TopicsReading;
  /** Null where there is no bound, or it cannot be queried. */
  readonly space: StorageSpace | null;
  readonly openDescriptors: number | null;
  /** As it was at the last look. */
  readonly lags: GroupLagsReading;
}

export class Readings {
  readonly #parts: MetricsParts;
  readonly #namedTopics: NamedTopics;
  readonly #lags: GroupLags;
  #underWay: Promise<Reading> | null = null;

  constructor(parts: MetricsParts) {
    this.#parts = parts;
    this.#namedTopics = new NamedTopics(parts.seriesLimits.topicsMax);
    this.#lags = new GroupLags(parts.groupLags, parts.seriesLimits.groupsMax, parts.clock);
  }

  read(): Promise<Reading> {
    this.#underWay ??= this.#read().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  /** The same, after another look at groups' lag if one is due. For one caller at a time. */
  async readWithLags(): Promise<Reading> {
    if (this.#lags.isDue) await this.#lags.look();
    return await this.read();
  }

  async #read(): Promise<Reading> {
    const parts = this.#parts;
    const { broker } = parts;
    const openDescriptors = await parts.process.openDescriptors();
    const topics = await this.#namedTopics.read(broker.topics.each(), broker.counters.traffic);
    return {
      parts,
      activity: parts.activity(),
      health: reportHealth(parts, parts.clock.nowMs()),
      topics,
      space: broker.engine.space() ?? null,
      openDescriptors,
      lags: this.#lags.latest,
    };
  }
}

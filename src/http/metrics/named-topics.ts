/**
 * Which topics have series of their own, and what is told of all others together. The largest are named, by the bytes that they keep; one
 * that is named stays so until another one has twice as much, so that series do not come and go.
 *
 * Counters of what is summed never go back, or whoever takes a rate of them would see a burst where a topic is only named:
 *
 *     summed = everything that was counted - what named topics have counted since they are named
 *
 *     topic t      |== 100 ==|== 40 ==|                is named here, with all that it has counted
 *     t alone                140                       in its own series
 *     (other)      ... 100 .......................     what it has counted before stays in the sum
 *
 * A topic that was never in a sum that was told is counted in its own series alone. What is told goes from reading to reading, of
 * which there are few; topics are walked in slices of the loop's time, O(partitions).
 */

import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Topic } from "../../broker/topic.ts";
import { Traffic } from "../../broker/traffic.ts";
import { Largest } from "./largest.ts";

/** No topic has this name. */
export const OTHER_TOPICS = "(other)";
/** Partitions that are looked at between two looks at the clock: some 20 us. */
const PARTITIONS_A_LOOK = 128;
/** How much more another topic must have to take a name away. */
const STAY_FACTOR = 2;
const COUNTED = ["recordsIn", "bytesIn", "recordsOut", "bytesOut"] as const;

/** What is told of a topic, or of several. */
export class TopicReading extends Traffic {
  readonly name: string;
  /** Bytes that are kept, and records by their offsets. */
  bytes = 0;
  records = 0;
  partitions = 0;
  /** How many topics these are. */
  topics = 0;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

export interface TopicsReading {
  /** The largest first. */
  readonly named: readonly Named[];
  readonly other: TopicReading;
  readonly all: TopicReading;
}

interface Named {
  readonly topic: Topic;
  readonly reading: TopicReading;
}

export class NamedTopics {
  readonly #max: number;
  /** What each had counted when it was named. */
  #bases = new Map<Topic, Traffic>();
  /** Topics that were in the sum. */
  readonly #summed = new WeakSet<Topic>();
  /** What topics have counted while they were named that are so no longer. */
  readonly #left = new Traffic();
  /** As it was told last: topics are not read all at once, and it must not go back. */
  readonly #told = new Traffic();

  constructor(max: number) {
    this.#max = max;
  }

  /** One reading at a time. `whole`: what all topics have counted, those that are gone too. */
  async read(topics: Iterable<Topic>, whole: Traffic): Promise<TopicsReading> {
    const all = new TopicReading("");
    const largest = new Largest<Named>(this.#max);
    const share = new TurnShare();
    let looked = 0;
    for (const topic of topics) {
      const reading = new TopicReading(topic.name);
      for (const partition of topic.partitions) {
        add(reading, partition.traffic);
        reading.bytes += partition.bytes;
        reading.records += partition.highWatermark - partition.startOffset;
        looked += 1;
        if (looked % PARTITIONS_A_LOOK === 0 && share.isUsedUp) await share.rest();
      }
      reading.partitions = topic.partitions.length;
      reading.topics = 1;
      addSizes(all, reading, 1);
      const rank = (reading.bytes + 1) * (this.#bases.has(topic) ? STAY_FACTOR : 1);
      const summed = largest.offer({ topic, reading }, rank);
      if (summed !== null) this.#summed.add(summed.topic);
    }
    add(all, whole);
    const named = largest.items;
    return { named, other: this.#sum(all, named), all };
  }

  #sum(all: TopicReading, named: readonly Named[]): TopicReading {
    const other = new TopicReading(OTHER_TOPICS);
    addSizes(other, all, 1);
    add(other, all);
    const bases = new Map<Topic, Traffic>();
    for (const { topic, reading } of named) {
      const base = this.#bases.get(topic) ?? this.#baseOf(topic, reading);
      bases.set(topic, base);
      addSizes(other, reading, -1);
      for (const each of COUNTED) other[each] -= reading[each] - base[each];
    }
    for (const [topic, base] of this.#bases) if (!bases.has(topic)) this.#leave(topic, base);
    this.#bases = bases;
    for (const each of COUNTED) {
      this.#told[each] = Math.max(this.#told[each], other[each] - this.#left[each]);
      other[each] = this.#told[each];
    }
    return other;
  }

  #baseOf(topic: Topic, reading: TopicReading): Traffic {
    const base = new Traffic();
    if (this.#summed.has(topic)) add(base, reading);
    return base;
  }

  /** It was removed, or another one has its place. */
  #leave(topic: Topic, base: Traffic): void {
    for (const { traffic } of topic.partitions) add(this.#left, traffic);
    for (const each of COUNTED) this.#left[each] -= base[each];
  }
}

function add(sum: Traffic, traffic: Traffic): void {
  sum.recordsIn += traffic.recordsIn;
  sum.bytesIn += traffic.bytesIn;
  sum.recordsOut += traffic.recordsOut;
  sum.bytesOut += traffic.bytesOut;
}

function addSizes(sum: TopicReading, reading: TopicReading, sign: 1 | -1): void {
  sum.bytes += sign * reading.bytes;
  sum.records += sign * reading.records;
  sum.partitions += sign * reading.partitions;
  sum.topics += sign * reading.topics;
}

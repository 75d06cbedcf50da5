/**
 * How far groups are behind, as it was at the last look: those with the largest lag by name, all others together. A look is about every
 * committed offset there is, so it is made now and then (`isDue`), and whoever asks is told of the last one. A lag that is not known is
 * told apart from none: `lag` is null, and `unknown` says of how many partitions.
 */

import type { Clock } from "../../base/clock.ts";
import { SECOND_MS } from "../../base/units.ts";
import type { GroupLagTotal } from "../../consumer/group-lag.ts";
import { Largest } from "./largest.ts";

export interface GroupLagsReading {
  /** The largest first; those that are not known last. */
  readonly named: readonly GroupLagTotal[];
  /** All others together. */
  readonly other: GroupLagTotal;
  readonly otherGroups: number;
  readonly all: GroupLagTotal;
  readonly groups: number;
}

/** A group may be called so; then it is in the sum. */
export const OTHER_GROUPS = "(other)";
/** How much more another group must lag to take a name away. */
const STAY_FACTOR = 2;
/** A look takes about 1 us for each offset, and is to take no more than this part of the time. */
const LOOK_PART = 0.02;
const OFFSET_MS = 0.001;
export const LOOK_MS_MIN = 5 * SECOND_MS;

const NONE: GroupLagsReading = {
  named: [],
  other: noLag(OTHER_GROUPS),
  otherGroups: 0,
  all: noLag(""),
  groups: 0,
};

export class GroupLags {
  readonly #totals: () => AsyncIterable<GroupLagTotal>;
  readonly #max: number;
  readonly #clock: Clock;
  #latest = NONE;
  #dueAtMs = Number.NEGATIVE_INFINITY;
  #names = new Set<string>();

  constructor(totals: () => AsyncIterable<GroupLagTotal>, max: number, clock: Clock) {
    this.#totals = totals;
    this.#max = max;
    this.#clock = clock;
  }

  get latest(): GroupLagsReading {
    return this.#latest;
  }

  get isDue(): boolean {
    return this.#clock.monotonicMs() >= this.#dueAtMs;
  }

  /** In slices of the loop's time. One look at a time. */
  async look(): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    const largest = new Largest<GroupLagTotal>(this.#max);
    let other = noLag(OTHER_GROUPS);
    let all = noLag("");
    let [groups, otherGroups] = [0, 0];
    for await (const total of this.#totals()) {
      groups += 1;
      all = sumOf(all, total);
      const summed = total.group === OTHER_GROUPS ? total : largest.offer(total, this.#rankOf(total));
      if (summed === null) continue;
      other = sumOf(other, summed);
      otherGroups += 1;
    }
    const named = largest.items;
    this.#latest = { named, other, otherGroups, all, groups };
    this.#names = new Set(named.map(({ group }) => group));
    const pauseMs = Math.max(LOOK_MS_MIN, (all.partitions * OFFSET_MS) / LOOK_PART);
    this.#dueAtMs = startedMs + pauseMs;
  }

  #rankOf({ group, lag }: GroupLagTotal): number {
    return lag === null ? 0 : (lag + 1) * (this.#names.has(group) ? STAY_FACTOR : 1);
  }
}

function noLag(group: string): GroupLagTotal {
  return { group, lag: null, lagMax: null, partitions: 0, unknown: 0 };
}

function sumOf(sum: GroupLagTotal, total: GroupLagTotal): GroupLagTotal {
  const isKnown = total.lag !== null && total.lagMax !== null;
  return {
    group: sum.group,
    lag: isKnown ? (sum.lag ?? 0) + total.lag : sum.lag,
    lagMax: isKnown ? Math.max(sum.lagMax ?? 0, total.lagMax) : sum.lagMax,
    partitions: sum.partitions + total.partitions,
    unknown: sum.unknown + total.unknown,
  };
}

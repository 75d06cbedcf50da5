/**
 * How far groups are behind: for each partition that a group has committed for, what is committed, where the log ends, and how many offsets
 * lie between. Nothing here waits for a disk, and nothing is kept: it is what the broker knows in this moment.
 *
 *     committed    lag                      unknown
 *     1200         log end - 1200           null
 *     any          0                        null         beyond the end: of records that are lost, or of an earlier topic of the same name
 *     any          null                     "no-topic", "no-partition", "unreadable" (nothing can be asked of the partition)
 *     none         null                     "no-commit"  also -1 and -2, with which kafkajs commits "from the end" and "from the start"
 *
 * The log end is the high watermark, above which nobody reads. A lag counts offsets: after compaction fewer records may be left.
 * What is long goes in slices of the loop's time, so a total is not of one moment.
 */

import type { Clock } from "../base/clock.ts";
import { TurnShare } from "../base/loop/turn-share.ts";
import type { Partition } from "../broker/partition.ts";
import type { CommittedOffset } from "./offset-table.ts";
import type { GroupOffsets } from "./offsets.ts";

/** Why a lag is not known. */
export type LagUnknown = "no-commit" | "no-topic" | "no-partition" | "unreadable";

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** Null: the group has committed nothing for it. */
  readonly committed: CommittedOffset | null;
  /** Null where it cannot be told. */
  readonly logEndOffset: number | null;
  readonly lag: number | null;
  readonly unknown: LagUnknown | null;
}

export interface GroupLagTotal {
  readonly group: string;
  /** Of those that are known; null when none is. */
  readonly lag: number | null;
  /** The largest of one partition; null when none is known. */
  readonly lagMax: number | null;
  /** Partitions that the group has committed for, and those of them whose lag is not known. */
  readonly partitions: number;
  readonly unknown: number;
}

export interface GroupLagParts {
  readonly offsets: GroupOffsets;
  readonly topics: {
    get(
      name: string,
    ): { readonly partitions: readonly Pick<Partition, "highWatermark" | "refusal">[] } | undefined;
  };
  readonly clock: Clock;
}

export class GroupLag {
  readonly #parts: GroupLagParts;

  constructor(parts: GroupLagParts) {
    this.#parts = parts;
  }

  /** Of one partition, whether the group has committed for it or not. */
  of(group: string, topic: string, partition: number): PartitionLag {
    return this.#of(topic, partition, this.#parts.offsets.fetch(group, topic, partition));
  }

  /** Of all that the group has committed for, by topic and partition. */
  async list(group: string): Promise<PartitionLag[]> {
    const share = new TurnShare(this.#parts.clock);
    const listing = await this.#parts.offsets.listing(group);
    const lags: PartitionLag[] = [];
    for (let next = listing.next(); next !== null; next = listing.next()) {
      for (const { partition, committed } of next.partitions) {
        if (share.isUsedUp) await share.rest();
        lags.push(this.#of(next.topic, partition, committed));
      }
    }
    return lags;
  }

  /** Of all that the group has committed for together. */
  async total(group: string): Promise<GroupLagTotal> {
    return this.#total(group, new TurnShare(this.#parts.clock));
  }

  /** Of every group that has committed anything, as they come. About 1 us for each offset, in slices. */
  async *totals(): AsyncGenerator<GroupLagTotal> {
    const share = new TurnShare(this.#parts.clock);
    for (const group of this.#parts.offsets.names()) {
      if (share.isUsedUp) await share.rest();
      const total = await this.#total(group, share);
      if (total.partitions > 0) yield total;
    }
  }

  async #total(group: string, share: TurnShare): Promise<GroupLagTotal> {
    const listing = await this.#parts.offsets.listing(group);
    let [sum, lagMax, partitions, unknown] = [0, 0, 0, 0];
    for (let next = listing.next(); next !== null; next = listing.next()) {
      for (const { partition, committed } of next.partitions) {
        if (share.isUsedUp) await share.rest();
        const { lag } = this.#of(next.topic, partition, committed);
        partitions += 1;
        if (lag === null) unknown += 1;
        else {
          sum += lag;
          lagMax = Math.max(lagMax, lag);
        }
      }
    }
    const isKnown = unknown < partitions;
    return { group, lag: isKnown ? sum : null, lagMax: isKnown ? lagMax : null, partitions, unknown };
  }

  #of(topic: string, partition: number, committed: CommittedOffset | null): PartitionLag {
    const known = this.#parts.topics.get(topic);
    const found = known?.partitions[partition];
    const logEndOffset = found === undefined || found.refusal !== null ? null : found.highWatermark;
    const place = { topic, partition, committed, logEndOffset };
    const unknown = (why: LagUnknown) => ({ ...place, lag: null, unknown: why });
    if (known === undefined) return unknown("no-topic");
    if (found === undefined) return unknown("no-partition");
    if (logEndOffset === null) return unknown("unreadable");
    if (committed === null || committed.offset < 0) return unknown("no-commit");
    return { ...place, lag: Math.max(0, logEndOffset - committed.offset), unknown: null };
  }
}

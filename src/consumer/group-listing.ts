/**
 * Everything that a group has committed, topic by topic, for responses that are too large to be made in one turn.
 *
 *     rows of the group, as they come      t0 u3 t1 u0 a7 ...
 *     sorted into topics, in slices        a [7]   t [0, 1]   u [0, 3]
 *     handed out, one topic at a time      ^ next()
 *
 *   - Each topic is handed out as it is when its turn comes: whole, or not at all when it was removed meanwhile.
 *   - Rows are numbers, 4 bytes each, twice while they are sorted: a million offsets take 8 MB here, whatever their metadata.
 */

import { nextTurn } from "../base/loop/turns.ts";
import type { CommittedOffset, OffsetTable } from "./offset-table.ts";

/** About 2 ms. */
const ROWS_A_TURN = 65_536;

export interface TopicOffsets {
  readonly topic: string;
  /** By partition, at least one. */
  readonly partitions: readonly { readonly partition: number; readonly committed: CommittedOffset }[];
}

export class GroupListing {
  /** How many offsets there were, over all topics. */
  readonly count: number;
  /** By name, the next one last. */
  readonly #topics: { readonly topic: string; readonly rows: Int32Array }[];
  readonly #table: OffsetTable;
  readonly #group: string;
  readonly #isHidden: (topic: string) => boolean;

  private constructor(
    table: OffsetTable,
    group: string,
    isHidden: (topic: string) => boolean,
    count: number,
    topics: { readonly topic: string; readonly rows: Int32Array }[],
  ) {
    this.#table = table;
    this.#group = group;
    this.#isHidden = isHidden;
    this.count = count;
    this.#topics = topics;
  }

  static async open(
    table: OffsetTable,
    group: string,
    isHidden: (topic: string) => boolean,
  ): Promise<GroupListing> {
    const rows = Int32Array.from(table.rowsOf(group));
    const topicOf = (row: number) => (table.isOf(row, group) ? table.topicOf(row) : null);
    const counts = new Map<string, number>();
    for (const [slot, row] of rows.entries()) {
      if (slot % ROWS_A_TURN === ROWS_A_TURN - 1) await nextTurn();
      const topic = topicOf(row);
      if (topic !== null) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    }
    const found = new Map<string, { rows: Int32Array; end: number }>();
    for (const [topic, count] of counts) found.set(topic, { rows: new Int32Array(count), end: 0 });
    for (const [slot, row] of rows.entries()) {
      if (slot % ROWS_A_TURN === ROWS_A_TURN - 1) await nextTurn();
      const place = found.get(topicOf(row) ?? "");
      if (place === undefined || place.end === place.rows.length) continue;
      place.rows[place.end] = row;
      place.end += 1;
    }
    const topics = [...found].map(([topic, { rows: own, end }]) => ({ topic, rows: own.subarray(0, end) }));
    topics.sort((left, right) => (left.topic > right.topic ? -1 : 1));
    return new GroupListing(table, group, isHidden, rows.length, topics);
  }

  /** The next topic with what is committed for it; null when there are no more. O(its partitions) */
  next(): TopicOffsets | null {
    for (let found = this.#topics.pop(); found !== undefined; found = this.#topics.pop()) {
      const { topic, rows } = found;
      if (this.#isHidden(topic)) continue;
      const partitions = this.#partitionsOf(topic, rows);
      if (partitions.length > 0) return { topic, partitions };
    }
    return null;
  }

  /** A row may have been given to somebody else meanwhile. */
  #partitionsOf(topic: string, rows: Int32Array): { partition: number; committed: CommittedOffset }[] {
    const table = this.#table;
    const own = rows.filter((row) => table.isOf(row, this.#group) && table.topicOf(row) === topic);
    own.sort((left, right) => table.partitionOf(left) - table.partitionOf(right));
    return Array.from(own, (row) => ({
      partition: table.partitionOf(row),
      committed: table.committedAt(row),
    }));
  }
}

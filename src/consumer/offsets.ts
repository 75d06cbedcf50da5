/**
 * Committed offsets of consumer groups. All of them are in memory (offset-table.ts); the state store holds the durable copy:
 *
 *     "offset/GROUP/TOPIC/PARTITION" -> {"offset":42,"leaderEpoch":0,"metadata":"","committedAtMs":1700000000000}
 *
 * (names percent-encoded, so that a slash in a group name cannot leave its place)
 *
 * Promises
 *   - `commit` resolves when the commit is durable; only then do `fetch` and `list` see it.
 *   - Of two commits to the same partition the one that was called last wins, in memory as in the store.
 *   - An entry that cannot be read at start is left alone and reported; it never stops the start.
 *   - When a topic is removed its committed offsets go too, also those that were still on their way. What the store refuses to
 *     remove stays here as well, so that it can be removed again.
 *   - What is stored already is always loaded; what would go beyond a limit is refused before it is written.
 *
 * It knows nothing of members and generations: the coordinator decides who may commit, this decides what is kept.
 */

import type { Clock } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import { KiB, MiB } from "../base/units.ts";
import type { StateChange, StateStore } from "../storage/contract.ts";
import { type CommittedOffset, OffsetTable } from "./offset-table.ts";

/** As Kafka's `offset.metadata.max.bytes`, which counts UTF-16 units: room for a note, not for a payload. */
export const OFFSET_METADATA_LENGTH_MAX = 4096;
/** Group names are keys in memory and in the store; real ones are far below. */
export const GROUP_NAME_BYTES_MAX = 1 * KiB;
/**
 * 70 MB of rows in memory, and names. Measured with 900,000 on a server at rest: 105 MB for 900 groups with 1,000 partitions each,
 * 300 MB where every group has one.
 */
export const COMMITTED_OFFSETS_MAX = 1_000_000;
/**
 * Names of groups and topics, and notes, of all offsets together. Without it a million notes of 4 KiB would take 4 GiB. It is 64
 * bytes for each offset that there may be; clients leave no note, or a few bytes.
 */
export const OFFSET_TEXT_BYTES_MAX = 64 * MiB;
/** Rows that are read together at the start: what is read takes ten times the memory of what is kept. */
const LOAD_ROWS = 10_000;

const KEY_PREFIX = "offset/";

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly committed: CommittedOffset;
}

export class GroupOffsets {
  readonly #state: StateStore;
  readonly #clock: Clock;
  readonly #table = new OffsetTable();
  readonly #pending = new Set<Promise<void>>();
  /** Keys of entries that could not be read at start. They stay in the store until they are overwritten. */
  readonly unreadable: string[] = [];
  /** The number of the last commit call: a late completion must not undo a later commit. */
  #serial = 0;
  /** Offsets and text of the commits that are being written. */
  #pendingRows = 0;
  #pendingTextBytes = 0;

  private constructor(state: StateStore, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** Loads everything that was committed, also for topics that are not there (yet). */
  static async open(state: StateStore, clock: Clock): Promise<GroupOffsets> {
    const offsets = new GroupOffsets(state, clock);
    let after = "";
    for (;;) {
      const page = await state.page(KEY_PREFIX, after, LOAD_ROWS);
      for (const { key, value } of page) offsets.#load(key, value);
      const last = page.at(-1);
      if (last === undefined) return offsets;
      after = last.key;
    }
  }

  /** How many partitions have a committed offset, over all groups. */
  get count(): number {
    return this.#table.count;
  }

  /** UTF-8 bytes of all names and notes. */
  get textBytes(): number {
    return this.#table.textBytes;
  }

  /**
   * Makes the commits durable, all or none.
   * @throws ObeliskError INVALID_GROUP_ID, POLICY_VIOLATION (too many, or too much text), STATE_UNUSABLE
   */
  async commit(group: string, commits: readonly OffsetToCommit[]): Promise<void> {
    if (commits.length === 0) return;
    if (Buffer.byteLength(group) > GROUP_NAME_BYTES_MAX) {
      throw new ObeliskError("INVALID_GROUP_ID", { limit: GROUP_NAME_BYTES_MAX });
    }
    const { rows, textBytes } = this.#additions(group, commits);
    if (rows > 0 && rows > COMMITTED_OFFSETS_MAX - this.count - this.#pendingRows)
      throw overLimit("too many committed offsets", COMMITTED_OFFSETS_MAX);
    if (textBytes > 0 && textBytes > OFFSET_TEXT_BYTES_MAX - this.textBytes - this.#pendingTextBytes)
      throw overLimit("the names and notes of committed offsets take too many bytes", OFFSET_TEXT_BYTES_MAX);
    this.#pendingRows += rows;
    this.#pendingTextBytes += textBytes;
    try {
      await this.#track(this.#commit(group, commits));
    } finally {
      this.#pendingRows -= rows;
      this.#pendingTextBytes -= textBytes;
    }
  }

  /** What the group committed for the partition, or null. */
  fetch(group: string, topic: string, partition: number): CommittedOffset | null {
    const row = this.#table.find(group, topic, partition);
    return row === -1 ? null : this.#table.committedAt(row);
  }

  /** Everything the group committed, by topic and partition. */
  list(group: string): PartitionOffset[] {
    const table = this.#table;
    const listed = table.rowsOf(group).map((row) => ({
      topic: table.topicOf(row),
      partition: table.partitionOf(row),
      committed: table.committedAt(row),
    }));
    return listed.sort(byPlace);
  }

  /** Groups with at least one committed offset, sorted. */
  groups(): string[] {
    return [...this.#table.groups()].sort();
  }

  /** Forgets all that the group committed. */
  removeGroup(group: string): Promise<void> {
    return this.#remove(() => this.#table.rowsOf(group));
  }

  /** Forgets what every group committed for the topic. Call it when the topic takes no more commits. */
  removeTopic(topic: string): Promise<void> {
    return this.#remove(() => this.#table.rowsOfTopic(topic));
  }

  async #commit(group: string, commits: readonly OffsetToCommit[]): Promise<void> {
    const serial = (this.#serial += 1);
    const committedAtMs = this.#clock.nowMs();
    const changes: StateChange[] = [];
    for (const { topic, partition, offset, leaderEpoch, metadata } of commits) {
      const value = JSON.stringify({ offset, leaderEpoch, metadata, committedAtMs });
      changes.push({ key: keyOf(group, topic, partition), value });
    }
    await this.#state.change(changes);
    for (const { topic, partition, offset, leaderEpoch, metadata } of commits) {
      this.#store(group, topic, partition, { offset, leaderEpoch, metadata, committedAtMs }, serial);
    }
  }

  /** `find` is asked when nothing is on its way any more. */
  async #remove(find: () => readonly number[]): Promise<void> {
    await Promise.allSettled([...this.#pending]);
    const table = this.#table;
    const removed = find().map((row) => ({
      group: table.groupOf(row),
      topic: table.topicOf(row),
      partition: table.partitionOf(row),
      serial: table.serialOf(row),
    }));
    const changes = removed.map(({ group, topic, partition }) => ({
      key: keyOf(group, topic, partition),
      value: null,
    }));
    if (changes.length > 0) await this.#state.change(changes);
    for (const { group, topic, partition, serial } of removed) {
      const row = table.find(group, topic, partition);
      // It may have been removed, or committed again, meanwhile.
      if (row !== -1 && table.serialOf(row) === serial) table.remove(row);
    }
  }

  #load(key: string, value: string): void {
    const place = parseKey(key);
    const committed = parseValue(value);
    if (place === null || committed === null) this.unreadable.push(key);
    else this.#store(place.group, place.topic, place.partition, committed, 0);
  }

  #store(group: string, topic: string, partition: number, committed: CommittedOffset, serial: number): void {
    const known = this.#table.find(group, topic, partition);
    if (known !== -1 && this.#table.serialOf(known) > serial) return;
    this.#table.set(known === -1 ? this.#table.add(group, topic, partition) : known, committed, serial);
  }

  /** What the commits would take beyond what is there, at most: a partition or a name that stands twice in them counts twice. */
  #additions(group: string, commits: readonly OffsetToCommit[]): { rows: number; textBytes: number } {
    let rows = 0;
    let textBytes = 0;
    for (const { topic, partition, metadata } of commits) {
      const row = this.#table.find(group, topic, partition);
      const noteBytes = Buffer.byteLength(metadata);
      if (row === -1) {
        rows += 1;
        textBytes += noteBytes + Buffer.byteLength(topic);
      } else textBytes += Math.max(0, noteBytes - this.#table.noteBytesOf(row));
    }
    return { rows, textBytes: rows > 0 ? textBytes + Buffer.byteLength(group) : textBytes };
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#pending.add(work);
    try {
      await work;
    } finally {
      this.#pending.delete(work);
    }
  }
}

/** The state store's key of a committed offset. */
export function keyOf(group: string, topic: string, partition: number): string {
  return `${KEY_PREFIX}${encode(group)}/${encode(topic)}/${partition}`;
}

function encode(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

function parseKey(key: string): { group: string; topic: string; partition: number } | null {
  const parts = key.slice(KEY_PREFIX.length).split("/");
  if (parts.length !== 3 || !/^\d{1,10}$/.test(parts[2]!) || !isInt32(Number(parts[2]))) return null;
  try {
    return {
      group: decodeURIComponent(parts[0]!),
      topic: decodeURIComponent(parts[1]!),
      partition: Number(parts[2]),
    };
  } catch (thrown) {
    if (thrown instanceof URIError) return null;
    throw thrown;
  }
}

function parseValue(value: string): CommittedOffset | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
  if (typeof parsed !== "object" || parsed === null) return null;
  const { offset, leaderEpoch = -1, metadata = "", committedAtMs = 0 } = parsed as Record<string, unknown>;
  if (!Number.isSafeInteger(offset) || !isInt32(leaderEpoch)) return null;
  if (typeof metadata !== "string" || typeof committedAtMs !== "number") return null;
  return { offset: offset as number, leaderEpoch, metadata, committedAtMs };
}

function byPlace(left: PartitionOffset, right: PartitionOffset): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1;
  return left.partition - right.partition;
}

function isInt32(value: unknown): value is number {
  return typeof value === "number" && (value | 0) === value;
}

function overLimit(detail: string, limit: number): ObeliskError {
  return new ObeliskError("POLICY_VIOLATION", { detail, limit });
}

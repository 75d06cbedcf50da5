/**
 * Committed offsets of consumer groups. All of them are in memory (offset-table.ts); the state store holds the durable copy
 * (offset-entry.ts).
 *
 * Promises
 *   - `commit` resolves when the commit is durable; only then do `fetch` and `list` see it, all of it at once.
 *   - Of two commits to the same partition the one that was called last wins, in memory as in the store.
 *   - An entry that cannot be read at start is left alone and reported; it never stops the start.
 *   - When a topic is removed its committed offsets are hidden at once (`hideTopic`) and go in slices (`removeTopic`), also those that
 *     were still on their way. What the store refuses to remove stays, hidden, so that it can be removed again. Nobody commits to a
 *     topic that is hidden.
 *   - What is stored already is always loaded; what would go beyond a limit is refused before it is written.
 *   - What a commit, a removal or a listing does in one turn is bounded, however many offsets it is about; only a single commit
 *     becomes visible in one.
 *
 * It knows nothing of members and generations: the coordinator decides who may commit, this decides what is kept.
 */

import type { Clock } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import { nextTurn, Turnstile } from "../base/loop/turns.ts";
import { KiB, MiB } from "../base/units.ts";
import type { StateChange, StateEntry, StateStore } from "../storage/contract.ts";
import { GroupListing } from "./group-listing.ts";
import { encodeOffset, keyOf, OFFSET_KEY_PREFIX, readEntry } from "./offset-entry.ts";
import { type CommittedOffset, OffsetTable } from "./offset-table.ts";

/** As Kafka's `offset.metadata.max.bytes`, which counts UTF-16 units: room for a remark, not for a payload. */
export const OFFSET_METADATA_LENGTH_MAX = 4096;
/** Group names are keys in memory and in the store; real ones are far below. */
export const GROUP_NAME_BYTES_MAX = 1 * KiB;
/**
 * 70 MB of rows in memory, and names. Measured with 900,000 on a server at rest: 105 MB for 900 groups with 1,000 partitions each,
 * 300 MB where every group has one.
 */
export const COMMITTED_OFFSETS_MAX = 1_000_000;
/**
 * Names of groups and topics, and metadata, of all offsets together. Without it a million of 4 KiB would take 4 GiB. It is 64
 * bytes for each offset that there may be; clients leave none, or a few bytes.
 */
export const OFFSET_TEXT_BYTES_MAX = 64 * MiB;
/**
 * Metadata of one commit together: SQLite ends its transaction in one piece, and moves it into the file in another, some 35 ms for so much
 * in the worst case. Kafka refuses what goes beyond the largest batch of its own topic, 1 MiB.
 */
export const COMMIT_TEXT_BYTES_MAX = 16 * MiB;
/**
 * Offsets of all commits that wait for the disk together: they are held as they came, with some 500 bytes each. Beyond them a client
 * is told to try again.
 */
export const PENDING_COMMITS_MAX = 262_144;
/** Rows that are read together at the start: what is read takes ten times the memory of what is kept. */
const LOAD_ROWS = 10_000;
/** Offsets of one commit that are encoded in a turn: with the longest metadata 500 KB, and some 2 ms. */
const ENCODED_A_TURN = 128;
/** Rows that a removal takes away in a turn, and looks at: about 5 ms, and 1 ms. */
const REMOVED_A_TURN = 2048;
const LOOKED_AT_A_TURN = 65_536;

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
  /** Topics that are being removed: nobody sees what is left of them. */
  readonly #hidden = new Set<string>();
  /** Groups whose offsets are being removed, all or some: commits to them wait. */
  readonly #removals = new Map<string, Promise<void>>();
  /** One commit at a time is encoded, so that they reach the store in the order of their calls. */
  readonly #encoding = new Turnstile(1);
  /** Commits that are being encoded, or wait for it. */
  #encodingCount = 0;
  /** Keys of entries that could not be read at start. They stay in the store until they are overwritten. */
  readonly unreadable: string[] = [];
  /** The number of the last commit call: a late completion must not undo a later commit. */
  #serial = 0;
  /** Offsets and text of the commits that are being written. */
  #pendingCommits = 0;
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
      const page = await state.page(OFFSET_KEY_PREFIX, after, LOAD_ROWS);
      for (const entry of page) offsets.#load(entry);
      const last = page.at(-1);
      if (last === undefined) return offsets;
      after = last.key;
    }
  }

  /** How many partitions have a committed offset, over all groups. */
  get count(): number {
    return this.#table.count;
  }

  /** UTF-8 bytes of all names and metadata. */
  get textBytes(): number {
    return this.#table.textBytes;
  }

  /**
   * Makes the commits durable, all or none.
   * @throws ObeliskError INVALID_GROUP_ID, INVALID_COMMIT_OFFSET_SIZE, POLICY_VIOLATION (too many, or too much text),
   *   KAFKA_STORAGE_ERROR (too many wait), STATE_UNUSABLE
   */
  async commit(group: string, commits: readonly OffsetToCommit[]): Promise<void> {
    while (this.#removals.has(group)) await this.#removals.get(group);
    await this.#commitNow(group, commits);
  }

  async #commitNow(group: string, commits: readonly OffsetToCommit[]): Promise<void> {
    if (commits.length === 0) return;
    if (Buffer.byteLength(group) > GROUP_NAME_BYTES_MAX) {
      throw new ObeliskError("INVALID_GROUP_ID", { limit: GROUP_NAME_BYTES_MAX });
    }
    if (this.#pendingCommits > 0 && commits.length > PENDING_COMMITS_MAX - this.#pendingCommits)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", {
        detail: "too many commits of offsets wait for the disk",
        limit: PENDING_COMMITS_MAX,
      });
    const { rows, textBytes, metadataBytes } = this.#additions(group, commits);
    if (metadataBytes > COMMIT_TEXT_BYTES_MAX)
      throw new ObeliskError("INVALID_COMMIT_OFFSET_SIZE", { limit: COMMIT_TEXT_BYTES_MAX });
    if (rows > 0 && rows > COMMITTED_OFFSETS_MAX - this.count - this.#pendingRows)
      throw overLimit("too many committed offsets", COMMITTED_OFFSETS_MAX);
    if (textBytes > 0 && textBytes > OFFSET_TEXT_BYTES_MAX - this.textBytes - this.#pendingTextBytes)
      throw overLimit(
        "the names and metadata of committed offsets take too many bytes",
        OFFSET_TEXT_BYTES_MAX,
      );
    this.#pendingCommits += commits.length;
    this.#pendingRows += rows;
    this.#pendingTextBytes += textBytes;
    try {
      await this.#track(this.#commit(group, commits));
    } finally {
      this.#pendingCommits -= commits.length;
      this.#pendingRows -= rows;
      this.#pendingTextBytes -= textBytes;
    }
  }

  /**
   * As `commit`, of commits that are gathered over several turns: topics that are removed meanwhile take away what comes of it.
   * @throws ObeliskError as `commit`, and what `gather` throws
   */
  async commitGathered(group: string, gather: () => Promise<readonly OffsetToCommit[]>): Promise<void> {
    while (this.#removals.has(group)) await this.#removals.get(group);
    await this.#track(gather().then((commits) => this.#commitNow(group, commits)));
  }

  /** What the group committed for the partition, or null. */
  fetch(group: string, topic: string, partition: number): CommittedOffset | null {
    if (this.#isHidden(topic)) return null;
    const row = this.#table.find(group, topic, partition);
    return row === -1 ? null : this.#table.committedAt(row);
  }

  /** Everything the group committed, by topic and partition. For few; `listing` is for many. */
  list(group: string): PartitionOffset[] {
    const table = this.#table;
    const rows = table.rowsOf(group).filter((row) => !this.#isHidden(table.topicOf(row)));
    const listed = rows.map((row) => ({
      topic: table.topicOf(row),
      partition: table.partitionOf(row),
      committed: table.committedAt(row),
    }));
    return listed.sort(byPlace);
  }

  /** Everything the group committed, however much it is, to be taken topic by topic. */
  listing(group: string): Promise<GroupListing> {
    return GroupListing.open(this.#table, group, (topic) => this.#isHidden(topic));
  }

  /** How many partitions the group committed for, and the UTF-8 bytes of their metadata and topics. O(partitions). */
  measure(group: string): { rows: number; textBytes: number } {
    return this.#table.measure(group);
  }

  /** UTF-8 bytes of the metadata of a committed offset. */
  metadataBytes(group: string, topic: string, partition: number): number {
    const row = this.#table.find(group, topic, partition);
    return row === -1 ? 0 : this.#table.metadataBytesOf(row);
  }

  /** Groups with at least one committed offset, sorted. */
  groups(): string[] {
    return [...this.#table.groups()].sort();
  }

  /** The same, as they come. */
  names(): Iterable<string> {
    return this.#table.groups();
  }

  /** Whether the group has a committed offset. */
  has(group: string): boolean {
    return this.#table.hasGroup(group);
  }

  /** Drops all that the group committed. Commits to it wait for that. @throws ObeliskError of the store */
  async removeGroup(group: string): Promise<void> {
    await this.removeWhere(group, () => true);
  }

  /**
   * Drops what the group committed where `isUnwanted` says so, asked once for each offset. Commits to the group wait for that.
   * @throws ObeliskError of the store
   */
  async removeWhere(
    group: string,
    isUnwanted: (topic: string, partition: number, committedAtMs: number) => boolean,
  ): Promise<void> {
    while (this.#removals.has(group)) await this.#removals.get(group);
    const pending = [...this.#pending];
    const removal = Promise.allSettled(pending).then(() => this.#removeWhere(group, isUnwanted));
    const settled = removal.then(ignore, ignore);
    this.#removals.set(group, settled);
    try {
      await removal;
    } finally {
      this.#removals.delete(group);
    }
  }

  async #removeWhere(
    group: string,
    isUnwanted: (topic: string, partition: number, committedAtMs: number) => boolean,
  ): Promise<void> {
    const table = this.#table;
    const rows = table.rowsOf(group);
    for (let start = 0; start < rows.length; start += REMOVED_A_TURN) {
      if (start > 0) await nextTurn();
      const own = rows.slice(start, start + REMOVED_A_TURN).filter((row) => table.isOf(row, group));
      await this.#removeRows(
        own.filter((row) =>
          isUnwanted(table.topicOf(row), table.partitionOf(row), table.committedAtMsOf(row)),
        ),
      );
    }
  }

  /** Nobody sees what was committed for the topic any more. `removeTopic` is to follow, or `showTopic`. */
  hideTopic(topic: string): void {
    this.#hidden.add(topic);
  }

  showTopic(topic: string): void {
    this.#hidden.delete(topic);
  }

  /** Drops what every group committed for the topic, which is hidden until then. Call it when the topic takes no more commits. */
  async removeTopic(topic: string): Promise<void> {
    this.hideTopic(topic);
    await Promise.allSettled([...this.#pending]);
    for (let from: number | null = 0; from !== null; ) {
      const found = this.#table.rowsOfTopic(topic, from, REMOVED_A_TURN, LOOKED_AT_A_TURN);
      await this.#removeRows(found.rows);
      from = found.next;
      if (from !== null) await nextTurn();
    }
    this.showTopic(topic);
  }

  #isHidden(topic: string): boolean {
    return this.#hidden.size > 0 && this.#hidden.has(topic);
  }

  async #commit(group: string, commits: readonly OffsetToCommit[]): Promise<void> {
    const serial = (this.#serial += 1);
    const committedAtMs = this.#clock.steadyMs();
    await this.#write(group, commits, committedAtMs);
    for (const { topic, partition, offset, leaderEpoch, metadata } of commits) {
      this.#store(group, topic, partition, { offset, leaderEpoch, metadata, committedAtMs }, serial);
    }
  }

  /** A small one goes to the store in this turn, unless a large one is before it. */
  async #write(group: string, commits: readonly OffsetToCommit[], committedAtMs: number): Promise<void> {
    if (this.#encodingCount === 0 && commits.length <= ENCODED_A_TURN) {
      await this.#state.change(encodeCommits(group, commits, committedAtMs));
      return;
    }
    this.#encodingCount += 1;
    const [written] = await this.#encoding.run(async () => {
      const changes: StateChange[] = [];
      for (let start = 0; start < commits.length; start += ENCODED_A_TURN) {
        if (start > 0) await nextTurn();
        const some = commits.slice(start, start + ENCODED_A_TURN);
        for (const change of encodeCommits(group, some, committedAtMs)) changes.push(change);
      }
      this.#encodingCount -= 1;
      return [this.#state.change(changes)]; // in an array, so that the next one need not wait for the disk
    });
    await written;
  }

  /** Off the store, then out of the table, unless somebody else has removed them meanwhile or committed again. */
  async #removeRows(rows: readonly number[]): Promise<void> {
    if (rows.length === 0) return;
    const table = this.#table;
    const removed = rows.map((row) => ({
      group: table.groupOf(row),
      topic: table.topicOf(row),
      partition: table.partitionOf(row),
      serial: table.serialOf(row),
    }));
    await this.#state.change(
      removed.map(({ group, topic, partition }) => ({ key: keyOf(group, topic, partition), value: null })),
    );
    for (const { group, topic, partition, serial } of removed) {
      const row = table.find(group, topic, partition);
      if (row !== -1 && table.serialOf(row) === serial) table.remove(row);
    }
  }

  #load(entry: StateEntry): void {
    const stored = readEntry(entry);
    if (stored === null) this.unreadable.push(entry.key);
    else {
      // The clock of an earlier run may have been ahead of this one's.
      const committedAtMs = Math.min(stored.committed.committedAtMs, this.#clock.steadyMs());
      this.#store(stored.group, stored.topic, stored.partition, { ...stored.committed, committedAtMs }, 0);
    }
  }

  #store(group: string, topic: string, partition: number, committed: CommittedOffset, serial: number): void {
    const known = this.#table.find(group, topic, partition);
    if (known !== -1 && this.#table.serialOf(known) > serial) return;
    this.#table.set(known === -1 ? this.#table.add(group, topic, partition) : known, committed, serial);
  }

  /**
   * What the commits would take beyond what is there, at most: a partition or a name that stands twice in them counts twice; and all
   * their metadata.
   */
  #additions(
    group: string,
    commits: readonly OffsetToCommit[],
  ): { rows: number; textBytes: number; metadataBytes: number } {
    let rows = 0;
    let textBytes = 0;
    let metadataBytes = 0;
    for (const { topic, partition, metadata } of commits) {
      const row = this.#table.find(group, topic, partition);
      const bytes = Buffer.byteLength(metadata);
      metadataBytes += bytes;
      if (row === -1) {
        rows += 1;
        textBytes += bytes + Buffer.byteLength(topic);
      } else textBytes += Math.max(0, bytes - this.#table.metadataBytesOf(row));
    }
    return { rows, textBytes: rows > 0 ? textBytes + Buffer.byteLength(group) : textBytes, metadataBytes };
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

function encodeCommits(
  group: string,
  commits: readonly OffsetToCommit[],
  committedAtMs: number,
): StateChange[] {
  return commits.map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
    key: keyOf(group, topic, partition),
    value: encodeOffset({ offset, leaderEpoch, metadata, committedAtMs }),
  }));
}

function ignore(): void {}

function byPlace(left: PartitionOffset, right: PartitionOffset): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1;
  return left.partition - right.partition;
}

function overLimit(detail: string, limit: number): ObeliskError {
  return new ObeliskError("POLICY_VIOLATION", { detail, limit });
}

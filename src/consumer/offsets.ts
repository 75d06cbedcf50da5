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
 *   - What is stored already is always loaded; what would go beyond a limit is refused before it is written (commit-room.ts).
 *   - What a commit, a removal or a listing does in one turn is bounded, however many offsets it is about; only a single commit
 *     becomes visible in one.
 *
 * It knows nothing of members and generations: the coordinator decides who may commit, this decides what is kept.
 */

import type { Clock } from "../base/clock.ts";
import { nextTurn, Turnstile } from "../base/loop/turns.ts";
import type { StateChange, StateEntry, StateStore } from "../storage/contract.ts";
import { CommitRoom } from "./commit-room.ts";
import { GroupListing } from "./group-listing.ts";
import { encodeOffset, keyOf, OFFSET_KEY_PREFIX, readEntry } from "./offset-entry.ts";
import { type CommittedOffset, OffsetTable } from "./offset-table.ts";
import { PendingCommits } from "./pending-commits.ts";

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
  readonly #pending = new PendingCommits();
  readonly #room = new CommitRoom(this.#table);
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
    const size = this.#room.take(group, commits);
    try {
      await this.#pending.track(group, this.#commit(group, commits));
    } finally {
      this.#room.giveBack(size);
    }
  }

  /**
   * As `commit`, of commits that are gathered over several turns: topics that are removed meanwhile take away what comes of it.
   * @throws ObeliskError as `commit`, and what `gather` throws
   */
  async commitGathered(group: string, gather: () => Promise<readonly OffsetToCommit[]>): Promise<void> {
    while (this.#removals.has(group)) await this.#removals.get(group);
    await this.#pending.track(
      group,
      gather().then((commits) => this.#commitNow(group, commits)),
    );
  }

  /**
   * Resolves when every commit to the group that was called before has ended, durable and to be seen, or refused; null: none is on its
   * way. What is fetched then is not older than any of them.
   */
  settled(group: string): Promise<unknown> | null {
    const removal = this.#removals.get(group);
    if (removal === undefined) return this.#pending.ended(group);
    // Commits that wait for the removal began to wait before, so they are on their way by then.
    return removal.then(() => this.settled(group) ?? undefined);
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
    const pending = this.#pending.ended(group) ?? Promise.resolve();
    const removal = pending.then(() => this.#removeWhere(group, isUnwanted));
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
    await this.#pending.allEnded();
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

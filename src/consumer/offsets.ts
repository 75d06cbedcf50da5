/**
 * Committed offsets of consumer groups. All of them are in memory; the state store holds the durable copy:
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
 *
 * It knows nothing of members and generations: the coordinator decides who may commit, this decides what is kept.
 */

import type { Clock } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import { KiB } from "../base/units.ts";
import type { StateChange, StateStore } from "../storage/contract.ts";

/** As Kafka's `offset.metadata.max.bytes`: room for a note, not for a payload. */
export const OFFSET_METADATA_BYTES_MAX = 4 * KiB;
/** Group names are keys in memory and in the store; real ones are far below. */
export const GROUP_NAME_BYTES_MAX = 1 * KiB;
/** About 150 bytes each in memory: the whole table stays below 150 MiB. */
export const COMMITTED_OFFSETS_MAX = 1_000_000;

const KEY_PREFIX = "offset/";

export interface CommittedOffset {
  readonly offset: number;
  /** Epoch of the record before `offset`, -1 when the client did not say. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly committedAtMs: number;
}

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

/** `serial` is the number of the commit call, so that a late completion cannot undo a later commit. */
interface Entry {
  readonly serial: number;
  readonly committed: CommittedOffset;
}

type GroupTable = Map<string, Map<number, Entry>>;

export class GroupOffsets {
  readonly #state: StateStore;
  readonly #clock: Clock;
  readonly #groups = new Map<string, GroupTable>();
  readonly #pending = new Set<Promise<void>>();
  /** Keys of entries that could not be read at start. They stay in the store until they are overwritten. */
  readonly unreadable: string[] = [];
  #serial = 0;
  #count = 0;

  private constructor(state: StateStore, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** Loads everything that was committed, also for topics that are not there (yet). */
  static async open(state: StateStore, clock: Clock): Promise<GroupOffsets> {
    const offsets = new GroupOffsets(state, clock);
    for (const { key, value } of await state.list(KEY_PREFIX)) {
      const place = parseKey(key);
      const committed = parseValue(value);
      if (place === null || committed === null) offsets.unreadable.push(key);
      else offsets.#store(place.group, place.topic, place.partition, { serial: 0, committed });
    }
    return offsets;
  }

  /** How many partitions have a committed offset, over all groups. */
  get count(): number {
    return this.#count;
  }

  /**
   * Makes the commits durable, all or none.
   * @throws ObeliskError INVALID_GROUP_ID, POLICY_VIOLATION (the table is full), STATE_UNUSABLE
   */
  async commit(group: string, commits: readonly OffsetToCommit[]): Promise<void> {
    if (commits.length === 0) return;
    if (Buffer.byteLength(group) > GROUP_NAME_BYTES_MAX) {
      throw new ObeliskError("INVALID_GROUP_ID", { limit: GROUP_NAME_BYTES_MAX });
    }
    if (
      this.#count + commits.length > COMMITTED_OFFSETS_MAX &&
      this.#additions(group, commits) > COMMITTED_OFFSETS_MAX - this.#count
    ) {
      throw new ObeliskError("POLICY_VIOLATION", {
        detail: "too many committed offsets",
        limit: COMMITTED_OFFSETS_MAX,
      });
    }
    await this.#track(this.#commit(group, commits));
  }

  /** What the group committed for the partition, or null. */
  fetch(group: string, topic: string, partition: number): CommittedOffset | null {
    return this.#groups.get(group)?.get(topic)?.get(partition)?.committed ?? null;
  }

  /** Everything the group committed, by topic and partition. */
  list(group: string): PartitionOffset[] {
    const listed: PartitionOffset[] = [];
    for (const [topic, partitions] of this.#groups.get(group) ?? []) {
      for (const [partition, { committed }] of partitions) listed.push({ topic, partition, committed });
    }
    return listed.sort(byPlace);
  }

  /** Groups with at least one committed offset, sorted. */
  groups(): string[] {
    return [...this.#groups.keys()].sort();
  }

  /** Forgets all that the group committed. */
  removeGroup(group: string): Promise<void> {
    return this.#remove((candidate) => candidate === group);
  }

  /** Forgets what every group committed for the topic. Call it when the topic takes no more commits. */
  removeTopic(topic: string): Promise<void> {
    return this.#remove((_, candidate) => candidate === topic);
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
      this.#store(group, topic, partition, {
        serial,
        committed: { offset, leaderEpoch, metadata, committedAtMs },
      });
    }
  }

  async #remove(matches: (group: string, topic: string) => boolean): Promise<void> {
    await Promise.allSettled([...this.#pending]);
    const changes: StateChange[] = [];
    const removed: { group: string; topic: string }[] = [];
    for (const [group, topics] of this.#groups) {
      for (const [topic, partitions] of topics) {
        if (!matches(group, topic)) continue;
        removed.push({ group, topic });
        for (const partition of partitions.keys())
          changes.push({ key: keyOf(group, topic, partition), value: null });
      }
    }
    if (changes.length > 0) await this.#state.change(changes);
    for (const { group, topic } of removed) this.#forget(group, topic);
  }

  #forget(group: string, topic: string): void {
    const topics = this.#groups.get(group);
    this.#count -= topics?.get(topic)?.size ?? 0;
    topics?.delete(topic);
    if (topics?.size === 0) this.#groups.delete(group);
  }

  #store(group: string, topic: string, partition: number, entry: Entry): void {
    const topics = getOrAdd(this.#groups, group, () => new Map<string, Map<number, Entry>>());
    const partitions = getOrAdd(topics, topic, () => new Map<number, Entry>());
    const known = partitions.get(partition);
    if (known === undefined) this.#count += 1;
    if (known === undefined || known.serial <= entry.serial) partitions.set(partition, entry);
  }

  #additions(group: string, commits: readonly OffsetToCommit[]): number {
    const added = new Set<string>();
    for (const { topic, partition } of commits) {
      if (this.fetch(group, topic, partition) === null) added.add(keyOf(group, topic, partition));
    }
    return added.size;
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
  if (parts.length !== 3 || !/^\d{1,10}$/.test(parts[2]!)) return null;
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
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(leaderEpoch)) return null;
  if (typeof metadata !== "string" || typeof committedAtMs !== "number") return null;
  return { offset: offset as number, leaderEpoch: leaderEpoch as number, metadata, committedAtMs };
}

function byPlace(left: PartitionOffset, right: PartitionOffset): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1;
  return left.partition - right.partition;
}

function getOrAdd<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

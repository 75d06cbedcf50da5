/**
 * Reads records from assigned partitions, in order within each of them, and keeps a group's offsets.
 *
 *   assign(partitions, from) -> poll() -> records ... -> commit()
 *
 * Position: the offset of the next record that `poll` hands out. Commit: the position (or an offset of the caller's)
 * under the group's name, to be read by `assign(..., "committed")`. Commit after the work is done and a record is handled at
 * least once; the consumer never commits by itself.
 *
 * Partitions are assigned by the caller. The group is a name for offsets, unless the caller is a member of it: then it assigns what
 * the group gives it (`member`, group/group-member.ts), and commits in the member's name.
 *
 * Reading goes one fetch ahead (consumer-fetcher.ts). Every batch's checksum is checked (fetched-batches.ts).
 */

import { ObeliskError } from "../base/errors.ts";
import { KiB, MiB } from "../base/units.ts";
import type { TopicPartition } from "../protocol/group/consumer-protocol.ts";
import { TIMESTAMP_EARLIEST, TIMESTAMP_LATEST } from "../protocol/kafka/apis/list-offsets.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { AssignedPartition, ConsumerFetcher } from "./consumer-fetcher.ts";
import type { ConsumerRecord } from "./fetched-batches.ts";
import { GroupMember } from "./group/group-member.ts";
import { type CommittedOffset, commitGroupOffsets, fetchGroupOffsets } from "./group-offsets.ts";
import { listPartitionOffsets } from "./partition-offsets.ts";

/** As Kafka's clients: how long a fetch may wait at the broker for the first byte. */
const FETCH_WAIT_MS_MAX = 500;
const FETCH_BYTES_MAX = 8 * MiB;
const FETCH_PARTITION_BYTES_MAX = MiB;
/** A poll stops opening batches when it has this many records. */
const POLL_RECORDS_TARGET = 10_000;
/** And when they take this much memory: a few compressed batches may inflate to many gigabytes together. */
const POLL_BYTES_TARGET = 16 * MiB;
/** Below a few KiB every fetch would bring one batch. */
const FETCH_BYTES_SMALLEST = 4 * KiB;

/** Where to begin. `committed` falls back to the consumer's `reset` policy where the group has committed nothing. */
export type StartPoint =
  | "committed"
  | "earliest"
  | "latest"
  | { readonly offset: number }
  /** The first record that is not older; the end when there is none. */
  | { readonly timestampMs: number }
  /** So many offsets before the end, or as many as there are. */
  | { readonly last: number };

export interface ConsumerOptions extends ClusterOptions {
  /** Needed for commits. */
  readonly group?: string;
  /** Where to go when there is no committed offset, or the partition no longer holds it. Default: earliest. */
  readonly reset?: "earliest" | "latest" | "fail";
  /** Leaves out records of transactions that are open or were aborted. */
  readonly isCommittedOnly?: boolean;
  readonly fetchWaitMsMax?: number;
  readonly fetchBytesMin?: number;
  readonly fetchBytesMax?: number;
  readonly fetchPartitionBytesMax?: number;
}

export class Consumer {
  readonly #cluster: Cluster;
  readonly #options: ConsumerOptions;
  readonly #fetcher: ConsumerFetcher;
  #partitions: AssignedPartition[] = [];
  #member: GroupMember | null = null;
  #wake: (() => void) | null = null;
  #isClosed = false;

  private constructor(cluster: Cluster, options: ConsumerOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#fetcher = new ConsumerFetcher({
      cluster,
      waitMsMax: options.fetchWaitMsMax ?? FETCH_WAIT_MS_MAX,
      bytesMin: options.fetchBytesMin ?? 1,
      bytesMax: Math.max(options.fetchBytesMax ?? FETCH_BYTES_MAX, FETCH_BYTES_SMALLEST),
      partitionBytesMax: Math.max(
        options.fetchPartitionBytesMax ?? FETCH_PARTITION_BYTES_MAX,
        FETCH_BYTES_SMALLEST,
      ),
      isCommittedOnly: options.isCommittedOnly ?? false,
      onArrival: () => this.#wake?.(),
    });
  }

  /** @throws ObeliskError CONNECTION_FAILED, INVALID_USAGE */
  static async connect(options: ConsumerOptions): Promise<Consumer> {
    const cluster = new Cluster(options);
    try {
      await cluster.contact();
    } catch (thrown) {
      await cluster.close();
      throw thrown;
    }
    return new Consumer(cluster, options);
  }

  get assignment(): readonly TopicPartition[] {
    return this.#partitions.map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Makes the consumer a member of its group; it has joined nothing yet. From now on commits are the member's. */
  member(topics: readonly string[], instanceId?: string): GroupMember {
    this.#member = new GroupMember(this.#cluster, { group: this.#group(), topics, instanceId });
    return this.#member;
  }

  /** Makes it a consumer without membership again. */
  forgetMember(): void {
    this.#member = null;
  }

  /** All partitions of a topic. @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, at once: reading creates nothing */
  async partitionsOf(topic: string): Promise<TopicPartition[]> {
    const found = await this.#cluster.attempt(() => this.#cluster.find(topic));
    if (found === undefined) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic });
    return found.partitions.map(({ partition }) => ({ topic, partition }));
  }

  /** Reads these partitions from now on, and no others. */
  async assign(partitions: readonly TopicPartition[], from: StartPoint = "committed"): Promise<void> {
    const offsets = await this.#startOffsets(partitions, from);
    this.#partitions = partitions.map(
      ({ topic, partition }, index) => new AssignedPartition(topic, partition, offsets[index]!),
    );
    this.#fetcher.assign(this.#partitions);
  }

  /** The offsets at which reading these partitions from `from` begins. */
  async placesOf(partitions: readonly TopicPartition[], from: StartPoint): Promise<number[]> {
    return await this.#startOffsets(partitions, from);
  }

  /** Goes on at this offset of an assigned partition. */
  seek(topic: string, partition: number, offset: number): void {
    this.#find(topic, partition).seek(offset);
  }

  /** The offset of the next record that `poll` hands out. */
  position(topic: string, partition: number): number {
    return this.#find(topic, partition).position;
  }

  /**
   * The next records, of one partition at a time; empty when none came within `timeoutMs`.
   * @throws ObeliskError CORRUPT_MESSAGE or `UnreadableBatch` (the position stays before the batch; `seek` goes past it),
   * OFFSET_OUT_OF_RANGE when `reset` is fail, connection errors when the broker stays away for the total retry time
   */
  async poll(timeoutMs = FETCH_WAIT_MS_MAX): Promise<ConsumerRecord[]> {
    const deadlineMs = this.#cluster.clock.monotonicMs() + timeoutMs;
    for (;;) {
      this.#checkOpen();
      const records = this.#takeArrived();
      await this.#resetOutOfRange();
      if (this.#isClosed) return records;
      this.#fetcher.fill();
      if (records.length > 0) return records;
      const error = this.#fetcher.takeError();
      if (error !== null) throw error;
      if (this.#fetcher.front() !== undefined) continue;
      const restMs = deadlineMs - this.#cluster.clock.monotonicMs();
      if (restMs <= 0) return [];
      await this.#arrival(restMs);
      if (this.#isClosed) return [];
    }
  }

  /** Commits offsets, by default the positions of all assigned partitions. @throws ObeliskError INVALID_USAGE without a group */
  async commit(offsets?: readonly CommittedOffset[]): Promise<void> {
    await commitGroupOffsets(
      this.#cluster,
      this.#group(),
      offsets ?? this.#positions(),
      this.#member?.identity,
    );
  }

  /** What the group has committed for these partitions; those without are left out. */
  async committed(partitions: readonly TopicPartition[] = this.assignment): Promise<CommittedOffset[]> {
    return await fetchGroupOffsets(this.#cluster, this.#group(), partitions);
  }

  /** The first offsets that these partitions hold. */
  async startOffsets(partitions: readonly TopicPartition[] = this.assignment): Promise<CommittedOffset[]> {
    return offsetsOf(partitions, await this.#list(partitions, TIMESTAMP_EARLIEST));
  }

  /** The end offsets of these partitions at this moment: the offset of the next record to come. */
  async endOffsets(partitions: readonly TopicPartition[] = this.assignment): Promise<CommittedOffset[]> {
    return offsetsOf(partitions, await this.#list(partitions, TIMESTAMP_LATEST));
  }

  /** Ends a `poll` under way with no records, and the connections. Commits nothing. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#fetcher.close();
    this.#wake?.();
    await this.#cluster.close();
  }

  #takeArrived(): ConsumerRecord[] {
    const records: ConsumerRecord[] = [];
    let bytes = 0;
    for (let front = this.#fetcher.front(); front !== undefined; front = this.#fetcher.front()) {
      const { assigned, batches } = front;
      if (
        records.length > 0 &&
        (records.length >= POLL_RECORDS_TARGET ||
          bytes >= POLL_BYTES_TARGET ||
          records[0]!.partition !== assigned.partition ||
          records[0]!.topic !== assigned.topic)
      ) {
        break;
      }
      const openedBytes = batches.openedBytes;
      try {
        assigned.position = Math.max(assigned.position, batches.takeBatch(assigned.position, records));
      } catch (thrown) {
        // The records are of earlier batches, and their positions count: the next poll meets the bad one again.
        if (records.length > 0) break;
        assigned.seek(assigned.position);
        throw thrown;
      }
      bytes += batches.openedBytes - openedBytes;
      assigned.leaderEpoch = batches.leaderEpoch;
    }
    return records;
  }

  async #resetOutOfRange(): Promise<void> {
    for (const assigned of this.#partitions) {
      if (!assigned.isOutOfRange || assigned.position !== assigned.fetchOffset) continue;
      const policy = this.#options.reset ?? "earliest";
      const offset = policy === "fail" ? -1 : (await this.#startOffsets([assigned], policy))[0]!;
      // A broker that refuses the offset that it has just returned would do so for ever.
      if (policy === "fail" || offset === assigned.position) {
        assigned.isOutOfRange = false;
        throw new ObeliskError("OFFSET_OUT_OF_RANGE", {
          topic: assigned.topic,
          partition: assigned.partition,
          offset: assigned.position,
        });
      }
      assigned.seek(offset);
    }
  }

  async #startOffsets(partitions: readonly TopicPartition[], from: StartPoint): Promise<number[]> {
    if (from === "committed") return await this.#committedOrReset(partitions);
    if (typeof from === "object" && "offset" in from) return partitions.map(() => from.offset);
    if (typeof from === "object" && "last" in from) {
      const [starts, ends] = [
        await this.#list(partitions, TIMESTAMP_EARLIEST),
        await this.#list(partitions, TIMESTAMP_LATEST),
      ];
      return ends.map((end, index) => Math.max(starts[index]!, end - from.last));
    }
    const at =
      typeof from === "object"
        ? Math.max(from.timestampMs, 0) // Negative numbers are special values, and no record is older.
        : from === "earliest"
          ? TIMESTAMP_EARLIEST
          : TIMESTAMP_LATEST;
    const offsets = await this.#list(partitions, at);
    if (offsets.every((offset) => offset >= 0)) return offsets;
    const ends = await this.#list(partitions, TIMESTAMP_LATEST);
    return offsets.map((offset, index) => (offset >= 0 ? offset : ends[index]!));
  }

  async #list(partitions: readonly TopicPartition[], at: number): Promise<number[]> {
    const queries = partitions.map(({ topic, partition }) => ({ topic, partition, at }));
    const isCommittedOnly = this.#options.isCommittedOnly ?? false;
    const found = await listPartitionOffsets(this.#cluster, queries, { isCommittedOnly });
    return found.map(({ offset }) => offset);
  }

  async #committedOrReset(partitions: readonly TopicPartition[]): Promise<number[]> {
    const committed = await this.committed(partitions);
    const offsets = partitions.map(({ topic, partition }) => {
      const found = committed.find((one) => one.topic === topic && one.partition === partition);
      return found === undefined ? -1 : found.offset;
    });
    const without = partitions.filter((_, index) => offsets[index]! < 0);
    if (without.length === 0) return offsets;
    const policy = this.#options.reset ?? "earliest";
    if (policy === "fail") {
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", {
        detail: "the group has committed no offset",
        ...without[0]!,
      });
    }
    const fallbacks = await this.#startOffsets(without, policy);
    return offsets.map((offset) => (offset >= 0 ? offset : fallbacks.shift()!));
  }

  /** Resolves when something has arrived or the time is up. */
  async #arrival(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = this.#cluster.clock.after(limitMs, resolve);
    await promise;
    timer.cancel();
    this.#wake = null;
  }

  #positions(): CommittedOffset[] {
    return this.#partitions.map(({ topic, partition, position, leaderEpoch }) => ({
      topic,
      partition,
      offset: position,
      leaderEpoch,
    }));
  }

  #group(): string {
    if (this.#options.group === undefined || this.#options.group === "") {
      throw new ObeliskError("INVALID_USAGE", {
        detail: "offsets are kept by group, and the consumer was given none",
      });
    }
    return this.#options.group;
  }

  #find(topic: string, partition: number): AssignedPartition {
    const found = this.#partitions.find((one) => one.topic === topic && one.partition === partition);
    if (found !== undefined) return found;
    throw new ObeliskError("INVALID_USAGE", {
      detail: "the partition is not assigned to this consumer",
      topic,
      partition,
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ObeliskError("CONNECTION_CLOSED", { detail: "the consumer is closed" });
  }
}

function offsetsOf(partitions: readonly TopicPartition[], offsets: readonly number[]): CommittedOffset[] {
  return partitions.map(({ topic, partition }, index) => ({ topic, partition, offset: offsets[index]! }));
}

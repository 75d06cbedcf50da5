/**
 * Reads partitions of a topic as they grow, for one reader: records in the order of their offsets within each partition, the partitions
 * in turn.
 *
 *     step ---> records ---> step ---> records          nobody reads ahead: the log is read when the reader has taken what was before
 *       `--> none, and not behind ---> wait ---> woken by a partition, by the time, or by `close`
 *
 *   - A step reads one partition, at most `STEP_BYTES` of records or one record, and may find none although there are more (`isBehind`):
 *     the filter has looked at some and wanted none. What was read of a partition is used up before the next one is read, so a tail holds
 *     one read (record-read.ts) however many partitions it has.
 *   - Each step rests first (base/loop/turn-share.ts): however many tails one commit wakes, they go on one in a turn.
 *   - `offsets` is true between steps: after everything that the steps have given, and that they have passed over.
 *   - Partitions that the topic gets are read too, from their first record, unless the reader has named partitions.
 */

import { fail } from "../../base/assert.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { KiB } from "../../base/units.ts";
import type { PartitionReader } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import type { PlacedRecord } from "../../protocol/record/record-json.ts";
import { PARTITIONS_MAX } from "../read/read-query.ts";
import { RecordReader, type RecordTest, type UnreadableBatch } from "../read/record-read.ts";
import type { Offsets } from "./tail-position.ts";

/** Records of one step: what a socket takes at once. */
export const STEP_BYTES = 64 * KiB;

export interface TailOptions {
  readonly topic: Topic;
  readonly starts: Offsets;
  /** Whether partitions that the topic gets are read too. */
  readonly followsTopic: boolean;
  readonly matches: RecordTest;
  readonly clock: Clock;
}

const NO_RECORDS: readonly PlacedRecord[] = [];

export class Tail implements PartitionReader {
  readonly topic: Topic;
  /** By partition, the offset of the next record. */
  readonly offsets: Map<number, number>;
  /** Of the last step. */
  unreadable: readonly UnreadableBatch[] = [];
  readonly #options: TailOptions;
  readonly #readers: RecordReader[] = [];
  /** Those whose last read gave nothing, although there seemed to be something. */
  readonly #stuck = new Set<RecordReader>();
  #next = 0;
  #resume: (() => void) | null = null;
  /** Something moved since the last step began. */
  #isWoken = false;
  #isStepping = false;
  #isClosed = false;

  constructor(options: TailOptions) {
    this.#options = options;
    this.topic = options.topic;
    this.offsets = new Map(options.starts);
    for (const [index, offset] of options.starts) this.#add(index, offset);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether a step may find something now. */
  get isBehind(): boolean {
    return this.#readers.some((reader) => this.#canRead(reader));
  }

  /** Bytes that were read and are not given yet. */
  get heldBytes(): number {
    let bytes = 0;
    for (const reader of this.#readers) bytes += reader.heldBytes;
    return bytes;
  }

  /**
   * The next records, `recordsMax` at most; none when nothing matched or nothing is there, and once it is closed.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR
   */
  async step(recordsMax: number): Promise<readonly PlacedRecord[]> {
    if (this.#isStepping) fail("a tail makes two steps at once");
    this.#isStepping = true;
    try {
      return await this.#step(recordsMax);
    } finally {
      this.#isStepping = false;
      if (this.#isClosed) this.drop();
    }
  }

  /** Lets go of what was read and not given: it will be read again. Nothing happens within a step. */
  drop(): void {
    if (this.#isStepping) return;
    for (const reader of this.#readers) reader.drop();
  }

  /** Resolves when something moved since the last step, after `ms`, or when it is closed. */
  async wait(ms: number): Promise<void> {
    if (this.#isClosed || this.#isWoken || this.isBehind) return;
    let timer: Timer | null = null;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      timer = this.#options.clock.after(ms, resolve);
    });
    this.#resume = null;
    (timer as Timer | null)?.cancel();
  }

  wake(): void {
    this.#isWoken = true;
    this.#stuck.clear();
    this.#resume?.();
  }

  /** May be called again. */
  close(): void {
    this.#isClosed = true;
    for (const { partition } of this.#readers) partition.removeReader(this);
    this.drop();
    this.#resume?.();
  }

  async #step(recordsMax: number): Promise<readonly PlacedRecord[]> {
    this.unreadable = [];
    await new TurnShare(this.#options.clock).rest();
    if (this.#isClosed) return NO_RECORDS;
    this.#isWoken = false;
    this.#addNew();
    const reader = this.#pick();
    if (reader === null) return NO_RECORDS;
    const { offset } = reader;
    const records = await reader.read({ records: recordsMax, bytes: STEP_BYTES });
    if (this.#isClosed) return NO_RECORDS;
    if (reader.offset === offset) this.#stuck.add(reader);
    this.offsets.set(reader.partition.index, reader.offset);
    this.unreadable = reader.unreadable;
    return records;
  }

  #add(index: number, offset: number): void {
    const partition = this.topic.partitions[index]!;
    const { matches, clock } = this.#options;
    this.#readers.push(new RecordReader(partition, offset, clock, matches));
    partition.addReader(this);
  }

  #addNew(): void {
    const { partitions } = this.topic;
    if (!this.#options.followsTopic || partitions.length === this.#readers.length) return;
    if (partitions.length > PARTITIONS_MAX) return; // it goes on with those that it has
    for (let index = this.#readers.length; index < partitions.length; index += 1) {
      const { startOffset } = partitions[index]!;
      this.offsets.set(index, startOffset);
      this.#add(index, startOffset);
    }
  }

  /** The one that holds something, else the next that has something; null when none has. @throws ObeliskError */
  #pick(): RecordReader | null {
    let picked: RecordReader | null = null;
    const count = this.#readers.length;
    for (let step = 0; step < count; step += 1) {
      const index = (this.#next + step) % count;
      const reader = this.#readers[index]!;
      this.#check(reader);
      if (reader.heldBytes > 0) return reader;
      if (picked === null && this.#canRead(reader)) {
        picked = reader;
        this.#next = (index + 1) % count;
      }
    }
    return picked;
  }

  /** What lies outside of the bounds is for a read to tell (broker/partition.ts). */
  #canRead(reader: RecordReader): boolean {
    if (reader.heldBytes > 0) return true;
    return reader.offset !== reader.partition.highWatermark && !this.#stuck.has(reader);
  }

  #check({ partition, offset }: RecordReader): void {
    const facts = { topic: partition.topic, partition: partition.index };
    if (partition.refusal !== null) throw new ObeliskError(partition.refusal, facts);
    if (partition.isUnavailable && offset >= partition.highWatermark)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", facts);
  }
}

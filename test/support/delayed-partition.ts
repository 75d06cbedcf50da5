/**
 * A partition as an engine on a database and an object store would have it: offsets are assigned by a sequencer that all brokers
 * share (delayed-store.ts), turns after the append, and this broker has only a view of the bounds, which lags. For tests of what
 * stands above the broker, which must not notice.
 *
 * A buffer belongs to the append until its outcome, and is made unreadable then: whoever still reads it gets nonsense.
 */

import { crc32 } from "node:zlib";
import { ERRORS, type ErrorCode, NO_ERROR, ObeliskError, wireCode } from "../../src/base/errors.ts";
import type { PartitionParts } from "../../src/broker/log-partition.ts";
import { LOOK_MS_MAX } from "../../src/broker/log-retention.ts";
import type {
  OwnedPartition,
  PartitionOpener,
  PartitionRules,
  UseListener,
} from "../../src/broker/owned-partition.ts";
import {
  type ActiveProducer,
  type AppendListener,
  type EpochEnd,
  type PartitionReader,
  type RecordFault,
  UNKNOWN_OUTCOME,
} from "../../src/broker/partition.ts";
import { faultOfRecord } from "../../src/broker/record-rules.ts";
import type { Deletion, RetentionOccasion } from "../../src/broker/retention.ts";
import { PartitionTraffic } from "../../src/broker/traffic.ts";
import { admitBatch } from "../../src/protocol/record/admit.ts";
import { batchBytes, batchRecordCount } from "../../src/protocol/record/batch.ts";
import { readRecords } from "../../src/protocol/record/records.ts";
import type { RecordSpan, TimestampedOffset } from "../../src/storage/contract.ts";
import { HeldRecords, noRecords } from "../../src/storage/held-records.ts";
import { largestTimestamp } from "../../src/storage/timestamps.ts";
import {
  type CommitResult,
  DELAYED_LEADER_EPOCH,
  type DelayedCommit,
  type DelayedStore,
  type DelayedView,
  type StoredBatch,
  type StoredPartition,
} from "./delayed-store.ts";
import { until } from "./kafka-until.ts";

/** What a buffer is filled with that is given back. */
const POISON = 0xdb;

export class DelayedPartitions implements PartitionOpener {
  readonly #store: DelayedStore;
  readonly #parts: PartitionParts;
  readonly #opened: DelayedPartition[] = [];

  constructor(store: DelayedStore, parts: PartitionParts) {
    this.#store = store;
    this.#parts = parts;
  }

  async openStored(topic: string, index: number, rules: PartitionRules): Promise<DelayedPartition> {
    return this.#opens(topic, index, rules, this.#store.open(topic, index));
  }

  async ready(): Promise<void> {}

  async drain(): Promise<void> {
    await until(() => this.#opened.every(({ isIdle }) => isIdle));
  }

  async openNew(topic: string, index: number, rules: PartitionRules): Promise<DelayedPartition> {
    return this.#opens(topic, index, rules, this.#store.openNew(topic, index));
  }

  #opens(topic: string, index: number, rules: PartitionRules, stored: StoredPartition): DelayedPartition {
    const partition = new DelayedPartition(topic, index, rules, this.#store, stored, this.#parts);
    this.#opened.push(partition);
    return partition;
  }
}

/** An append under way. */
class DelayedAppend implements DelayedCommit {
  readonly rules: PartitionRules;
  readonly records: number;
  readonly bytes: number;
  readonly listener: AppendListener;
  readonly #owner: DelayedPartition;
  readonly #buffer: Buffer;
  readonly #crc: number;
  isTold = false;

  /** The whole of `buffer` is the batch. */
  constructor(owner: DelayedPartition, rules: PartitionRules, buffer: Buffer, listener: AppendListener) {
    this.#owner = owner;
    this.rules = rules;
    this.#buffer = buffer;
    this.listener = listener;
    this.records = batchRecordCount(buffer, 0);
    this.bytes = buffer.length;
    this.#crc = crc32(buffer);
  }

  read(): Buffer | null {
    if (this.isTold) return null;
    if (crc32(this.#buffer) !== this.#crc)
      throw new Error("a buffer was changed that belongs to an append under way");
    return Buffer.from(this.#buffer);
  }

  committed(result: CommitResult): void {
    if (!this.isTold) this.#owner.completed(this, result);
  }

  giveBack(): void {
    this.isTold = true;
    this.#buffer.fill(POISON);
  }
}

export class DelayedPartition implements OwnedPartition, DelayedView {
  readonly topic: string;
  readonly index: number;
  openBatch: object | null = null;
  readonly keepsBuffers = true;
  readonly diskRefusal = null;
  readonly ownFault = null;
  readonly unavailableReason = null;
  readonly traffic: PartitionTraffic;
  /** Where it would end if all went well that is under way here. */
  takenOffset: number;
  readonly #rules: PartitionRules;
  readonly #store: DelayedStore;
  readonly #stored: StoredPartition;
  readonly #parts: PartitionParts;
  readonly #readers = new Set<PartitionReader>();
  readonly #appends = new Set<DelayedAppend>();
  #useListeners: UseListener[] = [];
  #highWatermark: number;
  #isRetired = false;
  #lookAtMs: number;

  constructor(
    topic: string,
    index: number,
    rules: PartitionRules,
    store: DelayedStore,
    stored: StoredPartition,
    parts: PartitionParts,
  ) {
    this.topic = topic;
    this.index = index;
    this.#rules = rules;
    this.#store = store;
    this.#stored = stored;
    this.#parts = parts;
    this.traffic = new PartitionTraffic(parts.counters.traffic);
    this.#highWatermark = stored.highWatermark;
    this.takenOffset = stored.highWatermark;
    this.#lookAtMs = parts.clock.monotonicMs() + LOOK_MS_MAX;
    stored.views.add(this);
  }

  get startOffset(): number {
    return this.#stored.startOffset;
  }

  get highWatermark(): number {
    return this.#highWatermark;
  }

  get leaderEpoch(): number {
    return DELAYED_LEADER_EPOCH;
  }

  get startLeaderEpoch(): number {
    return DELAYED_LEADER_EPOCH;
  }

  get bytes(): number {
    return this.#stored.batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  readonly bufferedRecords = 0;

  activeProducers(): Promise<readonly ActiveProducer[]> {
    return this.#store.ask(() => this.#stored.producers.list());
  }

  get messageBytesMax(): number {
    return this.#rules.bytesMax;
  }

  get isDeletable(): boolean {
    return this.#rules.isDeleted;
  }

  get isUnavailable(): boolean {
    return this.#isRetired;
  }

  get refusal(): ErrorCode | null {
    return this.#isRetired ? "UNKNOWN_TOPIC_OR_PARTITION" : null;
  }

  get producerIdMax(): number {
    return this.#stored.producers.idMax;
  }

  /** No append of this broker is under way. */
  get isIdle(): boolean {
    return this.#appends.size === 0;
  }

  append(buffer: Buffer, position: number, end: number, listener: AppendListener): void {
    const fault = admitBatch(buffer, position, end, this.#rules, this.#parts.clock.nowMs());
    if (fault !== null) {
      this.#refuse(fault.code, fault.detail, 1, listener);
      return;
    }
    const batchEnd = position + batchBytes(buffer, position);
    this.#enqueue(buffer.subarray(position, batchEnd), listener);
  }

  faultOfRecord(hasKey: boolean, timestampMs: number): RecordFault | null {
    return faultOfRecord(hasKey, timestampMs, this.#rules, this.#parts.clock.nowMs());
  }

  appendBuilt(buffer: Buffer, listener: AppendListener): void {
    this.#enqueue(buffer, listener);
  }

  checkWritable(): void {
    this.#checkReadable();
  }

  span(offset: number, bytesMax: number, atLeastOne: boolean): RecordSpan | Promise<RecordSpan> {
    this.#checkReadable();
    const isInView = offset >= this.startOffset && offset < this.#highWatermark;
    if (isInView && this.#store.isCached())
      return this.#read(offset, this.#highWatermark, bytesMax, atLeastOne);
    return this.#ask(() => this.#read(offset, this.#stored.highWatermark, bytesMax, atLeastOne));
  }

  deleteBefore(offset: number): Promise<number> {
    return this.#ask(() => {
      if (offset < 0 || offset > this.#stored.highWatermark)
        throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.index, offset });
      return this.#stored.deleteBefore(offset);
    });
  }

  /** Each batch is what a segment is to a log. */
  mustRetain(occasion: RetentionOccasion): boolean {
    const monotonicMs = this.#parts.clock.monotonicMs();
    if (this.#isRetired || !this.#rules.isDeleted || !(occasion !== "due" || monotonicMs >= this.#lookAtMs))
      return false;
    this.#lookAtMs = monotonicMs + LOOK_MS_MAX;
    return this.#keptFrom() > this.startOffset;
  }

  retain(): Promise<Deletion> {
    return this.#ask(() => {
      const { startOffset, batches } = this.#stored;
      const start = this.#stored.deleteBefore(this.#keptFrom());
      const left = batches.filter(({ endOffset }) => endOffset <= start);
      return { records: start - startOffset, bytes: sizeOf(left) };
    });
  }

  addReader(reader: PartitionReader): void {
    this.#readers.add(reader);
  }

  removeReader(reader: PartitionReader): void {
    this.#readers.delete(reader);
  }

  latestOffset(): Promise<number> {
    this.#checkReadable();
    return this.#ask(() => {
      this.learn(this.#stored.highWatermark);
      return this.#stored.highWatermark;
    });
  }

  async offsetForTimestamp(timestampMs: number, isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    this.#checkReadable();
    return await this.#ask(() => {
      if (isWanted?.() === false) return null;
      return this.#timestamps().find((each) => each.timestampMs >= timestampMs) ?? null;
    });
  }

  async offsetOfMaxTimestamp(isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    this.#checkReadable();
    return await this.#ask(() => {
      if (isWanted?.() === false) return null;
      let largest: TimestampedOffset | null = null;
      for (const each of this.#timestamps())
        if (largest === null || each.timestampMs > largest.timestampMs) largest = each;
      return largest;
    });
  }

  endOffsetForEpoch(epoch: number): Promise<EpochEnd | null> {
    this.#checkReadable();
    return this.#ask(() => {
      if (epoch < DELAYED_LEADER_EPOCH) return null;
      return { leaderEpoch: DELAYED_LEADER_EPOCH, endOffset: this.#stored.highWatermark };
    });
  }

  whenUsed(listener: UseListener): void {
    if (this.#isRetired) listener("UNKNOWN_TOPIC_OR_PARTITION");
    else if (this.#highWatermark > this.startOffset) listener(null);
    else this.#useListeners.push(listener);
  }

  retire(): void {
    this.#isRetired = true;
    this.#stored.views.delete(this);
    for (const append of [...this.#appends]) this.#end(append, "UNKNOWN_TOPIC_OR_PARTITION", -1);
    this.#tellUse("UNKNOWN_TOPIC_OR_PARTITION");
    this.#wakeReaders();
  }

  restore(): void {
    this.#isRetired = false;
    this.#stored.views.add(this);
  }

  close(): void {
    if (this.#appends.size > 0) throw new Error("a partition is closed while appends are under way");
    this.#stored.views.delete(this);
  }

  learnStart(): void {
    this.#wakeReaders();
  }

  /** The view goes on, whoever wrote. */
  learn(highWatermark: number): void {
    if (highWatermark <= this.#highWatermark || this.#isRetired) return;
    this.#highWatermark = highWatermark;
    this.#tellUse(null);
    this.#wakeReaders();
  }

  /** What the sequencer said of an append of this broker. */
  completed(append: DelayedAppend, result: CommitResult): void {
    const { counters, clock } = this.#parts;
    if (result.kind === "failed" || result.kind === "unknown") {
      counters.appendOutcomes.record(false, clock.nowMs());
      this.#end(append, result.kind === "failed" ? "KAFKA_STORAGE_ERROR" : UNKNOWN_OUTCOME, -1);
      return;
    }
    if (result.kind === "refused") {
      this.#end(append, result.code, -1);
      return;
    }
    if (result.kind === "stored") this.#countStored(append);
    else {
      counters.duplicateBatches += 1;
      this.takenOffset -= append.records;
    }
    // Whoever hears of an offset here finds it below the high watermark.
    this.learn(result.baseOffset + append.records);
    this.#end(append, null, result.baseOffset, result.logAppendTimeMs);
  }

  #enqueue(batch: Buffer, listener: AppendListener): void {
    const records = batchRecordCount(batch, 0);
    this.#parts.counters.messagesReceived += records;
    if (this.#isRetired) {
      this.#refuse("UNKNOWN_TOPIC_OR_PARTITION", "the topic was removed", records, listener);
      return;
    }
    const append = new DelayedAppend(this, this.#rules, batch, listener);
    this.#appends.add(append);
    this.takenOffset += records;
    this.#store.enqueue(this.#stored, append);
  }

  #countStored({ records, bytes }: DelayedAppend): void {
    const { counters, clock } = this.#parts;
    counters.messagesStored += records;
    counters.batchesStored += 1;
    counters.bytesStored += bytes;
    counters.batchRecords.observe(records);
    counters.batchBytes.observe(bytes);
    this.traffic.stored(records, bytes);
    counters.appendOutcomes.record(true, clock.nowMs());
  }

  #end(append: DelayedAppend, error: ErrorCode | null, baseOffset: number, logAppendTimeMs = -1): void {
    this.#appends.delete(append);
    append.giveBack();
    if (error !== null) {
      this.#parts.counters.messagesFailed += append.records;
      this.takenOffset -= append.records;
    }
    const errorCode = error === null ? NO_ERROR : wireCode(error);
    const errorMessage = error === null ? null : `${ERRORS[error].sentence}; ${whatBecameOf(error)}`;
    append.listener.appended({ errorCode, errorMessage, baseOffset, logAppendTimeMs });
  }

  #refuse(code: ErrorCode, errorMessage: string | null, records: number, listener: AppendListener): void {
    this.#parts.counters.messagesFailed += records;
    listener.appended({ errorCode: wireCode(code), errorMessage, baseOffset: -1, logAppendTimeMs: -1 });
  }

  #read(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): RecordSpan {
    if (offset < this.startOffset || offset > limitOffset)
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.index, offset });
    const taken: Buffer[] = [];
    let nextOffset = offset;
    let room = bytesMax;
    for (const { bytes, endOffset } of this.#stored.batches) {
      if (endOffset <= offset) continue;
      if (endOffset > limitOffset || (bytes.length > room && !(atLeastOne && taken.length === 0))) break;
      taken.push(bytes);
      room -= bytes.length;
      nextOffset = endOffset;
    }
    this.learn(nextOffset);
    return taken.length === 0 ? noRecords(offset) : new HeldRecords(taken, offset, nextOffset);
  }

  #timestamps(): TimestampedOffset[] {
    const leaderEpoch = DELAYED_LEADER_EPOCH;
    return this.#stored.batches.flatMap(({ bytes }) =>
      readRecords(bytes)
        .filter(({ offset }) => offset >= this.startOffset)
        .map(({ offset, timestampMs }) => ({ offset, timestampMs, leaderEpoch })),
    );
  }

  #keptFrom(): number {
    const { retentionBytes, retentionMs } = this.#rules;
    const nowMs = this.#parts.clock.nowMs();
    let { startOffset: start } = this.#stored;
    let bytes = sizeOf(this.#stored.batches);
    for (const batch of this.#stored.batches) {
      bytes -= batch.bytes.length;
      const isOver = retentionBytes >= 0 && bytes >= retentionBytes;
      const isOld = retentionMs >= 0 && nowMs - largestTimestamp(batch.bytes, 0) > retentionMs;
      if (!isOver && !isOld) break;
      start = Math.max(start, batch.endOffset);
    }
    return start;
  }

  #ask<Result>(read: () => Result): Promise<Result> {
    return this.#store.ask(() => {
      this.#checkReadable();
      return read();
    });
  }

  #checkReadable(): void {
    if (this.#isRetired) {
      throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
        detail: "the topic was removed",
        topic: this.topic,
        partition: this.index,
      });
    }
  }

  #tellUse(error: ErrorCode | null): void {
    const listeners = this.#useListeners;
    this.#useListeners = [];
    for (const listener of listeners) listener(error);
  }

  #wakeReaders(): void {
    for (const reader of [...this.#readers]) reader.wake();
  }
}

function sizeOf(batches: readonly StoredBatch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function whatBecameOf(error: ErrorCode): string {
  return error === UNKNOWN_OUTCOME ? "the records may be committed" : "the records were not committed";
}

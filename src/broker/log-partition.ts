/**
 * A partition whose records lie in a log on this machine: the only writer of that log, and the place where an append becomes visible.
 *
 *   append   validate -> sequence check -> base offset and write (log) -> recent batches -> ask for a commit
 *   commit   high watermark moves -> outcomes are told -> waiting readers
 *
 * Everything a reader sees lies below the high watermark, so a record that a power cut could take back is never read.
 * `append` is synchronous: the order of calls is the order of the log. The log gives the base offset at once, and nobody outside hears
 * of it before the commit. It never throws for a peer's or the disk's fault but tells Kafka's error number.
 *
 * While it is offline duplicates are refused as well, as in Kafka: whether what was sent the first time is on disk is not known
 * where the sync failed, and a producer that tries again comes through after the next start.
 */

import { fail } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, isStorageError, NO_ERROR, ObeliskError, wireCode } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { MiB } from "../base/units.ts";
import { admitBatch } from "../protocol/record/admit.ts";
import {
  BATCH_LAST_OFFSET_DELTA,
  BATCH_RECORD_COUNT,
  batchBytes,
  setLogAppendTime,
} from "../protocol/record/batch.ts";
import type { PartitionLog, RecordSpan, TimestampedOffset } from "../storage/contract.ts";
import { noRecords } from "../storage/held-records.ts";
import type { BrokerCounters } from "./counters.ts";
import type { DiskNews } from "./disk-news.ts";
import type { Committable, GroupCommit } from "./group-commit.ts";
import { LogRetention } from "./log-retention.ts";
import type { OwnedPartition, PartitionRules, UseListener } from "./owned-partition.ts";
import type {
  ActiveProducer,
  AppendListener,
  EpochEnd,
  PartitionReader,
  RecordError,
  RecordFault,
} from "./partition.ts";
import { PendingAppend, PendingAppends } from "./pending-appends.ts";
import { ACCEPTED, DUPLICATE, type ProducedBatch, type Producers, refusalOf } from "./producers.ts";
import type { RecentBatches, TailCache } from "./recent-batches.ts";
import { RecentRecords, type RecentSource } from "./recent-records.ts";
import { faultOfRecord, faultOfRules, recompressed } from "./record-rules.ts";
import type { Deletion, Retention, RetentionOccasion } from "./retention.ts";
import { type DiskRefusal, Standing } from "./standing.ts";
import { PartitionTraffic } from "./traffic.ts";

const NOTHING_DELETED: Deletion = { records: 0, bytes: 0 };
/** What a crash may leave to be scanned at the next start, for each partition: about 0.1 s. */
const CHECKPOINT_BYTES = 64 * MiB;

export interface PartitionParts {
  commit: GroupCommit;
  recent: RecentBatches;
  counters: BrokerCounters;
  clock: Clock;
  log: Log;
  diskNews: DiskNews;
  /** A producer that was silent for so long is evicted. */
  producerIdExpirationMs: number;
  /** Deletes what partitions need not keep. */
  retention: Retention;
}

export class LogPartition implements OwnedPartition, Committable {
  readonly topic: string;
  readonly index: number;
  readonly log: PartitionLog;
  isQueued = false;
  openBatch: object | null = null;
  /** A batch is in the log when `append` returns. */
  readonly keepsBuffers = false;
  readonly traffic: PartitionTraffic;
  readonly #rules: PartitionRules;
  readonly #producers: Producers<PendingAppend>;
  readonly #commit: GroupCommit;
  readonly #recent: TailCache;
  readonly #recentSource: RecentSource;
  readonly #counters: BrokerCounters;
  readonly #clock: Clock;
  readonly #standing: Standing;
  readonly #pending: PendingAppends;
  readonly #retention: Retention;
  readonly #kept: LogRetention;
  #useListeners: UseListener[] = [];
  readonly #readers = new Set<PartitionReader>();
  #highWatermark: number;

  /** `producers` is as the log told while it was opened. */
  constructor(
    log: PartitionLog,
    rules: PartitionRules,
    producers: Producers<PendingAppend>,
    parts: PartitionParts,
  ) {
    this.topic = log.topic;
    this.index = log.partition;
    this.log = log;
    this.#rules = rules;
    this.#producers = producers;
    this.#pending = new PendingAppends(producers);
    this.#commit = parts.commit;
    this.#recent = parts.recent.row();
    this.#counters = parts.counters;
    this.traffic = new PartitionTraffic(parts.counters.traffic);
    this.#clock = parts.clock;
    this.#standing = new Standing(log, parts.clock, parts.log, parts.diskNews);
    this.#recentSource = { row: this.#recent, log, checkReadable: () => this.#standing.checkReadable() };
    this.#highWatermark = log.durableOffset;
    this.#retention = parts.retention;
    this.#kept = new LogRetention(log, rules, parts.clock.monotonicMs());
    log.onRoll = () => this.#retention.rolled(this);
    log.onDurable = () => this.committed(log.durableOffset);
  }

  get leaderEpoch(): number {
    return this.log.leaderEpoch;
  }

  get startLeaderEpoch(): number {
    return this.log.epochAt(this.log.startOffset);
  }

  get startOffset(): number {
    return this.log.startOffset;
  }

  get highWatermark(): number {
    return this.#highWatermark;
  }

  get bytes(): number {
    return this.log.bytes;
  }

  get producerIdMax(): number {
    return this.#producers.idMax;
  }

  get isUnavailable(): boolean {
    return this.#standing.isUnavailable;
  }

  get unavailableReason(): string | null {
    return this.isUnavailable ? this.#standing.unavailableDetail : null;
  }

  get isRetired(): boolean {
    return this.#standing.isRetired;
  }

  get diskRefusal(): DiskRefusal | null {
    return this.#standing.diskRefusal;
  }

  get ownFault(): string | null {
    return this.#standing.ownFault;
  }

  get refusal(): ErrorCode | null {
    return this.#standing.refusal;
  }

  checkWritable(): void {
    if (this.isUnavailable) throw this.#standing.error(this.#standing.unavailableCode);
  }

  append(buffer: Buffer, position: number, end: number, listener: AppendListener): void {
    const fault = admitBatch(buffer, position, end, this.#rules, this.#clock.nowMs());
    if (fault !== null) {
      this.#refuse(fault.code, fault.detail, 1, listener);
      return;
    }
    const records = buffer.readInt32BE(position + BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    if (this.isUnavailable) {
      this.#refuseUnavailable(records, listener);
      return;
    }
    const ill = faultOfRules(buffer, position, this.#rules, this.#clock.nowMs());
    if (ill !== null) {
      this.#refuse(ill.code, ill.detail, records, listener, ill.records);
      return;
    }
    const steadyMs = this.#clock.steadyMs();
    const verdict = this.#producers.check(buffer, position, steadyMs);
    if (verdict === DUPLICATE) this.#duplicate(this.#producers.duplicate, listener);
    else if (verdict !== ACCEPTED) this.#refuse(refusalOf(verdict), null, records, listener);
    else this.#storeAsRuled(buffer, position, records, steadyMs, listener);
  }

  faultOfRecord(hasKey: boolean, timestampMs: number): RecordFault | null {
    return faultOfRecord(hasKey, timestampMs, this.#rules, this.#clock.nowMs());
  }

  appendBuilt(buffer: Buffer, listener: AppendListener): void {
    const records = buffer.readInt32BE(BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    if (this.isUnavailable) this.#refuseUnavailable(records, listener);
    else this.#storeAsRuled(buffer, 0, records, this.#clock.steadyMs(), listener);
  }

  get messageBytesMax(): number {
    return this.#rules.bytesMax;
  }

  get isDeletable(): boolean {
    return this.#rules.isDeleted;
  }

  get bufferedRecords(): number {
    const start = this.#recent.startOffset;
    return start === -1 ? 0 : Math.max(0, this.#highWatermark - Math.max(start, this.startOffset));
  }

  whenUsed(listener: UseListener): void {
    if (this.refusal === null && this.#highWatermark > this.startOffset) listener(null);
    else if (this.isUnavailable) listener(this.#standing.unavailableCode);
    else this.#useListeners.push(listener);
  }

  /** From memory when recent, else from the log. */
  span(offset: number, bytesMax: number, atLeastOne: boolean): RecordSpan | Promise<RecordSpan> {
    this.#standing.checkReadable();
    if (offset < this.startOffset || offset >= this.#highWatermark) {
      if (this.isUnavailable) throw this.#standing.error("KAFKA_STORAGE_ERROR");
      if (offset >= this.startOffset && offset <= this.log.endOffset) return noRecords(offset);
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.index, offset });
    }
    const recent = this.#recent.measure(offset, this.#highWatermark, bytesMax, atLeastOne);
    if (recent?.bytes === 0) return noRecords(offset);
    if (recent !== null) return new RecentRecords(this.#recentSource, offset, recent);
    const span = this.log.span(offset, this.#highWatermark, bytesMax, atLeastOne);
    return span instanceof Promise ? this.#unlessRemoved(span) : span;
  }

  async deleteBefore(offset: number): Promise<number> {
    this.checkWritable();
    if (offset < 0 || offset > this.#highWatermark)
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.index, offset });
    if (offset <= this.startOffset) return this.startOffset;
    await this.#coveredByCheckpoint();
    // With a durability that syncs later, what is committed may not be durable: a start is never ahead of what is.
    const start = await this.#unlessRemoved(this.log.dropBefore(Math.min(offset, this.log.durableOffset)));
    this.#wakeReaders();
    return start;
  }

  mustRetain(occasion: RetentionOccasion): boolean {
    if (this.isUnavailable) return false;
    if (occasion === "due") {
      if (!this.#kept.isTimeToLook(this.#clock.monotonicMs())) return false;
      this.log.rollIfOld();
    }
    return this.#kept.isDue(this.#clock.nowMs(), occasion !== "rolled");
  }

  async retain(): Promise<Deletion> {
    if (this.isUnavailable) return NOTHING_DELETED;
    const { startOffset } = this.log;
    const limitOffset = Math.min(this.#highWatermark, this.log.durableOffset);
    const target = await this.#kept.startOf(limitOffset, this.#clock.nowMs());
    const bytes = this.#kept.bytesBelow(target);
    if (this.isUnavailable || bytes === 0) return NOTHING_DELETED;
    await this.#coveredByCheckpoint();
    const start = await this.#unlessRemoved(this.log.dropBefore(target));
    if (start > startOffset) this.#wakeReaders();
    return { records: start - startOffset, bytes };
  }

  addReader(reader: PartitionReader): void {
    this.#readers.add(reader);
  }

  removeReader(reader: PartitionReader): void {
    this.#readers.delete(reader);
  }

  activeProducers(): readonly ActiveProducer[] {
    this.#standing.checkReadable();
    const steadyMs = this.#clock.steadyMs();
    const nowMs = this.#clock.nowMs();
    return this.#producers
      .list(steadyMs)
      .map(({ lastAtMs, ...producer }) => ({ ...producer, lastAtMs: nowMs - (steadyMs - lastAtMs) }));
  }

  latestOffset(): number {
    return this.#highWatermark;
  }

  async offsetForTimestamp(timestampMs: number, isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    this.#standing.checkReadable();
    return await this.#unlessRemoved(this.log.offsetForTimestamp(timestampMs, this.#highWatermark, isWanted));
  }

  async offsetOfMaxTimestamp(isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    this.#standing.checkReadable();
    return await this.#unlessRemoved(this.log.offsetOfMaxTimestamp(this.#highWatermark, isWanted));
  }

  endOffsetForEpoch(epoch: number): EpochEnd | null {
    return this.log.endOffsetForEpoch(epoch);
  }

  /** What recovery has found is synced now, or never will be. Only before anybody can see the partition: nothing is counted. */
  recovered(): void {
    const { durableOffset } = this.log;
    if (durableOffset < this.#highWatermark) fail("the high watermark never goes back");
    this.#highWatermark = durableOffset;
    this.#standing.isUncommitted = this.log.isOffline;
  }

  /** As `recovered`, where the group commit is to sync it. Resolves when that has been done or has failed. */
  commitRecovered(): Promise<void> {
    const { durableOffset, endOffset } = this.log;
    if (durableOffset === endOffset) return Promise.resolve();
    return new Promise((resolve) => {
      this.#pending.add(new PendingAppend(durableOffset, endOffset, -1, { appended: () => resolve() }));
      this.#commit.request(this);
    });
  }

  /** Called by the group commit. */
  committed(offset: number): void {
    if (offset > this.#highWatermark) {
      if (offset > this.log.endOffset) fail("what is not written cannot be committed");
      if (this.#commit.needsSync && offset > this.log.durableOffset)
        fail("what is not on disk cannot be committed");
      this.#counters.messagesStored += offset - this.#highWatermark;
      this.#highWatermark = offset;
      if (this.#useListeners.length > 0 && offset > this.startOffset) this.#tellUse(null);
      this.#pending.committed(offset);
      this.#wakeReaders();
    }
    if (this.log.bytesSinceCheckpoint > CHECKPOINT_BYTES) this.checkpoint();
  }

  /** Called by the group commit: the log is offline, nothing that waits will ever be durable. */
  commitFailed(): void {
    this.#pending.failed(this.#standing.unavailableCode);
    this.#tellUse(this.#standing.unavailableCode);
    this.#wakeReaders();
  }

  /** Stores the producers' state with the log, so that the next start need not scan further back. */
  checkpoint(): void {
    if (!this.log.isOffline && this.log.bytesSinceCheckpoint > 0)
      this.log.checkpoint(this.#producers.encode(this.log.endOffset), this.log.endOffset);
  }

  close(): void {
    if (this.log.needsCheckpoint) this.checkpoint();
  }

  retire(): void {
    this.#standing.isRetired = true;
    this.#recent.clear();
    this.commitFailed();
  }

  restore(): void {
    if (!this.log.isOffline) fail("a partition whose files were taken away is offline");
    this.#standing.isRetired = false;
  }

  /** With the topic's codec. */
  #storeAsRuled(
    buffer: Buffer,
    position: number,
    records: number,
    steadyMs: number,
    listener: AppendListener,
  ): void {
    const { codec } = this.#rules;
    const anew = codec === null ? null : recompressed(buffer, position, codec);
    if (anew !== null && anew.length > this.#rules.bytesMax) {
      const detail = `as ${codec} the batch has ${anew.length} bytes; the limit is ${this.#rules.bytesMax}`;
      this.#refuse("MESSAGE_TOO_LARGE", detail, records, listener);
    } else if (anew !== null) this.#store(anew, 0, anew.length, records, steadyMs, listener);
    else this.#store(buffer, position, position + batchBytes(buffer, position), records, steadyMs, listener);
  }

  #store(
    buffer: Buffer,
    position: number,
    end: number,
    records: number,
    steadyMs: number,
    listener: AppendListener,
  ): void {
    let refusal: ObeliskError | null;
    try {
      refusal = this.#write(buffer, position, end, records, steadyMs, listener);
    } catch (thrown) {
      this.#failedByItself(thrown, records, listener);
      return;
    }
    if (refusal === null) return;
    if (isStorageError(refusal)) this.#producers.refused(buffer, position, steadyMs);
    this.#refuseAfter(refusal, records, end - position, listener);
  }

  /** Why the log has refused the batch, and is as it was or offline; null when it has it. */
  #write(
    buffer: Buffer,
    position: number,
    end: number,
    records: number,
    steadyMs: number,
    listener: AppendListener,
  ): ObeliskError | null {
    const lastOffsetDelta = buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA);
    if (!(records > 0 && records === lastOffsetDelta + 1)) fail("a batch without dense offsets was let in");
    const nowMs = this.#clock.nowMs();
    const logAppendTimeMs = this.#rules.isLogAppendTime ? nowMs : -1;
    if (logAppendTimeMs >= 0) setLogAppendTime(buffer, position, logAppendTimeMs);
    let baseOffset: number;
    try {
      baseOffset = this.log.append(buffer, position, end);
    } catch (thrown) {
      if (thrown instanceof ObeliskError) return thrown;
      throw thrown;
    }
    const { endOffset } = this.log;
    this.#standing.diskTook();
    const append = new PendingAppend(baseOffset, endOffset, logAppendTimeMs, listener);
    append.batch = this.#producers.accept(buffer, position, append, steadyMs);
    if (append.batch !== null) append.batch.baseOffset = baseOffset;
    if (this.#readers.size > 0) this.#recent.want();
    this.#recent.add(buffer, position, end, baseOffset, endOffset);
    this.#countStored(records, end - position, nowMs);
    this.#pending.add(append);
    this.#commit.request(this);
    return null;
  }

  #countStored(records: number, bytes: number, nowMs: number): void {
    const counters = this.#counters;
    counters.batchesStored += 1;
    counters.bytesStored += bytes;
    counters.batchRecords.observe(records);
    counters.batchBytes.observe(bytes);
    this.traffic.stored(records, bytes);
    counters.appendOutcomes.record(true, nowMs);
  }

  /** Of a batch that is committed: told at once. Of one in flight: told with it. */
  #duplicate({ append, baseOffset }: ProducedBatch<PendingAppend>, listener: AppendListener): void {
    this.#counters.duplicateBatches += 1;
    if (append !== null) append.join(listener);
    else listener.appended({ errorCode: NO_ERROR, errorMessage: null, baseOffset, logAppendTimeMs: -1 });
  }

  #refuseAfter(error: ObeliskError, records: number, bytes: number, listener: AppendListener): void {
    if (isStorageError(error)) {
      this.#counters.diskRefusals += 1;
      this.#counters.appendOutcomes.record(false, this.#clock.nowMs());
      this.#standing.diskRefused(error, bytes);
      if (error.code === "DISK_FULL") this.#retention.diskFull();
    }
    if (this.log.isOffline) this.commitFailed();
    this.#refuse(error.code, error.message, records, listener);
  }

  /** What log, producers and recent batches hold is not known any more: none of it goes on, and none of it is kept for the next start. */
  #failedByItself(thrown: unknown, records: number, listener: AppendListener): void {
    this.#counters.appendOutcomes.record(false, this.#clock.nowMs());
    this.#standing.failedByItself(thrown);
    this.commitFailed();
    this.#refuseUnavailable(records, listener);
  }

  #refuseUnavailable(records: number, listener: AppendListener): void {
    this.#refuse(this.#standing.unavailableCode, this.#standing.unavailableDetail, records, listener);
  }

  #refuse(
    code: ErrorCode,
    errorMessage: string | null,
    count: number,
    listener: AppendListener,
    records: readonly RecordError[] = [],
  ): void {
    this.#counters.messagesFailed += count;
    listener.appended({
      errorCode: wireCode(code),
      errorMessage,
      records,
      baseOffset: -1,
      logAppendTimeMs: -1,
    });
  }

  /** The topic may be removed while the disk is asked: what it says then is about files that are gone. */
  async #unlessRemoved<Result>(requested: Promise<Result>): Promise<Result> {
    try {
      return await requested;
    } finally {
      if (this.isRetired) this.#standing.checkReadable();
    }
  }

  /** What the producers' state is made of may leave the log only when a checkpoint has it; where commits are syncs, it has after one. */
  async #coveredByCheckpoint(): Promise<void> {
    this.checkpoint();
    const { durableOffset, endOffset } = this.log;
    if (durableOffset === endOffset || !this.#commit.needsSync) return;
    await new Promise<void>((resolve) => {
      this.#pending.add(new PendingAppend(endOffset, endOffset, -1, { appended: () => resolve() }));
      this.#commit.request(this);
    });
    this.checkWritable();
  }

  #tellUse(error: ErrorCode | null): void {
    const listeners = this.#useListeners;
    this.#useListeners = [];
    for (const listener of listeners) listener(error);
  }

  #wakeReaders(): void {
    if (this.#readers.size === 0) return;
    for (const reader of [...this.#readers]) reader.wake();
  }
}

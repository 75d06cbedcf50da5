/**
 * One partition: the only writer of its log, and the place where an append becomes visible.
 *
 *   append   validate -> sequence check -> base offset and write (log) -> recent batches -> ask for a commit
 *   commit   high watermark moves -> acknowledgements -> waiting readers
 *
 * Everything a reader sees lies below the high watermark, so a record that a power cut could take back is never read.
 * `append` is synchronous: the order of calls is the order of the log. It never throws for a peer's or the disk's
 * fault but answers with Kafka's error number.
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
import type { PartitionLog, RecordSpan, StorageEngine, TimestampedOffset } from "../storage/contract.ts";
import { noRecords } from "../storage/held-records.ts";
import type { BrokerCounters } from "./counters.ts";
import type { DiskNews } from "./disk-news.ts";
import { type DurableListener, DurableWaiters } from "./durable-waiters.ts";
import type { Committable, GroupCommit } from "./group-commit.ts";
import { ACCEPTED, OLD_EPOCH, OUT_OF_ORDER, Producers } from "./producers.ts";
import type { RecentBatches, TailCache } from "./recent-batches.ts";
import { RecentRecords, type RecentSource } from "./recent-records.ts";
import { type DiskRefusal, Standing } from "./standing.ts";

/** What a crash may leave to be scanned at the next start, for each partition: about 0.1 s. */
const CHECKPOINT_BYTES = 64 * MiB;

export interface AppendResult {
  /** Kafka's wire number, 0 when stored (or a duplicate of what is stored). */
  errorCode: number;
  errorMessage: string | null;
  /** -1 when refused. */
  baseOffset: number;
  /** -1 unless the topic stamps records itself. */
  logAppendTimeMs: number;
  /** The batch is committed when the high watermark reaches this. */
  endOffset: number;
}

export interface PartitionReader {
  /** The high watermark moved, or the partition went away. */
  wake(): void;
}

/** What a partition obeys of its topic's settings; the object may change under way. */
export interface PartitionRules {
  /** Largest record batch, bytes, as it comes in. */
  bytesMax: number;
  isLogAppendTime: boolean;
}

export interface PartitionParts {
  engine: StorageEngine;
  commit: GroupCommit;
  recent: RecentBatches;
  counters: BrokerCounters;
  clock: Clock;
  log: Log;
  diskNews: DiskNews;
  /** A producer that was silent for so long is forgotten. */
  producerIdExpirationMs: number;
}

export class Partition implements Committable {
  readonly topic: string;
  readonly index: number;
  readonly log: PartitionLog;
  isQueued = false;
  /** The batch that single messages gather in; owned by the batcher. */
  openBatch: object | null = null;
  readonly #rules: PartitionRules;
  readonly #producers: Producers;
  readonly #commit: GroupCommit;
  readonly #recent: TailCache;
  readonly #recentSource: RecentSource;
  readonly #counters: BrokerCounters;
  readonly #clock: Clock;
  readonly #standing: Standing;
  readonly #waiters = new DurableWaiters();
  readonly #readers = new Set<PartitionReader>();
  #highWatermark: number;

  private constructor(log: PartitionLog, rules: PartitionRules, producers: Producers, parts: PartitionParts) {
    this.topic = log.topic;
    this.index = log.partition;
    this.log = log;
    this.#rules = rules;
    this.#producers = producers;
    this.#commit = parts.commit;
    this.#recent = parts.recent.row();
    this.#counters = parts.counters;
    this.#clock = parts.clock;
    this.#standing = new Standing(log, parts.clock, parts.log, parts.diskNews);
    this.#recentSource = { row: this.#recent, log, checkReadable: () => this.#standing.checkReadable() };
    this.#highWatermark = log.durableOffset;
    log.onDurable = () => this.committed(log.durableOffset);
  }

  /** Opens (or creates) the partition's log and restores its producers. `mustExist` as for `StorageEngine.open`. */
  static async open(
    topic: string,
    index: number,
    rules: PartitionRules,
    parts: PartitionParts,
    mustExist = false,
  ): Promise<Partition> {
    const producers = new Producers(parts.producerIdExpirationMs);
    const recovery = producers.recoveryAt(parts.clock.steadyMs());
    const log = await parts.engine.open(topic, index, recovery, mustExist);
    return new Partition(log, rules, producers, parts);
  }

  get leaderEpoch(): number {
    return this.log.leaderEpoch;
  }

  /** The leader epoch of the first record that is there; -1 when it is forgotten. */
  get startLeaderEpoch(): number {
    return this.log.epochAt(this.log.startOffset);
  }

  get startOffset(): number {
    return this.log.startOffset;
  }

  /** Readers see offsets below this. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  get endOffset(): number {
    return this.log.endOffset;
  }

  /** The largest producer id that ever stored here, as far as snapshot and log tell; -1 when there is none. */
  get producerIdMax(): number {
    return this.#producers.idMax;
  }

  get isOffline(): boolean {
    return this.#standing.isOffline;
  }

  get isRetired(): boolean {
    return this.#standing.isRetired;
  }

  /** Why the disk refused the last append; null when it took it. */
  get diskRefusal(): DiskRefusal | null {
    return this.#standing.diskRefusal;
  }

  /** The mistake of our own that took it out of service, in one line; null when there was none. */
  get ownFault(): string | null {
    return this.#standing.ownFault;
  }

  /** Why nothing at all can be asked of it; null when what lies below the high watermark can be read. */
  get refusal(): ErrorCode | null {
    return this.#standing.refusal;
  }

  /** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR when nothing more is taken */
  checkWritable(): void {
    if (this.isOffline) throw this.#standing.error(this.#standing.offlineCode);
  }

  /**
   * Validates and stores the one batch in `buffer[position, end)`. The buffer is only lent, and patched: base offset, leader
   * epoch, and the time where the topic stamps it.
   */
  append(buffer: Buffer, position: number, end: number): AppendResult {
    const fault = admitBatch(buffer, position, end, this.#rules, this.#clock.nowMs());
    if (fault !== null) return this.#refuse(fault.code, fault.detail, 1);
    const records = buffer.readInt32BE(position + BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    if (this.isOffline) return this.#refuseOffline(records);
    const steadyMs = this.#clock.steadyMs();
    const verdict = this.#producers.check(buffer, position, steadyMs);
    if (verdict >= 0) return this.#duplicate(buffer, position, verdict);
    if (verdict !== ACCEPTED) return this.#refuse(SEQUENCE_ERRORS[verdict]!, null, records);
    return this.#store(buffer, position, position + batchBytes(buffer, position), records, steadyMs);
  }

  /** Stores a batch that this process built itself, hence valid. Lent as in `append`. */
  appendBuilt(buffer: Buffer): AppendResult {
    const records = buffer.readInt32BE(BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    if (this.isOffline) return this.#refuseOffline(records);
    return this.#store(buffer, 0, buffer.length, records, this.#clock.steadyMs());
  }

  /** The largest record batch that `append` takes, bytes. */
  get messageBytesMax(): number {
    return this.#rules.bytesMax;
  }

  /** Calls back when everything below `endOffset`, which is stored, is committed or never will be; at once if so now. */
  whenDurable(endOffset: number, listener: DurableListener): void {
    if (endOffset > this.log.endOffset && !this.isOffline)
      fail("a commit is waited for that nobody has asked for");
    this.#wait(endOffset, listener);
  }

  /** Calls back when its first record is committed, or never will be; at once if so now. */
  whenUsed(listener: DurableListener): void {
    this.#wait(this.startOffset + 1, listener);
  }

  /**
   * Whole batches from the one that contains `offset`, below the high watermark, as many as fit into `bytesMax`; the
   * first in any case when `atLeastOne`. Empty at the end, unless it is offline. From memory when recent, else from the log; read as
   * they are taken.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE (never while offline), KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION
   */
  span(offset: number, bytesMax: number, atLeastOne: boolean): RecordSpan | Promise<RecordSpan> {
    this.#standing.checkReadable();
    if (offset < this.startOffset || offset >= this.#highWatermark) {
      if (this.isOffline) throw this.#standing.error("KAFKA_STORAGE_ERROR");
      if (offset >= this.startOffset && offset <= this.endOffset) return noRecords(offset);
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.index, offset });
    }
    const recent = this.#recent.measure(offset, this.#highWatermark, bytesMax, atLeastOne);
    if (recent?.bytes === 0) return noRecords(offset);
    if (recent !== null) return new RecentRecords(this.#recentSource, offset, recent);
    const span = this.log.span(offset, this.#highWatermark, bytesMax, atLeastOne);
    return span instanceof Promise ? this.#unlessRemoved(span) : span;
  }

  addReader(reader: PartitionReader): void {
    this.#readers.add(reader);
  }

  removeReader(reader: PartitionReader): void {
    this.#readers.delete(reader);
  }

  /** As the log's, below the high watermark. @throws ObeliskError as `span` */
  async offsetForTimestamp(timestampMs: number, isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    this.#standing.checkReadable();
    return await this.#unlessRemoved(this.log.offsetForTimestamp(timestampMs, this.#highWatermark, isWanted));
  }

  /** As the log's, below the high watermark. @throws ObeliskError as `span` */
  async offsetOfMaxTimestamp(isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    this.#standing.checkReadable();
    return await this.#unlessRemoved(this.log.offsetOfMaxTimestamp(this.#highWatermark, isWanted));
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null {
    return this.log.endOffsetForEpoch(epoch);
  }

  /** What recovery has found is synced now, or never will be. Only before anybody can see the partition: nothing is counted. */
  completed(): void {
    const { durableOffset } = this.log;
    if (durableOffset < this.#highWatermark) fail("the high watermark never goes back");
    this.#highWatermark = durableOffset;
    this.#standing.isUncommitted = this.log.isOffline;
  }

  /** Called by the group commit. */
  committed(offset: number): void {
    if (offset > this.#highWatermark) {
      if (offset > this.log.endOffset) fail("what is not written cannot be committed");
      if (this.#commit.needsSync && offset > this.log.durableOffset)
        fail("what is not on disk cannot be committed");
      this.#counters.messagesStored += offset - this.#highWatermark;
      this.#highWatermark = offset;
      this.#waiters.committed(offset);
      this.#wakeReaders();
    }
    if (this.log.bytesSinceCheckpoint > CHECKPOINT_BYTES) this.checkpoint();
  }

  /** Called by the group commit: the log is offline, nothing that waits will ever be durable. */
  commitFailed(): void {
    this.#waiters.failed(this.#standing.offlineCode);
    this.#wakeReaders();
  }

  /** Stores the producers' state with the log, so that the next start need not scan further back. */
  checkpoint(): void {
    if (!this.log.isOffline && this.log.bytesSinceCheckpoint > 0)
      this.log.checkpoint(this.#producers.encode());
  }

  /** The topic is being removed: nobody may wait here any longer. */
  retire(): void {
    this.#standing.isRetired = true;
    this.#recent.clear();
    this.commitFailed();
  }

  /** The topic is not removed after all, and offline. */
  restore(): void {
    if (!this.log.isOffline) fail("a partition whose files were taken away is offline");
    this.#standing.isRetired = false;
  }

  #wait(endOffset: number, listener: DurableListener): void {
    if (this.refusal === null && endOffset <= this.#highWatermark) listener(null);
    else if (this.isOffline) listener(this.#standing.offlineCode);
    else this.#waiters.add(endOffset, listener);
  }

  #store(buffer: Buffer, position: number, end: number, records: number, steadyMs: number): AppendResult {
    try {
      return this.#write(buffer, position, end, records, steadyMs);
    } catch (thrown) {
      return this.#failedByItself(thrown, records);
    }
  }

  #write(buffer: Buffer, position: number, end: number, records: number, steadyMs: number): AppendResult {
    const lastOffsetDelta = buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA);
    if (!(records > 0 && records === lastOffsetDelta + 1)) fail("a batch without dense offsets was let in");
    const nowMs = this.#clock.nowMs();
    const logAppendTimeMs = this.#rules.isLogAppendTime ? nowMs : -1;
    if (logAppendTimeMs >= 0) setLogAppendTime(buffer, position, logAppendTimeMs);
    let baseOffset: number;
    try {
      baseOffset = this.log.append(buffer, position, end);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      return this.#refuseAfter(thrown, records, end - position, nowMs);
    }
    const endOffset = this.log.endOffset;
    this.#standing.diskTook();
    this.#producers.record(buffer, position, baseOffset, steadyMs);
    this.#recent.add(buffer, position, end, baseOffset, endOffset);
    this.#countStored(records, end - position, nowMs);
    this.#commit.request(this);
    return { errorCode: NO_ERROR, errorMessage: null, baseOffset, logAppendTimeMs, endOffset };
  }

  #countStored(records: number, bytes: number, nowMs: number): void {
    const counters = this.#counters;
    counters.batchesStored += 1;
    counters.bytesStored += bytes;
    counters.batchRecords.observe(records);
    counters.appendOutcomes.record(true, nowMs);
  }

  #duplicate(buffer: Buffer, position: number, baseOffset: number): AppendResult {
    this.#counters.duplicateBatches += 1;
    const endOffset = baseOffset + buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA) + 1;
    return { errorCode: NO_ERROR, errorMessage: null, baseOffset, logAppendTimeMs: -1, endOffset };
  }

  /** The log refused the batch, and is as it was, or offline. */
  #refuseAfter(error: ObeliskError, records: number, bytes: number, nowMs: number): AppendResult {
    if (isStorageError(error)) {
      this.#counters.appendOutcomes.record(false, nowMs);
      this.#standing.diskRefused(error, bytes);
    }
    if (this.log.isOffline) this.commitFailed();
    return this.#refuse(error.code, error.message, records);
  }

  /** What log, producers and recent batches hold is not known any more: none of it goes on, and none of it is kept for the next start. */
  #failedByItself(thrown: unknown, records: number): AppendResult {
    this.#counters.appendOutcomes.record(false, this.#clock.nowMs());
    this.#standing.failedByItself(thrown);
    this.commitFailed();
    return this.#refuseOffline(records);
  }

  #refuseOffline(records: number): AppendResult {
    return this.#refuse(this.#standing.offlineCode, this.#standing.offlineDetail, records);
  }

  #refuse(code: ErrorCode, errorMessage: string | null, records: number): AppendResult {
    this.#counters.messagesFailed += records;
    return { errorCode: wireCode(code), errorMessage, baseOffset: -1, logAppendTimeMs: -1, endOffset: -1 };
  }

  /** The topic may be removed while the disk is asked: what comes then is an answer about files that are gone. */
  async #unlessRemoved<Result>(requested: Promise<Result>): Promise<Result> {
    try {
      return await requested;
    } finally {
      if (this.isRetired) this.#standing.checkReadable();
    }
  }

  #wakeReaders(): void {
    if (this.#readers.size === 0) return;
    for (const reader of [...this.#readers]) reader.wake();
  }
}

const SEQUENCE_ERRORS: Record<number, ErrorCode> = {
  [OUT_OF_ORDER]: "OUT_OF_ORDER_SEQUENCE_NUMBER",
  [OLD_EPOCH]: "INVALID_PRODUCER_EPOCH",
};

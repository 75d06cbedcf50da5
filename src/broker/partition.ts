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
 * What a partition that takes no records tells
 *
 *   its topic was removed           UNKNOWN_TOPIC_OR_PARTITION to everyone: nobody took a disk away, and nothing will come back
 *   its log could not be opened     KAFKA_STORAGE_ERROR to everyone: its bounds mean nothing, so no offset is out of range
 *   a commit failed                 KAFKA_STORAGE_ERROR to appends and those who wait; below the high watermark it is still read
 */

import { readInt64 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, NO_ERROR, ObeliskError, toObeliskError, wireCode } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { Ring } from "../base/ring.ts";
import { MiB } from "../base/units.ts";
import { admitBatch } from "../protocol/record/admit.ts";
import {
  BATCH_LAST_OFFSET_DELTA,
  BATCH_RECORD_COUNT,
  batchBytes,
  setLogAppendTime,
} from "../protocol/record/batch.ts";
import type {
  PartitionLog,
  RecoveryListener,
  StorageEngine,
  TimestampedOffset,
} from "../storage/contract.ts";
import type { BrokerCounters } from "./counters.ts";
import type { Committable, GroupCommit } from "./group-commit.ts";
import { ACCEPTED, OLD_EPOCH, OUT_OF_ORDER, Producers } from "./producers.ts";
import type { RecentBatches, RecentRow } from "./recent-batches.ts";

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

/** The last append that the disk did not take. */
export interface DiskRefusal {
  readonly isFull: boolean;
  /** How large the batch was. */
  readonly bytes: number;
  /** When, by the monotonic clock. */
  readonly monotonicMs: number;
}

export interface PartitionReader {
  /** The high watermark moved, or the partition went away. */
  wake(partition: Partition): void;
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
  /** A producer that was silent for so long is forgotten. */
  producerIdExpirationMs: number;
}

/** Told once: null when everything that was waited for is committed, else why it never will be. */
export type DurableListener = (error: ErrorCode | null) => void;

interface DurableWaiter {
  readonly endOffset: number;
  readonly listener: DurableListener;
}

export class Partition implements Committable {
  readonly topic: string;
  readonly index: number;
  readonly log: PartitionLog;
  isQueued = false;
  isRetired = false;
  /** The batch that single messages gather in; owned by the batcher. */
  openBatch: object | null = null;
  readonly #rules: PartitionRules;
  readonly #producers: Producers;
  readonly #commit: GroupCommit;
  readonly #recent: RecentRow;
  readonly #counters: BrokerCounters;
  readonly #clock: Clock;
  readonly #events: Log;
  /** Why the disk refused the last append; null when it took it. Told when it starts and when it ends. */
  diskRefusal: DiskRefusal | null = null;
  readonly #waiters = new Ring<DurableWaiter>();
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
    this.#events = parts.log;
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
    const recovery = recoveryInto(producers, parts.clock.steadyMs());
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
    return this.log.isOffline || this.isRetired;
  }

  /** Why nothing at all can be asked of it; null when what lies below the high watermark can be read. */
  get refusal(): ErrorCode | null {
    if (this.isRetired) return "UNKNOWN_TOPIC_OR_PARTITION";
    return this.log.isReadable ? null : "KAFKA_STORAGE_ERROR";
  }

  /** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR when nothing more is taken */
  checkWritable(): void {
    if (this.isOffline) throw this.#error(this.#offlineCode);
  }

  /** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR when nothing can be asked of it */
  checkReadable(): void {
    const code = this.refusal;
    if (code !== null) throw this.#error(code);
  }

  /**
   * Validates and stores the one batch in `buffer[position, end)`. The buffer becomes the partition's: it is kept for
   * readers and must not change afterwards.
   */
  append(buffer: Buffer, position: number, end: number): AppendResult {
    const fault = admitBatch(buffer, position, end, this.#rules, this.#clock.nowMs());
    if (fault !== null) return this.#refuse(fault.code, fault.detail, 1);
    const records = buffer.readInt32BE(position + BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    const steadyMs = this.#clock.steadyMs();
    const verdict = this.#producers.check(buffer, position, steadyMs);
    if (verdict >= 0) return this.#duplicate(buffer, position, verdict);
    if (verdict !== ACCEPTED) return this.#refuse(SEQUENCE_ERRORS[verdict]!, null, records);
    return this.#store(buffer, position, position + batchBytes(buffer, position), records, steadyMs);
  }

  /** Stores a batch that this process built itself, hence valid. Ownership as in `append`. */
  appendBuilt(buffer: Buffer): AppendResult {
    const records = buffer.readInt32BE(BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    return this.#store(buffer, 0, buffer.length, records, this.#clock.steadyMs());
  }

  /** The largest record batch that `append` takes, bytes. */
  get messageBytesMax(): number {
    return this.#rules.bytesMax;
  }

  /** Calls back when everything below `endOffset` is committed or never will be; at once if so now. */
  whenDurable(endOffset: number, listener: DurableListener): void {
    if (endOffset <= this.#highWatermark) listener(null);
    else if (this.isOffline) listener(this.#offlineCode);
    else this.#waiters.push({ endOffset, listener });
  }

  /**
   * Whole batches from the one that contains `offset`, below the high watermark, as many as fit into `bytesMax`; the
   * first in any case when `atLeastOne`. Empty at the end. From memory when recent, else from the log.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE (never while offline), KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION
   */
  read(offset: number, bytesMax: number, atLeastOne: boolean): Buffer | Promise<Buffer> {
    this.checkReadable();
    if (offset < this.startOffset || offset > this.endOffset) {
      if (this.isOffline) throw this.#error("KAFKA_STORAGE_ERROR");
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.index, offset });
    }
    if (offset >= this.#highWatermark) return NOTHING;
    const recent = this.#recent.read(offset, this.#highWatermark, bytesMax, atLeastOne);
    const records = recent ?? this.log.read(offset, this.#highWatermark, bytesMax, atLeastOne);
    return records instanceof Promise ? this.#unlessRemoved(records) : records;
  }

  addReader(reader: PartitionReader): void {
    this.#readers.add(reader);
  }

  removeReader(reader: PartitionReader): void {
    this.#readers.delete(reader);
  }

  /** As the log's, below the high watermark. @throws ObeliskError as `read` */
  async offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    this.checkReadable();
    return await this.#unlessRemoved(this.log.offsetForTimestamp(timestampMs, this.#highWatermark));
  }

  /** As the log's, below the high watermark. @throws ObeliskError as `read` */
  async offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    this.checkReadable();
    return await this.#unlessRemoved(this.log.offsetOfMaxTimestamp(this.#highWatermark));
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null {
    return this.log.endOffsetForEpoch(epoch);
  }

  /** What recovery has found is synced now, or never will be. Only before anybody can see the partition: nothing is counted. */
  settled(): void {
    this.#highWatermark = this.log.durableOffset;
  }

  /** Called by the group commit. */
  committed(offset: number): void {
    if (offset > this.#highWatermark) {
      this.#counters.messagesStored += offset - this.#highWatermark;
      this.#highWatermark = offset;
      this.#settle(null);
      this.#wakeReaders();
    }
    if (this.log.bytesSinceCheckpoint > CHECKPOINT_BYTES) this.checkpoint();
  }

  /** Called by the group commit: the log is offline, nothing that waits will ever be durable. */
  commitFailed(): void {
    this.#settle(this.#offlineCode);
    this.#wakeReaders();
  }

  /** Stores the producers' state with the log, so that the next start need not scan further back. */
  checkpoint(): void {
    if (!this.log.isOffline && this.log.bytesSinceCheckpoint > 0)
      this.log.checkpoint(this.#producers.encode());
  }

  /** The topic is being removed: nobody may wait here any longer. */
  retire(): void {
    this.isRetired = true;
    this.#recent.clear();
    this.commitFailed();
  }

  #store(buffer: Buffer, position: number, end: number, records: number, steadyMs: number): AppendResult {
    if (this.isOffline) return this.#refuse(this.#offlineCode, this.#offlineDetail, records);
    const nowMs = this.#clock.nowMs();
    const logAppendTimeMs = this.#rules.isLogAppendTime ? nowMs : -1;
    if (logAppendTimeMs >= 0) setLogAppendTime(buffer, position, logAppendTimeMs);
    let baseOffset: number;
    try {
      baseOffset = this.log.append(buffer, position, end);
    } catch (thrown) {
      return this.#refuseAfterFault(thrown, records, end - position, nowMs);
    }
    const endOffset = this.log.endOffset;
    if (this.diskRefusal !== null) this.#diskTakesAgain();
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

  #refuseAfterFault(thrown: unknown, records: number, bytes: number, nowMs: number): AppendResult {
    const error = toObeliskError(thrown);
    this.#counters.appendOutcomes.record(false, nowMs);
    if (this.diskRefusal === null) {
      const facts = { topic: this.topic, partition: this.index, reason: error.message };
      this.#events.error("the disk refuses records, and producers are told so", facts);
    }
    this.diskRefusal = {
      isFull: error.code === "DISK_FULL",
      bytes,
      monotonicMs: this.#clock.monotonicMs(),
    };
    if (this.log.isOffline) this.commitFailed();
    return this.#refuse(error.code, error.message, records);
  }

  #diskTakesAgain(): void {
    this.diskRefusal = null;
    this.#events.info("the disk takes records again", { topic: this.topic, partition: this.index });
  }

  #refuse(code: ErrorCode, errorMessage: string | null, records: number): AppendResult {
    this.#counters.messagesFailed += records;
    return { errorCode: wireCode(code), errorMessage, baseOffset: -1, logAppendTimeMs: -1, endOffset: -1 };
  }

  /** Offsets are waited for in ascending order, except duplicates, which may wait behind a later one. */
  #settle(error: ErrorCode | null): void {
    for (let waiter = this.#waiters.peek(); waiter !== undefined; waiter = this.#waiters.peek()) {
      if (error === null && waiter.endOffset > this.#highWatermark) return;
      this.#waiters.shift();
      waiter.listener(error);
    }
  }

  /** What appends are told while the partition is offline. */
  get #offlineCode(): ErrorCode {
    return this.isRetired ? "UNKNOWN_TOPIC_OR_PARTITION" : "KAFKA_STORAGE_ERROR";
  }

  get #offlineDetail(): string {
    if (this.isRetired) return "the topic was removed";
    return this.log.isReadable
      ? "the partition is offline after a disk error"
      : "the partition is offline: it could not be opened at the start";
  }

  #error(code: ErrorCode): ObeliskError {
    const facts = { topic: this.topic, partition: this.index };
    return new ObeliskError(code, this.isOffline ? { detail: this.#offlineDetail, ...facts } : facts);
  }

  /** The topic may be removed while the disk is asked: what comes then is an answer about files that are gone. */
  async #unlessRemoved<Answer>(asked: Promise<Answer>): Promise<Answer> {
    try {
      return await asked;
    } finally {
      if (this.isRetired) this.checkReadable();
    }
  }

  #wakeReaders(): void {
    if (this.#readers.size === 0) return;
    for (const reader of [...this.#readers]) reader.wake(this);
  }
}

const NOTHING = Buffer.alloc(0);

const SEQUENCE_ERRORS: Record<number, ErrorCode> = {
  [OUT_OF_ORDER]: "OUT_OF_ORDER_SEQUENCE_NUMBER",
  [OLD_EPOCH]: "INVALID_PRODUCER_EPOCH",
};

/** Replays what lies behind the last checkpoint. A state that does not decode is rebuilt: the whole log is replayed. */
function recoveryInto(producers: Producers, steadyMs: number): RecoveryListener {
  return {
    restore: (state) => producers.restore(state, steadyMs),
    replay: (buffer, position) => producers.record(buffer, position, readInt64(buffer, position), steadyMs),
  };
}

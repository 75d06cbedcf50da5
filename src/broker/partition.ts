/**
 * One partition: the only writer of its log, and the place where an append becomes visible.
 *
 *   append   validate -> sequence check -> base offset and write (log) -> recent batches -> ask for a commit
 *   commit   high watermark moves -> acknowledgements -> waiting readers
 *
 * Everything a reader sees lies below the high watermark, so a record that a power cut could take back is never read.
 * `append` is synchronous: the order of calls is the order of the log. It never throws for a peer's or the disk's
 * fault but answers with Kafka's error number. When a commit fails the partition goes offline: appends are refused,
 * those who wait are told, and what is below the high watermark can still be read.
 */

import { readInt64 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, NO_ERROR, ObeliskError, toObeliskError, wireCode } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { Ring } from "../base/ring.ts";
import { MiB } from "../base/units.ts";
import { BATCH_LAST_OFFSET_DELTA, BATCH_RECORD_COUNT, setLogAppendTime } from "../protocol/record/batch.ts";
import { validateBatch } from "../protocol/record/validate.ts";
import type {
  PartitionLog,
  RecoveryListener,
  StorageEngine,
  TimestampedOffset,
} from "../storage/contract.ts";
import type { BrokerCounters } from "./counters.ts";
import type { Committable, GroupCommit } from "./group-commit.ts";
import { ACCEPTED, OLD_EPOCH, OUT_OF_ORDER, Producers, UNKNOWN_PRODUCER } from "./producers.ts";
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
}

interface DurableWaiter {
  readonly endOffset: number;
  readonly listener: (isDurable: boolean) => void;
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
  /** The disk refused the last append. Told when it starts and when it ends. */
  #isRefusing = false;
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

  /** Opens (or creates) the partition's log and restores its producers. */
  static async open(
    topic: string,
    index: number,
    rules: PartitionRules,
    parts: PartitionParts,
  ): Promise<Partition> {
    const producers = new Producers();
    const log = await parts.engine.open(topic, index, recoveryInto(producers, parts.clock.nowMs()));
    return new Partition(log, rules, producers, parts);
  }

  get leaderEpoch(): number {
    return this.log.leaderEpoch;
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

  get isOffline(): boolean {
    return this.log.isOffline || this.isRetired;
  }

  /**
   * Validates and stores the batch `buffer[position, end)`. The buffer becomes the partition's: it is kept for
   * readers and must not change afterwards.
   */
  append(buffer: Buffer, position: number, end: number): AppendResult {
    const fault = validateBatch(buffer, position, end, this.#rules);
    if (fault !== null) return this.#refuse(fault.code, fault.detail, 1);
    const records = buffer.readInt32BE(position + BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    const verdict = this.#producers.check(buffer, position);
    if (verdict >= 0) return this.#duplicate(buffer, position, verdict);
    if (verdict !== ACCEPTED) return this.#refuse(SEQUENCE_ERRORS[verdict]!, null, records);
    return this.#store(buffer, position, end, records);
  }

  /** Stores a batch that this process built itself, hence valid. Ownership as in `append`. */
  appendBuilt(buffer: Buffer): AppendResult {
    const records = buffer.readInt32BE(BATCH_RECORD_COUNT);
    this.#counters.messagesReceived += records;
    return this.#store(buffer, 0, buffer.length, records);
  }

  /** The largest record batch that `append` takes, bytes. */
  get messageBytesMax(): number {
    return this.#rules.bytesMax;
  }

  /** Calls back when everything below `endOffset` is committed (true), or never will be (false); at once if so now. */
  whenDurable(endOffset: number, listener: (isDurable: boolean) => void): void {
    if (endOffset <= this.#highWatermark) listener(true);
    else if (this.isOffline) listener(false);
    else this.#waiters.push({ endOffset, listener });
  }

  /**
   * Whole batches from the one that contains `offset`, below the high watermark, as many as fit into `bytesMax`; the
   * first in any case when `atLeastOne`. Empty at the end. From memory when recent, else from the log.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR
   */
  read(offset: number, bytesMax: number, atLeastOne: boolean): Buffer | Promise<Buffer> {
    if (offset < this.startOffset || offset > this.endOffset) {
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.index, offset });
    }
    if (offset >= this.#highWatermark) return NOTHING;
    const recent = this.#recent.read(offset, this.#highWatermark, bytesMax, atLeastOne);
    return recent ?? this.log.read(offset, this.#highWatermark, bytesMax, atLeastOne);
  }

  addReader(reader: PartitionReader): void {
    this.#readers.add(reader);
  }

  removeReader(reader: PartitionReader): void {
    this.#readers.delete(reader);
  }

  /** As the log's, below the high watermark. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    return this.log.offsetForTimestamp(timestampMs, this.#highWatermark);
  }

  offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    return this.log.offsetOfMaxTimestamp(this.#highWatermark);
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null {
    return this.log.endOffsetForEpoch(epoch);
  }

  /** Called by the group commit. */
  committed(offset: number): void {
    if (offset > this.#highWatermark) {
      this.#counters.messagesStored += offset - this.#highWatermark;
      this.#highWatermark = offset;
      this.#settle(true);
      this.#wakeReaders();
    }
    if (this.log.bytesSinceCheckpoint > CHECKPOINT_BYTES) this.checkpoint();
  }

  /** Called by the group commit: the log is offline, nothing that waits will ever be durable. */
  commitFailed(): void {
    this.#settle(false);
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

  #store(buffer: Buffer, position: number, end: number, records: number): AppendResult {
    if (this.isOffline)
      return this.#refuse("KAFKA_STORAGE_ERROR", "the partition is offline after a disk error", records);
    const nowMs = this.#clock.nowMs();
    const logAppendTimeMs = this.#rules.isLogAppendTime ? nowMs : -1;
    if (logAppendTimeMs >= 0) setLogAppendTime(buffer, position, logAppendTimeMs);
    let baseOffset: number;
    try {
      baseOffset = this.log.append(buffer, position, end);
    } catch (thrown) {
      return this.#refuseAfterFault(thrown, records, nowMs);
    }
    const endOffset = this.log.endOffset;
    if (this.#isRefusing) this.#tellRefusing(null);
    this.#producers.record(buffer, position, baseOffset, nowMs);
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

  #refuseAfterFault(thrown: unknown, records: number, nowMs: number): AppendResult {
    const error = toObeliskError(thrown);
    this.#counters.appendOutcomes.record(false, nowMs);
    if (!this.#isRefusing) this.#tellRefusing(error.message);
    if (this.log.isOffline) this.commitFailed();
    return this.#refuse(error.code, error.message, records);
  }

  #tellRefusing(reason: string | null): void {
    this.#isRefusing = reason !== null;
    const facts = { topic: this.topic, partition: this.index };
    if (reason === null) this.#events.info("the disk takes records again", facts);
    else this.#events.error("the disk refuses records, and producers are told so", { ...facts, reason });
  }

  #refuse(code: ErrorCode, errorMessage: string | null, records: number): AppendResult {
    this.#counters.messagesFailed += records;
    return { errorCode: wireCode(code), errorMessage, baseOffset: -1, logAppendTimeMs: -1, endOffset: -1 };
  }

  /** Offsets are waited for in ascending order, except duplicates, which may wait behind a later one. */
  #settle(isDurable: boolean): void {
    for (let waiter = this.#waiters.peek(); waiter !== undefined; waiter = this.#waiters.peek()) {
      if (isDurable && waiter.endOffset > this.#highWatermark) return;
      this.#waiters.shift();
      waiter.listener(isDurable);
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
  [UNKNOWN_PRODUCER]: "UNKNOWN_PRODUCER_ID",
};

/** Replays what lies behind the last checkpoint. A state that does not decode is rebuilt from what can be replayed. */
function recoveryInto(producers: Producers, nowMs: number): RecoveryListener {
  return {
    restore: (state) => producers.restore(state),
    replay: (buffer, position) => producers.record(buffer, position, readInt64(buffer, position), nowMs),
  };
}

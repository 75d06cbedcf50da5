/**
 * One partition, as everything above the broker sees it. Where its records lie is the matter of an implementation: a log on this
 * machine (log-partition.ts), or a sequencer and an object store somewhere else.
 *
 *     append -----------> AppendListener.appended      once, when the batch is committed or refused
 *     span, look-ups ---> records                      below the high watermark only
 *     PartitionReader.wake                             the high watermark moved, whoever wrote
 *
 * What nobody may assume, so that an implementation need not be on this machine:
 *   - that an offset is known before the outcome: it may be assigned together with the commit, a few milliseconds later. So nothing
 *     here tells where the next batch will lie.
 *   - that outcomes come within the turn, or in the order in which different partitions were appended to. Commits of one producer in one
 *     partition are told in its order; a refusal may come earlier. What was told as committed is below `latestOffset` from then on.
 *   - that bounds are exact, or agree from one turn to the next: they may be a view of what is kept elsewhere. An offset beyond them is
 *     out of range only when `span` says so.
 *   - that who appends is the only writer: another broker may be one.
 */

import type { ErrorCode } from "../base/errors.ts";
import type { RecordSpan, TimestampedOffset } from "../storage/contract.ts";
import type { DiskRefusal } from "./standing.ts";
import type { PartitionTraffic } from "./traffic.ts";

/** What is wrong with one record of a batch, by its place in it. */
export interface RecordError {
  readonly batchIndex: number;
  readonly batchIndexErrorMessage: string;
}

/** Why a record cannot be stored. */
export interface RecordFault {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** What became of a batch. Lent for the call that tells it. */
export interface AppendOutcome {
  /**
   * Kafka's wire number. 0: the batch is committed (or a duplicate of one that is). `UNKNOWN_OUTCOME`: it may be stored, and a producer
   * that sends it again with its sequence hears what became of it. Any other: it was refused.
   */
  readonly errorCode: number;
  readonly errorMessage: string | null;
  /** The records because of which it was refused; left out when it was not, or for something else. */
  readonly records?: readonly RecordError[];
  /** -1 unless it is committed. */
  readonly baseOffset: number;
  /** -1 unless the topic stamps records itself. */
  readonly logAppendTimeMs: number;
}

/**
 * How an implementation says that it cannot know whether a batch is stored. As Kafka does where a commit is not known in time: clients
 * take it for "possibly stored" and retry with the same sequence, while they take KAFKA_STORAGE_ERROR for "not stored".
 */
export const UNKNOWN_OUTCOME: ErrorCode = "REQUEST_TIMED_OUT";

export interface AppendListener {
  /** Called once for each append, maybe before it returns. */
  appended(outcome: AppendOutcome): void;
}

/** An idempotent producer that a partition remembers. */
export interface ActiveProducer {
  readonly producerId: number;
  readonly epoch: number;
  /** -1: none of its batches is stored. */
  readonly lastSequence: number;
  /** When it last sent a batch, by the wall clock as it is set now; -1 when that is not known. */
  readonly lastAtMs: number;
}

export interface PartitionReader {
  /** The high watermark moved, or the partition went offline or away. */
  wake(): void;
}

export interface Partition {
  readonly topic: string;
  readonly index: number;
  /** The batch that single messages gather in; owned by the batcher. */
  openBatch: object | null;

  readonly startOffset: number;
  /** Readers see offsets below this. */
  readonly highWatermark: number;
  readonly leaderEpoch: number;
  /** The leader epoch of the first record that is there; -1 when it is not known any more. */
  readonly startLeaderEpoch: number;
  /** The largest record batch that `append` takes, bytes. */
  readonly messageBytesMax: number;
  /** Whether its topic lets old records be deleted: its cleanup.policy has "delete". */
  readonly isDeletable: boolean;

  /** It takes no records. What lies below the high watermark may still be read. */
  readonly isUnavailable: boolean;
  /** Why it takes no records, in words; null while it does. */
  readonly unavailableReason: string | null;
  /** Why nothing at all can be asked of it, its bounds neither; null when what lies below the high watermark can be read. */
  readonly refusal: ErrorCode | null;
  /** Why the last append could not be stored; null when it could. */
  readonly diskRefusal: DiskRefusal | null;
  /** The fault of Obelisk itself that took it out of service, in one line; null when there was none. */
  readonly ownFault: string | null;

  /**
   * Whether a buffer that is appended belongs to the append until its outcome. Who has only borrowed it appends a copy then. When not,
   * the buffer is the caller's again as soon as the call returns.
   */
  readonly keepsBuffers: boolean;
  /**
   * Validates and stores the one batch in `buffer[position, end)`, which may be patched: base offset, leader epoch, and the time
   * where the topic stamps it. Never throws for a peer's or the storage's fault.
   */
  append(buffer: Buffer, position: number, end: number, listener: AppendListener): void;
  /**
   * Why its topic does not take a record with this time, with or without a key; null when it does. For records that share a batch with
   * those of others (`appendBuilt`), which would be refused with it.
   */
  faultOfRecord(hasKey: boolean, timestampMs: number): RecordFault | null;
  /** Stores a batch that this process built itself, hence valid: the whole of `buffer`. Otherwise as `append`. */
  appendBuilt(buffer: Buffer, listener: AppendListener): void;
  /** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR when nothing more is taken */
  checkWritable(): void;

  /**
   * Whole batches from the one that contains `offset`, below the high watermark, as many as fit into `bytesMax`; the
   * first in any case when `atLeastOne`. Empty at the end, unless it is offline. Read as they are taken.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE (never while offline), KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION
   */
  span(offset: number, bytesMax: number, atLeastOne: boolean): RecordSpan | Promise<RecordSpan>;
  /**
   * Moves the log start up to `offset`, as Kafka's DeleteRecords: what lies below is deleted, and refused to readers. Resolves
   * with the log start when it is durable; it never moves down.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE above the high watermark, else as `checkWritable`; DISK_FULL
   */
  deleteBefore(offset: number): Promise<number>;
  addReader(reader: PartitionReader): void;
  removeReader(reader: PartitionReader): void;

  /** What this process has stored in it and read from it. Who appends has it counted; who sends to a reader counts that (`read`). */
  readonly traffic: PartitionTraffic;
  /** Bytes that its records take where they are kept, as far as is known. */
  readonly bytes: number;
  /** Records at its end that are read from memory, as far as is known. For people: nothing is decided by it. */
  readonly bufferedRecords: number;
  /** Those that are remembered now. For people: nothing is decided by it. */
  activeProducers(): readonly ActiveProducer[] | Promise<readonly ActiveProducer[]>;

  /** The high watermark as it is now, where the one above is only a view: above everything that anybody was acknowledged. */
  latestOffset(): number | Promise<number>;
  /**
   * The first record with a timestamp of `timestampMs` or later; null when there is none. May be long work: once `isWanted` says no,
   * nobody waits for it any more, and it ends with null. @throws ObeliskError as `span`
   */
  offsetForTimestamp(timestampMs: number, isWanted?: () => boolean): Promise<TimestampedOffset | null>;
  /** The first record that carries the largest timestamp; null when empty. Otherwise as above. */
  offsetOfMaxTimestamp(isWanted?: () => boolean): Promise<TimestampedOffset | null>;
  /** For KIP-320: the largest epoch not above `epoch`, and the offset where it ended; null when unknown. */
  endOffsetForEpoch(epoch: number): EpochEnd | null | Promise<EpochEnd | null>;
}

export interface EpochEnd {
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

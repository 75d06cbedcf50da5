/**
 * One partition of a fetch: what was asked, what was found, and how many bytes are known to wait for it.
 *
 *     startOffset        offset           countedOffset     highWatermark
 *         v                v                    v                 v
 *     ----[================|=== counted bytes ==|=== not looked at yet ===]
 *
 * Only what lies below the high watermark is there for a consumer. An offset inside a batch gives the whole batch,
 * and an offset at the end is not an error: it waits. OFFSET_OUT_OF_RANGE is for offsets below the start and beyond
 * the end of the log, and nothing else: upon it a consumer may throw its position away. So it is the partition that says it, to a
 * read: the bounds that it shows may be a view of what is kept elsewhere. A partition that is offline is never
 * answered with it; it still gives what lies below its high watermark, unless nothing at all can be asked of it (`refusal`).
 */

import { fail } from "../base/assert.ts";
import { type ErrorCode, NO_ERROR, ObeliskError, wireCode } from "../base/errors.ts";
import type { RecordSpan } from "../storage/contract.ts";
import { noRecords } from "../storage/held-records.ts";

/** What a fetch asks of a partition; the broker's `Partition` has it. */
export interface FetchablePartition {
  readonly traffic: { read(offset: number, nextOffset: number, bytes: number): void };
  readonly startOffset: number;
  readonly highWatermark: number;
  readonly isUnavailable: boolean;
  /** Why nothing can be asked of it, its bounds neither: removed, or never opened. */
  readonly refusal: ErrorCode | null;
  span(offset: number, bytesMax: number, atLeastOne: boolean): RecordSpan | Promise<RecordSpan>;
  addReader(reader: FetchReader): void;
  removeReader(reader: FetchReader): void;
}

export interface FetchReader {
  /** The high watermark moved, or the partition went offline or away. */
  wake(): void;
}

/** Whom a slot tells while it waits: its fetch. */
export interface SlotListener {
  slotMoved(slot: FetchSlot): void;
}

/** The response where no record is. */
export const NO_RECORDS: RecordSpan = noRecords(0);

export class FetchSlot implements FetchReader {
  readonly partition: FetchablePartition | null;
  readonly offset: number;
  readonly bytesMax: number;
  /** Kafka's number; set by the caller for what it refused, or by the fetch for what it found. */
  errorCode: number;
  /** Whole batches; nothing of them is held. */
  records: RecordSpan = NO_RECORDS;
  /** As they were when the records were read; -1 with an error. */
  highWatermark = -1;
  startOffset = -1;
  /** The high watermark when records were last read or counted: what moved since is not known yet. */
  seenHighWatermark = -1;
  /** Bytes known to be readable from `offset`, and the offset up to which they were counted. */
  countedBytes = 0;
  countedOffset: number;
  #listener: SlotListener | null = null;

  /** `partition` null goes with an `errorCode` other than 0. `bytesMax`: this partition's share, at least one batch. */
  constructor(partition: FetchablePartition | null, offset: number, bytesMax: number, errorCode = NO_ERROR) {
    this.partition = partition;
    this.offset = offset;
    this.bytesMax = Math.max(bytesMax, 0);
    this.errorCode = errorCode;
    this.countedOffset = offset;
  }

  /** From now on the listener is told when the partition moves. */
  listen(listener: SlotListener): void {
    this.#listener = listener;
    this.partition?.addReader(this);
  }

  stopListening(): void {
    this.#listener = null;
    this.partition?.removeReader(this);
  }

  wake(): void {
    this.#listener?.slotMoved(this);
  }

  /** Looks at the partition and sets `errorCode`; true when a record waits at `offset`, or when only a read can tell what does. */
  examine(): boolean {
    const partition = this.partition;
    if (partition === null || this.errorCode !== NO_ERROR) return false;
    const { refusal } = partition;
    if (refusal !== null) this.errorCode = wireCode(refusal);
    else if (this.offset >= partition.startOffset && this.offset < partition.highWatermark) return true;
    else if (partition.isUnavailable) this.errorCode = wireCode("KAFKA_STORAGE_ERROR");
    else return this.isOutside;
    return false;
  }

  /** Whether the offset lies outside of the bounds that the partition shows. They may be a view: whether it is out of range, a read tells. */
  get isOutside(): boolean {
    return this.offset < this.partition!.startOffset || this.offset > this.partition!.highWatermark;
  }

  /** The partition went offline or away while the fetch waited: nothing more may be asked of it. */
  leave(): void {
    this.errorCode = wireCode(this.partition!.refusal ?? "KAFKA_STORAGE_ERROR");
    this.records = NO_RECORDS;
    this.highWatermark = -1;
    this.startOffset = -1;
  }

  /** Keeps what was read, and the bounds of the moment. */
  keep(records: RecordSpan): void {
    this.records = records;
    this.highWatermark = this.partition!.highWatermark;
    this.startOffset = this.partition!.startOffset;
  }

  /** What was kept goes to the client. */
  countRead(): void {
    const { records } = this;
    if (records.length === 0) return;
    this.partition!.traffic.read(
      Math.max(this.offset, records.baseOffset),
      records.nextOffset,
      records.length,
    );
  }

  /** Records what the partition said instead of records. @throws what is not an ObeliskError */
  refuse(thrown: unknown): void {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    this.errorCode = thrown.wire;
    this.highWatermark = -1;
    this.startOffset = -1;
  }

  /** Lets the records go, but remembers how many bytes there were. */
  drop(): void {
    this.countedBytes = this.records.length;
    this.countedOffset = this.records.length > 0 ? this.records.nextOffset : this.offset;
    this.records = NO_RECORDS;
  }

  /** Counts what came since. False when that needs the disk, so that it must be read in earnest. */
  count(): boolean {
    const partition = this.partition!;
    this.seenHighWatermark = partition.highWatermark;
    if (this.errorCode !== NO_ERROR || this.countedOffset >= partition.highWatermark) return true;
    const bytesLeft = this.bytesMax - this.countedBytes;
    if (bytesLeft <= 0) return true;
    const fresh = partition.span(this.countedOffset, bytesLeft, this.countedBytes === 0);
    if (fresh instanceof Promise) {
      fresh.catch(ignore);
      return false;
    }
    this.countedBytes += fresh.length;
    if (fresh.length > 0) this.countedOffset = fresh.nextOffset;
    if (this.countedOffset > partition.highWatermark)
      fail("records above the high watermark are not there to be counted");
    return true;
  }
}

/** A read that only counted: its error will come again when the same bytes are read in earnest. */
function ignore(): void {}

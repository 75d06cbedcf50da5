/**
 * The batches that one fetch brought for one partition, handed out as records batch by batch.
 *
 *   [batch 40..49][batch 50..59][batch 60..6   a broker may cut the last one off: it is left for the next fetch
 *        ^ the consumer's position may lie inside a batch: records below it are skipped
 *
 * Every batch is checked (length, magic, CRC) before its records are opened, and what records decompress to is bounded. A batch
 * opens whole or not at all: when one of its records does not open, none of them counts as read, and the error names the
 * offsets of the batch, so that a consumer can go on after it. A few kilobytes may hold millions of records, so a batch of more than
 * `RECORDS_AT_ONCE` is first walked to its end and then handed out in portions. Control batches give no records. With `isCommittedOnly`, batches
 * of aborted transactions give none either: a transaction that the broker lists as aborted counts from its first offset to its
 * abort marker.
 *
 * Keys, values and header values are views of the fetched (or inflated) bytes, which live as long as one of them does.
 */

import { type ErrorCode, ObeliskError } from "../base/errors.ts";
import { GiB } from "../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  batchBaseOffset,
  batchBytes,
  batchLastOffset,
  batchLeaderEpoch,
  batchProducerId,
  batchRecordCount,
  isControlBatch,
  isTransactional,
} from "../protocol/record/batch.ts";
import type { RecordHeader } from "../protocol/record/builder.ts";
import { RecordCursor } from "../protocol/record/records.ts";
import { validateStoredBatch } from "../protocol/record/validate.ts";

/**
 * What the records of one batch may decompress to. A consumer has no other use for its memory, so it takes far more than a server
 * does for a client; a Java client ends at 2 GiB.
 */
const INFLATED_BYTES_MAX = GiB;
/** Records of one batch that become objects at once: a record is 200 bytes and more, whatever it holds. */
const RECORDS_AT_ONCE = 10_000;
/** The key of a control record: int16 version, int16 type; 0 is an abort marker. */
const CONTROL_KEY_BYTES = 4;
const CONTROL_ABORT = 0;
const NO_HEADERS: readonly RecordHeader[] = [];

export interface ConsumerRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** -1: none. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * A batch that came as it was stored and acknowledged, and whose records do not open: its producer encoded them wrong, they
 * decompress beyond the limit, or this platform lacks the codec. The same bytes would come again.
 */
export class UnreadableBatch extends ObeliskError {
  override name = "UnreadableBatch";
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: number;
  /** After the batch: where to go on. */
  readonly nextOffset: number;

  constructor(
    reason: ObeliskError,
    topic: string,
    partition: number,
    firstOffset: number,
    nextOffset: number,
  ) {
    const last = nextOffset - 1;
    const offsets = firstOffset === last ? `record ${last}` : `records ${firstOffset} to ${last}`;
    const why = UNREADABLE_WORDS[reason.code] ?? reason.message;
    const more = reason.code === "GARBLED_RECORDS" ? ` (${reason.facts.detail})` : "";
    super(reason.code, { detail: `${offsets} cannot be read: ${why}${more}`, topic, partition }, reason);
    this.topic = topic;
    this.partition = partition;
    this.firstOffset = firstOffset;
    this.nextOffset = nextOffset;
  }
}

const UNREADABLE_WORDS: Partial<Record<ErrorCode, string>> = {
  GARBLED_RECORDS: "the batch does not decode, as its producer sent it",
  RECORDS_TOO_LARGE: `the batch decompresses to more than ${INFLATED_BYTES_MAX / GiB} GiB`,
  UNSUPPORTED_COMPRESSION_TYPE: "the compression codec of the batch is not supported here",
};

export class FetchedBatches {
  readonly topic: string;
  readonly partition: number;
  /** After the last whole batch: where the next fetch goes on. -1 when there is none. */
  readonly endOffset: number;
  readonly #buffer: Buffer;
  readonly #end: number;
  readonly #cursor = new RecordCursor();
  /** Not yet begun, by first offset; null when aborted batches are to be seen. */
  readonly #abortedToCome: AbortedTransaction[] | null;
  readonly #abortedNow = new Set<number>();
  #position = 0;
  #leaderEpoch = -1;
  #openedBytes = 0;
  /** Whether the cursor stands within the records of the batch at the position. */
  #isOpen = false;
  #previousDelta = -1;

  constructor(
    topic: string,
    partition: number,
    buffer: Buffer,
    aborted: readonly AbortedTransaction[] | null,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.#buffer = buffer;
    this.#abortedToCome =
      aborted === null ? null : [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
    let end = 0;
    let endOffset = -1;
    for (let bytes = this.#wholeBatchBytes(end); bytes > 0; bytes = this.#wholeBatchBytes(end)) {
      endOffset = batchLastOffset(buffer, end) + 1;
      end += bytes;
    }
    this.#end = end;
    this.endOffset = endOffset;
  }

  get isEmpty(): boolean {
    return this.#position >= this.#end;
  }

  /** The leader epoch of the batch that was opened last; -1 before the first. */
  get leaderEpoch(): number {
    return this.#leaderEpoch;
  }

  /** What the records of all batches opened so far take in memory. */
  get openedBytes(): number {
    return this.#openedBytes;
  }

  /**
   * Opens the next batch, or goes on in the one that is open, appends its records from `fromOffset` on to `target`, and returns the
   * offset to go on with: after the batch, or within it when there are more. `isEmpty` must be false.
   * @throws ObeliskError CORRUPT_MESSAGE with the place; `UnreadableBatch` when its checksum holds and its records do not open. The
   * batch is not passed then, and `target` is as it was.
   */
  takeBatch(fromOffset: number, target: ConsumerRecord[]): number {
    const buffer = this.#buffer;
    const position = this.#position;
    const fault = this.#isOpen ? null : validateStoredBatch(buffer, position, this.#end);
    if (fault !== null) throw this.#damaged(fault.detail, fromOffset);
    const nextOffset = batchLastOffset(buffer, position) + 1;
    let reachedOffset = nextOffset;
    if (nextOffset > fromOffset) {
      const count = target.length;
      try {
        this.#beginAborted(nextOffset);
        if (isControlBatch(buffer, position)) this.#readMarker(position);
        else if (!this.#isAborted(position))
          reachedOffset = this.#readRecords(position, nextOffset, fromOffset, target);
      } catch (thrown) {
        target.length = count;
        this.#isOpen = false;
        if (!(thrown instanceof ObeliskError)) throw thrown;
        throw new UnreadableBatch(
          thrown,
          this.topic,
          this.partition,
          batchBaseOffset(buffer, position),
          nextOffset,
        );
      }
    }
    this.#leaderEpoch = batchLeaderEpoch(buffer, position);
    if (reachedOffset < nextOffset) return reachedOffset;
    this.#isOpen = false;
    this.#position = position + batchBytes(buffer, position);
    return nextOffset;
  }

  #readRecords(position: number, nextOffset: number, fromOffset: number, target: ConsumerRecord[]): number {
    const cursor = this.#cursor;
    const isLarge = batchRecordCount(this.#buffer, position) > RECORDS_AT_ONCE;
    if (!this.#isOpen) this.#openRecords(position, nextOffset, isLarge);
    const countMax = isLarge ? target.length + RECORDS_AT_ONCE : Number.POSITIVE_INFINITY;
    while (this.#nextRecord(nextOffset)) {
      if (cursor.offset < fromOffset) continue;
      const { buffer } = cursor;
      target.push({
        topic: this.topic,
        partition: this.partition,
        offset: cursor.offset,
        timestampMs: cursor.timestampMs,
        key: cursor.keyStart < 0 ? null : buffer.subarray(cursor.keyStart, cursor.keyEnd),
        value: cursor.valueStart < 0 ? null : buffer.subarray(cursor.valueStart, cursor.valueEnd),
        headers: cursor.headerCount === 0 ? NO_HEADERS : cursor.headers(),
      });
      if (target.length >= countMax) return cursor.offset + 1;
    }
    return nextOffset;
  }

  #openRecords(position: number, nextOffset: number, isLarge: boolean): void {
    const cursor = this.#cursor;
    cursor.open(this.#buffer, position, INFLATED_BYTES_MAX);
    this.#openedBytes +=
      cursor.buffer === this.#buffer ? batchBytes(cursor.buffer, position) : cursor.buffer.length;
    this.#previousDelta = -1;
    if (isLarge) {
      while (this.#nextRecord(nextOffset));
      cursor.rewind();
      this.#previousDelta = -1;
    }
    this.#isOpen = true;
  }

  /** @throws ObeliskError GARBLED_RECORDS, also when the offset is not one that can follow */
  #nextRecord(nextOffset: number): boolean {
    const cursor = this.#cursor;
    if (!cursor.next()) return false;
    if (!(cursor.offsetDelta > this.#previousDelta && cursor.offset < nextOffset)) {
      throw new ObeliskError("GARBLED_RECORDS", {
        detail: `the offset delta ${cursor.offsetDelta} follows ${this.#previousDelta}`,
      });
    }
    this.#previousDelta = cursor.offsetDelta;
    return true;
  }

  #beginAborted(endOffset: number): void {
    const toCome = this.#abortedToCome;
    while (toCome !== null && toCome.length > 0 && toCome[0]!.firstOffset < endOffset) {
      this.#abortedNow.add(toCome.shift()!.producerId);
    }
  }

  #isAborted(position: number): boolean {
    return (
      isTransactional(this.#buffer, position) && this.#abortedNow.has(batchProducerId(this.#buffer, position))
    );
  }

  #readMarker(position: number): void {
    if (this.#abortedNow.size === 0) return;
    const cursor = this.#cursor;
    cursor.open(this.#buffer, position, INFLATED_BYTES_MAX);
    if (!cursor.next() || cursor.keyEnd - cursor.keyStart < CONTROL_KEY_BYTES) return;
    const isAbort = cursor.buffer.readInt16BE(cursor.keyStart + 2) === CONTROL_ABORT;
    if (isAbort) this.#abortedNow.delete(batchProducerId(this.#buffer, position));
    cursor.close();
  }

  #damaged(detail: string, offset: number): ObeliskError {
    return new ObeliskError("CORRUPT_MESSAGE", {
      detail: `a fetched batch is damaged: ${detail}`,
      topic: this.topic,
      partition: this.partition,
      offset,
      remedy: "if it happens again, `obelisk verify` shows whether it is damaged on the server's disk",
    });
  }

  /** The size of the batch at `position` if all of it is there, else 0. */
  #wholeBatchBytes(position: number): number {
    const buffer = this.#buffer;
    if (position + BATCH_HEADER_BYTES > buffer.length) return 0;
    const bytes = batchBytes(buffer, position);
    if (bytes >= BATCH_HEADER_BYTES) return position + bytes <= buffer.length ? bytes : 0;
    if (position > 0) return 0; // Those before it are good; the next fetch begins here.
    throw this.#damaged(`${bytes} bytes are an impossible length`, batchBaseOffset(buffer, position));
  }
}

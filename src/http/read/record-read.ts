/**
 * Records of a partition, opened one by one for whoever wants JSON, in steps that are bounded in bytes and in the loop's time.
 *
 *     read(max) -> whole batches (span) -> records from `offset` on that `matches` takes -> `offset` is after the last one looked at
 *
 *   - What is read at once is bounded by `READ_BYTES`; one batch is read whole, however large, and its memory is counted.
 *   - What was read and is not wanted yet is kept for the next step: 256 KiB, or one batch. Whoever keeps a reader counts it
 *     (`heldBytes`).
 *   - A batch that does not open (its producer wrote it so, or its codec is not here) is passed over, and told in `unreadable`: others
 *     can read it, and waiting for it would never end.
 *   - Control batches and gaps have no records.
 */

import { readWhole } from "../../base/byte-source.ts";
import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { dispose } from "../../base/memory/buffer-pool.ts";
import { KiB } from "../../base/units.ts";
import type { Partition } from "../../broker/partition.ts";
import { batchBytes, batchLastOffset, isControlBatch } from "../../protocol/record/batch.ts";
import type { PlacedRecord } from "../../protocol/record/record-json.ts";
import { RecordCursor } from "../../protocol/record/records.ts";

/** Read at once: what a response of some hundred usual records takes. */
const READ_BYTES = 256 * KiB;
/** What the records of one batch may inflate to, here where everybody waits for it: some 30 ms. */
const INFLATED_BYTES_MAX = 16 * 1024 * KiB;
/** Records between two looks at the clock. */
const RECORDS_AT_ONCE = 64;
/** The same in bytes of values: a filter may read them as JSON. */
const BYTES_AT_ONCE = 64 * KiB;

/** Of one record: 5 ms for who decodes them and writes them as JSON. Others can read it; here it is passed over. */
const HEADERS_MAX = 10_000;
/** What surrounds a header, for us and as JSON. */
const HEADER_BYTES = 32;

/** Whether a record is wanted; the filter of a request (src/filter) is one. */
export type RecordTest = (record: PlacedRecord) => boolean;

const NOTHING: Buffer = Buffer.alloc(0);
export const EVERY_RECORD: RecordTest = () => true;

/** A batch that was passed over. */
export interface UnreadableBatch {
  readonly partition: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly reason: string;
}

export interface ReadLimits {
  /** Records that are given at most. */
  readonly records: number;
  /** Bytes of keys, values and headers after which no further record is given. */
  readonly bytes: number;
}

export class RecordReader {
  readonly partition: Partition;
  /** Of the next record. */
  offset: number;
  /** Since the last `read`. */
  unreadable: UnreadableBatch[] = [];
  readonly #matches: RecordTest;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #cursor = new RecordCursor();
  /** What was read of the log; the batch at the position is the next. */
  #buffer: Buffer = NOTHING;
  #position = 0;
  /** After what was read. */
  #nextOffset = -1;
  #isOpen = false;

  constructor(
    partition: Partition,
    offset: number,
    clock: Pick<Clock, "monotonicMs">,
    matches: RecordTest = EVERY_RECORD,
  ) {
    this.partition = partition;
    this.offset = offset;
    this.#clock = clock;
    this.#matches = matches;
  }

  /** Whether there is anything to be read now. */
  get isBehind(): boolean {
    return this.offset < this.partition.highWatermark;
  }

  /** Of the log's bytes, what is kept for the next step. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /**
   * The next records, up to the limits, of one read of the log: maybe none although there are more (`isBehind`), where nothing
   * matches. @throws ObeliskError as `Partition.span`
   */
  async read(limits: ReadLimits): Promise<PlacedRecord[]> {
    this.unreadable = [];
    if (this.#position === this.#buffer.length) await this.#fill();
    const found: PlacedRecord[] = [];
    const share = new TurnShare(this.#clock);
    let bytes = 0;
    for (; this.#position < this.#buffer.length; this.#leave()) {
      if (!this.#isOpen && !this.#open()) continue;
      let looked = 0;
      for (let lookedBytes = 0; this.#next(); looked += 1) {
        if (looked >= RECORDS_AT_ONCE || lookedBytes >= BYTES_AT_ONCE) {
          if (share.isUsedUp) await share.rest();
          looked = 0;
          lookedBytes = 0;
        }
        const { offset, valueStart, valueEnd, headerCount } = this.#cursor;
        lookedBytes += Math.max(0, valueEnd - valueStart) + headerCount * HEADER_BYTES;
        if (offset < this.offset) continue;
        if (headerCount > HEADERS_MAX) {
          this.offset = offset + 1;
          this.#tell(offset, offset, `the record has ${headerCount} headers, more than ${HEADERS_MAX}`);
          continue;
        }
        const record = this.#record();
        this.offset = record.offset + 1;
        if (!this.#matches(record)) continue;
        found.push(record);
        bytes += bytesOf(record);
        if (found.length === limits.records || bytes >= limits.bytes) return found;
      }
    }
    this.offset = Math.max(this.offset, this.#nextOffset);
    this.#release();
    return found;
  }

  /** Lets go of what was kept for the next step: it will be read again. Not while a step is under way. */
  drop(): void {
    if (this.#isOpen) this.#cursor.close();
    this.#isOpen = false;
    this.#release();
  }

  /** Gives back at once what was read: records are copies, and the collector would come late for so much. */
  #release(): void {
    dispose(this.#buffer);
    this.#buffer = NOTHING;
    this.#position = 0;
  }

  async #fill(): Promise<void> {
    const span = await this.partition.span(this.offset, READ_BYTES, true);
    this.#nextOffset = span.nextOffset;
    this.#position = 0;
    this.#buffer = span.length === 0 ? NOTHING : await readWhole(span);
    this.partition.traffic.read(this.offset, this.#nextOffset, this.#buffer.length);
  }

  /** Done with the batch at the position. */
  #leave(): void {
    this.offset = Math.max(this.offset, batchLastOffset(this.#buffer, this.#position) + 1);
    this.#position += batchBytes(this.#buffer, this.#position);
    if (this.#isOpen) this.#cursor.close();
    this.#isOpen = false;
  }

  /** Opens the batch at the position. False: there is nothing in it for us. */
  #open(): boolean {
    const isControl = isControlBatch(this.#buffer, this.#position);
    if (isControl || batchLastOffset(this.#buffer, this.#position) < this.offset) return false;
    try {
      this.#cursor.open(this.#buffer, this.#position, INFLATED_BYTES_MAX);
      this.#isOpen = true;
    } catch (thrown) {
      this.#passOver(thrown);
    }
    return this.#isOpen;
  }

  #next(): boolean {
    try {
      return this.#cursor.next();
    } catch (thrown) {
      this.#passOver(thrown);
      return false;
    }
  }

  #passOver(thrown: unknown): void {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    this.#tell(this.offset, batchLastOffset(this.#buffer, this.#position), thrown.message);
  }

  #tell(firstOffset: number, lastOffset: number, reason: string): void {
    this.unreadable.push({ partition: this.partition.index, firstOffset, lastOffset, reason });
  }

  #record(): PlacedRecord {
    const { topic, index } = this.partition;
    return { topic, partition: index, ...this.#cursor.record() };
  }
}

function bytesOf({ key, value, headers }: PlacedRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) bytes += HEADER_BYTES + header.key.length + (header.value?.length ?? 0);
  return bytes;
}

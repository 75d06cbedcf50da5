/** A partition in an array, whose bytes may come from memory at once or from a "disk" that the test releases. */

import { writeInt64 } from "../../src/base/bytes.ts";
import { type ErrorCode, ObeliskError } from "../../src/base/errors.ts";
import { PartitionTraffic, Traffic } from "../../src/broker/traffic.ts";
import type { FetchablePartition, FetchReader } from "../../src/consumer/fetch-slot.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  LOG_OVERHEAD,
} from "../../src/protocol/record/batch.ts";
import type { RecordSpan } from "../../src/storage/contract.ts";
import { HeldRecords } from "../../src/storage/held-records.ts";

/** A batch whose header fields are those that a reader steps by; the rest is zero. */
export function fakeBatch(baseOffset: number, records: number, bytes: number): Buffer {
  const batch = Buffer.alloc(Math.max(bytes, BATCH_HEADER_BYTES));
  writeInt64(batch, 0, baseOffset);
  batch.writeInt32BE(batch.length - LOG_OVERHEAD, 8);
  batch.writeInt32BE(records - 1, BATCH_LAST_OFFSET_DELTA);
  return batch;
}

export class FakePartition implements FetchablePartition {
  startOffset = 0;
  highWatermark = 0;
  endOffset = 0;
  isUnavailable = false;
  refusal: ErrorCode | null = null;
  /** While true, reads are promises that `releaseReads` resolves. */
  isOnDisk = false;
  failure: Error | null = null;
  readCount = 0;
  readonly traffic = new PartitionTraffic(new Traffic());
  readonly readers = new Set<FetchReader>();
  readonly #batches: { baseOffset: number; nextOffset: number; bytes: Buffer }[] = [];
  readonly #held: (() => void)[] = [];

  get heldCount(): number {
    return this.#held.length;
  }

  /** Appends and commits a batch of `bytes` bytes. */
  append(records: number, bytes: number): Buffer {
    const batch = this.write(records, bytes);
    this.commit();
    return batch;
  }

  write(records: number, bytes: number): Buffer {
    const batch = fakeBatch(this.endOffset, records, bytes);
    this.#batches.push({ baseOffset: this.endOffset, nextOffset: this.endOffset + records, bytes: batch });
    this.endOffset += records;
    return batch;
  }

  commit(): void {
    this.highWatermark = this.endOffset;
    this.wakeAll();
  }

  goOffline(): void {
    this.isUnavailable = true;
    this.wakeAll();
  }

  goAway(refusal: ErrorCode): void {
    this.refusal = refusal;
    this.goOffline();
  }

  wakeAll(): void {
    for (const reader of [...this.readers]) reader.wake();
  }

  span(offset: number, bytesMax: number, atLeastOne: boolean): RecordSpan | Promise<RecordSpan> {
    this.readCount += 1;
    if (this.failure !== null) throw this.failure;
    if (offset < this.startOffset || offset > this.endOffset)
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { offset });
    const records = this.#collect(offset, bytesMax, atLeastOne);
    if (!this.isOnDisk) return records;
    return new Promise((resolve) => this.#held.push(() => resolve(records)));
  }

  releaseReads(): void {
    for (const release of this.#held.splice(0)) release();
  }

  addReader(reader: FetchReader): void {
    this.readers.add(reader);
  }

  removeReader(reader: FetchReader): void {
    this.readers.delete(reader);
  }

  #collect(offset: number, bytesMax: number, atLeastOne: boolean): RecordSpan {
    const parts: Buffer[] = [];
    let bytes = 0;
    let nextOffset = offset;
    for (const batch of this.#batches) {
      if (batch.nextOffset <= offset || batch.nextOffset > this.highWatermark) continue;
      if (bytes + batch.bytes.length > bytesMax && !(atLeastOne && parts.length === 0)) break;
      parts.push(batch.bytes);
      bytes += batch.bytes.length;
      nextOffset = batch.nextOffset;
    }
    return new HeldRecords(parts, offset, nextOffset);
  }
}

/**
 * One partition in memory: an array of batches, each a copy of what was appended.
 *
 * It keeps the contract's promises by the same names as the file engine, so that the broker can be tried and tested
 * without a disk: bytes become "durable" when `sync` is called, a full memory is a full disk.
 */

import { fail } from "../../base/assert.ts";
import { ObeliskError } from "../../base/errors.ts";
import {
  batchBaseOffset,
  batchLastOffset,
  batchLastOffsetDelta,
  NO_TIMESTAMP,
  stampBatch,
} from "../../protocol/record/batch.ts";
import type {
  LogSegmentFacts,
  PartitionLog,
  RecordSpan,
  RecoveryListener,
  SegmentLimits,
  TimestampedOffset,
} from "../contract.ts";
import { HeldRecords, noRecords } from "../held-records.ts";
import { lastOffsetFrom } from "../last-offset.ts";
import { LeaderEpochs } from "../leader-epochs.ts";
import { RecordSearch } from "../record-search.ts";
import { largestTimestamp } from "../timestamps.ts";

/** What all logs of an engine hold together, against its limit. */
export interface MemoryUse {
  bytes: number;
  readonly bytesMax: number;
}

export class MemoryLog implements PartitionLog {
  readonly topic: string;
  readonly partition: number;
  startOffset = 0;
  durableOffset = 0;
  onDurable: (() => void) | null = null;
  segmentLimits: SegmentLimits | null = null;
  onRoll: (() => void) | null = null;
  endOffset = 0;
  bytes = 0;
  bytesSinceCheckpoint = 0;
  isOffline = false;
  readonly isReadable = true;
  readonly #use: MemoryUse;
  readonly #epochs = new LeaderEpochs([{ epoch: 0, startOffset: 0 }]);
  #batches: Buffer[] = [];
  #checkpoint: { state: Buffer; offset: number } | null = null;

  constructor(topic: string, partition: number, use: MemoryUse) {
    this.topic = topic;
    this.partition = partition;
    this.#use = use;
  }

  get leaderEpoch(): number {
    return this.#epochs.current;
  }

  /** Tells the owner what an opening log tells: the checkpoint, and the batches after it. */
  recover(listener: RecoveryListener): void {
    if (this.#checkpoint !== null) listener.restore(this.#checkpoint.state);
    const from = this.#checkpoint?.offset ?? this.startOffset;
    for (const batch of this.#batches) {
      if (batchBaseOffset(batch, 0) >= from) listener.replay(batch, 0, batch.length);
    }
  }

  append(buffer: Buffer, position: number, end: number): number {
    if (this.isOffline) throw this.#offline();
    const bytes = end - position;
    if (this.#use.bytes + bytes > this.#use.bytesMax) {
      throw new ObeliskError("DISK_FULL", { detail: "the memory engine is full", limit: this.#use.bytesMax });
    }
    const baseOffset = this.endOffset;
    const lastOffset = lastOffsetFrom(this, batchLastOffsetDelta(buffer, position));
    stampBatch(buffer, position, baseOffset, this.leaderEpoch);
    this.#batches.push(Buffer.from(buffer.subarray(position, end)));
    this.endOffset = lastOffset + 1;
    this.#grow(bytes);
    this.bytesSinceCheckpoint += bytes;
    return baseOffset;
  }

  span(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): RecordSpan {
    this.#checkRange(offset);
    const first = this.#find(offset);
    let bytes = 0;
    let index = first;
    for (; index < this.#batches.length; index += 1) {
      const batch = this.#batches[index]!;
      if (batchLastOffset(batch, 0) >= limitOffset) break;
      const isForced = atLeastOne && index === first;
      if (bytes + batch.length > bytesMax && !isForced) break;
      bytes += batch.length;
    }
    if (index === first) return noRecords(offset);
    const batches = this.#batches.slice(first, index);
    return new HeldRecords(batches, batchBaseOffset(batches[0]!, 0), batchLastOffset(batches.at(-1)!, 0) + 1);
  }

  async offsetForTimestamp(timestampMs: number, limitOffset: number): Promise<TimestampedOffset | null> {
    const search = new RecordSearch();
    for (const batch of [...this.#batches]) {
      if (batchLastOffset(batch, 0) >= limitOffset) return null;
      const found = await search.first(batch, 0, timestampMs, this.startOffset);
      if (found !== null) return found;
    }
    return null;
  }

  async offsetOfMaxTimestamp(limitOffset: number): Promise<TimestampedOffset | null> {
    const search = new RecordSearch();
    let best: TimestampedOffset | null = null;
    for (const batch of [...this.#batches]) {
      if (batchLastOffset(batch, 0) >= limitOffset) break;
      const thanMs = best?.timestampMs ?? NO_TIMESTAMP;
      const found = await search.later(batch, 0, thanMs, this.startOffset);
      if (found !== null && found.timestampMs > thanMs) best = found;
    }
    return best;
  }

  epochAt(offset: number): number {
    return this.#epochs.at(offset);
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null {
    return this.#epochs.endOffset(epoch, this.endOffset);
  }

  get needsCheckpoint(): boolean {
    return this.bytesSinceCheckpoint > 0;
  }

  checkpoint(state: Buffer, offset: number): void {
    if (offset !== this.endOffset) fail("a checkpoint tells of another place than the end of the log");
    this.#checkpoint = { state: Buffer.from(state), offset };
    this.bytesSinceCheckpoint = 0;
  }

  lose(): void {
    this.isOffline = true;
  }

  truncate(offset: number): void {
    this.#checkRange(offset);
    const keep = this.#batches.filter((batch) => batchLastOffset(batch, 0) < offset);
    const end = keep.length === 0 ? this.startOffset : batchLastOffset(keep.at(-1)!, 0) + 1;
    if (end !== offset) fail("a log can be truncated only at a batch boundary");
    this.#keep(keep);
    this.endOffset = offset;
    this.durableOffset = Math.min(this.durableOffset, offset);
    this.#epochs.truncate(offset);
    if (this.#checkpoint !== null && this.#checkpoint.offset > offset) this.#checkpoint = null;
  }

  /** Each batch leaves by itself, so it is as good as a segment. */
  segmentAt(slot: number): LogSegmentFacts | null {
    const batch = this.#batches[slot];
    return batch === undefined ? null : { endOffset: batchLastOffset(batch, 0) + 1, bytes: batch.length };
  }

  largestTimestampAt(slot: number): number {
    return largestTimestamp(this.#batches[slot] ?? fail("there is no such batch"), 0);
  }

  roll(): void {}

  rollIfOld(): void {}

  async dropBefore(offset: number): Promise<number> {
    if (this.isOffline) throw this.#offline();
    if (offset > this.durableOffset) throw this.#outOfRange(offset);
    if (offset <= this.startOffset) return this.startOffset;
    this.startOffset = offset;
    const kept = this.#batches.findIndex((batch) => batchLastOffset(batch, 0) >= offset);
    this.#keep(kept < 0 ? [] : this.#batches.slice(kept));
    this.#epochs.dropBefore(offset);
    return offset;
  }

  /** Gives the memory back; the log must not be used afterwards. */
  release(): void {
    this.#keep([]);
    this.isOffline = true;
  }

  /** The slot of the batch that holds `offset`, or of the first after it. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (batchLastOffset(this.#batches[middle]!, 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #keep(batches: Buffer[]): void {
    this.#batches = batches;
    const bytes = batches.reduce((sum, batch) => sum + batch.length, 0);
    this.#grow(bytes - this.bytes);
  }

  #grow(bytes: number): void {
    this.bytes += bytes;
    this.#use.bytes += bytes;
  }

  #checkRange(offset: number): void {
    if (offset < this.startOffset || offset > this.endOffset) throw this.#outOfRange(offset);
  }

  #outOfRange(offset: number): ObeliskError {
    return new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.partition, offset });
  }

  #offline(): ObeliskError {
    return new ObeliskError("KAFKA_STORAGE_ERROR", { topic: this.topic, partition: this.partition });
  }
}

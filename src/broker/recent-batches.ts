/**
 * The newest batches of every partition, in memory, so that a consumer at the end of the log never touches the disk.
 *
 *   memory, one ring:     |b1.a2....free...|a0.b0..a1.....|      a batch that comes is copied after the newest, over the oldest
 *                                 ^ end     ^ oldest
 *   one row a partition:  a: [a0][a1][a2]   b: [b0][b1]          in the order of the ring, so an eviction takes a row's first
 *
 * A row is contiguous: it ends at the log's end and has no holes, so an offset is either in it or older than it.
 *
 * The memory is taken as it is needed and used again for ever: nothing is allocated for a batch, and no page that was touched is given back
 * to the system and cleared again. So what a row gives is only lent, until the next batch is added to any row.
 *
 * A row that nobody reads while all the memory was used twice is not kept any longer: a copy of each batch for nobody costs more than
 * its checksum. It begins anew with the first batch after a reader came.
 */

import { fail } from "../base/assert.ts";
import { dispose } from "../base/memory/buffer-pool.ts";
import { Ring } from "../base/ring.ts";
import { MiB } from "../base/units.ts";

interface RecentBatch {
  readonly row: TailCache;
  readonly baseOffset: number;
  readonly nextOffset: number;
  /** Where it lies in the ring's memory. */
  readonly position: number;
  readonly bytes: number;
}

const FIRST_BYTES = 4 * MiB;
/** Rounds of the memory without a reader, and a row is not kept: whoever comes so late finds none of what was there when he came last. */
const UNREAD_ROUNDS_MAX = 2;
const NOTHING = Buffer.alloc(0);

export class RecentBatches {
  /** Sum of the batches. */
  bytes = 0;
  /** Of all batches that were ever added. */
  addedBytes = 0;
  readonly #bytesMax: number;
  readonly #all = new Ring<RecentBatch>();
  /** Doubles until it has `bytesMax`, and goes round then: the garbage collector leaves garbage in proportion to what is taken. */
  #memory: Buffer = NOTHING;
  #end = 0;

  /** `bytesMax`: what all rows together may hold; 0 keeps nothing. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#all.count;
  }

  row(): TailCache {
    return new TailCache(this);
  }

  /** Used by rows: whether the reader who came when `addedBytes` was so many has not come again for too long. */
  isLongAgo(addedBytes: number): boolean {
    return this.addedBytes - addedBytes > UNREAD_ROUNDS_MAX * this.#bytesMax;
  }

  /** Used by rows. */
  get memory(): Buffer {
    return this.#memory;
  }

  /** Used by rows: makes room for a batch of a row and copies it there; null when it is larger than everything. */
  add(
    row: TailCache,
    buffer: Buffer,
    start: number,
    end: number,
    baseOffset: number,
    nextOffset: number,
  ): RecentBatch | null {
    const bytes = end - start;
    if (bytes > this.#bytesMax) return null;
    const position = this.#makeRoom(bytes);
    buffer.copy(this.#memory, position, start, end);
    const batch = { row, baseOffset, nextOffset, position, bytes };
    this.#all.push(batch);
    this.#end = position + bytes;
    this.bytes += bytes;
    this.addedBytes += bytes;
    return batch;
  }

  /** A place for so many bytes in one piece, after the newest batch or at the front again. What lies there goes. */
  #makeRoom(bytes: number): number {
    let position = this.#end;
    if (position + bytes > this.#memory.length && this.#memory.length < this.#bytesMax)
      this.#grow(position + bytes);
    if (position + bytes > this.#bytesMax) {
      this.#evictWithin(position, this.#bytesMax);
      position = 0;
    }
    this.#evictWithin(position, position + bytes);
    return position;
  }

  /** Nothing has gone round yet, so every batch stays in its place. */
  #grow(bytes: number): void {
    let size = Math.max(this.#memory.length, FIRST_BYTES);
    while (size < bytes) size *= 2;
    const larger = Buffer.allocUnsafeSlow(Math.min(size, this.#bytesMax));
    this.#memory.copy(larger, 0, 0, this.#end);
    dispose(this.#memory);
    this.#memory = larger;
  }

  /** The oldest batches, as long as they begin in `[start, end)`. */
  #evictWithin(start: number, end: number): void {
    for (let oldest = this.#all.peek(); oldest !== undefined; oldest = this.#all.peek()) {
      if (oldest.position < start || oldest.position >= end) return;
      this.#all.shift();
      this.bytes -= oldest.bytes;
      oldest.row.drop(oldest);
    }
  }
}

/** What a row has of what was requested. */
export interface Measured {
  readonly bytes: number;
  /** The offset after it. */
  readonly nextOffset: number;
}

/** Batches in a row. */
interface Extent {
  readonly count: number;
  readonly bytes: number;
  /** Whether they are neighbours in memory too. */
  readonly isOnePiece: boolean;
}

export class TailCache {
  readonly #owner: RecentBatches;
  readonly #batches = new Ring<RecentBatch>();
  /** What the owner had added when a reader came last. */
  #requestedAt: number;

  constructor(owner: RecentBatches) {
    this.#owner = owner;
    this.#requestedAt = owner.addedBytes;
  }

  /** Somebody waits for what comes. */
  want(): void {
    this.#requestedAt = this.#owner.addedBytes;
  }

  /** The lowest offset held, or -1 when the row is empty. */
  get startOffset(): number {
    return this.#batches.peek()?.baseOffset ?? -1;
  }

  /** Keeps a copy of the batch `buffer[position, end)`, unless no reader has come for long. */
  add(buffer: Buffer, position: number, end: number, baseOffset: number, nextOffset: number): void {
    if (!(baseOffset < nextOffset)) fail("a batch without an offset of its own");
    const newest = this.#batches.last();
    if (newest !== undefined && newest.nextOffset !== baseOffset)
      fail("a batch does not follow the newest one in memory");
    const isUnread = this.#owner.isLongAgo(this.#requestedAt);
    const batch = isUnread ? null : this.#owner.add(this, buffer, position, end, baseOffset, nextOffset);
    if (batch === null) this.clear();
    else this.#batches.push(batch);
  }

  /**
   * How many bytes `read` would give, and the offset after them: (0, `offset`) when there are none; null when `offset` is older than
   * the row. Touches no bytes.
   */
  measure(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Measured | null {
    this.want();
    const start = this.#indexOf(offset);
    if (start < 0) return null;
    const { count, bytes } = this.#extent(start, limitOffset, bytesMax, atLeastOne);
    return { bytes, nextOffset: count === 0 ? offset : this.#batches.at(start + count - 1)!.nextOffset };
  }

  /**
   * Batches from the one that contains `offset` up to `limitOffset`, as many as fit into `bytesMax` (the first in any
   * case when `atLeastOne`); null when `offset` is older than the row. Lent until the next batch is added to any row.
   */
  read(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Buffer | null {
    this.want();
    const start = this.#indexOf(offset);
    if (start < 0) return null;
    const { count, bytes, isOnePiece } = this.#extent(start, limitOffset, bytesMax, atLeastOne);
    if (count === 0) return NOTHING;
    if (!isOnePiece) return this.#join(start, start + count, bytes);
    const { position } = this.#batches.at(start)!;
    return this.#owner.memory.subarray(position, position + bytes);
  }

  /** Used by the owner: evicts the row's oldest batch, which must be `batch`. */
  drop(batch: RecentBatch): void {
    if (this.#batches.peek() === batch) this.#batches.shift();
  }

  /** Evicts everything; the owner's memory lets go of it as it comes to the front. */
  clear(): void {
    this.#batches.clear();
  }

  /** The batches from the one at `start` that a response may have. */
  #extent(start: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Extent {
    const first = this.#batches.at(start)!;
    let count = 0;
    let bytes = 0;
    let isOnePiece = true;
    for (let batch = this.#batches.at(start); batch !== undefined; batch = this.#batches.at(start + count)) {
      const isOverBudget = bytes + batch.bytes > bytesMax && !(atLeastOne && count === 0);
      if (batch.nextOffset > limitOffset || isOverBudget) break;
      isOnePiece &&= batch.position === first.position + bytes;
      bytes += batch.bytes;
      count += 1;
    }
    return { count, bytes, isOnePiece };
  }

  #join(start: number, end: number, bytes: number): Buffer {
    const { memory } = this.#owner;
    const joined = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (let index = start; index < end; index += 1) {
      const { position, bytes: batchBytes } = this.#batches.at(index)!;
      memory.copy(joined, at, position, position + batchBytes);
      at += batchBytes;
    }
    return joined;
  }

  /** Index of the batch that contains `offset`, or -1. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#batches.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const batch = this.#batches.at(middle)!;
      if (offset < batch.baseOffset) high = middle - 1;
      else if (offset >= batch.nextOffset) low = middle + 1;
      else return middle;
    }
    return -1;
  }
}

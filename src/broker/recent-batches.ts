/**
 * The newest batches of every partition, in memory, so that a consumer at the end of the log never touches the disk.
 *
 *   one budget for all:   oldest [a0][b0][a1][c0][a2] newest      evicted from the left when over `bytesMax`
 *   one row a partition:  a: [a0][a1][a2]   b: [b0]   c: [c0]     the same order, so an eviction takes a row's first
 *
 * A row is contiguous: it ends at the log's end and has no holes, so an offset is either in it or older than it.
 * Batches keep the buffer they came in; a batch that is a small part of a larger buffer is copied, so that it does
 * not hold memory which the budget does not count.
 */

import { fail } from "../base/assert.ts";
import { Ring } from "../base/ring.ts";

/** A batch is copied out of a buffer that is more than this many times its size. */
const BUFFER_SHARE_MAX = 4;

interface RecentBatch {
  readonly row: RecentRow;
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly bytes: Buffer;
}

export class RecentBatches {
  readonly #bytesMax: number;
  readonly #all = new Ring<RecentBatch>();
  bytes = 0;

  /** `bytesMax`: what all rows together may hold; 0 keeps nothing. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#all.count;
  }

  row(): RecentRow {
    return new RecentRow(this);
  }

  /** Used by rows. */
  add(batch: RecentBatch): void {
    this.#all.push(batch);
    this.bytes += batch.bytes.length;
    while (this.bytes > this.#bytesMax && this.#all.count > 0) this.#evictOldest();
  }

  #evictOldest(): void {
    const oldest = this.#all.shift()!;
    this.bytes -= oldest.bytes.length;
    oldest.row.drop(oldest);
  }
}

export class RecentRow {
  readonly #owner: RecentBatches;
  readonly #batches = new Ring<RecentBatch>();

  constructor(owner: RecentBatches) {
    this.#owner = owner;
  }

  /** The lowest offset held, or -1 when the row is empty. */
  get startOffset(): number {
    return this.#batches.peek()?.baseOffset ?? -1;
  }

  /** Remembers the batch `buffer[position, end)`, which nobody may change any more. */
  add(buffer: Buffer, position: number, end: number, baseOffset: number, nextOffset: number): void {
    if (!(baseOffset < nextOffset)) fail("a batch without an offset of its own");
    const newest = this.#batches.last();
    if (newest !== undefined && newest.nextOffset !== baseOffset)
      fail("a batch does not follow the newest one in memory");
    const isSmallPart = (end - position) * BUFFER_SHARE_MAX < buffer.buffer.byteLength;
    const bytes = isSmallPart ? copyOf(buffer, position, end) : buffer.subarray(position, end);
    const batch = { row: this, baseOffset, nextOffset, bytes };
    this.#batches.push(batch);
    this.#owner.add(batch);
  }

  /**
   * Batches from the one that contains `offset` up to `limitOffset`, as many as fit into `bytesMax` (the first in any
   * case when `atLeastOne`); null when `offset` is older than the row.
   */
  read(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Buffer | null {
    const start = this.#indexOf(offset);
    if (start < 0) return null;
    let end = start;
    let bytes = 0;
    for (let batch = this.#batches.at(end); batch !== undefined; batch = this.#batches.at(end)) {
      const isOverBudget = bytes + batch.bytes.length > bytesMax && !(atLeastOne && end === start);
      if (batch.nextOffset > limitOffset || isOverBudget) break;
      bytes += batch.bytes.length;
      end += 1;
    }
    if (end === start) return EMPTY;
    if (end === start + 1) return this.#batches.at(start)!.bytes;
    return this.#join(start, end, bytes);
  }

  /** Used by the owner: forgets the row's oldest batch, which must be `batch`. */
  drop(batch: RecentBatch): void {
    if (this.#batches.peek() === batch) this.#batches.shift();
  }

  /** Forgets everything; the owner's budget lets go of it as it comes to the front. */
  clear(): void {
    this.#batches.clear();
  }

  #join(start: number, end: number, bytes: number): Buffer {
    const joined = Buffer.allocUnsafeSlow(bytes);
    let position = 0;
    for (let index = start; index < end; index += 1) {
      const batch = this.#batches.at(index)!;
      joined.set(batch.bytes, position);
      position += batch.bytes.length;
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

const EMPTY = Buffer.alloc(0);

function copyOf(buffer: Buffer, position: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - position);
  buffer.copy(copy, 0, position, end);
  return copy;
}

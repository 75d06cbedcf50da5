/**
 * Large buffers that are used again. Fresh memory costs more than the copy into it: the system clears each page at its first
 * touch, and a buffer that waits for the garbage collector has lost its pages again by the time that it is reused.
 */

import { KiB, MiB } from "../units.ts";
import { pageReturn } from "./page-return.ts";

/** Below this a buffer has no pages of its own. */
const OWN_PAGES_BYTES = 32 * KiB;
const KEPT_CLASS_BYTES_MIN = 16 * KiB;
const KEPT_CLASS_BYTES_MAX = MiB;

/**
 * Gives a buffer's memory back to the allocator. Whoever still has a view of it sees it empty. The pages of a large one go back to the
 * system (page-return.ts), in the next turns: the allocator would keep them for as long as others come back, up to a GiB.
 */
export function dispose(buffer: Buffer): void {
  if (buffer.byteLength < OWN_PAGES_BYTES || buffer.byteLength !== buffer.buffer.byteLength) return;
  if (buffer.byteLength > KEPT_CLASS_BYTES_MAX) pageReturn.give(buffer);
  else (buffer.buffer as ArrayBuffer).transfer(0);
}

/**
 * Buffers of a few sizes (powers of two) that come back and are lent again, the last one first. What is larger than the
 * largest size is allocated for each taker, and disposed of.
 */
export class BufferPool {
  readonly #keptBytesMax: number;
  readonly #free = new Map<number, Buffer[]>();
  /** Bytes of buffers that nobody has. */
  keptBytes = 0;

  /** `keptBytesMax`: what the pool holds while nobody needs it. */
  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** A buffer of at least so many bytes, with anything in it. */
  take(bytes: number): Buffer {
    const size = sizeFor(bytes);
    const buffer = this.#free.get(size)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size);
    this.keptBytes -= size;
    return buffer;
  }

  /** A buffer of `take` comes back; nobody may have a view of it any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (size > KEPT_CLASS_BYTES_MAX || this.keptBytes + size > this.#keptBytesMax) {
      dispose(buffer);
      return;
    }
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
    this.keptBytes += size;
  }
}

/** What `BufferPool.take` gives for so many bytes. */
export function sizeFor(bytes: number): number {
  if (bytes > KEPT_CLASS_BYTES_MAX) return bytes;
  let size = KEPT_CLASS_BYTES_MIN;
  while (size < bytes) size *= 2;
  return size;
}

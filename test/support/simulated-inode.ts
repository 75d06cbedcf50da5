/**
 * One file of the simulated disk: what processes see of it, what the disk holds, and the writes in between.
 *
 *     content     the page cache: what a read gives
 *     dirty       writes and cuts that the disk does not have yet, in order
 *     durable     what is there after a power cut, whatever becomes of the dirty ones
 *
 *   - A write-back that fails drops what it was to write: the cache goes on showing it, and the next write-back has nothing to do and
 *     succeeds. Only the error sequence knows. As on ext4 the disk does not get it either when it is written again, as long as the
 *     cache shows it, where the file had no bytes on the disk before.
 *   - After a power cut each dirty write is kept, lost or garbled, by pages of 512 bytes. What was written again as it was stays as it
 *     was: a sector in place is the old one or the new one.
 */

import { ErrorSequence } from "./error-sequence.ts";

const PAGE_BYTES = 512;
/** Enough to find most bytes by; the rest is compared. */
const HEAD_BYTES = 32;

/** `bytes` at `position`; null cuts the file there, or lengthens it with zeros. */
export interface DirtyWrite {
  readonly position: number;
  readonly bytes: Buffer | null;
}

class GrowingFile {
  content: Buffer;
  size: number;

  constructor(content: Buffer) {
    this.content = content;
    this.size = content.length;
  }

  apply({ position, bytes }: DirtyWrite): void {
    if (bytes === null) this.#cut(position);
    else {
      this.#reserve(position + bytes.length);
      bytes.copy(this.content, position);
      this.size = Math.max(this.size, position + bytes.length);
    }
  }

  bytes(): Buffer {
    return Buffer.from(this.content.subarray(0, this.size));
  }

  holds(bytes: Buffer): boolean {
    const head = bytes.subarray(0, HEAD_BYTES);
    const { length } = bytes;
    for (let at = this.content.indexOf(head); at >= 0 && at + length <= this.size; ) {
      if (this.content.compare(bytes, 0, length, at, at + length) === 0) return true;
      at = this.content.indexOf(head, at + 1);
    }
    return false;
  }

  #cut(size: number): void {
    this.#reserve(size);
    this.content.fill(0, size);
    this.size = size;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.content.length) return;
    const larger = Buffer.alloc(Math.max(bytes, this.content.length * 2));
    this.content.copy(larger, 0, 0, this.size);
    this.content = larger;
  }
}

export class SimulatedInode {
  #seen = new GrowingFile(Buffer.alloc(0));
  #durable = new GrowingFile(Buffer.alloc(0));
  #dirty: DirtyWrite[] = [];
  /** From here to the end of `#lostEnd` the cache shows what no write-back brings to the disk. */
  #lostStart = Number.POSITIVE_INFINITY;
  #lostEnd = 0;
  errors = new ErrorSequence();
  /** The file system that it lies on. */
  readonly device: string;

  constructor(device: string) {
    this.device = device;
  }

  /** A file whose content is on the disk. */
  static of(device: string, content: Buffer): SimulatedInode {
    const inode = new SimulatedInode(device);
    inode.#seen = new GrowingFile(Buffer.from(content));
    inode.#durable = new GrowingFile(Buffer.from(content));
    return inode;
  }

  get size(): number {
    return this.#seen.size;
  }

  get isDirty(): boolean {
    return this.#dirty.length > 0;
  }

  content(): Buffer {
    return this.#seen.bytes();
  }

  read(target: Buffer, targetPosition: number, bytes: number, position: number): number {
    const end = Math.min(this.#seen.size, position + bytes);
    return end <= position ? 0 : this.#seen.content.copy(target, targetPosition, position, end);
  }

  write(bytes: Buffer, position: number): void {
    this.#change({ position, bytes: Buffer.from(bytes) });
  }

  truncate(size: number): void {
    this.#change({ position: size, bytes: null });
  }

  /** Whether the disk has `bytes` somewhere in the file, whatever happens now. */
  holds(bytes: Buffer): boolean {
    return this.#durable.holds(bytes);
  }

  /** The writes that a write-back which begins now is to bring to the disk. */
  dirty(): readonly DirtyWrite[] {
    return this.#dirty.slice();
  }

  /** They have arrived. What another write-back has brought or dropped in the meantime is left alone. */
  written(writes: readonly DirtyWrite[]): void {
    for (const write of this.#take(writes)) this.#applyDurably(write);
  }

  /** They have not: nobody tries again. */
  dropped(writes: readonly DirtyWrite[], errno: number): void {
    for (const { position, bytes } of this.#take(writes)) {
      const end = position + (bytes?.length ?? 0);
      if (end <= this.#durable.size) continue;
      this.#lostStart = Math.min(this.#lostStart, Math.max(position, this.#durable.size));
      this.#lostEnd = Math.max(this.#lostEnd, end);
    }
    this.errors.set(errno);
  }

  /** The cache evicts all that is not to be written any more. */
  evict(): void {
    this.#seen = new GrowingFile(this.#durable.bytes());
    for (const write of this.#dirty) this.#seen.apply(write);
    this.#lostStart = Number.POSITIVE_INFINITY;
    this.#lostEnd = 0;
  }

  /** As it is found after a power cut. */
  afterPowerCut(random: () => number): SimulatedInode {
    const found = new GrowingFile(this.#durable.bytes());
    for (const { position, bytes } of this.#dirty) {
      if (bytes === null) {
        if (random() < 0.5 && position < found.size) found.apply({ position, bytes });
        continue;
      }
      for (let start = 0; start < bytes.length; start += PAGE_BYTES) {
        const page = Buffer.from(bytes.subarray(start, start + PAGE_BYTES));
        const chance = random();
        if (chance < 0.3) continue;
        if (chance < 0.45) {
          const old = found.content.subarray(position + start, found.size);
          garble(page, old, chance < 0.4 ? 0 : Math.floor(random() * 256));
        }
        found.apply({ position: position + start, bytes: page });
      }
    }
    return SimulatedInode.of(this.device, found.bytes());
  }

  /** As the next process finds it. */
  afterKill(): SimulatedInode {
    const next = new SimulatedInode(this.device);
    next.#seen = new GrowingFile(this.#seen.bytes());
    next.#durable = new GrowingFile(this.#durable.bytes());
    next.#dirty = this.#dirty.slice();
    next.#lostStart = this.#lostStart;
    next.#lostEnd = this.#lostEnd;
    next.errors = this.errors.copy();
    return next;
  }

  /** The system evicts a file that nobody has open, and reads it again when it is needed. With it goes what it knew of errors. */
  dropCache(): void {
    if (this.isDirty) return;
    this.evict();
    this.errors = new ErrorSequence();
  }

  #applyDurably(write: DirtyWrite): void {
    const { position, bytes } = write;
    if (bytes === null) this.#lostEnd = Math.min(this.#lostEnd, position);
    const start = Math.max(position, this.#lostStart);
    const end = Math.min(position + (bytes?.length ?? 0), this.#lostEnd);
    const kept = Buffer.from(this.#durable.content.subarray(start, Math.max(start, end)));
    this.#durable.apply(write);
    if (end <= start) return;
    const zeros = Buffer.alloc(end - start - kept.length);
    this.#durable.apply({ position: start, bytes: Buffer.concat([kept, zeros]) });
  }

  #change(write: DirtyWrite): void {
    this.#seen.apply(write);
    this.#dirty.push(write);
  }

  #take(writes: readonly DirtyWrite[]): readonly DirtyWrite[] {
    const wanted = new Set(writes);
    const taken = this.#dirty.filter((write) => wanted.has(write));
    this.#dirty = this.#dirty.filter((write) => !wanted.has(write));
    return taken;
  }
}

/** Fills what differs from the old bytes. */
function garble(page: Buffer, old: Buffer, byte: number): void {
  for (let at = 0; at < page.length; at += 1) if (page[at] !== old[at]) page[at] = byte;
}

/**
 * One segment: a log file `<base offset, 20 digits>.log` with its two index files, and its state in memory.
 *
 *     0            verifiedStart      verifiedEnd        bytes
 *     [ ..........[=== CRC checked ===].................] bytes after it do not count
 *
 *   - `bytes` is the size that counts. A file may be longer between a write that failed and the truncation.
 *   - Bytes whose CRC was checked are not checked again for a while (`resetVerified`), so that a busy reader pays nothing
 *     and damage that comes up under a running server is still found.
 *   - `holes` are known damage, sorted by position; readers skip them.
 *   - `isDirty`: bytes were written since the last sync began. A dirty segment holds a pin on its file.
 */

import { fail } from "../../base/assert.ts";
import type { Files } from "../../base/files.ts";
import { MiB } from "../../base/units.ts";
import type { DescriptorPool, PooledFile } from "./pool.ts";
import type { SegmentIndex } from "./segment-index.ts";
import type { Hole } from "./snapshot.ts";

/** Positions in the index are int32; this leaves room to spare. */
export const SEGMENT_BYTES_LIMIT = 2 ** 30;
/** Of the last record to the segment's base. The end after it is an int32 too, as the sync thread's written position. */
export const RELATIVE_OFFSET_MAX = 2 ** 31 - 3;
const NAME_DIGITS = 20;
/** A sealed segment up to here may be without index files: reading it takes about a millisecond. */
export const UNINDEXED_BYTES_MAX = MiB;
/** Of a segment's largest timestamp, until its index was read. */
export const TIME_UNKNOWN = -2;

export class Segment {
  readonly baseOffset: number;
  readonly directory: string;
  readonly file: PooledFile;
  bytes: number;
  /** Offset after the last batch; for a sealed segment where the next one starts. */
  endOffset: number;
  /** In memory while it can still change or is not yet on disk; null when it is in its files. */
  index: SegmentIndex | null;
  holes: Hole[] = [];
  /** When the active segment took its first batch, by the steady clock; its age counts from then. -1: it has none. */
  firstAtMs = -1;
  isDirty = false;
  /**
   * A write-back failed on its file system, maybe of this file: only its own descriptor can tell, so its next sync must be an
   * fdatasync of its own.
   */
  isSuspect = false;
  /** Its file system, once looked up (`Files.device`). */
  device: string | null = null;
  /** An upper bound of the timestamps in a sealed segment, once that is known. */
  maxTimestamp = TIME_UNKNOWN;
  /** Its time index holds the timestamps of batch headers, and not those of the records. */
  hasOldTimes = false;
  isRemoved = false;
  /** It was dropped from the front of its log: it serves what reads it already, and nothing new is stored beside it. */
  isLeaving = false;
  /** Checked stretches that somebody still reads again as they are sent, or has let go of without reading them. */
  openSpans = 0;
  /** Called once, when it was removed and nobody uses its file any more. */
  onReleased: (() => void) | null = null;
  /** Covered by the last sync, or by the one that runs. */
  syncedBytes = 0;
  /** How much the sync that was started last has to write. */
  unsyncedBytes = 0;
  /** Where the disk was needed lately: this stretch is read off the loop. */
  coldStart = 0;
  coldEnd = 0;
  verifiedStart = 0;
  verifiedEnd = 0;

  constructor(directory: string, baseOffset: number, file: PooledFile, index: SegmentIndex | null) {
    this.directory = directory;
    this.baseOffset = baseOffset;
    this.file = file;
    this.index = index;
    this.bytes = 0;
    this.endOffset = baseOffset;
  }

  get logPath(): string {
    return this.file.path;
  }

  get indexPath(): string {
    return `${this.directory}/${segmentName(this.baseOffset)}.index`;
  }

  get timeIndexPath(): string {
    return `${this.directory}/${segmentName(this.baseOffset)}.timeindex`;
  }

  markDirty(): void {
    if (this.isDirty || this.file.descriptor < 0) fail("a file becomes dirty once, and open");
    this.isDirty = true;
    this.pin();
  }

  /** All that was written is durable. */
  markClean(pool: DescriptorPool): void {
    if (!this.isDirty) fail("a clean file cannot become clean");
    this.isDirty = false;
    this.syncedBytes = this.bytes;
    this.unpin(pool);
  }

  /** A sync of all that was written begins: its owner has the pin from now on. */
  startSync(): void {
    if (!this.isDirty) fail("a clean file needs no sync");
    this.isDirty = false;
    this.unsyncedBytes = this.bytes - this.syncedBytes;
    this.syncedBytes = this.bytes;
  }

  /** Whether everything in `[start, end)` was checked. */
  isVerified(start: number, end: number): boolean {
    return start >= this.verifiedStart && end <= this.verifiedEnd;
  }

  /** Records that `[start, end)` was checked. One range is kept: the one that a reader moves along. */
  recordVerified(start: number, end: number): void {
    if (start > this.verifiedEnd || end < this.verifiedStart) {
      this.verifiedStart = start;
      this.verifiedEnd = end;
      return;
    }
    if (start < this.verifiedStart) this.verifiedStart = start;
    if (end > this.verifiedEnd) this.verifiedEnd = end;
  }

  resetVerified(): void {
    this.verifiedStart = this.bytes;
    this.verifiedEnd = this.bytes;
  }

  /** The hole that starts at or holds `position`, or the next one after it. */
  holeFrom(position: number): Hole | undefined {
    if (this.holes.length === 0) return undefined;
    return this.holes.find((hole) => hole.position + hole.bytes > position);
  }

  /** `[start, end)` holds valid batches, or was cut off: holes there are outdated. True when there were any. */
  dropHoles(start: number, end: number): boolean {
    const kept = this.holes.filter(
      ({ position, bytes }) => bytes === 0 || position + bytes <= start || position >= end,
    );
    const hasDropped = kept.length < this.holes.length;
    this.holes = kept;
    return hasDropped;
  }

  addHole(hole: Hole): void {
    this.holes = this.holes.filter(
      (old) => old.position + old.bytes <= hole.position || old.position >= hole.position + hole.bytes,
    );
    this.holes.push(hole);
    this.holes.sort((left, right) => left.position - right.position);
  }

  pin(): void {
    this.file.pins += 1;
  }

  /** Returns a pin; the last one of a removed segment closes the file. */
  unpin(pool: DescriptorPool): void {
    if (!(this.file.pins > 0)) fail("a file that nobody has pinned");
    this.file.pins -= 1;
    if (!this.isRemoved || this.file.pins > 0) return;
    pool.closeLater(this.file);
    this.onReleased?.();
    this.onReleased = null;
  }

  /** The segment was removed: its file is closed now, or when the read or sync in flight has ended. */
  release(pool: DescriptorPool): void {
    this.isRemoved = true;
    this.pin();
    if (this.isDirty) this.file.pins -= 1;
    this.isDirty = false;
    this.unpin(pool);
  }
}

/** Whether it is one whose index was not worth files, as far as can be seen. */
export function isUnindexed(files: Files, { bytes, indexPath, timeIndexPath }: Segment): boolean {
  return bytes <= UNINDEXED_BYTES_MAX && !files.exists(indexPath) && !files.exists(timeIndexPath);
}

/** Deletes the files of a segment that was dropped, the log last: without it the others mean nothing. */
export function removeSegmentFiles(files: Files, segment: Segment): void {
  for (const path of [segment.indexPath, segment.timeIndexPath, segment.logPath]) {
    if (files.exists(path)) files.removeFile(path);
  }
}

/** `00000000000000000042`, as Kafka names a segment's files. */
export function segmentName(baseOffset: number): string {
  return String(baseOffset).padStart(NAME_DIGITS, "0");
}

export function logPathOf(directory: string, baseOffset: number): string {
  return `${directory}/${segmentName(baseOffset)}.log`;
}

/** The base offset in a segment file's name and its suffix, or null for a name that is none. */
export function parseSegmentName(
  name: string,
): { baseOffset: number; suffix: "log" | "index" | "timeindex" } | null {
  const match = /^(\d{20})\.(log|index|timeindex)$/.exec(name);
  if (match === null) return null;
  const baseOffset = Number(match[1]);
  if (!Number.isSafeInteger(baseOffset)) return null;
  return { baseOffset, suffix: match[2] as "log" | "index" | "timeindex" };
}

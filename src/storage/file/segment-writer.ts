/**
 * Writes at the end of one log's segments, and shortens them.
 *
 *   - A write that fails is cut off again, so that the file ends after the last whole batch. If even that fails, the file's end is
 *     unknown, and the owner is told.
 *   - A truncation is durable before it returns.
 */

import { errnoOf } from "../../base/errors.ts";
import { buildIndexNow } from "./index-builder.ts";
import type { IndexFiles } from "./index-files.ts";
import type { Segment } from "./segment.ts";
import { SegmentIndex } from "./segment-index.ts";
import { type Store, storageError } from "./store.ts";

export class SegmentWriter {
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #place: { topic: string; partition: number };
  readonly #broken: (detail: string) => void;

  /** `broken` is called when a file's end is unknown. */
  constructor(
    store: Store,
    indexes: IndexFiles,
    place: { topic: string; partition: number },
    broken: (detail: string) => void,
  ) {
    this.#store = store;
    this.#indexes = indexes;
    this.#place = place;
    this.#broken = broken;
  }

  /** Writes `buffer[position, end)` after what the segment holds. @throws ObeliskError DISK_FULL, KAFKA_STORAGE_ERROR */
  write(segment: Segment, buffer: Buffer, position: number, end: number): void {
    const descriptor = this.#descriptorOf(segment);
    try {
      this.#store.files.write(descriptor, buffer, position, end, segment.bytes);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      this.#cutBack(descriptor, segment);
      throw this.#error(thrown, segment);
    }
    if (!segment.isDirty) segment.markDirty();
  }

  /**
   * Lets the segment end at `position`, where the batch with `offset` was. Reads the whole of a sealed one, at once: a log that is
   * served is never cut. @throws system errors
   */
  cut(segment: Segment, position: number, offset: number): void {
    const { files, pool, limits } = this.#store;
    const descriptor = pool.use(segment.file);
    const index = segment.index ?? buildIndexNow(this.#store, segment);
    const shorter = SegmentIndex.growing(limits.indexIntervalBytes);
    shorter.restore(index.offsets, index.times, position, index.maxTimestamp, index.maxTimestampOffset);
    for (const path of [segment.indexPath, segment.timeIndexPath])
      if (files.exists(path)) files.removeFile(path);
    this.#indexes.evict(segment);
    files.truncate(descriptor, position);
    files.syncNow(descriptor);
    segment.index = shorter;
    segment.bytes = position;
    if (position === 0) segment.firstAtMs = -1;
    segment.endOffset = offset;
    segment.holes = segment.holes.filter((hole) => hole.position < position);
    segment.resetVerified();
  }

  #descriptorOf(segment: Segment): number {
    if (segment.file.descriptor >= 0 && segment.isDirty) return segment.file.descriptor;
    try {
      return this.#store.pool.use(segment.file);
    } catch (thrown) {
      throw this.#error(thrown, segment);
    }
  }

  /** Removes what a failed write may have left after the last whole batch. */
  #cutBack(descriptor: number, segment: Segment): void {
    try {
      this.#store.files.truncate(descriptor, segment.bytes);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      this.#broken("a write could be neither finished nor cut off, the partition is offline");
    }
  }

  #error(thrown: unknown, segment: Segment): Error {
    return storageError(thrown, { ...this.#place, file: this.#store.relative(segment.logPath) });
  }
}

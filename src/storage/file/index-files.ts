/**
 * The index files of segments: read page by page when they are needed, written when a segment is sealed, rebuilt from the log
 * whenever they are missing, wrong or unreadable. No information is lost with an index.
 *
 *     active, rolled   segment.index, in memory             index-copies.ts: what a checkpoint stores of it
 *     sealed           SealedIndex: pages in IndexPages     written once (temporary file, sync, rename), never changed in place
 *     rebuilt          segment.index, until it is sealed    at most `REBUILT_BYTES_MAX`; beyond that it is rebuilt when needed
 *     short-lived      the same: a small segment that leaves soon never gets files
 *
 *   - A file that is cut, replaced or removed under the server, and a page that cannot be read, cost a rebuild and nothing more: no
 *     file is mapped (docs/decisions/index-pages.md).
 *   - One index is rebuilt at a time, in slices; all who need it wait for the same rebuild.
 *   - A shortage of the process (descriptors, memory) says nothing about the index: the error goes to the caller.
 */

import { ObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { nextTurn, Turnstile } from "../../base/loop/turns.ts";
import { MiB } from "../../base/units.ts";
import { batchLastOffset } from "../../protocol/record/batch.ts";
import { scanBatches } from "../scan.ts";
import { largestTimestamp } from "../timestamps.ts";
import { buildIndex } from "./index-builder.ts";
import { IndexPages } from "./index-pages.ts";
import { IndexFault, SealedIndex } from "./sealed-index.ts";
import { isUnindexed, type Segment, TIME_UNKNOWN } from "./segment.ts";
import type { IndexLookup, SegmentIndex } from "./segment-index.ts";
import type { Store } from "./store.ts";

/** Lengths and last entries, some 300 bytes each; as many as there are pages. */
export const OPENED_MAX = 2048;
/** Of indexes whose files cannot be written, or are not written yet. One is at most 5 MiB. */
export const REBUILT_BYTES_MAX = 8 * MiB;

export class IndexFiles {
  readonly #store: Store;
  readonly #rebuiltBytesMax: number;
  readonly #pages = new IndexPages();
  /** Least recently used first. */
  readonly #opened = new Map<Segment, SealedIndex>();
  /** Sealed segments whose index is in memory, and its bytes; the oldest first. */
  readonly #rebuilt = new Map<Segment, number>();
  #rebuiltBytes = 0;
  readonly #building = new Map<Segment, Promise<SegmentIndex>>();
  readonly #builders = new Turnstile(1);

  constructor(store: Store, rebuiltBytesMax = REBUILT_BYTES_MAX) {
    this.#store = store;
    this.#rebuiltBytesMax = rebuiltBytesMax;
  }

  /** The segment's index, from memory or its files. @throws IndexFault: `rebuild` it; system errors, ObeliskError */
  of(segment: Segment): IndexLookup {
    if (segment.index !== null) return segment.index;
    const known = this.#opened.get(segment);
    const index = known ?? this.#open(segment);
    if (known !== undefined) this.#opened.delete(segment);
    this.#opened.set(segment, index);
    if (this.#opened.size > OPENED_MAX) this.#evictOldest();
    return index;
  }

  /**
   * As `of`, for a search by time, and rebuilt when need be. An index from before headers were checked holds only what clients wrote
   * there, and would make the search miss records: it is rebuilt, once.
   */
  async timesOf(segment: Segment): Promise<IndexLookup> {
    if (segment.hasOldTimes && segment.index === null) return await this.rebuild(segment, null);
    try {
      return this.of(segment);
    } catch (thrown) {
      if (!(thrown instanceof IndexFault)) throw thrown;
      return await this.rebuild(segment, thrown);
    }
  }

  /** As `IndexLookup.offsetBefore`, with an index that is rebuilt when need be. */
  async offsetBefore(segment: Segment, timestampMs: number): Promise<number> {
    const index = await this.timesOf(segment);
    try {
      return index.offsetBefore(timestampMs);
    } catch (thrown) {
      if (!(thrown instanceof IndexFault)) throw thrown;
      return (await this.rebuild(segment, thrown)).offsetBefore(timestampMs);
    }
  }

  /** The largest timestamp in a segment when no file has to be read for it, else null. */
  knownLargest({ index, maxTimestamp, hasOldTimes }: Segment): number | null {
    if (index !== null) return index.maxTimestamp;
    return hasOldTimes || maxTimestamp === TIME_UNKNOWN ? null : maxTimestamp;
  }

  /** The largest timestamp in a segment, or an upper bound where its index is too high. */
  async largestOf(segment: Segment): Promise<number> {
    const known = this.knownLargest(segment);
    if (known !== null) return known;
    if (segment.hasOldTimes) return (await this.rebuild(segment, null)).maxTimestamp;
    try {
      return this.#open(segment).maxTimestamp;
    } catch (thrown) {
      if (!(thrown instanceof IndexFault)) throw thrown;
      return (await this.rebuild(segment, thrown)).maxTimestamp;
    }
  }

  evict(segment: Segment): void {
    this.#opened.delete(segment);
    this.#dropRebuilt(segment);
    segment.maxTimestamp = TIME_UNKNOWN;
  }

  evictAll(): void {
    this.#opened.clear();
  }

  /**
   * Rebuilds the index from the log; it takes the place of the files, which the next sealing writes. `fault`: why, for
   * the finding; null when there was none. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR when the segment was removed
   */
  rebuild(segment: Segment, fault: IndexFault | null): Promise<SegmentIndex> {
    const building = this.#building.get(segment);
    if (building !== undefined) return building;
    const begun = this.#builders
      .run(() => this.#build(segment, fault))
      .finally(() => this.#building.delete(segment));
    this.#building.set(segment, begun);
    return begun;
  }

  /** Writes the files of a segment that has just been sealed and drops its index from memory. The log must be synced. */
  async seal(segment: Segment): Promise<void> {
    const index = segment.index;
    if (index === null || segment.isRemoved) return;
    index.seal();
    const { replacer } = this.#store;
    await replacer.replace(segment.indexPath, () => (isGone(segment) ? null : index.offsets));
    await replacer.replace(segment.timeIndexPath, () => (isGone(segment) ? null : index.times));
    this.evict(segment);
    segment.index = null;
    segment.maxTimestamp = index.maxTimestamp;
    segment.hasOldTimes = false;
  }

  /**
   * As `seal`, for a segment that leaves soon: its index stays in memory as long as there is room, and is built anew when somebody
   * needs it afterwards. A log may be sealed again and again so.
   */
  sealUnstored(segment: Segment): void {
    if (segment.index === null || segment.isRemoved || this.#rebuilt.has(segment)) return;
    segment.index.seal();
    segment.hasOldTimes = false;
    this.#keep(segment, segment.index);
  }

  /** Opens the files, and reads what the log holds after their last entries. */
  #open(segment: Segment): SealedIndex {
    const index = new SealedIndex(this.#store, this.#pages, segment);
    if (!this.#reachesEnd(segment, index))
      throw new IndexFault("damaged-index", "the index does not reach the end of its log");
    if (!segment.hasOldTimes) segment.maxTimestamp = index.maxTimestamp;
    return index;
  }

  /**
   * Whether the last entry lies within one interval of the end. Files that were only the copy of an active index stop
   * short of it when a crash came before the sealing. Takes the batches after the last entry into the largest timestamp.
   */
  #reachesEnd(segment: Segment, index: SealedIndex): boolean {
    const { files, limits } = this.#store;
    const start = index.lastPosition;
    let reaches = true;
    const range = {
      start,
      end: segment.bytes,
      offset: segment.baseOffset,
      offsetLimit: segment.endOffset,
      allowsGaps: true,
    };
    this.#withLog(segment, (descriptor) =>
      scanBatches(files, descriptor, range, {
        batch: (buffer, position, _end, filePosition) => {
          index.recordTail(
            batchLastOffset(buffer, position) - segment.baseOffset,
            largestTimestamp(buffer, position),
          );
          reaches = filePosition <= start + 2 * limits.indexIntervalBytes;
          return reaches;
        },
        damage: () => {}, // whoever reads that place meets it and reports it
      }),
    );
    return reaches;
  }

  /** For a single read: a search over thousands of segments must close no other file of the pool. */
  #withLog({ file }: Segment, work: (descriptor: number) => void): void {
    const { files, pool } = this.#store;
    if (file.descriptor >= 0) {
      work(file.descriptor);
      return;
    }
    const descriptor = pool.withRoom(file.path, () => files.open(file.path, "read"));
    try {
      work(descriptor);
    } finally {
      files.close(descriptor);
    }
  }

  async #build(segment: Segment, fault: IndexFault | null): Promise<SegmentIndex> {
    const slices = buildIndex(this.#store, segment);
    for (;;) {
      // That the files of a removed segment are gone is no finding.
      if (segment.isRemoved) throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the log was removed" });
      if (segment.index !== null) return segment.index;
      loopTurns.enter("index");
      const slice = slices.next();
      if (slice.done) return this.#built(segment, slice.value, fault);
      await nextTurn();
    }
  }

  #built(segment: Segment, index: SegmentIndex, fault: IndexFault | null): SegmentIndex {
    index.seal();
    const { files } = this.#store;
    if (fault !== null && !(fault.kind === "missing-index" && isUnindexed(files, segment))) {
      const detail = `${fault.message}; rebuilt from the log`;
      this.#store.report(segment.indexPath, 0, index.offsets.length, fault.kind, detail);
    }
    this.#keep(segment, index);
    return index;
  }

  #keep(segment: Segment, index: SegmentIndex): void {
    const bytes = index.offsets.length + index.times.length;
    this.evict(segment);
    segment.index = index;
    this.#rebuilt.set(segment, bytes);
    this.#rebuiltBytes += bytes;
    for (const oldest of this.#rebuilt.keys()) {
      if (this.#rebuiltBytes <= this.#rebuiltBytesMax || oldest === segment) break;
      this.#dropRebuilt(oldest);
      oldest.maxTimestamp = oldest.index?.maxTimestamp ?? TIME_UNKNOWN;
      oldest.index = null;
    }
  }

  #dropRebuilt(segment: Segment): void {
    this.#rebuiltBytes -= this.#rebuilt.get(segment) ?? 0;
    this.#rebuilt.delete(segment);
  }

  #evictOldest(): void {
    for (const oldest of this.#opened.keys()) {
      this.#opened.delete(oldest);
      return;
    }
  }
}

/** A file beside it would be left over. */
function isGone({ isRemoved, isLeaving }: Segment): boolean {
  return isRemoved || isLeaving;
}

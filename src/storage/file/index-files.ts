/**
 * The index files of segments: mapped when they are needed, written when a segment is sealed, rebuilt from the log
 * whenever they are missing or wrong. Nothing that an index says is lost with it.
 *
 *   - A sealed index is written to a temporary file, synced and renamed, and never changed in place: it may be mapped.
 *   - An active segment's files are a copy that is appended to when the partition writes a checkpoint, without a sync. They are
 *     used after a restart only below the checkpoint, and only when they hold together there. What they say of batches behind it may
 *     be of such that a power cut took: then they go (`goesOn`), and with the names the next sync makes that last.
 *   - At most `MAPPED_MAX` sealed indexes are mapped; the one used longest ago is let go.
 *   - An index that the disk refuses to read is not a wrong one: the error goes to the caller, and the files stay as they are.
 */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { BATCH_HEADER_BYTES, batchLastOffset } from "../../protocol/record/batch.ts";
import type { FindingKind } from "../contract.ts";
import { scanBatches } from "../scan.ts";
import { largestTimestamp } from "../timestamps.ts";
import type { Segment } from "./segment.ts";
import { faultOfIndex, OFFSET_ENTRY_BYTES, SegmentIndex, TIME_ENTRY_BYTES } from "./segment-index.ts";
import type { Store } from "./store.ts";

/** Each takes two maps of up to 0.5 MiB of address space; the system allows some 65,000 maps. */
export const MAPPED_MAX = 1024;

/** Entries of a segment's two indexes, as their files have them. */
export interface IndexBytes {
  offsets: Buffer;
  times: Buffer;
}

export class IndexFiles {
  readonly #store: Store;
  /** Least recently used first. */
  readonly #mapped = new Map<Segment, SegmentIndex>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The segment's index, from memory or its files; rebuilt first when they do not hold. */
  of(segment: Segment): SegmentIndex {
    if (segment.index !== null) return segment.index;
    const mapped = this.#mapped.get(segment);
    if (mapped !== undefined) {
      this.#mapped.delete(segment);
      this.#mapped.set(segment, mapped);
      return mapped;
    }
    return (
      this.#load(segment) ?? this.rebuild(segment, "damaged-index", "the index files do not hold together")
    );
  }

  /**
   * As `of`, for a search by time. An index from before headers were checked knows only what clients wrote there, and would have
   * the search pass by records: it is made again, once. Reads the whole log file then.
   */
  timesOf(segment: Segment): SegmentIndex {
    if (!segment.hasOldTimes || segment.isRemoved) return this.of(segment);
    const index = this.#indexOfLog(segment);
    try {
      this.#replaceNow(segment, index);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown; // it stays in memory, and is made again after the next start
    }
    segment.hasOldTimes = false;
    this.#keep(segment, index);
    return index;
  }

  forget(segment: Segment): void {
    this.#mapped.delete(segment);
  }

  forgetAll(): void {
    this.#mapped.clear();
  }

  /** Reads the log again and replaces the files. The answer is good even when the disk refuses the files. */
  rebuild(segment: Segment, kind: FindingKind, reason: string): SegmentIndex {
    // That its files are gone is no finding.
    if (segment.isRemoved) throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the log was removed" });
    const index = this.#indexOfLog(segment);
    let fate = "rebuilt from the log";
    try {
      this.#replaceNow(segment, index);
      segment.hasOldTimes = false;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      fate = `rebuilt from the log in memory only (${errnoOf(thrown)})`;
    }
    this.#store.report(segment.indexPath, 0, index.offsets.length, kind, `${reason}; ${fate}`);
    this.#keep(segment, index);
    return index;
  }

  /** Writes the files of a segment that has just been sealed and drops its index from memory. The log must be synced. */
  async seal(segment: Segment): Promise<void> {
    const index = segment.index;
    if (index === null || segment.isRemoved) return;
    index.seal();
    const { replacer } = this.#store;
    await replacer.replace(segment.indexPath, () => (segment.isRemoved ? null : index.offsets));
    await replacer.replace(segment.timeIndexPath, () => (segment.isRemoved ? null : index.times));
    segment.index = null;
  }

  /** As `seal`, at once. */
  sealNow(segment: Segment): void {
    const index = segment.index;
    if (index === null) return;
    this.#replaceNow(segment, index);
    segment.index = null;
  }

  /**
   * Copies what an active segment's index has gained since to its files. An index without entries has no files.
   * @throws system errors, ObeliskError KAFKA_STORAGE_ERROR; nothing is lost then, a copy is only a help
   */
  append(segment: Segment): void {
    const { index } = segment;
    if (index === null) return;
    const bytes = index.offsets.length + index.times.length;
    if (index.copiedBytes === bytes) return;
    if (bytes > 0 || this.#hasFile(segment)) {
      this.#appendFile(segment.indexPath, index.offsets);
      this.#appendFile(segment.timeIndexPath, index.times);
    }
    index.copiedBytes = bytes;
  }

  /** The copies of an active segment's index, or null when one is missing or they do not hold below `position`. */
  readActive(segment: Segment, position: number): IndexBytes | null {
    const { files, limits } = this.#store;
    if (position <= limits.indexIntervalBytes && !this.#hasFile(segment)) return NO_ENTRIES;
    if (!files.exists(segment.indexPath) || !files.exists(segment.timeIndexPath)) return null;
    const offsets = wholeEntries(files.readFile(segment.indexPath), OFFSET_ENTRY_BYTES);
    const times = wholeEntries(files.readFile(segment.timeIndexPath), TIME_ENTRY_BYTES);
    const below = entriesBelow({ offsets, times }, position);
    return faultOfIndex(below.offsets, below.times, position) === null ? { offsets, times } : null;
  }

  #hasFile(segment: Segment): boolean {
    const { files } = this.#store;
    return files.exists(segment.indexPath) || files.exists(segment.timeIndexPath);
  }

  #replaceNow(segment: Segment, index: SegmentIndex): void {
    index.seal();
    this.#store.files.replace(segment.indexPath, index.offsets);
    this.#store.files.replace(segment.timeIndexPath, index.times);
  }

  #load(segment: Segment): SegmentIndex | null {
    const { files } = this.#store;
    if (!files.exists(segment.indexPath) || !files.exists(segment.timeIndexPath)) {
      return this.rebuild(segment, "missing-index", "an index file is missing");
    }
    const read = this.#read(segment);
    if (faultOfIndex(read.offsets, read.times, segment.bytes) !== null) return null;
    const mapped = this.#map(segment);
    const { offsets, times } = mapped ?? read;
    const index = SegmentIndex.fixed(offsets, times);
    if (!this.#reachesEnd(segment, index)) return null;
    if (mapped !== null) this.#keep(segment, index);
    return index;
  }

  /**
   * Null when the system refuses: it has room for so many maps and so much address space. Only what was just read is mapped: a page
   * that the disk refuses to give to a map ends the process (SIGBUS), where a read is an error.
   */
  #map({ indexPath, timeIndexPath }: Segment): IndexBytes | null {
    const { files, pool } = this.#store;
    try {
      const offsets = pool.withRoom(indexPath, () => files.map(indexPath));
      return { offsets, times: pool.withRoom(timeIndexPath, () => files.map(timeIndexPath)) };
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return null;
    }
  }

  /** For one use: it takes memory, so it is not kept. @throws system errors: they say nothing of the bytes */
  #read({ indexPath, timeIndexPath }: Segment): IndexBytes {
    const { files, pool } = this.#store;
    const offsets = pool.withRoom(indexPath, () => files.readFile(indexPath));
    return { offsets, times: pool.withRoom(timeIndexPath, () => files.readFile(timeIndexPath)) };
  }

  /**
   * Whether the last entry lies within one interval of the end. Files that were only the copy of an active index stop
   * short of it when a crash came before the sealing. Completes the largest timestamp with what lies behind the last entry.
   */
  #reachesEnd(segment: Segment, index: SegmentIndex): boolean {
    const start = index.lastPosition;
    let reaches = true;
    const range = {
      start,
      end: segment.bytes,
      offset: segment.baseOffset,
      offsetLimit: segment.endOffset,
      allowsGaps: true,
    };
    scanBatches(this.#store.files, this.#store.pool.use(segment.file), range, {
      batch: (buffer, position, _end, filePosition) => {
        index.noteTail(
          batchLastOffset(buffer, position) - segment.baseOffset,
          largestTimestamp(buffer, position),
        );
        reaches = filePosition <= start + 2 * this.#store.limits.indexIntervalBytes;
        return reaches;
      },
      damage: () => {}, // whoever reads that place meets it and reports it
    });
    return reaches;
  }

  #keep(segment: Segment, index: SegmentIndex): void {
    this.#mapped.delete(segment);
    this.#mapped.set(segment, index);
    if (this.#mapped.size <= MAPPED_MAX) return;
    for (const oldest of this.#mapped.keys()) {
      this.#mapped.delete(oldest);
      return;
    }
  }

  #indexOfLog(segment: Segment): SegmentIndex {
    const index = SegmentIndex.growing(this.#store.limits.indexIntervalBytes);
    if (segment.bytes < BATCH_HEADER_BYTES) return index;
    const range = {
      start: 0,
      end: segment.bytes,
      offset: segment.baseOffset,
      offsetLimit: segment.endOffset,
      allowsGaps: true,
    };
    scanBatches(this.#store.files, this.#store.pool.use(segment.file), range, {
      batch: (buffer, position, end, filePosition) => {
        noteBatch(index, segment.baseOffset, buffer, position, end, filePosition);
        return true;
      },
      damage: () => {}, // whoever reads that place meets it and reports it
    });
    return index;
  }

  #appendFile(path: string, content: Buffer): void {
    const { files, pool } = this.#store;
    const mode = files.exists(path) ? "update" : "create";
    const descriptor = pool.withRoom(path, () => files.open(path, mode));
    try {
      const size = files.size(descriptor);
      if (size > content.length) files.truncate(descriptor, 0);
      const start = size > content.length ? 0 : size;
      files.write(descriptor, content, start, content.length, start);
    } finally {
      files.close(descriptor);
    }
  }
}

const NO_ENTRIES = { offsets: Buffer.alloc(0), times: Buffer.alloc(0) };

/** Takes note of a batch that lies in `buffer[position, end)` and starts at `filePosition`. */
export function noteBatch(
  index: SegmentIndex,
  segmentBase: number,
  buffer: Buffer,
  position: number,
  end: number,
  filePosition: number,
): void {
  const relativeOffset = batchLastOffset(buffer, position) - segmentBase;
  index.note(relativeOffset, filePosition, end - position, largestTimestamp(buffer, position));
}

/**
 * Whether the index goes on where its copies end, so that they can be appended to. Else a power cut has kept entries of batches that
 * it took, and their offsets are given out anew.
 */
export function goesOn(index: SegmentIndex, copies: IndexBytes): boolean {
  return startsWith(index.offsets, copies.offsets) && startsWith(index.times, copies.times);
}

function startsWith(whole: Buffer, part: Buffer): boolean {
  return part.length <= whole.length && whole.subarray(0, part.length).equals(part);
}

/** What the copies say of batches below `position`: entries behind it may be of any that were there once. */
function entriesBelow({ offsets, times }: IndexBytes, position: number): IndexBytes {
  let offsetsEnd = 0;
  let timesEnd = 0;
  while (offsetsEnd < offsets.length && offsets.readInt32BE(offsetsEnd + 4) < position)
    offsetsEnd += OFFSET_ENTRY_BYTES;
  const offsetLast = offsetsEnd === 0 ? -1 : offsets.readInt32BE(offsetsEnd - OFFSET_ENTRY_BYTES);
  while (timesEnd < times.length && times.readInt32BE(timesEnd + 8) <= offsetLast)
    timesEnd += TIME_ENTRY_BYTES;
  return { offsets: offsets.subarray(0, offsetsEnd), times: times.subarray(0, timesEnd) };
}

function wholeEntries(content: Buffer, entryBytes: number): Buffer {
  return content.subarray(0, content.length - (content.length % entryBytes));
}

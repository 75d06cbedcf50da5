/**
 * Copies of an active segment's index in its files: appended to when the partition writes a checkpoint, without a sync. They are used
 * after a restart only below the checkpoint, and only when they are consistent there. Entries after it may name batches that a power cut
 * took: then the copies are removed (`extendsCopies`), and the next sync of the directory makes that durable.
 */

import type { Segment } from "./segment.ts";
import { faultOfIndex, OFFSET_ENTRY_BYTES, type SegmentIndex, TIME_ENTRY_BYTES } from "./segment-index.ts";
import type { Store } from "./store.ts";

/** Entries of a segment's two indexes, as their files have them. */
export interface IndexBytes {
  offsets: Buffer;
  times: Buffer;
}

const NO_ENTRIES = { offsets: Buffer.alloc(0), times: Buffer.alloc(0) };

/**
 * Copies what an active segment's index has gained since to its files. An index without entries has no files.
 * @throws system errors, ObeliskError KAFKA_STORAGE_ERROR; nothing is lost then: a copy only speeds up a start
 */
export function copyIndex(store: Store, segment: Segment): void {
  const { index } = segment;
  if (index === null) return;
  const bytes = index.offsets.length + index.times.length;
  if (index.copiedBytes === bytes) return;
  if (bytes > 0 || hasFile(store, segment)) {
    appendTo(store, segment.indexPath, index.offsets);
    appendTo(store, segment.timeIndexPath, index.times);
  }
  index.copiedBytes = bytes;
}

/** The copies of an active segment's index, or null when one is missing or they are inconsistent below `position`. */
export function readCopies(store: Store, segment: Segment, position: number): IndexBytes | null {
  const { files, limits } = store;
  if (position <= limits.indexIntervalBytes && !hasFile(store, segment)) return NO_ENTRIES;
  if (!files.exists(segment.indexPath) || !files.exists(segment.timeIndexPath)) return null;
  const offsets = wholeEntries(files.readFile(segment.indexPath), OFFSET_ENTRY_BYTES);
  const times = wholeEntries(files.readFile(segment.timeIndexPath), TIME_ENTRY_BYTES);
  const below = entriesBelow({ offsets, times }, position);
  return faultOfIndex(below.offsets, below.times, position) === null ? { offsets, times } : null;
}

/**
 * Whether the index continues where its copies end, so that they can be appended to. Else a power cut has kept entries of batches that
 * it took, and whose offsets are assigned anew.
 */
export function extendsCopies(index: SegmentIndex, copies: IndexBytes): boolean {
  return startsWith(index.offsets, copies.offsets) && startsWith(index.times, copies.times);
}

function hasFile({ files }: Store, segment: Segment): boolean {
  return files.exists(segment.indexPath) || files.exists(segment.timeIndexPath);
}

function appendTo({ files, pool }: Store, path: string, content: Buffer): void {
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

function startsWith(whole: Buffer, part: Buffer): boolean {
  return part.length <= whole.length && whole.subarray(0, part.length).equals(part);
}

/** The entries below `position`: those after it may name batches that are gone. */
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

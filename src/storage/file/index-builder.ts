/**
 * Builds a segment's index from its log, in slices: between two of them other work of the loop runs, and the segment may be removed.
 * Reads the whole log file, and checks its CRCs.
 */

import { MiB } from "../../base/units.ts";
import { BATCH_HEADER_BYTES, batchLastOffset } from "../../protocol/record/batch.ts";
import { Scan } from "../scan.ts";
import { largestTimestamp } from "../timestamps.ts";
import type { Segment } from "./segment.ts";
import { SegmentIndex } from "./segment-index.ts";
import type { Store } from "./store.ts";

/** Some 5 ms from the system's cache, where records are small. */
const SLICE_BYTES = 4 * MiB;
/** A slow disk, or batches that have to be inflated, end a slice earlier. */
const SLICE_MS_MAX = 5;
/** The search for the next batch after damage, in nanoseconds as the scan counts them: it has slices of its own. */
const SEARCH_WORK = 5_000_000;

/** Yields between two slices. The segment must stay, and keep its length. @throws system errors */
export function* buildIndex(store: Store, segment: Segment): Generator<void, SegmentIndex> {
  const { files, pool, clock, limits } = store;
  const index = SegmentIndex.growing(limits.indexIntervalBytes);
  let position = 0;
  let offset = segment.baseOffset;
  while (position + BATCH_HEADER_BYTES <= segment.bytes) {
    const sliceEnd = position + SLICE_BYTES;
    const endsAtMs = clock.monotonicMs() + SLICE_MS_MAX;
    const range = {
      start: position,
      end: segment.bytes,
      offset,
      offsetLimit: segment.endOffset,
      allowsGaps: true,
    };
    position = segment.bytes;
    const scan = new Scan(files, () => pool.use(segment.file), range, {
      batch: (buffer, at, end, filePosition) => {
        indexBatch(index, segment.baseOffset, buffer, at, end, filePosition);
        const next = filePosition + end - at;
        if (next < sliceEnd && clock.monotonicMs() < endsAtMs) return true;
        position = next;
        offset = batchLastOffset(buffer, at) + 1;
        return false;
      },
      damage: () => {}, // whoever reads that place meets it and reports it
    });
    while (!scan.run(SEARCH_WORK)) yield;
    yield;
  }
  return index;
}

/** The same at once, however long it takes. */
export function buildIndexNow(store: Store, segment: Segment): SegmentIndex {
  for (const slices = buildIndex(store, segment); ; ) {
    const slice = slices.next();
    if (slice.done) return slice.value;
  }
}

/** Records a batch that lies in `buffer[position, end)` and starts at `filePosition`. */
export function indexBatch(
  index: SegmentIndex,
  segmentBase: number,
  buffer: Buffer,
  position: number,
  end: number,
  filePosition: number,
): void {
  const relativeOffset = batchLastOffset(buffer, position) - segmentBase;
  index.record(relativeOffset, filePosition, end - position, largestTimestamp(buffer, position));
}

/** Offsets before a log's first segment, or between two, that none covers: a file is missing. Only names and ends are read. */

import type { LeaderEpochs } from "../../leader-epochs.ts";
import type { Segment } from "../segment.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Store } from "../store.ts";
import { segmentEnd } from "./segment-end.ts";

export interface Gap {
  /** The segment after it. */
  segment: Segment;
  /** The first offset that is missing; the last one is before the segment's base. */
  start: number;
}

/**
 * Gaps that are not recorded yet. `ends`: the offset after the last batch of each segment that was scanned, -1 after damage, where it
 * is unknown; those of the others are read.
 */
export function findGaps(
  store: Store,
  segments: readonly Segment[],
  ends: ReadonlyMap<Segment, number>,
  snapshot: Snapshot | null,
  epochs: LeaderEpochs,
): Gap[] {
  const gaps: Gap[] = [];
  const startOffset = snapshot?.startOffset ?? 0;
  let expected = snapshot?.startOffset ?? -1;
  for (const [slot, segment] of segments.entries()) {
    const isGap = expected >= 0 && expected < segment.baseOffset;
    if (isGap && !isKnown(segment.baseOffset, snapshot, epochs)) gaps.push({ segment, start: expected });
    if (slot === segments.length - 1) continue;
    // What is missing below the log's start is missed by nobody.
    if (segment.endOffset <= startOffset) expected = startOffset;
    else expected = ends.get(segment) ?? endOf(store, segment);
  }
  return gaps;
}

/** The offset after the last batch of a segment that was not scanned; -1 when its end is known damage, or unknown. */
function endOf(store: Store, segment: Segment): number {
  const isHole = segment.holes.some(({ position, bytes }) => bytes > 0 && position + bytes >= segment.bytes);
  return isHole ? -1 : (segmentEnd(store, segment) ?? -1);
}

/** As for `verify`: it was recorded before, or a new leader epoch began there. */
function isKnown(baseOffset: number, snapshot: Snapshot | null, epochs: LeaderEpochs): boolean {
  const holes = snapshot?.holes ?? [];
  const isRecorded = holes.some(
    ({ segment, position, bytes }) => segment === baseOffset && position === 0 && bytes === 0,
  );
  return isRecorded || epochs.starts.some(({ startOffset }) => startOffset === baseOffset);
}

/**
 * Finds records by time: segment by its largest timestamp, place by the time index, then batch by batch. An index that was
 * written before headers were checked is made again first (index-files.ts), and headers are not taken for the records'
 * word (timestamps.ts), so that what lies in a log since then is found as well.
 */

import {
  BATCH_HEADER_BYTES,
  batchBytes,
  batchLastOffset,
  NO_TIMESTAMP,
} from "../../protocol/record/batch.ts";
import type { TimestampedOffset } from "../contract.ts";
import { findLargestTimestamp, findRecordByTimestamp, largestTimestamp } from "../timestamps.ts";
import type { IndexFiles } from "./index-files.ts";
import type { LogReader } from "./reader.ts";
import type { Segment } from "./segment.ts";

/** A search reads at most this much at once. */
const SEARCH_BYTES = 256 * 1024;

/** The first record at or behind `startOffset`, below `limitOffset`, with `timestampMs` or later. */
export async function findTimestamp(
  segments: readonly Segment[],
  indexes: IndexFiles,
  reader: LogReader,
  timestampMs: number,
  startOffset: number,
  limitOffset: number,
): Promise<TimestampedOffset | null> {
  for (const segment of [...segments]) {
    if (segment.isRemoved || segment.bytes === 0) continue;
    if (segment.baseOffset >= limitOffset) return null;
    const index = indexes.timesOf(segment);
    if (index.maxTimestamp < timestampMs) continue;
    const first = Math.max(segment.baseOffset + index.offsetBefore(timestampMs), startOffset);
    let found: TimestampedOffset | null = null;
    await walkBatches(reader, segment, first, limitOffset, (buffer, position) => {
      found = findRecordByTimestamp(buffer, position, timestampMs, startOffset);
      return found === null;
    });
    if (found !== null) return found;
  }
  return null;
}

/** The first record with the largest timestamp of those at or behind `startOffset` and below `limitOffset`. */
export async function findMaxTimestamp(
  segments: readonly Segment[],
  indexes: IndexFiles,
  reader: LogReader,
  startOffset: number,
  limitOffset: number,
): Promise<TimestampedOffset | null> {
  let best: TimestampedOffset | null = null;
  for (const segment of [...segments]) {
    if (segment.isRemoved || segment.bytes === 0 || segment.baseOffset >= limitOffset) continue;
    const index = indexes.timesOf(segment);
    const { maxTimestamp } = index;
    if (maxTimestamp <= (best?.timestampMs ?? NO_TIMESTAMP)) continue;
    const isWhole = segment.endOffset <= limitOffset && segment.baseOffset >= startOffset;
    const question: LargerQuestion = { startOffset, limitOffset, best, enough: maxTimestamp };
    const look = (from: number) => findLargerIn(reader, segment, from, question);
    const told: TimestampedOffset | null = isWhole
      ? await look(segment.baseOffset + index.maxTimestampOffset)
      : null;
    // The header of a compressed batch may have claimed more than its records hold: then each batch has to be looked at.
    best = told?.timestampMs === maxTimestamp ? told : await look(segment.baseOffset);
  }
  return best;
}

interface LargerQuestion {
  startOffset: number;
  limitOffset: number;
  /** What was found in the segments before. */
  best: TimestampedOffset | null;
  /** The timestamp that ends the search: none can be larger. */
  enough: number;
}

/** The first record with the largest timestamp from the batch that holds `from` on, if it is larger than the best one; else that. */
async function findLargerIn(
  reader: LogReader,
  segment: Segment,
  from: number,
  { startOffset, limitOffset, best, enough }: LargerQuestion,
): Promise<TimestampedOffset | null> {
  let largest = best;
  await walkBatches(reader, segment, Math.max(from, startOffset), limitOffset, (buffer, position) => {
    const largestMs = largest?.timestampMs ?? NO_TIMESTAMP;
    if (largestTimestamp(buffer, position) <= largestMs) return true;
    const found = findLargestTimestamp(buffer, position, startOffset);
    if (found === null || found.timestampMs <= largestMs) return true;
    largest = found;
    return found.timestampMs < enough;
  });
  return largest;
}

/** Gives every sound batch of one segment from the one that holds `offset`, until the visitor answers false. */
async function walkBatches(
  reader: LogReader,
  segment: Segment,
  offset: number,
  limitOffset: number,
  visit: (buffer: Buffer, position: number) => boolean,
): Promise<void> {
  let next = offset;
  const end = Math.min(segment.endOffset, limitOffset);
  while (next < end) {
    const buffer = await reader.read(next, limitOffset, SEARCH_BYTES, true);
    if (buffer.length === 0) return;
    for (let at = 0; at + BATCH_HEADER_BYTES <= buffer.length; at += batchBytes(buffer, at)) {
      next = batchLastOffset(buffer, at) + 1;
      if (next > segment.endOffset || !visit(buffer, at)) return;
    }
  }
}

/**
 * Finds records by time: segment by its largest timestamp, place by the time index, then batch by batch. An index that was
 * written before headers were checked is made again first (index-files.ts), and headers are not taken for the records'
 * word (record-search.ts), so that what lies in a log since then is found as well.
 *
 * `SEARCHES_AT_ONCE` searches are under way in the whole process: each holds what it has read, which is `SEARCH_BYTES` or one batch.
 */

import { loopTurns } from "../../base/loop-turns.ts";
import { Turnstile } from "../../base/turns.ts";
import { KiB } from "../../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  batchBytes,
  batchLastOffset,
  NO_TIMESTAMP,
} from "../../protocol/record/batch.ts";
import type { TimestampedOffset } from "../contract.ts";
import { type Found, RecordSearch } from "../record-search.ts";
import type { IndexFiles } from "./index-files.ts";
import type { LogReader } from "./reader.ts";
import type { Segment } from "./segment.ts";

/** A search reads at most this much at once. */
const SEARCH_BYTES = 256 * KiB;
/** A request may ask for a thousand partitions. More at once are no faster: the loop does their work. */
const SEARCHES_AT_ONCE = 8;

const searches = new Turnstile(SEARCHES_AT_ONCE);

/** What a search goes through: one log, from its start to where readers may see. */
export interface Searched {
  readonly segments: readonly Segment[];
  readonly indexes: IndexFiles;
  readonly reader: LogReader;
  readonly startOffset: number;
  readonly limitOffset: number;
}

/** The first record at or behind `startOffset`, below `limitOffset`, with `timestampMs` or later. */
export function findTimestamp(searched: Searched, timestampMs: number): Promise<TimestampedOffset | null> {
  return searches.run(() => findFirst(searched, timestampMs));
}

/** The first record with the largest timestamp of those at or behind `startOffset` and below `limitOffset`. */
export function findMaxTimestamp(searched: Searched): Promise<TimestampedOffset | null> {
  return searches.run(() => findLatest(searched));
}

async function findFirst(searched: Searched, timestampMs: number): Promise<TimestampedOffset | null> {
  const { segments, indexes, startOffset, limitOffset } = searched;
  const search = new RecordSearch();
  for (const segment of [...segments]) {
    if (segment.isRemoved || segment.bytes === 0) continue;
    if (segment.baseOffset >= limitOffset) return null;
    const index = indexes.timesOf(segment);
    if (index.maxTimestamp < timestampMs) continue;
    const from = Math.max(segment.baseOffset + index.offsetBefore(timestampMs), startOffset);
    let found: TimestampedOffset | null = null;
    await walkBatches(searched, segment, from, {
      look: (buffer, position) => search.first(buffer, position, timestampMs, startOffset),
      take: (record) => {
        found = record;
        return false;
      },
    });
    if (found !== null) return found;
  }
  return null;
}

async function findLatest(searched: Searched): Promise<TimestampedOffset | null> {
  const { segments, indexes, startOffset, limitOffset } = searched;
  const search = new RecordSearch();
  let best: TimestampedOffset | null = null;
  for (const segment of [...segments]) {
    if (segment.isRemoved || segment.bytes === 0 || segment.baseOffset >= limitOffset) continue;
    const index = indexes.timesOf(segment);
    const { maxTimestamp } = index;
    if (maxTimestamp <= (best?.timestampMs ?? NO_TIMESTAMP)) continue;
    const isWhole = segment.endOffset <= limitOffset && segment.baseOffset >= startOffset;
    const question: LargerQuestion = { search, best, enough: maxTimestamp };
    const look = (from: number) => findLargerIn(searched, segment, from, question);
    const told: TimestampedOffset | null = isWhole
      ? await look(segment.baseOffset + index.maxTimestampOffset)
      : null;
    // The header of a compressed batch may have claimed more than its records hold: then each batch has to be looked at.
    best = told?.timestampMs === maxTimestamp ? told : await look(segment.baseOffset);
  }
  return best;
}

interface LargerQuestion {
  readonly search: RecordSearch;
  /** What was found in the segments before. */
  readonly best: TimestampedOffset | null;
  /** The timestamp that ends the search: none can be larger. */
  readonly enough: number;
}

/** The first record with the largest timestamp from the batch that holds `from` on, if it is larger than the best one; else that. */
async function findLargerIn(
  searched: Searched,
  segment: Segment,
  from: number,
  { search, best, enough }: LargerQuestion,
): Promise<TimestampedOffset | null> {
  const { startOffset } = searched;
  let largest = best;
  await walkBatches(searched, segment, Math.max(from, startOffset), {
    look: (buffer, position) =>
      search.later(buffer, position, largest?.timestampMs ?? NO_TIMESTAMP, startOffset),
    take: (record) => {
      if (record.timestampMs > (largest?.timestampMs ?? NO_TIMESTAMP)) largest = record;
      return record.timestampMs < enough;
    },
  });
  return largest;
}

interface BatchVisitor {
  look(buffer: Buffer, position: number): Found;
  /** Gets what was found; false ends the walk. */
  take(found: TimestampedOffset): boolean;
}

/** Shows every sound batch of one segment from the one that holds `offset`. */
async function walkBatches(
  { reader, limitOffset }: Searched,
  segment: Segment,
  offset: number,
  visitor: BatchVisitor,
): Promise<void> {
  let next = offset;
  const end = Math.min(segment.endOffset, limitOffset);
  while (next < end) {
    const buffer = await reader.read(next, limitOffset, SEARCH_BYTES, true);
    loopTurns.enter("search by time");
    if (buffer.length === 0) return;
    for (let at = 0; at + BATCH_HEADER_BYTES <= buffer.length; at += batchBytes(buffer, at)) {
      next = batchLastOffset(buffer, at) + 1;
      if (next > segment.endOffset) return;
      const seen = visitor.look(buffer, at);
      const found = seen instanceof Promise ? await seen : seen;
      if (found !== null && !visitor.take(found)) return;
    }
  }
}

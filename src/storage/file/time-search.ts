/**
 * Finds records by time: the segment by its largest timestamp, the place by the time index, then batch by batch. An index that was
 * written before headers were checked is rebuilt first (index-files.ts), and timestamps of headers are not trusted
 * (record-search.ts), so that old records are found as well.
 *
 *   - A segment whose largest timestamp is known is skipped without reading its files, and after the first search it is known of
 *     all (16 bytes each). The first search after a start reads the end of each index.
 *   - A log may have a hundred thousand segments: between two slices of the search other work of the loop runs, and a search that nobody
 *     waits for, or whose log is being removed, ends there.
 *   - `SEARCHES_AT_ONCE` searches run in the whole process: each holds what it has read, which is `SEARCH_BYTES` or one batch.
 */

import type { Clock } from "../../base/clock.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { Turnstile } from "../../base/loop/turns.ts";
import { KiB } from "../../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  batchBaseOffset,
  batchBytes,
  batchLastOffset,
  NO_TIMESTAMP,
} from "../../protocol/record/batch.ts";
import type { TimestampedOffset } from "../contract.ts";
import { type Found, RecordSearch, SEARCH_WORK } from "../record-search.ts";
import { largestTimestamp } from "../timestamps.ts";
import type { IndexFiles } from "./index-files.ts";
import type { LogReader } from "./reader.ts";
import { IndexFault } from "./sealed-index.ts";
import type { Segment } from "./segment.ts";

/** A search reads at most this much at once. */
const SEARCH_BYTES = 256 * KiB;
/** A request may name a thousand partitions. More searches at once are no faster: the loop does their work. */
const SEARCHES_AT_ONCE = 8;
/** Of one slice: so many segments are skipped, some tens of microseconds. */
export const SLICE_STEPS_MAX = 8 * KiB;
/** Reading the index of a segment: 64 of them in a slice, some milliseconds. */
export const LOOK_STEPS = 128;
/** Reading some of a segment: 16 in a slice. */
const READ_STEPS = 512;

const searches = new Turnstile(SEARCHES_AT_ONCE);

/** The range of a search: one log, from its start to where readers may see. */
export interface Searched {
  readonly segments: readonly Segment[];
  readonly indexes: IndexFiles;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly startOffset: number;
  readonly limitOffset: number;
  /** Called between two slices. False: nobody waits for the search any more. @throws ObeliskError when the log is being removed */
  shouldContinue(): boolean;
}

/** The first record at or after `startOffset`, below `limitOffset`, with `timestampMs` or later. Null also when nobody waits. */
export function findTimestamp(searched: Searched, timestampMs: number): Promise<TimestampedOffset | null> {
  return searches.run(() => new TimeSearch(searched).first(timestampMs));
}

/** The first record with the largest timestamp of those at or after `startOffset` and below `limitOffset`. Else as `findTimestamp`. */
export function findMaxTimestamp(searched: Searched): Promise<TimestampedOffset | null> {
  return searches.run(() => new TimeSearch(searched).latest());
}

/** A segment that may hold what is searched for. */
interface Candidate {
  readonly segment: Segment;
  /** No record in it is later. */
  readonly largestMs: number;
}

class TimeSearch {
  readonly #searched: Searched;
  readonly #records = new RecordSearch();
  /** Where the disk is slow a slice ends by its time; all searches share it. */
  readonly #share: TurnShare;
  /** A search begins with a quarter of a slice: several may come in one turn. */
  #steps = (SLICE_STEPS_MAX * 3) / 4;
  #isEnded: boolean;

  constructor(searched: Searched) {
    this.#searched = searched;
    loopTurns.enter(SEARCH_WORK);
    this.#share = new TurnShare(searched.clock);
    this.#isEnded = !searched.shouldContinue();
  }

  async first(timestampMs: number): Promise<TimestampedOffset | null> {
    for (const segment of this.#segments()) {
      const told = this.#largestOf(segment);
      const largestMs = typeof told === "number" ? told : await told;
      if (this.#isEnded) return null;
      if (largestMs < timestampMs) continue;
      const found = await this.#firstIn(segment, timestampMs);
      if (found !== null || this.#isEnded) return found;
    }
    return null;
  }

  /** Searches the segment where the latest may be, and the next one when a header there has claimed too late a time. */
  async latest(): Promise<TimestampedOffset | null> {
    const segments = this.#segments();
    const looked = new Set<Segment>();
    let best: TimestampedOffset | null = null;
    for (;;) {
      const candidate = await this.#latestOf(segments, looked, best);
      if (this.#isEnded) return null;
      if (candidate === null) return best;
      looked.add(candidate.segment);
      best = (await this.#laterIn(candidate, best)) ?? best;
    }
  }

  /** As they are now, within the range. */
  #segments(): Segment[] {
    const { segments, startOffset, limitOffset } = this.#searched;
    return segments.filter(
      ({ bytes, baseOffset, endOffset }) => bytes > 0 && baseOffset < limitOffset && endOffset > startOffset,
    );
  }

  /** At once where it is known and the slice has room. */
  #largestOf(segment: Segment): number | Promise<number> {
    const known = segment.isRemoved ? NO_TIMESTAMP : this.#searched.indexes.knownLargest(segment);
    const isOver = this.#isOver(known === null ? LOOK_STEPS : 1);
    return known === null || isOver ? this.#lookAtLargest(segment, isOver) : known;
  }

  async #lookAtLargest(segment: Segment, isOver: boolean): Promise<number> {
    if (isOver) await this.#nextSlice();
    if (this.#isEnded || segment.isRemoved) return NO_TIMESTAMP;
    return await this.#searched.indexes.largestOf(segment);
  }

  /** Whether the slice must end before the next piece of work, which costs `steps`. */
  #isOver(steps: number): boolean {
    this.#steps += steps;
    return this.#steps > SLICE_STEPS_MAX || this.#share.isUsedUp;
  }

  async #nextSlice(): Promise<void> {
    this.#steps = 0;
    await this.#share.rest();
    if (!this.#searched.shouldContinue()) this.#isEnded = true;
  }

  async #firstIn(segment: Segment, timestampMs: number): Promise<TimestampedOffset | null> {
    const { indexes } = this.#searched;
    const before = await indexes.offsetBefore(segment, timestampMs);
    const found = await this.#firstFrom(segment, before, timestampMs);
    if (found !== MISLED) return found;
    const fault = new IndexFault(
      "damaged-index",
      `the time index is wrong about offset ${segment.baseOffset + before}`,
    );
    const index = await indexes.rebuild(segment, fault);
    const again = await this.#firstFrom(segment, index.offsetBefore(timestampMs), timestampMs);
    return again === MISLED ? null : again;
  }

  /** `before`: the last relative offset of a batch up to which none reaches the time, according to the index. */
  async #firstFrom(
    segment: Segment,
    before: number,
    timestampMs: number,
  ): Promise<TimestampedOffset | typeof MISLED | null> {
    const { startOffset } = this.#searched;
    const named = segment.baseOffset + before;
    let isUnchecked = before > 0 && segment.index === null && named >= startOffset;
    let found: TimestampedOffset | typeof MISLED | null = null;
    await this.#walk(segment, Math.max(named, startOffset), {
      look: (buffer, position) => {
        if (isUnchecked && isMisled(buffer, position, named, timestampMs)) found = MISLED;
        isUnchecked = false;
        return found === null ? this.#records.first(buffer, position, timestampMs, startOffset) : null;
      },
      take: (record) => {
        found = record;
        return false;
      },
      isDone: () => found !== null,
    });
    return found;
  }

  /** The segment that may hold the latest record, if it can be later than the best one, or as late and before it; the first of several. */
  async #latestOf(
    segments: readonly Segment[],
    looked: ReadonlySet<Segment>,
    best: TimestampedOffset | null,
  ): Promise<Candidate | null> {
    let candidate: Candidate | null = null;
    for (const segment of segments) {
      const told = this.#largestOf(segment);
      const largestMs = typeof told === "number" ? told : await told;
      if (this.#isEnded) return null;
      const isLater = largestMs > (candidate?.largestMs ?? NO_TIMESTAMP);
      if (isLater && largestMs > laterThan(best, segment) && !looked.has(segment))
        candidate = { segment, largestMs };
    }
    return candidate;
  }

  /** The first record with the largest timestamp of the segment, if it can take the place of the best one. */
  async #laterIn(
    { segment, largestMs }: Candidate,
    best: TimestampedOffset | null,
  ): Promise<TimestampedOffset | null> {
    const { startOffset, limitOffset, indexes } = this.#searched;
    const thanMs = laterThan(best, segment);
    const { maxTimestampOffset } = await indexes.timesOf(segment);
    const named = segment.baseOffset + maxTimestampOffset;
    if (named >= startOffset && named < limitOffset) {
      const told = await this.#laterFrom(segment, named, thanMs, largestMs);
      if (told?.timestampMs === largestMs) return told;
    }
    // It is not committed yet, as at the end of a busy log: its index is in memory then.
    if (named >= limitOffset && segment.index !== null) {
      const entry = segment.index.timeEntryBefore(limitOffset - segment.baseOffset);
      const from = segment.baseOffset + entry.relativeOffset;
      const told = await this.#laterFrom(segment, from, thanMs, largestMs);
      if ((told?.timestampMs ?? thanMs) >= entry.timestamp) return told;
    }
    // The header of a compressed batch may have claimed a later time than its records have.
    return await this.#laterFrom(segment, segment.baseOffset, thanMs, largestMs);
  }

  /** From the batch that holds `from`; `enoughMs`: none can be later. */
  async #laterFrom(
    segment: Segment,
    from: number,
    thanMs: number,
    enoughMs: number,
  ): Promise<TimestampedOffset | null> {
    const { startOffset } = this.#searched;
    let latest: TimestampedOffset | null = null;
    let latestMs = thanMs;
    await this.#walk(segment, Math.max(from, startOffset), {
      look: (buffer, position) => this.#records.later(buffer, position, latestMs, startOffset),
      take: (record) => {
        if (record.timestampMs > latestMs) latest = record;
        latestMs = Math.max(latestMs, record.timestampMs);
        return record.timestampMs < enoughMs;
      },
      isDone: () => false,
    });
    return latest;
  }

  /** Visits every valid batch of one segment from the one that holds `offset`. */
  async #walk(segment: Segment, offset: number, visitor: BatchVisitor): Promise<void> {
    const { reader, limitOffset } = this.#searched;
    let next = offset;
    const end = Math.min(segment.endOffset, limitOffset);
    while (next < end) {
      if (this.#isOver(READ_STEPS)) await this.#nextSlice();
      if (this.#isEnded || segment.isRemoved) return;
      const buffer = await reader.read(next, limitOffset, SEARCH_BYTES, true);
      loopTurns.enter(SEARCH_WORK);
      if (buffer.length === 0) return;
      for (let at = 0; at + BATCH_HEADER_BYTES <= buffer.length; at += batchBytes(buffer, at)) {
        next = batchLastOffset(buffer, at) + 1;
        if (next > segment.endOffset) return;
        const seen = visitor.look(buffer, at);
        const found = seen instanceof Promise ? await seen : seen;
        if (found !== null && !visitor.take(found)) return;
        if (visitor.isDone()) return;
      }
    }
  }
}

/** The index has led to a batch that contradicts it. */
const MISLED = "misled";

/** Whether the batch shows that a correct index has no entry that ends at `named` for that time. A batch after it shows nothing. */
function isMisled(buffer: Buffer, position: number, named: number, timestampMs: number): boolean {
  if (batchBaseOffset(buffer, position) > named) return false;
  return batchLastOffset(buffer, position) !== named || largestTimestamp(buffer, position) >= timestampMs;
}

/** A record of the segment must be later than this to replace the best one: of several as late the first is wanted. */
function laterThan(best: TimestampedOffset | null, segment: Segment): number {
  if (best === null) return NO_TIMESTAMP;
  return segment.baseOffset < best.offset ? best.timestampMs - 1 : best.timestampMs;
}

interface BatchVisitor {
  look(buffer: Buffer, position: number): Found;
  /** Gets what was found; false ends the walk. */
  take(found: TimestampedOffset): boolean;
  /** Called after each batch: true ends the walk. */
  isDone(): boolean;
}

/**
 * Finds places in one partition's log, and repairs damage that it meets on the way.
 *
 *     offset -> segment (binary search) -> position (index) -> batch (a short walk over headers)
 *
 *   - An index entry counts only when the batch at its position is the one that it names. An index that leads nowhere, or cannot be
 *     read, is rebuilt from the log, in slices: the place is returned when that is done.
 *   - A walk checks headers against the offset that must come next, and no CRC: its result is a good guess that the
 *     reader verifies.
 *   - `repair` scans a place (range-repair.ts): what is damaged becomes a hole. Known holes are skipped. Where that takes long the caller
 *     is told to wait, and begins anew.
 *   - A read error, and a copy that cannot be stored, go to the caller: no hole is recorded.
 */

import {
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_MAGIC,
  batchBytes,
  batchLastOffset,
  MAGIC,
} from "../../protocol/record/batch.ts";
import { readBefore } from "../page-reads.ts";
import type { IndexFiles } from "./index-files.ts";
import { RangeRepair, RepairedLater } from "./range-repair.ts";
import { IndexFault } from "./sealed-index.ts";
import type { Segment } from "./segment.ts";
import type { IndexLookup } from "./segment-index.ts";
import { LOOK_BYTES, type Store } from "./store.ts";

/** The worth of the high word of a 64-bit integer. */
export const HIGH = 2 ** 32;
/** An index whose entries leave more batches than this to walk over is cut short. */
const WALK_BATCHES_MAX = 1024;
/** A read or two more when batches are damaged, instead of rebuilding the index for each. */
const INDEX_TRIES_MAX = 4;

/** A place between two batches: where the batch that starts with `offset` lies, or the first after it. */
export interface Place {
  segment: Segment;
  position: number;
  /** The offset that the batch at `position` must start with, or -1 when damage before it has hidden that. */
  offset: number;
}

/** What the walk's buffer holds. */
interface Window {
  segment: Segment | null;
  start: number;
  bytes: number;
}

const EMPTY_WINDOW: Window = { segment: null, start: 0, bytes: 0 };

export class LogLocator {
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #segments: Segment[];
  /** Called when a hole was found, so that it survives a restart. */
  readonly #onHole: () => void;
  readonly #walk: Buffer;
  /** The repair that runs in slices; null while none does. */
  #underWay: Promise<void> | null = null;
  #mayTakeLong = false;

  constructor(store: Store, indexes: IndexFiles, segments: Segment[], onHole: () => void) {
    this.#store = store;
    this.#indexes = indexes;
    this.#segments = segments;
    this.#onHole = onHole;
    this.#walk = store.lookBuffer;
  }

  /** The place of the batch that holds `offset`, or of the first one after it. A promise when an index has to be built for it. */
  locate(offset: number): Place | Promise<Place> {
    const segment = this.#segmentOf(offset);
    const place = { segment, position: 0, offset: segment.baseOffset };
    try {
      this.#moveTo(place, this.#indexes.of(segment), offset, segment.index !== null);
      return place;
    } catch (thrown) {
      if (thrown instanceof RepairedLater) return this.#locateRepaired(thrown, offset);
      if (!(thrown instanceof IndexFault)) throw thrown;
      this.#indexes.evict(segment);
      return this.#locateRebuilt(place, offset, thrown);
    }
  }

  async #locateRepaired({ segment, whenRepaired }: RepairedLater, offset: number): Promise<Place> {
    await whenRepaired;
    if (segment.isRemoved) return { segment, position: 0, offset: segment.baseOffset };
    return await this.locate(offset);
  }

  async #locateRebuilt(place: Place, offset: number, fault: IndexFault): Promise<Place> {
    const index = await this.#indexes.rebuild(place.segment, fault);
    place.position = 0;
    place.offset = place.segment.baseOffset;
    try {
      this.#moveTo(place, index, offset, true);
      return place;
    } catch (thrown) {
      if (!(thrown instanceof RepairedLater)) throw thrown;
      return await this.#locateRepaired(thrown, offset);
    }
  }

  /** As `locate`, without an index: from the front of the segment, however long that takes. */
  locateNow(offset: number): Place {
    const segment = this.#segmentOf(offset);
    const place = { segment, position: 0, offset: segment.baseOffset };
    this.#mayTakeLong = true;
    try {
      this.walkTo(place, offset);
    } finally {
      this.#mayTakeLong = false;
    }
    return place;
  }

  /** From the front of a segment. @throws IndexFault when an index that was read from its files does not lead to the offset */
  #moveTo(place: Place, index: IndexLookup, offset: number, isOfLog: boolean): void {
    if (!this.#followIndex(place, index, offset, isOfLog))
      throw new IndexFault("damaged-index", `the entries up to offset ${offset} point to no batch`);
    if (!this.walkTo(place, offset, isOfLog ? Number.POSITIVE_INFINITY : WALK_BATCHES_MAX))
      throw new IndexFault("damaged-index", "the index is cut short");
  }

  /** The segment whose range holds `offset`; the last one for the log's end. */
  #segmentOf(offset: number): Segment {
    return this.#segments[Math.max(this.#slotAfter(offset) - 1, 0)]!;
  }

  /** The slot of the first segment that begins after `offset`. */
  #slotAfter(offset: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.baseOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Moves over the end of a segment and over known holes; false at the end of the log. */
  advance(place: Place): boolean {
    for (;;) {
      const hole = place.segment.holeFrom(place.position);
      if (hole !== undefined && hole.position <= place.position) {
        place.position = hole.position + hole.bytes;
        place.offset = -1;
        continue;
      }
      if (place.position < place.segment.bytes) return true;
      const next = this.#segments[this.#slotAfter(place.segment.baseOffset)];
      if (next === undefined) return false;
      place.segment = next;
      place.position = 0;
      place.offset = next.baseOffset;
    }
  }

  /**
   * Scans a place that does not hold the batch that must come next. Damage becomes a hole, and `place` moves after it; a gap in the
   * offsets that is no damage is accepted. The next known hole is not scanned again.
   * @throws RepairedLater when that takes longer than a turn of the loop
   */
  repair(place: Place): void {
    const { segment } = place;
    if (this.#underWay !== null && !this.#mayTakeLong) throw new RepairedLater(segment, this.#underWay);
    const offset = Math.max(place.offset, segment.baseOffset);
    const repairing = new RangeRepair(this.#store, segment, place.position, offset, this.#onHole);
    if (this.#mayTakeLong) repairing.atOnce();
    else if (!repairing.now()) throw new RepairedLater(segment, this.#repairLater(repairing));
    place.position = repairing.position;
    place.offset = repairing.offset;
  }

  /** One at a time: whoever meets damage meanwhile waits, and tries again. */
  #repairLater(repairing: RangeRepair): Promise<void> {
    this.#underWay = repairing.later().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  /**
   * Moves the place to what the index says. An entry counts only when the batch at its position ends with the offset that it
   * names; after damaged batches an earlier entry is as good, tried in steps that double. False when several entries of an index file
   * are wrong: then it is the file, and not the log.
   */
  #followIndex(place: Place, index: IndexLookup, offset: number, isOfLog: boolean): boolean {
    const { segment } = place;
    const slotMax = index.slotOf(offset - segment.baseOffset);
    let tries = 0;
    for (let back = 0; back <= slotMax; back = back === 0 ? 1 : back * 2) {
      if (!isOfLog && tries === INDEX_TRIES_MAX) break;
      tries += 1;
      place.position = index.positionAt(slotMax - back);
      const got = this.#readWalk(place);
      if (got < BATCH_HEADER_BYTES || !isHeader(this.#walk, 0)) continue;
      place.offset = baseOffsetOf(this.#walk, 0);
      const last = place.offset + this.#walk.readInt32BE(BATCH_LAST_OFFSET_DELTA);
      if (last === segment.baseOffset + index.offsetAt(slotMax - back)) return true;
    }
    place.position = 0;
    place.offset = segment.baseOffset;
    return isOfLog || slotMax < INDEX_TRIES_MAX;
  }

  /**
   * Walks over headers to the batch that holds `offset`, or the first one after it; false when more than `batchesMax` lie before it.
   */
  walkTo(place: Place, offset: number, batchesMax = Number.POSITIVE_INFINITY): boolean {
    const previous: Place = { ...place };
    let window = EMPTY_WINDOW;
    let batches = 0;
    while (this.advance(place)) {
      if (!isInWindow(window, place)) {
        window = { segment: place.segment, start: place.position, bytes: this.#readWalk(place) };
      }
      const at = place.position - window.start;
      if (at + BATCH_HEADER_BYTES > window.bytes || !this.#isValidHeader(place, at)) {
        window = EMPTY_WINDOW;
        this.#repairWalk(previous, place);
        if (place.offset > offset) return true;
        continue;
      }
      place.offset = baseOffsetOf(this.#walk, at);
      const last = place.offset + this.#walk.readInt32BE(at + BATCH_LAST_OFFSET_DELTA);
      if (last >= offset) return true;
      Object.assign(previous, place);
      place.position += batchBytes(this.#walk, at);
      place.offset = last + 1;
      batches += 1;
      if (batches === batchesMax) return false;
    }
    return true;
  }

  /**
   * A header does not follow the one before it. A walk checks no CRC, so either may be the damaged one: the scanner checks the
   * earlier first, and learns from it what the later should be.
   */
  #repairWalk(previous: Place, place: Place): void {
    const isFollowing = previous.segment === place.segment && previous.position < place.position;
    if (isFollowing) {
      const wanted = place.position;
      Object.assign(place, previous);
      this.repair(place);
      if (place.position !== previous.position || place.segment !== previous.segment) return;
      place.position = wanted;
      place.offset = this.#offsetAfter(previous);
    }
    this.repair(place);
  }

  /** The offset after a batch that the scanner has found valid. */
  #offsetAfter(place: Place): number {
    this.#readWalk(place);
    return batchLastOffset(this.#walk, 0) + 1;
  }

  #isValidHeader(place: Place, at: number): boolean {
    if (!isHeader(this.#walk, at)) return false;
    if (place.position + batchBytes(this.#walk, at) > place.segment.bytes) return false;
    return place.offset === -1 || baseOffsetOf(this.#walk, at) === place.offset;
  }

  #readWalk(place: Place): number {
    const { files, pool } = this.#store;
    const bytes = Math.min(LOOK_BYTES, place.segment.bytes - place.position);
    const needed = Math.min(BATCH_HEADER_BYTES, bytes);
    return readBefore(files, pool.use(place.segment.file), this.#walk, bytes, place.position, needed);
  }
}

function isInWindow(window: Window, place: Place): boolean {
  return (
    window.segment === place.segment &&
    place.position >= window.start &&
    place.position + BATCH_HEADER_BYTES <= window.start + window.bytes
  );
}

function isHeader(buffer: Buffer, at: number): boolean {
  return buffer[at + BATCH_MAGIC] === MAGIC && batchBytes(buffer, at) >= BATCH_HEADER_BYTES;
}

function baseOffsetOf(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) * HIGH + buffer.readUInt32BE(at + 4);
}

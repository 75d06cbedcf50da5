/**
 * Finds and reads whole batches of one partition.
 *
 *     offset -> segment (binary search) -> position (index, then a short walk over headers) -> one pread -> cut
 *
 *   - The pread takes as many bytes as the budget allows; where the answer ends is found by walking the headers in memory.
 *     Every header is checked against the offset that must come next, and every CRC that has not been checked lately.
 *   - Where one read ended the next will start: `READ_PLACES` such places are kept, so that a reader in sequence needs no search.
 *   - A place that is not what it should be is handed to `mend`, which looks with the scanner, copies what is damaged into
 *     quarantine, notes a hole, and lets the read go on behind it. Damaged bytes are never served.
 *   - Where the log's last batches are lost, a batch without records stands for their offsets, so that consumers go on behind them.
 *   - Reads up to `READ_NOW_BYTES_MAX` are done in place, because the way to the thread pool costs more; larger ones leave the
 *     event loop free. The buffer is fresh each time and belongs to the caller.
 */

import { errnoOf } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LENGTH,
  BATCH_MAGIC,
  batchBaseOffset,
  batchBytes,
  batchCrc,
  batchLastOffset,
  computeBatchCrc,
  LOG_OVERHEAD,
  MAGIC,
} from "../../protocol/record/batch.ts";
import { gapBatch } from "../../protocol/record/gap-batch.ts";
import { readTolerantly, scanBatches } from "../scan.ts";
import type { IndexFiles } from "./index-files.ts";
import type { Segment } from "./segment.ts";
import type { SegmentIndex } from "./segment-index.ts";
import { LOOK_BYTES, type Store } from "./store.ts";

/**
 * A batch of 64 KiB and its neighbour. From the page cache such reads give 2.7 GB/s in place and 1.6 through the pool; at 1 MiB
 * there is no difference any more (2.4 to 3 GB/s), and a cold disk would stop the loop for longer.
 */
export const READ_NOW_BYTES_MAX = 128 * KiB;
/** As many readers in sequence as one partition usually has. */
const READ_PLACES = 8;
/** An index whose entries leave more batches than this to walk over has lost its end. */
const WALK_BATCHES_MAX = 1024;
/** A read or two more when batches are damaged, instead of building the index again for each. */
const INDEX_TRIES_MAX = 4;
const HIGH = 2 ** 32;
const NOTHING = Buffer.alloc(0);

interface ReadRequest {
  readonly offset: number;
  readonly limitOffset: number;
  readonly bytesMax: number;
  readonly atLeastOne: boolean;
}

/** What lies in the walk's buffer. */
interface Window {
  segment: Segment | null;
  start: number;
  bytes: number;
}

const EMPTY_WINDOW: Window = { segment: null, start: 0, bytes: 0 };

/** A place between two batches: where the batch that starts with `offset` lies, or the first behind it. */
export interface Place {
  segment: Segment;
  position: number;
  /** The offset that the batch at `position` must start with, or -1 when damage before it has hidden that. */
  offset: number;
}

export class LogReader {
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #segments: Segment[];
  /** Called when a hole was found, so that it is remembered over a restart. */
  readonly #onHole: () => void;
  readonly #places: Place[] = [];
  #placeNext = 0;
  readonly #walk: Buffer;
  /** Where the last `#cut` stopped because the next batch is not what it should be. */
  #cutMetFault = false;

  constructor(store: Store, indexes: IndexFiles, segments: Segment[], onHole: () => void) {
    this.#store = store;
    this.#indexes = indexes;
    this.#segments = segments;
    this.#onHole = onHole;
    this.#walk = store.lookBuffer;
  }

  /** As `PartitionLog.read`; the range was checked. */
  read(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Buffer | Promise<Buffer> {
    const place = this.#takePlace(offset) ?? this.locate(offset);
    return this.#readAt(place, { offset, limitOffset, bytesMax, atLeastOne });
  }

  /** Forgets remembered places: segments were cut or removed. */
  reset(): void {
    this.#places.length = 0;
    this.#placeNext = 0;
  }

  /** The place of the batch that holds `offset`, or of the first one behind it. */
  locate(offset: number): Place {
    const segment = this.segmentOf(offset);
    const place = { segment, position: 0, offset: segment.baseOffset };
    const index = this.#indexes.of(segment);
    if (!this.#followIndex(place, index, offset) && segment.index === null) {
      this.#indexes.forget(segment);
      const reason = `the entries up to offset ${offset} point to no batch`;
      this.#followIndex(place, this.#indexes.rebuild(segment, "damaged-index", reason), offset);
    }
    this.#walkTo(place, offset);
    return place;
  }

  /** The segment whose range holds `offset`; the last one for the log's end. */
  segmentOf(offset: number): Segment {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.baseOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#segments[Math.max(low - 1, 0)]!;
  }

  /** Moves over the end of a segment and over known holes; false at the end of the log. */
  settle(place: Place): boolean {
    for (;;) {
      const hole = place.segment.holeFrom(place.position);
      if (hole !== undefined && hole.position <= place.position) {
        place.position = hole.position + hole.bytes;
        place.offset = -1;
        continue;
      }
      if (place.position < place.segment.bytes) return true;
      const next = this.#segments[this.#segments.indexOf(place.segment) + 1];
      if (next === undefined) return false;
      place.segment = next;
      place.position = 0;
      place.offset = next.baseOffset;
    }
  }

  /**
   * Looks closely at a place that is not what it should be. Damage becomes a hole, and `place` moves behind it; a gap in the
   * offsets that is no damage is accepted.
   */
  mend(place: Place): void {
    const { segment } = place;
    const { files, pool } = this.#store;
    const descriptor = pool.use(segment.file);
    const range = {
      start: place.position,
      end: segment.bytes,
      offset: Math.max(place.offset, segment.baseOffset),
      offsetLimit: segment.endOffset,
      allowsGaps: true,
    };
    scanBatches(files, descriptor, range, {
      batch: (buffer, position, end, filePosition) => {
        place.position = filePosition;
        place.offset = batchBaseOffset(buffer, position);
        segment.noteVerified(filePosition, filePosition + end - position);
        return false;
      },
      damage: (position, bytes, reason) => {
        const fate = this.#store.setAside(segment.logPath, descriptor, position, bytes, reason);
        this.#store.report(segment.logPath, position, bytes, "damaged-batch", reason + fate);
        segment.addHole({ position, bytes });
        place.position = position + bytes;
        place.offset = -1;
        this.#onHole();
      },
    });
  }

  #readAt(place: Place, request: ReadRequest): Buffer | Promise<Buffer> {
    while (this.settle(place)) {
      const bytes = this.#bytesToRead(place, request.bytesMax);
      if (bytes > READ_NOW_BYTES_MAX) return this.#readLater(place, bytes, request);
      const buffer = Buffer.allocUnsafeSlow(bytes);
      const got = this.#readNow(place, buffer);
      const end = this.#cut(place, buffer, got, request);
      if (end > 0) return this.#answer(place, buffer, end);
      if (this.#cutMetFault) {
        this.#mendFor(place, request);
        continue;
      }
      const needed = this.#firstBatchBytes(place, buffer, got);
      if (!request.atLeastOne || needed <= got) return NOTHING;
      return this.#readLater(place, needed, request);
    }
    return gapBatch(request.offset, request.limitOffset);
  }

  async #readLater(place: Place, bytes: number, request: ReadRequest): Promise<Buffer> {
    const { segment } = place;
    const buffer = Buffer.allocUnsafeSlow(bytes);
    const got = await this.#readPinned(place, buffer);
    if (segment.isRemoved) return NOTHING;
    const end = this.#cut(place, buffer, got, request);
    if (end > 0) return this.#answer(place, buffer, end);
    if (this.#cutMetFault) {
      this.#mendFor(place, request);
      return this.#readAt(place, request);
    }
    const needed = this.#firstBatchBytes(place, buffer, got);
    if (!request.atLeastOne || needed <= got) return NOTHING;
    return this.#readLater(place, needed, request);
  }

  /** Mends, and goes on to the batch that was asked for: a damaged header may have ended the walk to it too early. */
  #mendFor(place: Place, request: ReadRequest): void {
    this.mend(place);
    if (place.offset < request.offset) this.#walkTo(place, request.offset);
  }

  /** The budget, within the segment and up to the next hole; at least one header. */
  #bytesToRead(place: Place, bytesMax: number): number {
    const hole = place.segment.holeFrom(place.position);
    const end = hole === undefined ? place.segment.bytes : hole.position;
    return Math.min(Math.max(bytesMax, BATCH_HEADER_BYTES), end - place.position);
  }

  #readNow(place: Place, buffer: Buffer): number {
    const { files, pool } = this.#store;
    return readTolerantly(files, pool.use(place.segment.file), buffer, 0, buffer.length, place.position);
  }

  /** Reads off the loop, with the descriptor pinned against being closed meanwhile. */
  async #readPinned(place: Place, buffer: Buffer): Promise<number> {
    const { files, pool } = this.#store;
    const { segment } = place;
    const descriptor = pool.use(segment.file);
    segment.pin();
    try {
      return await files.readLater(descriptor, buffer, 0, buffer.length, place.position);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EIO") throw thrown;
      return readTolerantly(files, descriptor, buffer, 0, buffer.length, place.position);
    } finally {
      segment.unpin(pool);
    }
  }

  /**
   * How many of `bytes` bytes are whole, sound batches below the limit and within the budget. Hot: one step for each
   * batch, no allocation.
   */
  #cut(place: Place, buffer: Buffer, bytes: number, request: ReadRequest): number {
    const { segment } = place;
    const { limitOffset, bytesMax, atLeastOne } = request;
    const isVerified = segment.isVerified(place.position, place.position + bytes);
    let expected = place.offset;
    let at = 0;
    // Too few bytes for a header, or fewer than the segment should have here: the scanner must look.
    this.#cutMetFault = bytes < BATCH_HEADER_BYTES || bytes < buffer.length;
    while (at + BATCH_HEADER_BYTES <= bytes) {
      const size = buffer.readInt32BE(at + BATCH_LENGTH) + LOG_OVERHEAD;
      if (buffer[at + BATCH_MAGIC] !== MAGIC || size < BATCH_HEADER_BYTES)
        return this.#stop(place, at, expected);
      if (at + size > bytes) {
        if (place.position + at + size > segment.bytes) return this.#stop(place, at, expected);
        break;
      }
      const base = buffer.readUInt32BE(at) * HIGH + buffer.readUInt32BE(at + 4);
      if (base !== expected && expected !== -1) return this.#stop(place, at, expected);
      const last = base + buffer.readInt32BE(at + BATCH_LAST_OFFSET_DELTA);
      if (at + size > bytesMax && !(atLeastOne && at === 0)) break;
      if (!isVerified && batchCrc(buffer, at) !== computeBatchCrc(buffer, at, size)) {
        return this.#stop(place, at, expected);
      }
      if (last >= limitOffset) break;
      at += size;
      expected = last + 1;
    }
    if (at > 0) {
      this.#cutMetFault = false;
      if (!isVerified) segment.noteVerified(place.position, place.position + at);
      place.offset = expected;
    }
    return at;
  }

  /** Ends a cut at a batch that is not what it should be: what lies before it is answered, the next read meets it first. */
  #stop(place: Place, at: number, expected: number): number {
    this.#cutMetFault = at === 0;
    if (at > 0) place.offset = expected;
    return at;
  }

  /** Remembers where the answer ends, and gives it. */
  #answer(place: Place, buffer: Buffer, end: number): Buffer {
    place.position += end;
    this.#keepPlace(place);
    return end === buffer.length ? buffer : buffer.subarray(0, end);
  }

  /** The size that the batch at the place claims to have; 0 when its header is not there. Only the CRC will tell whether it is true. */
  #firstBatchBytes(place: Place, buffer: Buffer, got: number): number {
    if (got < BATCH_HEADER_BYTES) return 0;
    return Math.min(batchBytes(buffer, 0), place.segment.bytes - place.position);
  }

  #takePlace(offset: number): Place | undefined {
    for (const place of this.#places) {
      if (place.offset === offset && !place.segment.isRemoved) {
        return { segment: place.segment, position: place.position, offset: place.offset };
      }
    }
    return undefined;
  }

  #keepPlace(place: Place): void {
    for (let slot = 0; slot < this.#places.length; slot += 1) {
      if (this.#places[slot]!.offset === place.offset) return;
    }
    this.#places[this.#placeNext] = place;
    this.#placeNext = (this.#placeNext + 1) % READ_PLACES;
  }

  /**
   * Moves the place to what the index says. An entry counts only when the batch at its position ends with the offset that it
   * names; behind a damaged batch the entry before it is as good. False when none of several holds: then the index is wrong.
   */
  #followIndex(place: Place, index: SegmentIndex, offset: number): boolean {
    const { segment } = place;
    const slot = index.slotOf(offset - segment.baseOffset);
    for (let tries = 0; tries < INDEX_TRIES_MAX && tries <= slot; tries += 1) {
      place.position = index.positionAt(slot - tries);
      const got = this.#readWalk(place);
      if (got < BATCH_HEADER_BYTES || !isHeader(this.#walk, 0)) continue;
      place.offset = baseOffsetOf(this.#walk, 0);
      const last = place.offset + this.#walk.readInt32BE(BATCH_LAST_OFFSET_DELTA);
      if (last === segment.baseOffset + index.offsetAt(slot - tries)) return true;
    }
    place.position = 0;
    place.offset = segment.baseOffset;
    return slot < INDEX_TRIES_MAX;
  }

  /** Walks over headers to the batch that holds `offset`, or the first one behind it. */
  #walkTo(place: Place, offset: number): void {
    const previous: Place = { ...place };
    let window = EMPTY_WINDOW;
    let batches = 0;
    while (this.settle(place)) {
      if (!isInWindow(window, place)) {
        window = { segment: place.segment, start: place.position, bytes: this.#readWalk(place) };
      }
      const at = place.position - window.start;
      if (at + BATCH_HEADER_BYTES > window.bytes || !this.#isSoundHeader(place, at)) {
        window = EMPTY_WINDOW;
        this.#mendWalk(previous, place);
        if (place.offset > offset) return;
        continue;
      }
      place.offset = baseOffsetOf(this.#walk, at);
      const last = place.offset + this.#walk.readInt32BE(at + BATCH_LAST_OFFSET_DELTA);
      if (last >= offset) return;
      Object.assign(previous, place);
      place.position += batchBytes(this.#walk, at);
      place.offset = last + 1;
      batches += 1;
      if (batches === WALK_BATCHES_MAX) this.#shorten(place);
    }
  }

  /**
   * A header does not follow the one before it. A walk checks no CRC, so either may be the damaged one: the scanner looks at the
   * earlier first, and takes what the later should be from there.
   */
  #mendWalk(previous: Place, place: Place): void {
    const isFollowing = previous.segment === place.segment && previous.position < place.position;
    if (isFollowing) {
      const wanted = place.position;
      Object.assign(place, previous);
      this.mend(place);
      if (place.position !== previous.position || place.segment !== previous.segment) return;
      place.position = wanted;
      place.offset = this.#offsetBehind(previous);
    }
    this.mend(place);
  }

  /** The offset behind a batch that the scanner has found sound. */
  #offsetBehind(place: Place): number {
    this.#readWalk(place);
    return batchLastOffset(this.#walk, 0) + 1;
  }

  /** The walk is too long for a whole index: builds it again, for the next time. */
  #shorten(place: Place): void {
    if (place.segment.index !== null) return;
    this.#indexes.forget(place.segment);
    this.#indexes.rebuild(place.segment, "damaged-index", "the index has lost its end");
  }

  #isSoundHeader(place: Place, at: number): boolean {
    if (!isHeader(this.#walk, at)) return false;
    if (place.position + batchBytes(this.#walk, at) > place.segment.bytes) return false;
    return place.offset === -1 || baseOffsetOf(this.#walk, at) === place.offset;
  }

  #readWalk(place: Place): number {
    const { files, pool } = this.#store;
    const bytes = Math.min(LOOK_BYTES, place.segment.bytes - place.position);
    return readTolerantly(files, pool.use(place.segment.file), this.#walk, 0, bytes, place.position);
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

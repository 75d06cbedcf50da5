/**
 * Reads whole batches of one partition.
 *
 *     offset -> place (locator.ts, or where the last read ended) -> one pread -> cut
 *
 *   - The pread takes as many bytes as the budget allows; where the answer ends is found by walking the headers in memory.
 *     Every header is checked against the offset that must come next, and every CRC that has not been checked lately.
 *   - Where one read ended the next will start: `READ_PLACES` such places are kept, so that a reader in sequence needs no search.
 *   - A place that is not what it should be is handed to the locator's `mend`, and the read goes on behind it. Damaged bytes
 *     are never served.
 *   - Where the log's last batches are lost, a batch without records stands for their offsets, so that consumers go on behind them.
 *   - What the disk refuses to give is no damage: such a read throws the system's error, and nothing is remembered of it. A refusal
 *     further on than the first batch only makes the answer shorter.
 *   - Reads up to `READ_NOW_BYTES_MAX` are done in place, because the way to the thread pool costs more; larger ones leave the
 *     event loop free. The buffer is fresh each time and belongs to the caller.
 */

import { fail } from "../../base/assert.ts";
import { errnoOf } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LENGTH,
  BATCH_MAGIC,
  batchBytes,
  batchCrc,
  computeBatchCrc,
  LOG_OVERHEAD,
  MAGIC,
} from "../../protocol/record/batch.ts";
import { gapBatch } from "../../protocol/record/gap-batch.ts";
import { readBefore } from "../page-reads.ts";
import { HIGH, type LogLocator, type Place } from "./locator.ts";
import type { Store } from "./store.ts";

/**
 * A batch of 64 KiB and its neighbour. From the page cache such reads give 2.7 GB/s in place and 1.6 through the pool; at 1 MiB
 * there is no difference any more (2.4 to 3 GB/s), and a cold disk would stop the loop for longer.
 */
export const READ_NOW_BYTES_MAX = 128 * KiB;
/** As many readers in sequence as one partition usually has. */
const READ_PLACES = 8;
const NOTHING = Buffer.alloc(0);

interface ReadRequest {
  readonly offset: number;
  readonly limitOffset: number;
  readonly bytesMax: number;
  readonly atLeastOne: boolean;
}

export class LogReader {
  readonly #store: Store;
  readonly #locator: LogLocator;
  readonly #places: Place[] = [];
  #placeNext = 0;
  /** Where the last `#cut` stopped because the next batch is not what it should be. */
  #cutMetFault = false;

  constructor(store: Store, locator: LogLocator) {
    this.#store = store;
    this.#locator = locator;
  }

  /** As `PartitionLog.read`; the range was checked. */
  read(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Buffer | Promise<Buffer> {
    const place = this.#takePlace(offset) ?? this.#locator.locate(offset);
    return this.#readAt(place, { offset, limitOffset, bytesMax, atLeastOne });
  }

  /** Forgets remembered places: segments were cut or removed. */
  reset(): void {
    this.#places.length = 0;
    this.#placeNext = 0;
  }

  #readAt(place: Place, request: ReadRequest): Buffer | Promise<Buffer> {
    while (this.#locator.settle(place)) {
      const bytes = this.#bytesToRead(place, request.bytesMax);
      if (bytes > READ_NOW_BYTES_MAX) return this.#readLater(place, bytes, request);
      const buffer = Buffer.allocUnsafeSlow(bytes);
      const got = this.#readUpTo(place, buffer, buffer.length);
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
    this.#locator.mend(place);
    if (place.offset < request.offset) this.#locator.walkTo(place, request.offset);
  }

  /** The budget, within the segment and up to the next hole; at least one header. */
  #bytesToRead(place: Place, bytesMax: number): number {
    const hole = place.segment.holeFrom(place.position);
    const end = hole === undefined ? place.segment.bytes : hole.position;
    return Math.min(Math.max(bytesMax, BATCH_HEADER_BYTES), end - place.position);
  }

  /** As many of `bytes` bytes as the disk gives without a refusal, a header at least. @throws system errors */
  #readUpTo({ segment, position }: Place, buffer: Buffer, bytes: number): number {
    const { files, pool } = this.#store;
    return readBefore(files, pool.use(segment.file), buffer, bytes, position, BATCH_HEADER_BYTES);
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
      if (errnoOf(thrown) === undefined) throw thrown;
      return this.#readUpTo(place, buffer, Math.min(buffer.length, READ_NOW_BYTES_MAX));
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
    // Too few bytes for a header, or fewer than the first batch should have: the scanner must look.
    this.#cutMetFault = bytes < BATCH_HEADER_BYTES;
    while (at + BATCH_HEADER_BYTES <= bytes) {
      const size = buffer.readInt32BE(at + BATCH_LENGTH) + LOG_OVERHEAD;
      if (buffer[at + BATCH_MAGIC] !== MAGIC || size < BATCH_HEADER_BYTES)
        return this.#stop(place, at, expected);
      if (at + size > bytes) {
        if (place.position + at + size > segment.bytes) return this.#stop(place, at, expected);
        this.#cutMetFault = bytes < buffer.length;
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
      if (!(expected <= limitOffset)) fail("a read answers nothing at or behind its limit");
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
    if (!(place.position <= place.segment.bytes)) fail("a read answers nothing behind its segment's end");
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
}

/**
 * The memory in which segments are read, shared by all logs and used again and again: pages that were touched once are not cleared
 * by the system again, and how much there is does not depend on how many read.
 *
 *     in place      one buffer: what the page cache has (10 GB/s). It remembers what it holds, so that what was just checked
 *                   is sent from where it lies
 *     off the loop  `PIECES_MAX` pieces: what has to come from the disk. Who finds none waits, first come first served
 *
 * All of it is lent: a piece until `use` returns, the buffer in place until the next read of anybody. So nobody holds memory while
 * a socket is slow.
 */

import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { Turnstile } from "../../base/loop/turns.ts";
import { KiB, MiB } from "../../base/units.ts";
import { readBefore } from "../page-reads.ts";
import type { DescriptorPool } from "./pool.ts";
import type { Segment } from "./segment.ts";

/** What is read at once off the loop, and for a socket: a slow one leaves most of it, and it is read again. */
export const PIECE_BYTES = 256 * KiB;
/** As much as a fetch answer may have: what the page cache holds of it is read once. */
export const IN_PLACE_BYTES = 4 * MiB;
/** More than the system's thread pool has threads, so that one always finds work. */
const PIECES_MAX = 16;
/**
 * What is read off the loop once some of it had to come from the disk: the system reads ahead there, and where the queue of the disk is
 * full, whoever touches what it has read ahead waits for it (100 ms were seen), also who said that he cannot.
 */
const COLD_BYTES = 16 * MiB;
/** What a disk that refuses a page is asked for again, page by page. */
const REFUSED_BYTES_MAX = 128 * KiB;

export class ReadPieces {
  readonly #files: Files;
  readonly #pool: DescriptorPool;
  readonly #turnstile = new Turnstile(PIECES_MAX);
  readonly #free: Buffer[] = [];
  #inPlace: Buffer | null = null;
  /** What lies in it. */
  #segment: Segment | null = null;
  #start = 0;
  #bytes = 0;

  constructor(files: Files, pool: DescriptorPool) {
    this.#files = files;
    this.#pool = pool;
  }

  /**
   * Up to `bytes` bytes at `position`, fewer when the rest must come from the disk or is refused; null when all of it must, or lies
   * where the disk was needed lately.
   * @throws system errors, when one of the first `needed` bytes is refused
   */
  now(segment: Segment, position: number, bytes: number, needed: number): Buffer | null {
    if (position >= segment.coldStart && position < segment.coldEnd) return null;
    const piece = this.again(segment, position, bytes, needed);
    const got = piece?.length ?? 0;
    if (got < Math.min(bytes, IN_PLACE_BYTES)) {
      segment.coldStart = position + got;
      segment.coldEnd = position + got + COLD_BYTES;
    }
    return piece;
  }

  /** The same of what was read before, and is most likely cached. */
  again(segment: Segment, position: number, bytes: number, needed: number): Buffer | null {
    this.#inPlace ??= Buffer.allocUnsafeSlow(IN_PLACE_BYTES);
    this.#segment = null;
    const got = this.#readNow(segment, this.#inPlace, position, Math.min(bytes, IN_PLACE_BYTES), needed);
    if (got === 0) return null;
    this.#segment = segment;
    this.#start = position;
    this.#bytes = got;
    return this.#inPlace.subarray(0, got);
  }

  /** What was read last in place, from `position` on; null when that is not there any more. */
  held(segment: Segment, position: number, bytes: number): Buffer | null {
    const at = position - this.#start;
    if (this.#segment !== segment || at < 0 || at >= this.#bytes) return null;
    return this.#inPlace!.subarray(at, Math.min(this.#bytes, at + bytes));
  }

  /** What lies in the segment is not what was read any more. */
  invalidate(): void {
    this.#segment = null;
  }

  /**
   * Reads off the loop, with the descriptor pinned against being closed meanwhile, and shows it to `use`: fewer bytes at the end of
   * the file or before what is refused. @throws system errors as `now`
   */
  later<Result>(
    segment: Segment,
    position: number,
    bytes: number,
    needed: number,
    use: (piece: Buffer) => Result,
  ): Promise<Result> {
    return this.#turnstile.run(async () => {
      const piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
      try {
        const got = await this.#readLater(segment, piece, position, Math.min(bytes, PIECE_BYTES), needed);
        return use(piece.subarray(0, got));
      } finally {
        this.#free.push(piece);
      }
    });
  }

  #readNow(segment: Segment, target: Buffer, position: number, bytes: number, needed: number): number {
    const descriptor = this.#pool.use(segment.file);
    try {
      return this.#files.readCached(descriptor, target, 0, bytes, position);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return this.#readBefore(segment, target, bytes, position, needed);
    }
  }

  async #readLater(
    segment: Segment,
    target: Buffer,
    position: number,
    bytes: number,
    needed: number,
  ): Promise<number> {
    const descriptor = this.#pool.use(segment.file);
    segment.pin();
    try {
      return await this.#files.readLater(descriptor, target, 0, bytes, position);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return this.#readBefore(segment, target, bytes, position, needed);
    } finally {
      segment.unpin(this.#pool);
    }
  }

  #readBefore(segment: Segment, target: Buffer, bytes: number, position: number, needed: number): number {
    const descriptor = this.#pool.use(segment.file);
    return readBefore(
      this.#files,
      descriptor,
      target,
      Math.min(bytes, REFUSED_BYTES_MAX),
      position,
      Math.min(needed, bytes),
    );
  }
}

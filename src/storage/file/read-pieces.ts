/**
 * The buffers that segments are read into, shared by all logs and reused: pages that were touched once are not cleared by the system
 * again, and their size does not depend on the number of readers.
 *
 *     in place      one buffer: what the page cache has (10 GB/s). It remembers what it holds, so that what was just checked
 *                   is sent from where it lies
 *     off the loop  `PIECES_MAX` pieces: what has to come from the disk. Whoever finds none waits, first come first served
 *
 * All of it is lent: a piece until `use` returns, the buffer in place until the next read. So a slow socket holds no memory.
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
/** As much as a fetch response may have: what the page cache holds of it is read once. */
export const IN_PLACE_BYTES = 4 * MiB;
/** More than the system's thread pool has threads, so that one always finds work. */
const PIECES_MAX = 16;
/**
 * What is read off the loop once some of it had to come from the disk: the system reads ahead there, and while the disk's queue is
 * full, whoever touches a page that is being read ahead waits for it (100 ms were seen), also with RWF_NOWAIT.
 */
const COLD_BYTES = 16 * MiB;
/** After a read error this much is read again, page by page. */
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
   * Up to `bytes` bytes at `position`, fewer when the rest must come from the disk or cannot be read; null when all of it must, or lies
   * where the disk was needed lately.
   * @throws system errors, when one of the first `needed` bytes cannot be read
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

  /** The same for what was read before, and is most likely cached. */
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

  /** What was read last in place, from `position` on; null when the buffer holds something else. */
  held(segment: Segment, position: number, bytes: number): Buffer | null {
    const at = position - this.#start;
    if (this.#segment !== segment || at < 0 || at >= this.#bytes) return null;
    return this.#inPlace!.subarray(at, Math.min(this.#bytes, at + bytes));
  }

  /** The segment may have changed since the buffer was filled. */
  invalidate(): void {
    this.#segment = null;
  }

  /**
   * Reads off the loop, with the descriptor pinned against being closed meanwhile, and passes it to `use`: fewer bytes at the end of
   * the file or before a page that cannot be read. @throws system errors as `now`
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

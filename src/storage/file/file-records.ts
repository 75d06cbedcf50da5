/**
 * Batches of one segment that were checked, and are read as they are sent: from the buffer in which they were just checked, from the
 * page cache, or off the loop. They lie below the high watermark, so reading them again gives the same bytes.
 */

import { fail } from "../../base/assert.ts";
import { ObeliskError } from "../../base/errors.ts";
import type { RecordSpan } from "../contract.ts";
import type { BatchCheck } from "./batch-check.ts";
import { PIECE_BYTES, type ReadPieces } from "./read-pieces.ts";
import type { Segment } from "./segment.ts";

/** Turns an error of the second read into one of ours. @throws ObeliskError always */
export type Refuse = (thrown: unknown) => never;

export class FileRecords implements RecordSpan {
  readonly baseOffset: number;
  readonly nextOffset: number;
  length: number;
  readonly #pieces: ReadPieces;
  readonly #segment: Segment;
  readonly #refuse: Refuse;
  #position: number;
  #isReading = false;
  /** Read off the loop; valid while `ready` runs. */
  #piece: Buffer | null = null;
  #failure: unknown = null;
  /** The callback of the last `peek`. */
  #ready: () => void = ignore;

  constructor(
    pieces: ReadPieces,
    { segment, start, end, baseOffset, nextOffset }: BatchCheck,
    refuse: Refuse,
  ) {
    this.#pieces = pieces;
    this.#segment = segment;
    this.#position = start;
    this.length = end - start;
    this.baseOffset = baseOffset;
    this.nextOffset = nextOffset;
    this.#refuse = refuse;
    segment.openSpans += 1;
  }

  peek(ready: () => void): Buffer | null {
    if (!(this.length > 0)) fail("nothing is left of these records");
    if (this.#failure !== null) this.#refuse(this.#failure);
    this.#checkThere();
    if (this.#piece !== null) return this.#piece;
    this.#ready = ready;
    if (this.#isReading) return null;
    const piece = this.#pieces.held(this.#segment, this.#position, this.length) ?? this.#readNow();
    if (piece === null) this.#readLater();
    return piece;
  }

  skip(bytes: number): void {
    if (bytes > this.length) fail("more bytes were taken than there are");
    this.length -= bytes;
    this.#position += bytes;
    this.#piece = null;
    if (this.length === 0 && bytes > 0) this.#segment.openSpans -= 1;
  }

  #readNow(): Buffer | null {
    try {
      return this.#pieces.again(this.#segment, this.#position, Math.min(this.length, PIECE_BYTES), 1);
    } catch (thrown) {
      return this.#refuse(thrown);
    }
  }

  #readLater(): void {
    this.#isReading = true;
    const bytes = Math.min(this.length, PIECE_BYTES);
    const use = (piece: Buffer): void => {
      this.#isReading = false;
      if (piece.length === 0) this.#failure = gone("the file ends before them");
      else this.#piece = piece;
      this.#ready();
      this.#piece = null;
    };
    this.#pieces.later(this.#segment, this.#position, bytes, 1, use).catch((thrown) => {
      this.#isReading = false;
      this.#failure = thrown;
      this.#ready();
    });
  }

  /** Since the batches were checked the segment may have been removed, or damage found in it. */
  #checkThere(): void {
    if (this.#segment.isRemoved) throw gone("their segment was removed");
    const hole = this.#segment.holeFrom(this.#position);
    if (hole !== undefined && hole.position < this.#position + this.length)
      throw gone("damage was found in them");
  }
}

function gone(why: string): ObeliskError {
  return new ObeliskError("KAFKA_STORAGE_ERROR", { detail: `records cannot be read again: ${why}` });
}

function ignore(): void {}

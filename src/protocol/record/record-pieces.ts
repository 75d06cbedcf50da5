/**
 * Moves a cursor over the records of a batch whose inflated bytes come in pieces (inflate-pieces.ts).
 *
 *     [ piece ======|==== rec][ord ==|======= piece ][ ...
 *                    `-- joined --´                       a record over several pieces lies alone, in memory of its size
 *
 * The cursor's positions are good until the next call. What does not open is refused as by the cursor (records.ts).
 */

import { freeInflated } from "./inflate.ts";
import { garbled, INFLATED_BYTES_MAX, RecordCursor } from "./records.ts";

const NO_BYTES = Buffer.alloc(0);
/** Of a record's length. */
const LENGTH_BYTES_MAX = 5;

export class RecordPieces {
  readonly cursor = new RecordCursor();
  /** What the cursor walks, and from where it is not walked yet. */
  #piece: Buffer = NO_BYTES;
  #at = 0;
  /** What comes after the piece: the rest of one whose beginning was joined. */
  #after: Buffer = NO_BYTES;
  /** The record that pieces are joined to, and how much of it is there. */
  #joined: Buffer = NO_BYTES;
  #joinedBytes = 0;

  /** Stands before the first record of the compressed batch at `position`. `add` follows. */
  begin(batch: Buffer, position: number): void {
    this.close();
    this.cursor.begin(batch, position);
  }

  /** The next bytes, lent until `next` has returned false. @throws ObeliskError GARBLED_RECORDS */
  add(piece: Buffer): void {
    if (this.cursor.remaining === 0) throw garbled("bytes follow the last record", 0);
    if (!this.#isJoining) {
      this.#feed(piece);
      return;
    }
    const taken = piece.copy(this.#joined, this.#joinedBytes);
    this.#joinedBytes += taken;
    if (this.#isJoining) return;
    this.#after = piece.subarray(taken);
    this.#feed(this.#joined);
  }

  /** Moves to the next record; false when more bytes are needed, and when none `remaining` is. @throws ObeliskError GARBLED_RECORDS */
  next(): boolean {
    // Nearly all records have a length of one byte and lie whole in the piece. A byte that is not there is no number below 0x80.
    const zigzag = this.#piece[this.#at]!;
    const end = this.#at + 1 + (zigzag >>> 1);
    if (!(zigzag < 0x80 && (zigzag & 1) === 0 && end <= this.#piece.length) || this.cursor.remaining === 0)
      return this.#nextOverPieces();
    this.cursor.next();
    this.#at = end;
    return true;
  }

  #nextOverPieces(): boolean {
    while (this.cursor.remaining > 0) {
      if (!this.#isJoining) {
        const end = this.#endOfNext();
        if (end !== -1 && end <= this.#piece.length) {
          this.cursor.next();
          this.#at = end;
          return true;
        }
        this.#keepRest(end);
      }
      if (this.#after.length === 0) return false;
      const rest = this.#after;
      this.#after = NO_BYTES;
      this.add(rest);
    }
    if (this.#at < this.#piece.length || this.#after.length > 0)
      throw garbled("bytes follow the last record", this.#at);
    return false;
  }

  /** Lets go of everything. */
  close(): void {
    this.#piece = NO_BYTES;
    this.#after = NO_BYTES;
    this.#at = 0;
    this.#joinTo(NO_BYTES, 0);
    this.cursor.close();
  }

  get #isJoining(): boolean {
    return this.#joinedBytes < this.#joined.length;
  }

  #feed(piece: Buffer): void {
    this.#piece = piece;
    this.#at = 0;
    this.cursor.feed(piece);
  }

  /** Where the next record ends, in the piece or beyond; -1 when its length does not lie whole there. */
  #endOfNext(): number {
    let zigzag = 0;
    for (let slot = 0; slot < LENGTH_BYTES_MAX; slot += 1) {
      const byte = this.#piece[this.#at + slot];
      if (byte === undefined) return -1;
      zigzag += (byte & 0x7f) * 2 ** (7 * slot);
      if (byte >= 0x80) continue;
      if (zigzag % 2 === 1 || zigzag > 2 * INFLATED_BYTES_MAX) break;
      return this.#at + slot + 1 + zigzag / 2;
    }
    throw garbled("a record's length does not fit", this.#at);
  }

  /** The piece ends before the record does: what is there of it is kept. One more byte is joined while its length is not whole. */
  #keepRest(end: number): void {
    const restBytes = this.#piece.length - this.#at;
    const joined =
      restBytes === 0 ? NO_BYTES : Buffer.allocUnsafeSlow(end === -1 ? restBytes + 1 : end - this.#at);
    this.#piece.copy(joined, 0, this.#at);
    this.#joinTo(joined, restBytes);
    this.#piece = NO_BYTES;
    this.#at = 0;
  }

  #joinTo(joined: Buffer, bytes: number): void {
    if (this.#joined.length > 0) freeInflated(this.#joined);
    this.#joined = joined;
    this.#joinedBytes = bytes;
  }
}

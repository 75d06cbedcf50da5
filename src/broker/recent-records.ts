/**
 * Batches that were in the ring of recent ones when they were asked for. They are taken from there, and from the log when they have
 * left it meanwhile: what the ring holds is only lent, so nothing of it is kept from one turn to the next.
 *
 *     offset       the first batch that is not taken as a whole
 *     position     bytes of it that are taken
 */

import { fail } from "../base/assert.ts";
import { ObeliskError } from "../base/errors.ts";
import { KiB } from "../base/units.ts";
import { batchBytes, batchLastOffset } from "../protocol/record/batch.ts";
import type { PartitionLog, RecordSpan } from "../storage/contract.ts";
import type { Measured, TailCache } from "./recent-batches.ts";

/** Batches of other partitions may lie between: then they are copied together, and not too many for a socket that takes few. */
const PIECE_BYTES = 256 * KiB;

/** Where the batches are; the partition is it. */
export interface RecentSource {
  readonly row: TailCache;
  readonly log: PartitionLog;
  /** @throws ObeliskError when nothing can be asked of it any more */
  checkReadable(): void;
}

export class RecentRecords implements RecordSpan {
  readonly baseOffset: number;
  readonly nextOffset: number;
  length: number;
  readonly #source: RecentSource;
  #offset: number;
  #position = 0;
  /** What was lent last, from the first byte of the batch at `#offset`; used in the same turn only. */
  #lent: Buffer | null = null;
  /** What left the ring, as the log has it. */
  #logged: RecordSpan | null = null;
  #isLocating = false;
  #failure: unknown = null;
  /** Whom to tell; who asked last. */
  #ready: () => void = ignore;

  constructor(source: RecentSource, offset: number, { bytes, nextOffset }: Measured) {
    this.#source = source;
    this.#offset = offset;
    this.baseOffset = offset;
    this.length = bytes;
    this.nextOffset = nextOffset;
  }

  peek(ready: () => void): Buffer | null {
    if (!(this.length > 0)) fail("nothing is left of these records");
    if (this.#failure !== null) throw this.#failure;
    this.#source.checkReadable();
    this.#ready = ready;
    if (this.#isLocating) return null;
    if (this.#logged !== null) return this.#logged.peek(ready);
    const lent = this.#source.row.read(this.#offset, this.nextOffset, PIECE_BYTES, true);
    if (lent === null) return this.#peekLog(ready);
    if (!(lent.length > this.#position)) fail("the ring holds less than was measured");
    this.#lent = lent;
    return lent.subarray(this.#position);
  }

  skip(bytes: number): void {
    if (bytes > this.length) fail("more bytes were taken than there are");
    this.length -= bytes;
    if (this.#logged === null) this.#skipLent(bytes);
    else this.#skipLogged(this.#logged, bytes);
  }

  #skipLent(bytes: number): void {
    const lent = this.#lent ?? fail("only what was lent can be taken");
    this.#lent = null;
    let rest = this.#position + bytes;
    let at = 0;
    while (at < lent.length && rest >= batchBytes(lent, at)) {
      this.#offset = batchLastOffset(lent, at) + 1;
      rest -= batchBytes(lent, at);
      at += batchBytes(lent, at);
    }
    this.#position = rest;
  }

  #skipLogged(logged: RecordSpan, bytes: number): void {
    logged.skip(bytes);
    if (logged.length > 0) return;
    // The log gives what there is to the end of a segment; the ring knows none.
    this.#logged = null;
    this.#offset = logged.nextOffset;
    this.#position = 0;
  }

  /** The rest lies in the log alone. */
  #peekLog(ready: () => void): Buffer | null {
    const bytes = this.#position + this.length;
    const found = this.#source.log.span(this.#offset, this.nextOffset, bytes, true);
    if (!(found instanceof Promise)) {
      this.#goOnIn(found);
      return this.#logged!.peek(ready);
    }
    this.#isLocating = true;
    found
      .then((span) => this.#goOnIn(span))
      .catch((thrown) => {
        this.#failure = thrown;
      })
      .finally(() => {
        this.#isLocating = false;
        this.#ready();
      });
    return null;
  }

  /** @throws ObeliskError when it does not hold the same batches */
  #goOnIn(span: RecordSpan): void {
    const bytes = this.#position + this.length;
    const isWhole = span.nextOffset < this.nextOffset || span.length === bytes;
    if (span.length <= this.#position || span.length > bytes || span.baseOffset > this.#offset || !isWhole) {
      const detail = "records cannot be read again: damage was found in them";
      throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail });
    }
    span.skip(this.#position);
    this.#logged = span;
  }
}

function ignore(): void {}

/**
 * The pages of large buffers on their way back to the system. Giving them back takes as long as clearing them did (0.2 ms for each MiB),
 * and a peer that is cut may have held 100 MiB: so it is done in slices, some in each turn of the loop.
 *
 *     [ gone .... | next slice | ..... still there ]   [ next buffer ]
 *
 * A slice is about what can come in during a turn (network/frame-turns.ts), and all that waits is gone in some `TURNS` turns: so memory
 * that is counted as free already, and filled again meanwhile, makes the process larger by a part of what goes back, and for that long.
 */

import { cLibrary } from "../c-library.ts";
import { loopTurns } from "../loop/loop-turns.ts";
import { Ring } from "../ring.ts";
import { KiB, MiB } from "../units.ts";

/** Some 2 ms. */
const SLICE_BYTES_MIN = 8 * MiB;
/** Of much that waits a larger part: all requests together may hold hundreds of MiB. */
const TURNS = 24;
/** Only whole pages go back: slices overlap by the largest. */
const OVERLAP_BYTES = 64 * KiB;

export class PageReturn {
  readonly #drop: (memory: Buffer) => void;
  readonly #buffers = new Ring<Buffer>();
  /** Up to here the pages of the first buffer are gone. */
  #position = 0;
  #bytes = 0;

  /** `drop` gives the whole pages of its memory back. */
  constructor(drop: (memory: Buffer) => void) {
    this.#drop = drop;
  }

  /** Nobody may have a view of it any more: it becomes empty in one of the next turns. */
  give(buffer: Buffer): void {
    this.#buffers.push(buffer);
    this.#bytes += buffer.length;
    if (this.#buffers.count === 1) setImmediate(this.#goOn);
  }

  readonly #goOn = (): void => {
    loopTurns.enter("memory");
    let left = Math.max(SLICE_BYTES_MIN, Math.ceil(this.#bytes / TURNS));
    for (let first = this.#buffers.peek(); left > 0 && first !== undefined; first = this.#buffers.peek()) {
      const bytes = Math.min(left, first.length - this.#position);
      const end = this.#position + bytes;
      this.#drop(first.subarray(this.#position, end + OVERLAP_BYTES));
      this.#position = end;
      this.#bytes -= bytes;
      left -= bytes;
      if (end < first.length) break;
      this.#buffers.shift();
      this.#position = 0;
      (first.buffer as ArrayBuffer).transfer(0);
    }
    if (this.#buffers.count > 0) setImmediate(this.#goOn);
  };
}

/** There is one loop. */
export const pageReturn = new PageReturn((memory) => cLibrary()?.dropPages?.(memory));

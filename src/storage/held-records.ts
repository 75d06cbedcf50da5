/** A span whose batches are in memory anyway, in one buffer each or in fewer. */

import { fail } from "../base/assert.ts";
import type { RecordSpan } from "./contract.ts";

export class HeldRecords implements RecordSpan {
  readonly baseOffset: number;
  readonly nextOffset: number;
  length: number;
  readonly #buffers: readonly Buffer[];
  #front = 0;
  /** Bytes of the front buffer that were taken. */
  #position = 0;

  constructor(buffers: readonly Buffer[], baseOffset: number, nextOffset: number) {
    this.#buffers = buffers;
    this.baseOffset = baseOffset;
    this.nextOffset = nextOffset;
    this.length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  }

  peek(): Buffer | null {
    const front = this.#buffers[this.#front] ?? fail("nothing is left of these records");
    return this.#position === 0 ? front : front.subarray(this.#position);
  }

  skip(bytes: number): void {
    if (bytes > this.length) fail("more bytes were taken than there are");
    this.length -= bytes;
    this.#position += bytes;
    while (this.#front < this.#buffers.length && this.#position >= this.#buffers[this.#front]!.length) {
      this.#position -= this.#buffers[this.#front]!.length;
      this.#front += 1;
    }
  }
}

/** The span of nothing at `offset`. */
export function noRecords(offset: number): RecordSpan {
  return new HeldRecords([], offset, offset);
}

/**
 * Cuts Kafka's frames out of what a socket delivers: `int32 length`, then that many bytes.
 *
 *      chunk 1            chunk 2                    chunk 3
 *   [len|body][len|bo]  [dy.......................]  [...][len|body]
 *    whole: a view       begun here: one buffer of the frame's own size, filled as chunks arrive
 *
 * A frame within one chunk is handed out as a view of it; a frame over several chunks is copied once. The length is
 * checked before memory is taken for it.
 */

import { ObeliskError } from "../base/errors.ts";

export const FRAME_LENGTH_BYTES = 4;

export class FrameReader {
  readonly #bytesMax: number;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #prefix = Buffer.alloc(FRAME_LENGTH_BYTES);
  #prefixBytes = 0;
  #frame: Buffer | null = null;
  #filled = 0;

  constructor(bytesMax: number, onFrame: (frame: Buffer) => void) {
    this.#bytesMax = bytesMax;
    this.#onFrame = onFrame;
  }

  /** Takes the next chunk; calls back for each frame that it completes. @throws ObeliskError PROTOCOL_ERROR */
  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length)
      position = this.#frame === null ? this.#begin(chunk, position) : this.#fill(chunk, position);
  }

  #begin(chunk: Buffer, start: number): number {
    let position = start;
    while (this.#prefixBytes < FRAME_LENGTH_BYTES && position < chunk.length) {
      this.#prefix[this.#prefixBytes] = chunk[position]!;
      this.#prefixBytes += 1;
      position += 1;
    }
    if (this.#prefixBytes < FRAME_LENGTH_BYTES) return position;
    this.#prefixBytes = 0;
    const bytes = this.#prefix.readInt32BE(0);
    if (bytes < 0 || bytes > this.#bytesMax) {
      throw new ObeliskError("PROTOCOL_ERROR", {
        detail: "the response has an impossible length",
        remedy: "is this the Kafka port of a broker?",
        bytes,
        limit: this.#bytesMax,
      });
    }
    if (chunk.length - position >= bytes) {
      this.#onFrame(chunk.subarray(position, position + bytes));
      return position + bytes;
    }
    this.#frame = Buffer.allocUnsafe(bytes);
    this.#filled = 0;
    return position;
  }

  #fill(chunk: Buffer, start: number): number {
    const frame = this.#frame!;
    const copied = chunk.copy(frame, this.#filled, start);
    this.#filled += copied;
    if (this.#filled === frame.length) {
      this.#frame = null;
      this.#onFrame(frame);
    }
    return start + copied;
  }
}

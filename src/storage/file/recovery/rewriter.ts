/**
 * Writes batches again where they lie, with the bytes that a scan has just checked.
 *
 * After an unclean shutdown they may be in the page cache only: a write-back that failed leaves pages that look clean, so a sync has
 * nothing to do and succeeds, and a power cut takes them all the same. Pages that are known to be such are evicted before the scan
 * (log-replay.ts). All others are dirty once they are written again, and the result of the next sync is true
 * (docs/decisions/failed-syncs.md). The bytes must be those of the scan: a page that was never written can be evicted at any moment,
 * and a second read then returns what the disk holds.
 *
 *     scan    [batch][batch][batch][## damage ##][batch]
 *     write   [=== one write ======]             [=====]     adjacent ones together, up to `PIECE_BYTES`
 */

import { fail } from "../../../base/assert.ts";
import type { Files } from "../../../base/files.ts";
import { MiB } from "../../../base/units.ts";

const PIECE_BYTES = MiB;
const NOTHING = Buffer.alloc(0);

export class Rewriter {
  readonly #files: Files;
  readonly #descriptor: number;
  readonly #bytesMax: number;
  #piece = NOTHING;
  #bytes = 0;
  /** Where in the file the piece begins. */
  #position = 0;

  /** For at most `bytesMax` bytes of one file. */
  constructor(files: Files, descriptor: number, bytesMax: number) {
    this.#files = files;
    this.#descriptor = descriptor;
    this.#bytesMax = bytesMax;
  }

  /** Takes a batch in `buffer[start, end)`, which lies at `position` in the file. `flush` follows the last one. */
  add(buffer: Buffer, start: number, end: number, position: number): void {
    const bytes = end - start;
    if (!(position >= this.#position + this.#bytes)) fail("a scan goes forward");
    if (position !== this.#position + this.#bytes || this.#bytes + bytes > this.#piece.length) this.flush();
    if (bytes === this.#bytesMax || bytes > PIECE_BYTES) {
      this.#files.write(this.#descriptor, buffer, start, end, position);
      return;
    }
    if (this.#piece === NOTHING) this.#piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.#bytesMax));
    if (this.#bytes === 0) this.#position = position;
    buffer.copy(this.#piece, this.#bytes, start, end);
    this.#bytes += bytes;
  }

  /** @throws system errors */
  flush(): void {
    if (this.#bytes === 0) return;
    this.#files.write(this.#descriptor, this.#piece, 0, this.#bytes, this.#position);
    this.#bytes = 0;
  }
}

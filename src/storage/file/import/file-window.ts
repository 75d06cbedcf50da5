/**
 * A piece of a file in memory, moved forward as it is read. The buffer is lent: it changes with the next `load` or `search`.
 * It grows to hold what is requested at once, so the caller checks a length before asking.
 */

import { ObeliskError } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import { KiB } from "../../../base/units.ts";

/** Large enough for few reads, small enough for many files. */
const WINDOW_BYTES = 256 * KiB;

export class FileWindow {
  readonly #files: Files;
  readonly #descriptor: number;
  readonly size: number;
  buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  #start = 0;
  #end = 0;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.#descriptor = files.open(path, "read");
    this.size = files.size(this.#descriptor);
  }

  close(): void {
    this.#files.close(this.#descriptor);
  }

  /** Where in `buffer` the file's bytes `[position, position + bytes)` begin; they must lie within `size`. */
  load(position: number, bytes: number): number {
    if (position < this.#start || position + bytes > this.#end) this.#move(position, bytes);
    return position - this.#start;
  }

  /** The first place of `pattern` at or after `position`, or -1. */
  search(pattern: Buffer, position: number): number {
    let at = position;
    while (at + pattern.length <= this.size) {
      const bytes = Math.min(WINDOW_BYTES, this.size - at);
      const start = this.load(at, bytes);
      const place = this.buffer.subarray(start, start + bytes).indexOf(pattern);
      if (place !== -1) return at + place;
      at += bytes - pattern.length + 1;
    }
    return -1;
  }

  #move(position: number, bytes: number): void {
    if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafeSlow(bytes);
    const wanted = Math.min(this.buffer.length, this.size - position);
    const count = this.#files.read(this.#descriptor, this.buffer, 0, wanted, position);
    if (count < bytes) {
      throw new ObeliskError("DAMAGED_DATA", { detail: "a file became shorter while it was read", position });
    }
    this.#start = position;
    this.#end = position + count;
  }
}

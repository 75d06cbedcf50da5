/**
 * Cuts a stream of bytes into lines, each a record. Only `\n` ends a line: a `\r` before it belongs to the record, and so does every
 * other byte. The last line counts without its `\n`; an empty line is an empty record.
 *
 *   chunk 1: "alpha\nbe"   chunk 2: "ta\n\ngamma"     ->   "alpha" "beta" "" "gamma"
 *
 * A line within one chunk is a view of it; a line over several chunks is joined once. A line longer than `bytesMax` is refused
 * with its number, before it fills the memory.
 */

import { ObeliskError } from "./errors.ts";

const NEWLINE = 0x0a;

export class LineCutter {
  /** Lines so far. */
  lines = 0;
  readonly #bytesMax: number;
  readonly #source: string;
  #parts: Buffer[] = [];
  #partBytes = 0;

  /** `source` names the input in errors. */
  constructor(bytesMax: number, source: string) {
    this.#bytesMax = bytesMax;
    this.#source = source;
  }

  /** Of the line that has begun and not ended. */
  get pendingBytes(): number {
    return this.#partBytes;
  }

  /** The lines that `chunk` ends. @throws ObeliskError MESSAGE_TOO_LARGE */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(this.#end(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  /** The last line, if the input does not end in `\n`. */
  finish(): Buffer | undefined {
    return this.#partBytes === 0 ? undefined : this.#end(Buffer.alloc(0));
  }

  #end(rest: Buffer): Buffer {
    this.#check(rest.length);
    this.lines += 1;
    if (this.#partBytes === 0) return rest;
    const line = Buffer.concat([...this.#parts, rest]);
    this.#parts = [];
    this.#partBytes = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#check(part.length);
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  #check(more: number): void {
    if (this.#partBytes + more <= this.#bytesMax) return;
    throw new ObeliskError("MESSAGE_TOO_LARGE", {
      detail: `line ${this.lines + 1} of ${this.#source} is longer than the limit`,
      limit: this.#bytesMax,
      remedy: "each line is one record: is this a text file?",
    });
  }
}

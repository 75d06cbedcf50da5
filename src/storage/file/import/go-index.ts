/** The index file of a Go Obelisk's log: int64 positions, little-endian, entry n is where message n starts. */

import type { Files } from "../../../base/files.ts";
import type { Finding } from "../../contract.ts";
import { FileWindow } from "./file-window.ts";

const ENTRY_BYTES = 8;
/** How far an entry may be from where it should be: bounds the work on an index that is all wrong. */
const LOOK_AHEAD_ENTRIES = 1024;

/**
 * The index, walked beside the log. `#next` is the entry that the next message should have; `#pending` counts messages
 * since then whose entry did not turn up. When one turns up further on, the entries between were theirs, or stray.
 */
export class GoIndex {
  readonly #window: FileWindow;
  readonly #file: string;
  readonly #count: number;
  #next = 0;
  #pending = 0;
  #unindexed = 0;
  /** Of the message that `place` was last called for. */
  number = 0;

  constructor(files: Files, path: string, file: string) {
    this.#window = new FileWindow(files, path);
    this.#file = file;
    this.#count = Math.floor(this.#window.size / ENTRY_BYTES);
  }

  close(): void {
    this.#window.close();
  }

  /** Takes the entry of the message at `position`. The finding names entries before it that point to no message. */
  place(position: number): Finding | null {
    const match = this.#lookFor(position);
    if (match === -1) {
      this.number = this.#next + this.#pending;
      this.#pending += 1;
      return null;
    }
    const stray = this.#stray(match);
    this.#next = match + 1;
    this.number = match;
    return stray;
  }

  /** Passes over the entries of messages that were lost in the log's damage `[position, end)`. */
  skip(position: number, end: number): void {
    while (this.#next < this.#count) {
      const entry = this.#entry(this.#next);
      if (entry < position || entry >= end) return;
      this.#next += 1;
    }
  }

  /** The first place after `position` that an entry names and `isFrame` accepts; -1 when there is none near. */
  find(position: number, isFrame: (position: number) => boolean): number {
    const end = Math.min(this.#count, this.#next + this.#pending + LOOK_AHEAD_ENTRIES);
    for (let number = this.#next; number < end; number += 1) {
      const candidate = this.#entry(number);
      if (candidate > position && isFrame(candidate)) return candidate;
    }
    return -1;
  }

  /** The findings after the last message. */
  finish(): Finding[] {
    const findings: Finding[] = [];
    const stray = this.#stray(this.#count);
    if (stray !== null) findings.push(stray);
    const { size } = this.#window;
    if (this.#unindexed > 0)
      findings.push(this.#finding(0, size, `${this.#unindexed} messages have no entry`));
    const odd = size % ENTRY_BYTES;
    if (odd > 0) findings.push(this.#finding(size - odd, odd, "the file ends in the middle of an entry"));
    return findings;
  }

  #lookFor(position: number): number {
    const end = Math.min(this.#count, this.#next + this.#pending + LOOK_AHEAD_ENTRIES);
    for (let number = this.#next; number < end; number += 1) {
      if (this.#entry(number) === position) return number;
    }
    return -1;
  }

  /** Completes the entries `[#next, end)`, none of which names a message. */
  #stray(end: number): Finding | null {
    const entries = end - this.#next;
    this.#unindexed += Math.max(0, this.#pending - entries);
    this.#pending = 0;
    if (entries === 0) return null;
    const position = this.#next * ENTRY_BYTES;
    return this.#finding(position, entries * ENTRY_BYTES, `${entries} entries point to no message`);
  }

  #finding(position: number, bytes: number, detail: string): Finding {
    return { file: this.#file, position, bytes, kind: "damaged-index", detail };
  }

  /** A position that no log can have is as good as none. */
  #entry(number: number): number {
    const at = this.#window.load(number * ENTRY_BYTES, ENTRY_BYTES);
    const position = this.#window.buffer.readBigInt64LE(at);
    return position >= 0n && position <= Number.MAX_SAFE_INTEGER ? Number(position) : -1;
  }
}

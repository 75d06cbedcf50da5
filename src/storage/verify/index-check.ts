/**
 * Compares a segment's index files with the batches of its log, as the scan meets them (layouts: segment-index.ts).
 *
 *   offset index   every entry names a batch's position and last offset; both rise
 *   time index     every entry names the largest timestamp so far and the last offset of the batch that brought it;
 *                  a sealed segment's last entry has the segment's largest timestamp. Both may go by what the headers say
 *                  instead: that is an index from before headers were checked, and it is rebuilt when it is needed
 *
 * Entries whose batch lies in damage or in a known hole cannot be judged and pass. One finding for each file says how many
 * entries are wrong and where the first one stands.
 */

import { readInt64 } from "../../base/bytes.ts";
import { ObeliskError } from "../../base/errors.ts";
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from "../file/segment-index.ts";
import type { VerifySink } from "./sink.ts";

/** The two index checks of a segment; either may be absent. */
export class SegmentIndexCheck {
  readonly #offsets: OffsetIndexCheck | null;
  readonly #times: TimeIndexCheck | null;
  readonly #timesByHeader: TimeIndexCheck | null;

  constructor(offsets: IndexContent | null, times: IndexContent | null) {
    this.#offsets = offsets === null ? null : new OffsetIndexCheck(offsets.file, offsets.content);
    this.#times = times === null ? null : new TimeIndexCheck(times.file, times.content);
    this.#timesByHeader = times === null ? null : new TimeIndexCheck(times.file, times.content);
  }

  batch(
    filePosition: number,
    relativeBaseOffset: number,
    relativeLastOffset: number,
    timestamp: number,
    headerTimestamp: number,
  ): void {
    this.#offsets?.batch(filePosition, relativeLastOffset);
    this.#times?.batch(relativeBaseOffset, relativeLastOffset, timestamp);
    this.#timesByHeader?.batch(relativeBaseOffset, relativeLastOffset, headerTimestamp);
  }

  unknown(filePosition: number): void {
    this.#offsets?.unknown(filePosition);
    this.#times?.unknown();
    this.#timesByHeader?.unknown();
  }

  finish(isSealed: boolean, sink: VerifySink): void {
    this.#offsets?.finish(sink);
    const isTrue = this.#times?.finish(isSealed) ?? true;
    if (isTrue || this.#timesByHeader?.finish(isSealed) === true) return;
    this.#times?.report(sink);
  }
}

export interface IndexContent {
  file: string;
  content: Buffer;
}

class OffsetIndexCheck {
  readonly #content: Buffer;
  readonly #wrong: WrongEntries;
  #at = 0;

  constructor(file: string, content: Buffer) {
    this.#content = content;
    this.#wrong = new WrongEntries(file, content.length, OFFSET_ENTRY_BYTES);
  }

  batch(filePosition: number, relativeLastOffset: number): void {
    this.#passUpTo(filePosition, true);
    if (this.#position !== filePosition) return;
    if (this.#content.readInt32BE(this.#at) !== relativeLastOffset) this.#wrong.add(this.#at);
    this.#at += OFFSET_ENTRY_BYTES;
  }

  /** Nothing is known about the bytes before `filePosition`. */
  unknown(filePosition: number): void {
    this.#passUpTo(filePosition, false);
  }

  finish(sink: VerifySink): void {
    this.#passUpTo(Number.POSITIVE_INFINITY, true);
    this.#wrong.report(sink);
  }

  get #position(): number {
    const isThere = this.#at + OFFSET_ENTRY_BYTES <= this.#content.length;
    return isThere ? this.#content.readInt32BE(this.#at + 4) : Number.POSITIVE_INFINITY;
  }

  /** An entry for position 0 is never written: the segment's start needs none. */
  #passUpTo(filePosition: number, isWrong: boolean): void {
    while (this.#position < filePosition) {
      if (isWrong || this.#position <= 0) this.#wrong.add(this.#at);
      this.#at += OFFSET_ENTRY_BYTES;
    }
  }
}

class TimeIndexCheck {
  readonly #content: Buffer;
  readonly #wrong: WrongEntries;
  #at = 0;
  #maxTimestamp = -1;
  /** Relative offsets below it are checked. */
  #offset = 0;
  #isExact = true;

  constructor(file: string, content: Buffer) {
    this.#content = content;
    this.#wrong = new WrongEntries(file, content.length, TIME_ENTRY_BYTES);
  }

  batch(relativeBaseOffset: number, relativeLastOffset: number, timestamp: number): void {
    if (relativeBaseOffset > this.#offset) this.#passUpTo(relativeBaseOffset, false);
    this.#passUpTo(relativeLastOffset, true);
    this.#offset = relativeLastOffset + 1;
    if (this.#entryOffset === relativeLastOffset) {
      const isTrue = this.#entryTimestamp === timestamp && (timestamp > this.#maxTimestamp || !this.#isExact);
      if (!isTrue) this.#wrong.add(this.#at);
      this.#at += TIME_ENTRY_BYTES;
    }
    this.#maxTimestamp = Math.max(this.#maxTimestamp, timestamp);
  }

  /** Batches were skipped that nothing is known about. */
  unknown(): void {
    this.#isExact = false;
  }

  /** Whether nothing was found; else `report` reports it. */
  finish(isSealed: boolean): boolean {
    this.#passUpTo(Number.POSITIVE_INFINITY, this.#isExact);
    if (isSealed && this.#isExact && !this.#wrong.hasAny && this.#lastTimestamp !== this.#maxTimestamp) {
      this.#wrong.add(Math.max(0, this.#content.length - TIME_ENTRY_BYTES));
    }
    return !this.#wrong.hasAny && !this.#wrong.isOdd;
  }

  report(sink: VerifySink): void {
    this.#wrong.report(sink);
  }

  get #entryOffset(): number {
    const isThere = this.#at + TIME_ENTRY_BYTES <= this.#content.length;
    return isThere ? this.#content.readInt32BE(this.#at + 8) : Number.POSITIVE_INFINITY;
  }

  get #entryTimestamp(): number {
    return timestampAt(this.#content, this.#at);
  }

  get #lastTimestamp(): number {
    const { length } = this.#content;
    return length < TIME_ENTRY_BYTES ? -1 : timestampAt(this.#content, length - TIME_ENTRY_BYTES);
  }

  #passUpTo(relativeOffset: number, isWrong: boolean): void {
    while (this.#entryOffset < relativeOffset) {
      if (isWrong || this.#entryOffset < this.#offset) this.#wrong.add(this.#at);
      this.#at += TIME_ENTRY_BYTES;
    }
  }
}

class WrongEntries {
  readonly #file: string;
  readonly #bytes: number;
  readonly #entryBytes: number;
  #first = -1;
  #count = 0;

  constructor(file: string, bytes: number, entryBytes: number) {
    this.#file = file;
    this.#bytes = bytes;
    this.#entryBytes = entryBytes;
  }

  get hasAny(): boolean {
    return this.#count > 0;
  }

  /** The file ends in the middle of an entry. */
  get isOdd(): boolean {
    return this.#bytes % this.#entryBytes > 0;
  }

  add(position: number): void {
    if (this.#first === -1) this.#first = position;
    this.#count += 1;
  }

  report(sink: VerifySink): void {
    const odd = this.#bytes % this.#entryBytes;
    if (odd > 0) {
      sink.report(
        this.#file,
        this.#bytes - odd,
        odd,
        "damaged-index",
        "the file ends in the middle of an entry",
      );
    }
    if (this.#count === 0) return;
    const all = Math.floor(this.#bytes / this.#entryBytes);
    const detail = `${this.#count} of ${all} entries do not agree with the log`;
    sink.report(this.#file, this.#first, this.#count * this.#entryBytes, "damaged-index", detail);
  }
}

/** -2 (which no batch has) for a value that cannot be a timestamp. */
function timestampAt(content: Buffer, position: number): number {
  try {
    return readInt64(content, position);
  } catch (error) {
    if (error instanceof ObeliskError) return -2;
    throw error;
  }
}

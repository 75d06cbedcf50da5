/**
 * The index of a sealed segment, searched page by page in its two files (layouts: segment-index.ts).
 *
 *     file    [ page 0 ][ page 1 ][ page 2 ]...[ last ]      512 entries each
 *     search    ^ by the first entries of pages, then within one
 *
 *   - A page is checked when it is read: entries rise and lie within the segment. Whether pages agree with each other shows when an
 *     entry is followed (locator.ts, time-search.ts).
 *   - No file stays open. One that was cut, replaced or removed, or that cannot be read, is an `IndexFault` for whoever needs a page that
 *     is not in memory: the index has to be rebuilt from the log. Pages in memory are from when the file was whole.
 */

import { readInt64 } from "../../base/bytes.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { systemReason } from "../../base/system-error.ts";
import type { FindingKind } from "../contract.ts";
import { type IndexPages, PAGE_ENTRIES } from "./index-pages.ts";
import type { Segment } from "./segment.ts";
import { faultOfIndex, type IndexLookup, OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from "./segment-index.ts";
import { readErrorOf, type Store } from "./store.ts";

const NOTHING = Buffer.alloc(0);

/** An index that cannot be used. Its reader has it rebuilt from the log; clients do not notice. */
export class IndexFault extends Error {
  readonly kind: FindingKind;

  constructor(kind: FindingKind, reason: string) {
    super(reason);
    this.kind = kind;
  }
}

export class SealedIndex implements IndexLookup {
  /** Where the last entry of the offset index points; 0 when there is none. */
  readonly lastPosition: number;
  #maxTimestamp: number;
  #maxTimestampOffset: number;
  readonly #offsets: EntryFile;
  readonly #times: EntryFile;

  /** Reads the lengths and the last entries of the files. @throws IndexFault; system errors for shortages of the process */
  constructor(store: Store, pages: IndexPages, segment: Segment) {
    const { indexPath, timeIndexPath, bytes } = segment;
    const offsetsFault = (page: Buffer) => faultOfIndex(page, NOTHING, bytes);
    const timesFault = (page: Buffer) => faultOfIndex(NOTHING, page, bytes);
    this.#offsets = new EntryFile(store, pages, indexPath, OFFSET_ENTRY_BYTES, offsetsFault);
    this.#times = new EntryFile(store, pages, timeIndexPath, TIME_ENTRY_BYTES, timesFault);
    const lastOffset = this.#offsets.open();
    const lastTime = this.#times.open();
    this.lastPosition = lastOffset === null ? 0 : lastOffset.readInt32BE(4);
    this.#maxTimestamp = lastTime === null ? -1 : readInt64(lastTime, 0);
    this.#maxTimestampOffset = lastTime === null ? 0 : lastTime.readInt32BE(8);
  }

  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  get maxTimestampOffset(): number {
    return this.#maxTimestampOffset;
  }

  /** Records the timestamp of a batch after the last entry. */
  recordTail(relativeOffset: number, timestamp: number): void {
    if (timestamp <= this.#maxTimestamp) return;
    this.#maxTimestamp = timestamp;
    this.#maxTimestampOffset = relativeOffset;
  }

  slotOf(relativeOffset: number): number {
    return this.#offsets.lastSlot((page, at) => page.readInt32BE(at) <= relativeOffset);
  }

  offsetAt(slot: number): number {
    return this.#offsets.int32At(slot, 0);
  }

  positionAt(slot: number): number {
    return this.#offsets.int32At(slot, 4);
  }

  offsetBefore(timestamp: number): number {
    const slot = this.#times.lastSlot((page, at) => readInt64(page, at) < timestamp);
    return slot === -1 ? 0 : this.#times.int32At(slot, 8);
  }
}

/** One index file: entries of equal length. */
class EntryFile {
  readonly #store: Store;
  readonly #pages: IndexPages;
  readonly #path: string;
  readonly #entryBytes: number;
  readonly #faultOf: (page: Buffer) => string | null;
  #count = 0;
  readonly #keys: number;

  constructor(
    store: Store,
    pages: IndexPages,
    path: string,
    entryBytes: number,
    faultOf: (page: Buffer) => string | null,
  ) {
    this.#store = store;
    this.#pages = pages;
    this.#path = path;
    this.#entryBytes = entryBytes;
    this.#faultOf = faultOf;
    this.#keys = pages.keysFor();
  }

  /** Takes the file as it is now; its last entry, or null when there is none. Called first, and once. */
  open(): Buffer | null {
    const { files } = this.#store;
    const entryBytes = this.#entryBytes;
    const { bytes, last } = this.#opened((descriptor) => {
      const size = files.size(descriptor);
      const start = size - entryBytes;
      return { bytes: size, last: start < 0 ? null : this.#read(descriptor, start, entryBytes) };
    });
    const fault = bytes % entryBytes === 0 ? this.#faultOf(last ?? NOTHING) : `the file has ${bytes} bytes`;
    if (fault !== null) throw new IndexFault("damaged-index", fault);
    this.#count = bytes / entryBytes;
    return last;
  }

  int32At(slot: number, at: number): number {
    const page = this.#page(Math.floor(slot / PAGE_ENTRIES));
    return page.readInt32BE((slot % PAGE_ENTRIES) * this.#entryBytes + at);
  }

  /** The slot of the last entry that `isBefore` says yes to, or -1: such entries come before all others. */
  lastSlot(isBefore: (page: Buffer, at: number) => boolean): number {
    let low = 0;
    let high = Math.ceil(this.#count / PAGE_ENTRIES);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#page(middle), 0)) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return -1;
    const first = (low - 1) * PAGE_ENTRIES;
    const page = this.#page(low - 1);
    low = 1;
    high = page.length / this.#entryBytes;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(page, middle * this.#entryBytes)) low = middle + 1;
      else high = middle;
    }
    return first + low - 1;
  }

  #page(number: number): Buffer {
    const known = this.#pages.get(this.#keys + number);
    if (known !== undefined) return known;
    const slot = number * PAGE_ENTRIES;
    const bytes = Math.min(PAGE_ENTRIES, this.#count - slot) * this.#entryBytes;
    const page = this.#opened((descriptor) => this.#read(descriptor, slot * this.#entryBytes, bytes));
    const fault = this.#faultOf(page);
    if (fault !== null) throw new IndexFault("damaged-index", fault);
    this.#pages.add(this.#keys + number, page);
    return page;
  }

  #read(descriptor: number, position: number, bytes: number): Buffer {
    const target = Buffer.allocUnsafeSlow(bytes);
    const got = this.#store.files.read(descriptor, target, 0, bytes, position);
    if (got < bytes) throw new IndexFault("damaged-index", `the file was cut at ${position + got}`);
    return target;
  }

  #opened<Result>(work: (descriptor: number) => Result): Result {
    const { files, pool } = this.#store;
    try {
      const descriptor = pool.withRoom(this.#path, () => files.open(this.#path, "read"));
      try {
        return work(descriptor);
      } finally {
        files.close(descriptor);
      }
    } catch (thrown) {
      if (errnoOf(thrown) === "ENOENT") throw new IndexFault("missing-index", "an index file is missing");
      const refusal = thrown instanceof ObeliskError ? null : readErrorOf(thrown);
      throw refusal === null ? thrown : new IndexFault("unreadable", systemReason(refusal));
    }
  }
}

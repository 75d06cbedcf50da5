/**
 * The committed offsets in memory: one row for each group, topic and partition, in columns of plain numbers.
 *
 *     row      group  topic  partition  offset  leader epoch  committed at  serial  metadata   before  after
 *     bytes      4      4        4         8          4            8           8      8       4       4
 *
 * A row is found by hashing its three numbers (open addressing, linear steps, at most half full: 8 bytes for each row that there is room for).
 * The rows of a group are a list, so that all of a group is found without a look at the others. Rows that were removed are taken
 * first. So a row takes 64 to 128 bytes (the columns double when they are full); on top come its names, each once and with about
 * 120 bytes, and its metadata. Objects in maps of maps took 170 bytes in the best case, and 1,070 where each group has one offset.
 */

import { fail } from "../base/assert.ts";
import { NameTable } from "./name-table.ts";

export interface CommittedOffset {
  readonly offset: number;
  /** Epoch of the record before `offset`, -1 when the client did not say. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly committedAtMs: number;
}

const ROWS_MIN = 1024;
const NONE = -1;

export class OffsetTable {
  readonly #groups = new NameTable();
  readonly #topics = new NameTable();
  /** The first row of each group, by its number. */
  readonly #first: number[] = [];
  #count = 0;
  /** Rows at and above it were never used. */
  #end = 0;
  /** The first row that was removed; the next is in `#after`. */
  #free = NONE;
  #metadataBytes = 0;

  #group = new Int32Array(ROWS_MIN);
  #topic = new Int32Array(ROWS_MIN);
  #partition = new Int32Array(ROWS_MIN);
  #offset = new Float64Array(ROWS_MIN);
  #leaderEpoch = new Int32Array(ROWS_MIN);
  #committedAtMs = new Float64Array(ROWS_MIN);
  #serial = new Float64Array(ROWS_MIN);
  #before = new Int32Array(ROWS_MIN);
  #after = new Int32Array(ROWS_MIN);
  readonly #metadata: string[] = [];
  /** Row + 1 at the place that its hash chose, or the next that was free; 0 where there is none. */
  #places = new Int32Array(2 * ROWS_MIN);

  get count(): number {
    return this.#count;
  }

  /** UTF-8 bytes of all names and metadata. */
  get textBytes(): number {
    return this.#groups.bytes + this.#topics.bytes + this.#metadataBytes;
  }

  /** Names of groups that have a row. */
  groups(): IterableIterator<string> {
    return this.#groups.names();
  }

  hasGroup(group: string): boolean {
    return this.#groups.find(group) !== NONE;
  }

  /** The row, -1 when there is none. */
  find(group: string, topic: string, partition: number): number {
    const groupNumber = this.#groups.find(group);
    const topicNumber = this.#topics.find(topic);
    if (groupNumber === NONE || topicNumber === NONE) return NONE;
    return this.#places[this.#placeOf(groupNumber, topicNumber, partition)]! - 1;
  }

  /** Every row of a group. */
  rowsOf(group: string): number[] {
    const rows: number[] = [];
    const number = this.#groups.find(group);
    if (number === NONE) return rows;
    for (let row = this.#first[number]!; row !== NONE; row = this.#after[row]!) rows.push(row);
    return rows;
  }

  /** How many rows a group has, and the UTF-8 bytes of their metadata and of their topics' names. O(rows of the group). */
  measure(group: string): { rows: number; textBytes: number } {
    const number = this.#groups.find(group);
    if (number === NONE) return { rows: 0, textBytes: 0 };
    const topics = new Set<number>();
    let rows = 0;
    let textBytes = 0;
    for (let row = this.#first[number]!; row !== NONE; row = this.#after[row]!) {
      rows += 1;
      topics.add(this.#topic[row]!);
      if (this.#metadata[row] !== "") textBytes += this.metadataBytesOf(row);
    }
    for (const topic of topics) textBytes += Buffer.byteLength(this.#topics.nameOf(topic));
    return { rows, textBytes };
  }

  /**
   * Rows of a topic from `from` on, over all groups: at most `countMax`, and among at most `lookedAtMax`. `next` is where to go on, null
   * when there are no more.
   */
  rowsOfTopic(
    topic: string,
    from: number,
    countMax: number,
    lookedAtMax: number,
  ): { rows: number[]; next: number | null } {
    const rows: number[] = [];
    const number = this.#topics.find(topic);
    const end = number === NONE ? from : Math.min(this.#end, from + lookedAtMax);
    let row = from;
    for (; row < end && rows.length < countMax; row += 1) {
      if (this.#group[row] !== NONE && this.#topic[row] === number) rows.push(row);
    }
    return { rows, next: number === NONE || row >= this.#end ? null : row };
  }

  /** Whether the row is one of the group's now. */
  isOf(row: number, group: string): boolean {
    const number = this.#group[row]!;
    return number !== NONE && this.#groups.nameOf(number) === group;
  }

  groupOf(row: number): string {
    return this.#groups.nameOf(this.#group[row]!);
  }

  topicOf(row: number): string {
    return this.#topics.nameOf(this.#topic[row]!);
  }

  partitionOf(row: number): number {
    return this.#partition[row]!;
  }

  serialOf(row: number): number {
    return this.#serial[row]!;
  }

  committedAtMsOf(row: number): number {
    return this.#committedAtMs[row]!;
  }

  metadataBytesOf(row: number): number {
    return Buffer.byteLength(this.#metadata[row]!);
  }

  committedAt(row: number): CommittedOffset {
    return {
      offset: this.#offset[row]!,
      leaderEpoch: this.#leaderEpoch[row]!,
      metadata: this.#metadata[row]!,
      committedAtMs: this.#committedAtMs[row]!,
    };
  }

  /** Adds a row with nothing in it. There must be none for the place. */
  add(group: string, topic: string, partition: number): number {
    if (this.#free === NONE && this.#end === this.#group.length) this.#grow();
    const groupNumber = this.#groups.use(group);
    const topicNumber = this.#topics.use(topic);
    const place = this.#placeOf(groupNumber, topicNumber, partition);
    if (this.#places[place] !== 0) fail("a committed offset has two rows");
    const row = this.#takeRow();
    this.#group[row] = groupNumber;
    this.#topic[row] = topicNumber;
    this.#partition[row] = partition;
    this.#metadata[row] = "";
    this.#places[place] = row + 1;
    this.#link(row, groupNumber);
    this.#count += 1;
    return row;
  }

  set(row: number, committed: CommittedOffset, serial: number): void {
    this.#offset[row] = committed.offset;
    this.#leaderEpoch[row] = committed.leaderEpoch;
    this.#committedAtMs[row] = committed.committedAtMs;
    this.#serial[row] = serial;
    this.#metadataBytes += Buffer.byteLength(committed.metadata) - Buffer.byteLength(this.#metadata[row]!);
    this.#metadata[row] = committed.metadata;
  }

  remove(row: number): void {
    const group = this.#group[row]!;
    this.#vacate(this.#placeOf(group, this.#topic[row]!, this.#partition[row]!));
    this.#unlink(row, group);
    this.#groups.release(group);
    this.#topics.release(this.#topic[row]!);
    this.#metadataBytes -= Buffer.byteLength(this.#metadata[row]!);
    this.#metadata[row] = "";
    this.#group[row] = NONE;
    this.#after[row] = this.#free;
    this.#free = row;
    this.#count -= 1;
  }

  #takeRow(): number {
    if (this.#free === NONE) return this.#end++;
    const row = this.#free;
    this.#free = this.#after[row]!;
    return row;
  }

  #link(row: number, group: number): void {
    const first = this.#first[group] ?? NONE;
    this.#before[row] = NONE;
    this.#after[row] = first;
    if (first !== NONE) this.#before[first] = row;
    this.#first[group] = row;
  }

  #unlink(row: number, group: number): void {
    const [before, after] = [this.#before[row]!, this.#after[row]!];
    if (before === NONE) this.#first[group] = after;
    else this.#after[before] = after;
    if (after !== NONE) this.#before[after] = before;
  }

  /** Where the row stands, or would. */
  #placeOf(group: number, topic: number, partition: number): number {
    const mask = this.#places.length - 1;
    let place = hash(group, topic, partition) & mask;
    for (let row = this.#places[place]! - 1; row !== NONE; row = this.#places[place]! - 1) {
      if (this.#group[row] === group && this.#topic[row] === topic && this.#partition[row] === partition)
        break;
      place = (place + 1) & mask;
    }
    return place;
  }

  /** Frees a place, and moves those after it that could not have theirs because it was taken. */
  #vacate(free: number): void {
    const mask = this.#places.length - 1;
    this.#places[free] = 0;
    for (let place = (free + 1) & mask; this.#places[place] !== 0; place = (place + 1) & mask) {
      const row = this.#places[place]! - 1;
      this.#places[place] = 0;
      this.#places[this.#placeOf(this.#group[row]!, this.#topic[row]!, this.#partition[row]!)] = row + 1;
    }
  }

  #grow(): void {
    const rows = 2 * this.#group.length;
    this.#group = longer(Int32Array, this.#group, rows);
    this.#topic = longer(Int32Array, this.#topic, rows);
    this.#partition = longer(Int32Array, this.#partition, rows);
    this.#offset = longer(Float64Array, this.#offset, rows);
    this.#leaderEpoch = longer(Int32Array, this.#leaderEpoch, rows);
    this.#committedAtMs = longer(Float64Array, this.#committedAtMs, rows);
    this.#serial = longer(Float64Array, this.#serial, rows);
    this.#before = longer(Int32Array, this.#before, rows);
    this.#after = longer(Int32Array, this.#after, rows);
    this.#places = new Int32Array(2 * rows);
    for (let row = 0; row < this.#end; row += 1) {
      this.#places[this.#placeOf(this.#group[row]!, this.#topic[row]!, this.#partition[row]!)] = row + 1;
    }
  }
}

function longer<Column extends Int32Array | Float64Array>(
  Kind: new (length: number) => Column,
  column: Column,
  length: number,
): Column {
  const grown = new Kind(length);
  grown.set(column);
  return grown;
}

/** Spreads three small numbers over 32 bits, so that neighbours do not stand side by side. */
function hash(group: number, topic: number, partition: number): number {
  let mixed =
    Math.imul(group, 0x9e3779b1) ^ Math.imul(topic + 1, 0x85ebca6b) ^ Math.imul(partition + 1, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/**
 * Writes the primitive types of Kafka's protocol (the layout is in reader.ts) into one frame: int32 length, then
 * what follows between `begin` and `finish`.
 *
 *   slab   [ earlier frames | length, header, fields . . . |            free            ]
 *                           ^ start                        ^ position
 *
 * Frames are cut one after another from a slab, so that a small response costs one view and no allocation. A frame
 * belongs to its receiver from `finish` on: the writer never touches those bytes again, and the slab lives as long as
 * one of its frames does. Record batches above `COPY_BYTES_MAX` are not copied: the frame becomes a list of buffers,
 * in which the receiver must not change anything either, and of sources that are read as they are sent. Smaller ones are copied, as
 * long as they do not make the frame large (`COPIED_BYTES_MAX`): who requests many must not make us hold them.
 *
 * Long arrays are encoded apart (array-encoder.ts), into slabs that are reused when their response is written.
 *
 * One frame at a time: `begin` drops a frame that was not finished (its encoding threw).
 */

import { fail } from "../../base/assert.ts";
import type { ByteSource } from "../../base/byte-source.ts";
import { writeInt64 } from "../../base/bytes.ts";
import { ObeliskError } from "../../base/errors.ts";
import { BufferPool } from "../../base/memory/buffer-pool.ts";

/** Up to here a copy (about 1 us) is cheaper than one more buffer to hand to the socket. */
export const COPY_BYTES_MAX = 16 * 1024;

/** What a frame may hold of record batches that could be read later. */
const COPIED_BYTES_MAX = 64 * 1024;

/** Enough for some hundred small responses; little enough that one slow connection may keep it alive. */
const SLAB_BYTES = 64 * 1024;

/** A piece of an array leaves its slab when it is so large: a quarter of the slab may stay unused. */
const PIECE_BYTES = 48 * 1024;

/** Below this much room a frame starts on a new slab, because it would most likely not fit. */
const FREE_BYTES_MIN = 512;

/** int16 length of a plain string. */
const PLAIN_STRING_BYTES_MAX = 0x7fff;

/** Texts up to here take less time in a loop than in a native call, if they are ASCII. */
const LOOP_LENGTH_MAX = 24;

/** A frame for the socket, its length prefix included. Only responses have parts that are not buffers. */
export interface Encoded<Part = Buffer> {
  /** In order. One buffer unless large record batches are in it. */
  readonly parts: readonly Part[];
  /** The sum of the parts. */
  readonly bytes: number;
  /** Memory of long arrays in it, which is used again: to be given to `giveBack` when all parts are written. Else it is garbage. */
  readonly slabs: readonly Buffer[];
}

/** What long arrays are encoded into. So much is kept while none is: a topic of 7,000 partitions takes four. */
const pool = new BufferPool(64 * SLAB_BYTES);
const NO_SLABS: readonly Buffer[] = [];

/** The parts that lay in these slabs are written, and nobody reads them any more. */
export function giveBack(slabs: readonly Buffer[]): void {
  for (const slab of slabs) pool.give(slab);
}

/** Before the first frame. */
const NO_SLAB = Buffer.alloc(0);

export class Writer {
  #slab: Buffer = NO_SLAB;
  /** Slabs of arrays in this frame, or of this array. */
  #slabs: Set<Buffer> | null = null;
  #isArray = false;
  #start = 0;
  #position = 0;
  /** Finished parts of the current frame and their bytes. */
  #parts: (Buffer | ByteSource)[] = [];
  #partBytes = 0;
  /** Of record batches that were copied though they are sources. */
  #copiedBytes = 0;

  /** Starts a frame. */
  begin(): void {
    // What is left of a slab that grew for a large frame is not used: small frames would keep all of it alive.
    const isUsable = this.#slab.length === SLAB_BYTES && SLAB_BYTES - this.#start >= FREE_BYTES_MIN;
    if (!isUsable) this.#replaceSlab(SLAB_BYTES);
    this.#position = this.#start + 4;
    this.#parts = [];
    this.#partBytes = 0;
    this.#copiedBytes = 0;
    this.#slabs = null;
  }

  /** Starts the elements of an array (array-encoder.ts): they have no length before them. */
  beginElements(): void {
    this.#isArray = true;
    this.#replaceSlab(SLAB_BYTES);
  }

  /** Between two elements: what was written becomes a part when it is much, and is not moved any more. */
  complete(): void {
    if (this.#position - this.#start >= PIECE_BYTES) this.#cut();
  }

  /** Ends the elements and hands them over. No records are in them. */
  finishElements(): { parts: readonly Buffer[]; slabs: readonly Buffer[] } {
    if (this.#position > this.#start) this.#cut();
    return { parts: this.#parts as Buffer[], slabs: this.#takeSlabs() };
  }

  /** Elements that were encoded before (array-encoder.ts). */
  elements(parts: readonly Buffer[], slabs: readonly Buffer[]): void {
    for (const part of parts) this.raw(part);
    this.#slabs ??= new Set();
    for (const slab of slabs) this.#slabs.add(slab);
  }

  /** Ends the frame and hands it over. */
  finish(): Encoded<Buffer | ByteSource> {
    const parts = this.#parts;
    if (this.#position > this.#start) this.#cut();
    const bytes = this.#partBytes;
    const [first] = parts;
    if (!(first instanceof Uint8Array)) fail("a frame begins with its length");
    first.writeInt32BE(bytes - 4, 0);
    return { parts, bytes, slabs: this.#takeSlabs() };
  }

  bool(value: boolean): void {
    const at = this.#reserve(1);
    this.#slab[at] = value ? 1 : 0;
  }

  int8(value: number): void {
    const at = this.#reserve(1);
    this.#slab.writeInt8(value, at);
  }

  int16(value: number): void {
    const at = this.#reserve(2);
    this.#slab.writeInt16BE(value, at);
  }

  uint16(value: number): void {
    const at = this.#reserve(2);
    this.#slab.writeUInt16BE(value, at);
  }

  int32(value: number): void {
    const at = this.#reserve(4);
    this.#slab.writeInt32BE(value, at);
  }

  int64(value: number): void {
    const at = this.#reserve(8);
    writeInt64(this.#slab, at, value);
  }

  float64(value: number): void {
    const at = this.#reserve(8);
    this.#slab.writeDoubleBE(value, at);
  }

  /** @throws ObeliskError INVALID_REQUEST when the text is not a uuid */
  uuid(value: string): void {
    const at = this.#reserve(16);
    const hex = value.replaceAll("-", "");
    if (hex.length !== 32 || this.#slab.write(hex, at, "hex") !== 16) {
      throw new ObeliskError("INVALID_REQUEST", { detail: `"${value}" is not a uuid` });
    }
  }

  /** `value` is an integer from 0 to 2^32 - 1. */
  unsignedVarint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      const at = this.#reserve(1);
      this.#slab[at] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    const at = this.#reserve(1);
    this.#slab[at] = rest;
  }

  string(value: string): void {
    this.#reserve(2);
    const length = this.#text(value);
    if (length > PLAIN_STRING_BYTES_MAX) {
      throw new ObeliskError("INVALID_REQUEST", {
        detail: "a text is longer than this version of the request allows",
        bytes: length,
        limit: PLAIN_STRING_BYTES_MAX,
      });
    }
    this.#slab.writeInt16BE(length, this.#position - length - 2);
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1);
    else this.string(value);
  }

  compactString(value: string): void {
    if (value.length * 3 + 1 > 0x7f) {
      this.unsignedVarint(Buffer.byteLength(value) + 1);
      this.#text(value);
      return;
    }
    this.#reserve(1);
    const length = this.#text(value);
    this.#slab[this.#position - length - 1] = length + 1;
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.unsignedVarint(0);
    else this.compactString(value);
  }

  bytes(value: Buffer | ByteSource): void {
    this.int32(value.length);
    this.raw(value);
  }

  compactBytes(value: Buffer | ByteSource): void {
    this.unsignedVarint(value.length + 1);
    this.raw(value);
  }

  nullableBytes(value: Buffer | ByteSource | null): void {
    if (value === null) this.int32(-1);
    else this.bytes(value);
  }

  compactNullableBytes(value: Buffer | ByteSource | null): void {
    if (value === null) this.unsignedVarint(0);
    else this.compactBytes(value);
  }

  arrayCount(count: number): void {
    this.int32(count);
  }

  compactArrayCount(count: number): void {
    this.unsignedVarint(count + 1);
  }

  /** Starts the content of a tagged field; give what it returns to `endTag`. Not for fields that hold records. */
  beginTag(tag: number): number {
    this.unsignedVarint(tag);
    return this.#reserve(1) - this.#start;
  }

  /** Puts the size before the content, which moves when the size takes more than one byte. */
  endTag(mark: number): void {
    const size = this.#position - this.#start - mark - 1;
    if (size < 0x80) {
      this.#slab[this.#start + mark] = size;
      return;
    }
    const content = Buffer.from(this.#slab.subarray(this.#start + mark + 1, this.#position));
    this.#position = this.#start + mark;
    this.unsignedVarint(size);
    this.raw(content);
  }

  /** Bytes without a length: copied when few, else a part of their own. */
  raw(value: Buffer | ByteSource): void {
    const source = value instanceof Uint8Array ? value : this.#fewBytesOf(value);
    if (source === null || value.length > COPY_BYTES_MAX) {
      this.#cut();
      this.#parts.push(value);
      this.#partBytes += value.length;
      return;
    }
    const at = this.#reserve(source.length);
    source.copy(this.#slab, at);
  }

  /** All that a source has, when that is little and at hand; null when it had better be a part. */
  #fewBytesOf(source: ByteSource): Buffer | null {
    if (source.length === 0) return NOTHING;
    if (source.length > COPY_BYTES_MAX || this.#copiedBytes + source.length > COPIED_BYTES_MAX) return null;
    const bytes = source.peek(ignore);
    if (bytes === null || bytes.length < source.length) return null;
    this.#copiedBytes += source.length;
    return bytes;
  }

  /** Writes UTF-8 and returns its bytes. May move the frame to a larger slab. */
  #text(value: string): number {
    const length = value.length;
    const at = this.#reserve(length * 3);
    const slab = this.#slab;
    if (length <= LOOP_LENGTH_MAX) {
      let index = 0;
      for (; index < length; index += 1) {
        const unit = value.charCodeAt(index);
        if (unit > 0x7f) break;
        slab[at + index] = unit;
      }
      if (index === length) {
        this.#position = at + length;
        return length;
      }
    }
    const written = slab.write(value, at, "utf8");
    this.#position = at + written;
    return written;
  }

  /** May replace the slab: take the place first, then name `this.#slab`. */
  #reserve(count: number): number {
    if (count > this.#slab.length - this.#position) this.#grow(count);
    const at = this.#position;
    this.#position = at + count;
    return at;
  }

  #grow(count: number): void {
    const source = this.#slab;
    const start = this.#start;
    const used = this.#position - start;
    this.#replaceSlab(Math.max(SLAB_BYTES, (used + count) * 2));
    source.copy(this.#slab, 0, start, start + used);
    this.#position = used;
  }

  #replaceSlab(bytes: number): void {
    this.#slab = this.#isArray ? pool.take(bytes) : Buffer.allocUnsafeSlow(bytes);
    if (this.#isArray) (this.#slabs ??= new Set()).add(this.#slab);
    this.#start = 0;
    this.#position = 0;
  }

  #takeSlabs(): readonly Buffer[] {
    const slabs = this.#slabs;
    this.#slabs = null;
    return slabs === null ? NO_SLABS : [...slabs];
  }

  /** Makes what was written since the last part a part. */
  #cut(): void {
    const part = this.#slab.subarray(this.#start, this.#position);
    this.#parts.push(part);
    this.#partBytes += part.length;
    this.#start = this.#position;
  }
}

const NOTHING = Buffer.alloc(0);

/** What comes from the disk is read again when it is sent. */
function ignore(): void {}

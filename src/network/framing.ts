/**
 * Cuts length-prefixed frames out of the chunks that a socket delivers.
 *
 *     | uint32 length | length bytes of body | uint32 length | body ...        (big-endian: Kafka, little-endian: native)
 *
 *     chunk    [..body][4|body][4|body][4|bo        a body wholly inside one chunk is handed on where it lies: no copy
 *     next                             dy][4|..     a body over several chunks is gathered in one buffer: one copy
 *
 * How to use it: `feed` a chunk, then call `next` until it returns NEED_BYTES. After FRAME the body is
 * `buffer[position, end)`, valid until the next call of anything: then the memory is used again (base/memory/buffer-pool.ts).
 *
 * Promises
 *   - The length is checked before anything else happens with it. EMPTY leaves the cutter after the four bytes, ready for
 *     the next frame. TOO_LARGE and NEGATIVE (big-endian only, where the field is an int32) cannot be skipped: `next`
 *     repeats them for ever, the connection has to end.
 *   - A claimed length allocates nothing by itself: the gathering buffer grows with what came, to some eight times as much at most,
 *     and announces it: `next` repeats GROW until `grow` is called, which takes `growBytes` more.
 *   - No allocation and no closure for a body that lies within one chunk.
 */

import { fail } from "../base/assert.ts";
import { BufferPool, dispose, sizeFor } from "../base/memory/buffer-pool.ts";
import { KiB, MiB } from "../base/units.ts";

export type ByteOrder = "big-endian" | "little-endian";

/** The first gathering buffer: a few bytes of a frame take no more. */
const GATHER_BYTES_FIRST = 16 * KiB;
/** Gathering buffers that are kept for the next frames: some turn of many connections. */
const GATHER_KEPT_BYTES = 8 * MiB;
/** Growth of the gathering buffer: fewer copies than doubling, and the whole body as soon as that is half of it. */
const GATHER_GROWTH = 4;
/**
 * From here on the buffer for the whole body is allocated at once: it is address space until bytes lie in it, and growing it would copy tens
 * of MiB in one turn. What of it may be used grows all the same.
 */
const WHOLE_FROM_BYTES = MiB;
/** What is left of a chunk is copied out when it is less than half of it. */
const REST_PART_MIN = 2;
const PREFIX_BYTES = 4;
const NOTHING = Buffer.alloc(0);
const gathering = new BufferPool(GATHER_KEPT_BYTES);

export const Step = { NEED_BYTES: 0, FRAME: 1, GROW: 2, EMPTY: 3, NEGATIVE: 4, TOO_LARGE: 5 } as const;
export type Step = (typeof Step)[keyof typeof Step];

export class FrameCutter {
  /** The body after FRAME lies in `buffer[position, end)`. */
  buffer: Buffer = NOTHING;
  position = 0;
  end = 0;
  /** Length of the body under way; -1 between frames. */
  frameBytes = -1;
  /** The length that TOO_LARGE or NEGATIVE refused. */
  refusedBytes = 0;
  /** By how much the gathering buffer has to grow, after GROW. */
  growBytes = 0;

  readonly #isLittleEndian: boolean;
  readonly #frameBytesMax: number;
  #chunk: Buffer = NOTHING;
  #chunkPosition = 0;
  #chunkEnd = 0;
  /** The bytes of a prefix that chunks have cut, as far as they have come. */
  #prefix = 0;
  #prefixBytes = 0;
  #gathered: Buffer = NOTHING;
  #gatheredBytes = 0;
  /** So much of the gathering buffer may be used. */
  #gatherBytesMax = 0;
  /** The gathering buffer of the last FRAME, until the next call. */
  #lent: Buffer = NOTHING;
  #broken: Step = Step.NEED_BYTES;

  constructor(byteOrder: ByteOrder, frameBytesMax: number) {
    this.#isLittleEndian = byteOrder === "little-endian";
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes of the current frame that have come (with its prefix), 0 between frames. What a half-closed peer has left. */
  get incompleteBytes(): number {
    if (this.frameBytes < 0) return this.#prefixBytes + this.restBytes;
    return PREFIX_BYTES + this.#gatheredBytes + this.restBytes;
  }

  /** Adds the bytes of `chunk`, which belongs to the cutter from now on. Copies only when bytes of the last one are left. */
  feed(chunk: Buffer): void {
    this.#chunk = this.restBytes === 0 ? chunk : this.#afterRest(chunk);
    this.#chunkPosition = 0;
    this.#chunkEnd = this.#chunk.length;
  }

  next(): Step {
    this.#takeBack();
    if (this.frameBytes < 0) {
      const step = this.#readPrefix();
      if (step !== Step.FRAME) return step;
    }
    if (this.#gatheredBytes === 0 && this.restBytes >= this.frameBytes) return this.#takeFromChunk();
    return this.#gather();
  }

  /** Takes the memory that GROW requested. With what was taken before, a body never takes more than `gatherBytesMax`. */
  grow(): void {
    this.#gatherBytesMax += this.growBytes;
    if (this.#gatherBytesMax <= this.#gathered.length) return;
    const isWhole = this.#gatherBytesMax > WHOLE_FROM_BYTES;
    const larger = gathering.take(isWhole ? this.frameBytes : this.#gatherBytesMax);
    if (larger.length < this.#gatherBytesMax) fail("a gathering buffer is smaller than what was requested");
    this.#gathered.copy(larger, 0, 0, this.#gatheredBytes);
    if (this.#gathered !== NOTHING) gathering.give(this.#gathered);
    this.#gathered = larger;
  }

  /** Bytes of the last chunk that wait to be read. */
  get restBytes(): number {
    return this.#chunkEnd - this.#chunkPosition;
  }

  /** What is left of the chunk stays for a while: it takes no more memory than it has to. Nobody may read the last FRAME any more. */
  keepRest(): void {
    const rest = this.restBytes;
    this.#takeBack();
    if (rest === 0 || rest * REST_PART_MIN > this.#chunk.length) return;
    const kept = Buffer.allocUnsafeSlow(rest);
    this.#chunk.copy(kept, 0, this.#chunkPosition, this.#chunkEnd);
    dispose(this.#chunk);
    this.#chunk = kept;
    this.#chunkPosition = 0;
    this.#chunkEnd = rest;
  }

  /** Gives back every buffer and the frame under way, but for what a handler is reading right now. Nothing may be fed afterwards. */
  clear(): void {
    if (this.buffer === NOTHING) dispose(this.#chunk);
    this.#dropChunk();
    this.#prefixBytes = 0;
    if (this.#gathered !== NOTHING) gathering.give(this.#gathered);
    this.#gathered = NOTHING;
    this.#gatheredBytes = 0;
    this.#gatherBytesMax = 0;
    this.#startNext();
  }

  #afterRest(chunk: Buffer): Buffer {
    const both = Buffer.concat([this.#chunk.subarray(this.#chunkPosition), chunk]);
    dispose(this.#chunk);
    dispose(chunk);
    return both;
  }

  /** FRAME when the length is known and allowed. */
  #readPrefix(): Step {
    if (this.#broken !== Step.NEED_BYTES) return this.#broken;
    if (this.#prefixBytes === 0 && this.restBytes >= PREFIX_BYTES) {
      const length = this.#readLength(this.#chunk, this.#chunkPosition);
      this.#chunkPosition += PREFIX_BYTES;
      return this.#checkLength(length);
    }
    while (this.#prefixBytes < PREFIX_BYTES) {
      if (this.#chunkPosition === this.#chunkEnd) return this.#needBytes();
      this.#addToPrefix(this.#chunk[this.#chunkPosition]!);
      this.#prefixBytes += 1;
      this.#chunkPosition += 1;
    }
    this.#prefixBytes = 0;
    const length = this.#prefix;
    this.#prefix = 0;
    return this.#checkLength(length);
  }

  /** As `#readLength`, byte by byte. */
  #addToPrefix(byte: number): void {
    if (this.#isLittleEndian) this.#prefix |= byte << (8 * this.#prefixBytes);
    else this.#prefix = (this.#prefix << 8) | byte;
  }

  /** As int32, so that positions stay small integers; a little-endian length of 2^31 and more is turned back when it is refused. */
  #readLength(buffer: Buffer, position: number): number {
    return this.#isLittleEndian ? buffer.readInt32LE(position) : buffer.readInt32BE(position);
  }

  #checkLength(length: number): Step {
    if (length === 0) return Step.EMPTY;
    if (length > 0 && length <= this.#frameBytesMax) {
      this.frameBytes = length;
      return Step.FRAME;
    }
    this.refusedBytes = this.#isLittleEndian ? length >>> 0 : length;
    this.#broken = this.refusedBytes < 0 ? Step.NEGATIVE : Step.TOO_LARGE;
    return this.#broken;
  }

  #takeFromChunk(): Step {
    this.buffer = this.#chunk;
    this.position = this.#chunkPosition;
    this.end = this.#chunkPosition + this.frameBytes;
    this.#chunkPosition = this.end;
    this.#startNext();
    return Step.FRAME;
  }

  #gather(): Step {
    const missing = this.frameBytes - this.#gatheredBytes;
    const bytes = Math.min(missing, this.restBytes);
    if (bytes === 0) return this.#needBytes();
    if (this.#gatheredBytes + bytes > this.#gatherBytesMax) {
      this.growBytes = gatherBytesFor(this.#gatheredBytes + bytes, this.frameBytes) - this.#gatherBytesMax;
      return Step.GROW;
    }
    this.#chunk.copy(this.#gathered, this.#gatheredBytes, this.#chunkPosition, this.#chunkPosition + bytes);
    this.#gatheredBytes += bytes;
    this.#chunkPosition += bytes;
    if (bytes < missing) return this.#needBytes();
    this.buffer = this.#gathered;
    this.#lent = this.#gathered;
    this.position = 0;
    this.end = this.frameBytes;
    this.#gathered = NOTHING;
    this.#gatheredBytes = 0;
    this.#gatherBytesMax = 0;
    this.#startNext();
    return Step.FRAME;
  }

  #startNext(): void {
    this.frameBytes = -1;
  }

  /** The chunk is used up: an idle connection holds no memory. */
  #needBytes(): Step {
    dispose(this.#chunk);
    this.#dropChunk();
    return Step.NEED_BYTES;
  }

  /** What the last FRAME gave is read. */
  #takeBack(): void {
    this.buffer = NOTHING;
    if (this.#lent === NOTHING) return;
    gathering.give(this.#lent);
    this.#lent = NOTHING;
  }

  /** Somebody may still read what the last FRAME gave: the memory is left to the garbage collector. */
  #dropChunk(): void {
    this.buffer = NOTHING;
    this.#lent = NOTHING;
    this.#chunk = NOTHING;
    this.#chunkPosition = 0;
    this.#chunkEnd = 0;
  }
}

/** The gathering buffer for a body of `frameBytes` of which `bytes` have come. */
function gatherBytesFor(bytes: number, frameBytes: number): number {
  const wanted = Math.max(GATHER_BYTES_FIRST, bytes * GATHER_GROWTH);
  return wanted * 2 >= frameBytes ? gatherBytesMax(frameBytes) : sizeFor(wanted);
}

/** The largest body whose gathering buffer fits into so much memory. */
export function frameBytesFor(memoryBytes: number): number {
  let bytes = memoryBytes;
  while (bytes > 0 && sizeFor(bytes) > memoryBytes) bytes = Math.floor(bytes / 2);
  return bytes;
}

/** What the gathering buffer of a whole body takes. */
export function gatherBytesMax(frameBytes: number): number {
  return sizeFor(frameBytes);
}

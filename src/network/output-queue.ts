/**
 * Bytes on their way to one socket, in the order in which they were given, written as far as the system takes them.
 *
 *     parts     [ buffer ][ buffer ][ source: read as it is sent ][ buffer ]
 *                 ^ frontPosition: bytes of the first buffer that are written already
 *
 * A buffer that is pushed belongs to the queue: its former owner does not change it. Small neighbours are copied together and go
 * out in one write (a system call costs more than copying 16 KiB); large ones are written where they lie. The place where
 * they are copied together is shared by all queues, because a write takes its bytes or leaves them, and never keeps them.
 *
 * A source (base/byte-source.ts) lends some bytes for each write. What the system does not take of them is dropped, and read again
 * when it can take more: so a peer that does not read holds the few bytes between sources, and those in a copy of their own, because
 * they may be a small part of a large buffer.
 *
 * One call writes some `FLUSH_BYTES_MAX` at most, and of sources what the turn has room for (base/loop/turn-bytes.ts): a peer as fast as this
 * machine must not keep the loop to itself, nor many that read at once.
 */

import { fail } from "../base/assert.ts";
import type { ByteSource } from "../base/byte-source.ts";
import { turnBytes } from "../base/loop/turn-bytes.ts";
import { Ring } from "../base/ring.ts";
import { KiB, MiB } from "../base/units.ts";

/** What the queue needs of a socket: as Bun's, `write` returns how many bytes were taken, -1 when it is closed. */
export interface ByteSink {
  write(data: Buffer, position: number, bytes: number): number;
}

/** From here a write of its own costs less than copying. */
const COALESCED_BYTES_MAX = 16 * KiB;
/** Less than 1 ms. */
export const FLUSH_BYTES_MAX = 1 * MiB;
/** A buffer that stays is copied when what lies around it is more than this many times its size. */
const BUFFER_SHARE_MAX = 4;
const scratch = Buffer.allocUnsafeSlow(64 * KiB);

export class OutputQueue {
  /** Bytes given and not yet taken by the system. */
  bytes = 0;
  /** Those of them that are held in memory. */
  heldBytes = 0;
  /** The front waits for the disk or for a turn with room; `ready` will be called. */
  isWaiting = false;
  readonly #parts = new Ring<Buffer | ByteSource>();
  readonly #ready: () => void;
  #sources = 0;
  #frontPosition = 0;
  /** The system takes no more until `drained`. */
  #isFull = false;
  /** The system has left something of what was given since the last write. */
  #isCompact = true;

  /** `ready` is called when a source that had to wait for the disk has something: it is to be flushed at once. */
  constructor(ready: () => void) {
    this.#ready = () => {
      this.isWaiting = false;
      ready();
    };
  }

  get hasSource(): boolean {
    return this.#sources > 0;
  }

  /** More can be written at once: only the length of the turn has ended the last flush. */
  get isInterrupted(): boolean {
    return this.bytes > 0 && !this.#isFull && !this.isWaiting;
  }

  /** Goes on in a later turn. */
  rest(): void {
    this.isWaiting = true;
    turnBytes.wait(this.bytes, this.#ready);
  }

  push(part: Buffer | ByteSource): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.bytes += part.length;
    this.#isCompact = false;
    if (part instanceof Uint8Array) this.heldBytes += part.length;
    else this.#sources += 1;
  }

  /** The system can take more. */
  drained(): void {
    this.#isFull = false;
  }

  /**
   * Writes until everything is gone, the system takes no more, a source waits or the turn is over. Returns the bytes taken, or -1
   * when the socket is closed. @throws ObeliskError when a source cannot be read again
   */
  flush(sink: ByteSink): number {
    let takenBytes = 0;
    while (this.bytes > 0 && takenBytes < FLUSH_BYTES_MAX) {
      const front = this.#parts.peek()!;
      // Nothing is read for a socket that will not take it.
      if (this.isWaiting || (this.#isFull && !(front instanceof Uint8Array))) break;
      if (!(front instanceof Uint8Array) && !turnBytes.hasRoom(front.length)) {
        this.rest();
        break;
      }
      const isGathered = this.#isFrontSmall(front);
      const piece = isGathered ? this.#gather() : this.#frontBytes(front);
      if (piece === null) {
        this.isWaiting = true;
        break;
      }
      const taken = sink.write(piece, 0, piece.length);
      if (taken < 0) return -1;
      if (this.#sources > 0) turnBytes.spend(piece.length);
      this.#advance(taken);
      takenBytes += taken;
      this.#isFull = taken < piece.length;
      if (this.#isFull) break;
    }
    if (this.bytes > 0 && !this.#isCompact) this.#compact();
    return takenBytes;
  }

  clear(): void {
    this.#parts.clear();
    this.#frontPosition = 0;
    this.#sources = 0;
    this.bytes = 0;
    this.heldBytes = 0;
    this.isWaiting = false;
  }

  /** Bytes of the front that can be written now; null when it waits for the disk. */
  #frontBytes(front: Buffer | ByteSource): Buffer | null {
    if (!(front instanceof Uint8Array)) return front.peek(this.#ready);
    return this.#frontPosition === 0 ? front : front.subarray(this.#frontPosition);
  }

  /** Alone in the queue, a part is written where it lies even if it is small. */
  #isFrontSmall(front: Buffer | ByteSource): boolean {
    return this.#parts.count > 1 && front.length - this.#frontPosition < COALESCED_BYTES_MAX;
  }

  /** Copies the small parts at the front into the shared place; null when the first waits for the disk. */
  #gather(): Buffer | null {
    let filled = 0;
    for (let index = 0; index < this.#parts.count; index += 1) {
      const part = this.#parts.at(index)!;
      const start = index === 0 ? this.#frontPosition : 0;
      const bytes = part.length - start;
      if (bytes >= COALESCED_BYTES_MAX || filled + bytes > scratch.length) break;
      const piece = part instanceof Uint8Array ? part : part.peek(this.#ready);
      if (piece === null) break;
      piece.copy(scratch, filled, start);
      filled += piece.length - start;
      // A source may have its bytes in several places: the rest goes next time.
      if (piece.length < part.length) break;
    }
    return filled === 0 ? null : scratch.subarray(0, filled);
  }

  #advance(takenBytes: number): void {
    if (takenBytes > this.bytes) fail("a socket took more bytes than it was offered");
    this.bytes -= takenBytes;
    let rest = takenBytes;
    while (rest > 0) {
      const front = this.#parts.peek()!;
      const bytes = Math.min(rest, front.length - this.#frontPosition);
      if (front instanceof Uint8Array) this.heldBytes -= bytes;
      rest -= bytes;
      if (this.#passFront(front, bytes)) continue;
      if (rest > 0) fail("a part was not taken from the queue");
    }
  }

  /** Passes bytes of the front; true when nothing is left of it. */
  #passFront(front: Buffer | ByteSource, bytes: number): boolean {
    const isSource = !(front instanceof Uint8Array);
    if (isSource) front.skip(bytes);
    else this.#frontPosition += bytes;
    if (front.length > this.#frontPosition) return false;
    this.#parts.shift();
    this.#frontPosition = 0;
    if (isSource) this.#sources -= 1;
    return true;
  }

  /** What must wait does not keep alive what lies around it. */
  #compact(): void {
    for (let index = 0; index < this.#parts.count; index += 1) {
      const part = this.#parts.at(index)!;
      if (!(part instanceof Uint8Array) || part.length * BUFFER_SHARE_MAX > part.buffer.byteLength) continue;
      const copy = Buffer.allocUnsafeSlow(part.length);
      part.copy(copy);
      this.#parts.replace(index, copy);
    }
    this.#isCompact = true;
  }
}

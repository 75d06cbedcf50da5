/**
 * Bytes on their way to one socket: buffers in the order in which they were given, written as far as the system takes them.
 *
 *     buffers   [ a ][ b ][ c      ][ d ]
 *                 ^ frontPosition: bytes of the first buffer that are written already
 *
 * A buffer that is given belongs to the queue: the giver does not change it. Small neighbours are copied together and go
 * out in one write (a system call costs more than copying 16 KiB); large ones are written where they lie. The place where
 * they are copied together is shared by all queues, because a write takes its bytes or leaves them, and never keeps them.
 */

import { fail } from "../base/assert.ts";
import { Ring } from "../base/ring.ts";
import { KiB } from "../base/units.ts";

/** What the queue asks of a socket: as Bun's, `write` returns how many bytes were taken, -1 when it is closed. */
export interface ByteSink {
  write(data: Buffer, position: number, bytes: number): number;
}

/** From here a write of its own costs less than copying. */
const COALESCED_BYTES_MAX = 16 * KiB;
const scratch = Buffer.allocUnsafeSlow(64 * KiB);

export class OutputQueue {
  /** Bytes given and not yet taken by the system. */
  bytes = 0;
  readonly #buffers = new Ring<Buffer>();
  #frontPosition = 0;

  push(buffer: Buffer): void {
    if (buffer.length === 0) return;
    this.#buffers.push(buffer);
    this.bytes += buffer.length;
  }

  /** Writes until everything is gone or the system takes no more. Returns the bytes taken, or -1 when the socket is closed. */
  flush(sink: ByteSink): number {
    let takenBytes = 0;
    while (this.bytes > 0) {
      const isGathered = this.#isFrontSmall();
      const offered = isGathered ? this.#gather() : this.#frontBytes();
      const taken = isGathered
        ? sink.write(scratch, 0, offered)
        : sink.write(this.#buffers.peek()!, this.#frontPosition, offered);
      if (taken < 0) return -1;
      this.#advance(taken);
      takenBytes += taken;
      if (taken < offered) return takenBytes;
    }
    return takenBytes;
  }

  clear(): void {
    this.#buffers.clear();
    this.#frontPosition = 0;
    this.bytes = 0;
  }

  #frontBytes(): number {
    return this.#buffers.peek()!.length - this.#frontPosition;
  }

  /** Alone in the queue, a buffer is written where it lies even if it is small. */
  #isFrontSmall(): boolean {
    return this.#buffers.count > 1 && this.#frontBytes() < COALESCED_BYTES_MAX;
  }

  /** Copies the small buffers at the front into the shared place; returns how many bytes they are. */
  #gather(): number {
    let filled = 0;
    for (let index = 0; index < this.#buffers.count; index += 1) {
      const buffer = this.#buffers.at(index)!;
      const start = index === 0 ? this.#frontPosition : 0;
      const bytes = buffer.length - start;
      if (bytes >= COALESCED_BYTES_MAX || filled + bytes > scratch.length) break;
      buffer.copy(scratch, filled, start);
      filled += bytes;
    }
    return filled;
  }

  #advance(takenBytes: number): void {
    if (takenBytes > this.bytes) fail("a socket took more bytes than it was offered");
    this.bytes -= takenBytes;
    let rest = takenBytes;
    while (rest > 0) {
      const bytes = this.#frontBytes();
      if (rest < bytes) {
        this.#frontPosition += rest;
        return;
      }
      rest -= bytes;
      this.#buffers.shift();
      this.#frontPosition = 0;
    }
  }
}

/**
 * A socket of the HTTP door as node:http wants it: a stream. Bun's own HTTP server tells nobody of a connection before its first
 * request is whole, so that connections which send none could not be counted.
 *
 * What the socket does not take at once waits here, one chunk at a time; node:http waits meanwhile. What node:http does not take is
 * left in the socket.
 */

import { Duplex } from "node:stream";

/** The part of Bun's socket that is used. */
export interface StreamSocket {
  readonly remoteAddress: string;
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  /** Shuts the sending side. */
  shutdown(): void;
  end(): void;
}

export class HttpStream extends Duplex {
  readonly #socket: StreamSocket;
  #unsent: Buffer | null = null;
  #taken: (() => void) | null = null;

  constructor(socket: StreamSocket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
  }

  received(bytes: Uint8Array): void {
    if (!this.push(Buffer.from(bytes))) this.#socket.pause();
  }

  /** The peer sends nothing more; it may still read. */
  ended(): void {
    this.push(null);
  }

  drained(): void {
    if (this.#unsent === null) return;
    const count = this.#socket.write(this.#unsent);
    if (count < 0) {
      this.destroy();
      return;
    }
    if (count < this.#unsent.length) {
      this.#unsent = this.#unsent.subarray(count);
      return;
    }
    const taken = this.#taken;
    this.#unsent = null;
    this.#taken = null;
    taken?.();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, taken: () => void): void {
    this.#unsent = chunk;
    this.#taken = taken;
    this.drained();
  }

  override _final(done: () => void): void {
    this.#socket.shutdown();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.end();
    done(error);
  }
}

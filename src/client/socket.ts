/**
 * One TCP connection as the client sees it: bytes out in order, chunks in, one end.
 *
 *   - `write` never blocks: what the kernel does not take waits in a queue and goes out when the socket drains. The
 *     queue is bounded by the callers (requests in flight, frames without a response), which is why it has no bound here.
 *   - What is written in one turn goes out together at its end; small buffers are joined, because a system call for each (about
 *     10 us) would cost more than the copy, and the other side would work in crumbs.
 *   - A buffer given to `write` belongs to the socket until it is out.
 *   - `closed` is called exactly once, with the reason, unless `close` was called by the owner.
 *
 * It knows nothing of frames; connection.ts (Kafka) and native-producer.ts do.
 */

import { type Address, formatAddress } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { canOpen } from "../base/descriptors/descriptor-limit.ts";
import { errnoOf, ObeliskError } from "../base/errors.ts";
import { Ring } from "../base/ring.ts";
import { KiB } from "../base/units.ts";

/** Joined up to this size: what a socket's buffer takes at once. */
const JOIN_BYTES_MAX = 64 * KiB;

export interface SocketHandler {
  /** Bytes arrived. The chunk is the handler's from now on. */
  received(chunk: Buffer): void;
  closed(error: ObeliskError): void;
}

export interface SocketOptions {
  readonly address: Address;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  /** What to do when the connection is refused. */
  readonly remedy: string;
}

export class ClientSocket {
  readonly address: string;
  readonly #handler: SocketHandler;
  readonly #queue = new Ring<Buffer>();
  readonly #drainListeners: (() => void)[] = [];
  #queuedBytes = 0;
  /** The buffer that is going out; null between two. */
  #current: Buffer | null = null;
  #currentPosition = 0;
  #isWritePlanned = false;
  #socket: Bun.Socket<undefined> | null = null;
  #isClosed = false;

  private constructor(address: string, handler: SocketHandler) {
    this.address = address;
    this.#handler = handler;
  }

  /** @throws ObeliskError CONNECTION_FAILED with the address and a remedy */
  static async open(options: SocketOptions, handler: SocketHandler): Promise<ClientSocket> {
    const client = new ClientSocket(formatAddress(options.address), handler);
    const timeout = Promise.withResolvers<never>();
    const timer = options.clock.after(options.connectTimeoutMs, () =>
      timeout.reject(
        connectionFailed(client.address, options, `timed out after ${options.connectTimeoutMs} ms`),
      ),
    );
    const connecting = client.#connect(options);
    try {
      await Promise.race([connecting, timeout.promise]);
    } catch (thrown) {
      client.#isClosed = true;
      connecting.then(
        () => client.#socket?.terminate(),
        () => {}, // The race has reported it already.
      );
      throw thrown;
    } finally {
      timer.cancel();
    }
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends all of `bytes` after what was given before. Does nothing once the connection is closed. */
  write(bytes: Buffer): void {
    if (this.#isClosed) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#isWritePlanned) return;
    this.#isWritePlanned = true;
    queueMicrotask(() => {
      this.#isWritePlanned = false;
      this.#writeQueue();
    });
  }

  /** Resolves when the kernel has taken everything, or the connection has ended. */
  drained(): Promise<void> {
    if (this.#isClosed || this.#queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drainListeners.push(resolve));
  }

  /** Ends the connection without telling the handler. */
  close(): void {
    if (this.#isClosed) return;
    this.#writeQueue();
    this.#isClosed = true;
    this.#evictQueue();
    this.#socket?.end();
  }

  async #connect(options: SocketOptions): Promise<void> {
    const { host, port } = options.address;
    try {
      this.#socket = await Bun.connect<undefined>({
        hostname: host,
        port,
        socket: {
          open: (socket) => {
            socket.setNoDelay(true);
          },
          data: (_, chunk) => {
            if (!this.#isClosed) this.#handler.received(chunk);
          },
          drain: () => this.#writeQueue(),
          close: (_, error) => this.#ended(error),
          end: () => this.#ended(undefined),
          error: (_, error) => this.#ended(error),
          connectError: () => {}, // Bun.connect rejects with the same error.
        },
      });
    } catch (thrown) {
      throw connectionFailed(this.address, options, errnoOf(thrown) ?? "", thrown);
    }
  }

  #writeQueue(): void {
    const socket = this.#socket;
    if (socket === null || this.#isClosed) return;
    for (;;) {
      this.#current ??= this.#nextPiece();
      if (this.#current === null) break;
      const rest = this.#current.length - this.#currentPosition;
      const written = Math.max(0, socket.write(this.#current, this.#currentPosition, rest));
      this.#queuedBytes -= written;
      if (written < rest) {
        this.#currentPosition += written;
        return;
      }
      this.#current = null;
      this.#currentPosition = 0;
    }
    this.#tellDrained();
  }

  /** The front of the queue, with the small buffers after it joined to it; null when there is none. */
  #nextPiece(): Buffer | null {
    const first = this.#queue.shift();
    if (first === undefined) return null;
    const pieces = [first];
    let bytes = first.length;
    for (
      let next = this.#queue.peek();
      next !== undefined && bytes + next.length <= JOIN_BYTES_MAX;
      next = this.#queue.peek()
    ) {
      pieces.push(next);
      bytes += next.length;
      this.#queue.shift();
    }
    return pieces.length === 1 ? first : Buffer.concat(pieces, bytes);
  }

  #evictQueue(): void {
    this.#queue.clear();
    this.#current = null;
    this.#queuedBytes = 0;
    this.#tellDrained();
  }

  #tellDrained(): void {
    for (const listener of this.#drainListeners.splice(0)) listener();
  }

  #ended(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#evictQueue();
    this.#socket?.end();
    this.#handler.closed(new ObeliskError("CONNECTION_CLOSED", { address: this.address }, error));
  }
}

function connectionFailed(
  address: string,
  options: SocketOptions,
  reason: string,
  cause?: unknown,
): ObeliskError {
  const detail =
    reason === "" ? "cannot connect to the broker" : `cannot connect to the broker: ${reasonText(reason)}`;
  return new ObeliskError("CONNECTION_FAILED", { detail, address, remedy: options.remedy }, cause);
}

function reasonText(reason: string): string {
  // Bun says the same of a process that has no descriptor left.
  if (reason === "ECONNREFUSED" && !canOpen(1))
    return "this process has reached its limit of open files, raise it (`ulimit -n`)";
  if (reason === "ECONNREFUSED") return "connection refused";
  return reason;
}

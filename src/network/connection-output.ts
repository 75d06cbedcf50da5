/**
 * What goes out of one connection: responses in order, as far as the socket takes them, and how much of them may wait.
 *
 *     0 .......... outputSoftBytes / 2 .......... outputSoftBytes .......... outputHardBytes
 *        isLow: input goes on                         isHigh: input is held            isTooMuch: the peer is cut off
 *
 * A peer gets one response that is read as it is sent (base/byte-source.ts) at a time: while there is one, input is held too.
 */

import type { ByteSource } from "../base/byte-source.ts";
import { ObeliskError } from "../base/errors.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { type ByteSink, OutputQueue } from "./output-queue.ts";

/** The connection, as its output sees it. */
export interface OutputPeer {
  readonly remoteAddress: string;
  /** More can be written: flush in a turn of its own. */
  outputReady(): void;
  failed(error: unknown): void;
}

type OutputOptions = Pick<
  ConnectionOptions<unknown>,
  "outputSoftBytes" | "outputHardBytes" | "counters" | "log"
>;

export class ConnectionOutput {
  /** What the system has taken so far. */
  bytesOut = 0;
  readonly #options: OutputOptions;
  readonly #socket: ByteSink;
  readonly #peer: OutputPeer;
  readonly #queue: OutputQueue;

  constructor(options: OutputOptions, socket: ByteSink, peer: OutputPeer) {
    this.#options = options;
    this.#socket = socket;
    this.#peer = peer;
    this.#queue = new OutputQueue(() => peer.outputReady());
  }

  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Those of them that are held in memory. */
  get heldBytes(): number {
    return this.#queue.heldBytes;
  }

  /** For the disk, or for a turn with room. */
  get isWaiting(): boolean {
    return this.#queue.isWaiting;
  }

  get isLow(): boolean {
    return !this.#queue.hasSource && this.#queue.bytes <= this.#options.outputSoftBytes / 2;
  }

  get isHigh(): boolean {
    return this.#queue.hasSource || this.#queue.heldBytes > this.#options.outputSoftBytes;
  }

  get isTooMuch(): boolean {
    return this.#queue.heldBytes > this.#options.outputHardBytes;
  }

  push(part: Buffer | ByteSource): void {
    this.#queue.push(part);
  }

  drained(): void {
    this.#queue.drained();
    if (this.#queue.bytes > 0) this.#peer.outputReady();
  }

  /** What the socket took, or -1 when the connection must be closed. */
  flush(): number {
    const takenBytes = this.#flush();
    if (takenBytes <= 0) return takenBytes;
    this.bytesOut += takenBytes;
    this.#options.counters.bytesOut += takenBytes;
    return takenBytes;
  }

  /** Where only the length of the turn has ended the flush, it goes on in a later one. */
  restIfInterrupted(): void {
    if (this.#queue.isInterrupted) this.#queue.rest();
  }

  /** Counts and logs that the peer is cut off because it does not read. */
  reportCut(): void {
    this.#options.counters.cutSlow += 1;
    this.#options.log.warn("a connection that does not read its responses is closed", {
      address: this.#peer.remoteAddress,
    });
  }

  clear(): void {
    this.#queue.clear();
  }

  #flush(): number {
    try {
      return this.#queue.flush(this.#socket);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) {
        this.#peer.failed(thrown);
        return -1;
      }
      // The length of the response was promised: only the end of the connection tells the peer, which connects and requests it again.
      const facts = { address: this.#peer.remoteAddress, error: thrown.message };
      this.#options.log.debug("a connection is closed: its response cannot be read to the end", facts);
      return -1;
    }
  }
}

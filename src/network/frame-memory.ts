/**
 * One connection's part of the memory for requests: what it holds, and of that what only its peer can bring to an end.
 *
 *     part       the gathering buffer of the frame that is not whole yet        unfinished: the peer has to send
 *     rest       what is left of the last chunk while the input is held         unfinished where the peer itself is the reason
 *     delivered  frames that handlers have, until they release them             the same
 *
 * A part of a frame above 256 KiB waits for its memory before it grows; what has come already is counted at once (smaller frames, whole
 * ones, the rest of a chunk). Frames of 64 KiB and less are not counted once they are whole: they are handled where they lie. When the
 * connection closes, everything is given back; a handler that releases a frame later releases nothing.
 */

import { fail } from "../base/assert.ts";
import type { BudgetWaiter, MemoryAccount, MemoryHolder } from "../base/memory/memory-account.ts";
import type { MemoryBudget } from "../base/memory/memory-budget.ts";
import { KiB } from "../base/units.ts";
import { gatherBytesMax } from "./framing.ts";

/** Whole frames up to this size are not counted: most are smaller, and are handled where they lie. */
const COUNTED_FROM_BYTES = 64 * KiB;
/** Frames up to this size never wait for memory: most of one comes with its first bytes, and usual requests are smaller. */
const WAITING_FROM_BYTES = 256 * KiB;
/** What came before anybody wanted it counts as large, however little it is: it may not take the room that is left for small requests. */
const UNWANTED = Number.POSITIVE_INFINITY;

/** The connection, as its memory sees it. */
export interface FramePeer {
  readonly remoteHost: string;
  readonly bytesIn: number;
  /** A peer that reads a response moves as well: meanwhile nothing is read from it. */
  readonly bytesOut: number;
  /** Whether the input is held because of what the peer does: it waits in a long poll, or does not read its responses. */
  readonly isHeldByPeer: boolean;
  /** Whether it would go on if the turn had room: that it stands still is not its peer's fault. */
  readonly isWaitingForTurn: boolean;
  /** Closes the connection at once, because others wait for the memory. */
  cutForMemory(heldBytes: number): void;
}

export class FrameMemory implements MemoryHolder {
  readonly host: string;
  readonly #peer: FramePeer;
  readonly #budget: MemoryBudget;
  /** Made when something is held: most connections never hold anything. */
  #opened: MemoryAccount | null = null;
  #partBytes = 0;
  #restBytes = 0;
  /** Of what the last chunk has left, what is counted as a part of the frame already: it waits to be gathered. */
  #cameBytes = 0;
  #deliveredBytes = 0;

  constructor(budget: MemoryBudget, peer: FramePeer) {
    this.host = peer.remoteHost;
    this.#peer = peer;
    this.#budget = budget;
  }

  get #account(): MemoryAccount {
    this.#opened ??= this.#budget.open(this);
    return this.#opened;
  }

  get movedBytes(): number {
    return this.#peer.bytesIn + this.#peer.bytesOut;
  }

  get unfinishedBytes(): number {
    if (this.#peer.isWaitingForTurn) return 0;
    return this.#peer.isHeldByPeer
      ? this.#account.bytes
      : this.#partBytes + (this.#account.isGrowing ? this.#restBytes : 0);
  }

  get isResting(): boolean {
    return this.#peer.isHeldByPeer;
  }

  evict(heldBytes: number): void {
    this.#peer.cutForMemory(heldBytes);
  }

  /**
   * True: the gathering buffer of a frame may grow. False: `waiter.budgetGranted` will be called, and has to call `granted`.
   * `restBytes`: what the last chunk has left.
   */
  grow(growBytes: number, frameBytes: number, restBytes: number, waiter: BudgetWaiter): boolean {
    const hasCome = restBytes >= growBytes;
    if (hasCome || frameBytes <= WAITING_FROM_BYTES) this.#account.charge(growBytes, frameBytes);
    else if (!this.#account.grow(growBytes, waiter, gatherBytesMax(frameBytes), restBytes)) {
      this.#cameBytes = restBytes;
      this.#partBytes += restBytes;
      return false;
    }
    this.#partBytes += growBytes;
    return true;
  }

  granted(grantedBytes: number): void {
    this.#partBytes += grantedBytes;
  }

  /** A frame is whole, and goes to the handler. */
  deliver(frameBytes: number): void {
    const countedBytes = frameBytes <= COUNTED_FROM_BYTES ? 0 : frameBytes;
    if (countedBytes === 0 && this.#partBytes === 0) return;
    this.#account.complete();
    if (countedBytes > this.#partBytes) this.#account.charge(countedBytes - this.#partBytes, frameBytes);
    else this.#account.release(this.#partBytes - countedBytes);
    this.#partBytes = 0;
    this.#deliveredBytes += countedBytes;
  }

  /** So much of the last chunk stays until the input goes on. */
  keepRest(chunkBytes: number): void {
    this.#cameBytes = Math.min(this.#cameBytes, chunkBytes);
    const restBytes = chunkBytes - this.#cameBytes;
    if (restBytes === this.#restBytes) return;
    if (restBytes > this.#restBytes) this.#account.charge(restBytes - this.#restBytes, UNWANTED);
    else this.#account.release(this.#restBytes - restBytes);
    this.#restBytes = restBytes;
  }

  /** The handler is done with a frame. */
  release(frameBytes: number): void {
    if (frameBytes <= COUNTED_FROM_BYTES) return;
    if (frameBytes > this.#deliveredBytes) fail("a duplicate release of a frame");
    this.#deliveredBytes -= frameBytes;
    this.#account.release(frameBytes);
  }

  /** Nothing more is read: drops what is not whole, and what is waited for. */
  drop(waiter: BudgetWaiter): void {
    this.#opened?.cancel(waiter);
    this.#opened?.complete();
    this.#opened?.release(this.#partBytes + this.#restBytes);
    this.#partBytes = 0;
    this.#restBytes = 0;
  }

  close(): void {
    this.#opened?.close();
  }
}

/**
 * The frames that one connection receives, with the memory that they hold on the way: the cutter (framing.ts) and the connection's part
 * of the memory for requests (frame-memory.ts) go in step here.
 *
 *     feed chunk -> next: FRAME        the body is `buffer[position, end)`, lent until the next call; its memory is the handler's
 *                         NEED_BYTES   nothing is held but what of the next frame is there
 *                         GROW         it waits for memory: `peer.memoryCame` is called, then `next` goes on
 *                         others       those of the cutter
 */

import type { BudgetWaiter } from "../base/memory/memory-account.ts";
import type { MemoryBudget } from "../base/memory/memory-budget.ts";
import { KiB } from "../base/units.ts";
import type { FrameViolation } from "./frame-handler.ts";
import { FrameMemory, type FramePeer } from "./frame-memory.ts";
import { type ByteOrder, FrameCutter, Step } from "./framing.ts";

/** A peer in the middle of a frame above this sends on for a while. */
const LONG_FROM_BYTES = 64 * KiB;

export interface InputPeer extends FramePeer {
  /** The memory is held now, and reading may go on. Called within another connection's turn: schedule it. */
  memoryCame(): void;
}

export interface FrameFormat {
  readonly byteOrder: ByteOrder;
  readonly frameBytesMax: number;
  readonly budget: MemoryBudget;
}

export class FrameInput implements BudgetWaiter {
  readonly #peer: InputPeer;
  readonly #cutter: FrameCutter;
  readonly #memory: FrameMemory;
  #isGrowthGranted = false;

  constructor({ byteOrder, frameBytesMax, budget }: FrameFormat, peer: InputPeer) {
    this.#peer = peer;
    this.#cutter = new FrameCutter(byteOrder, frameBytesMax);
    this.#memory = new FrameMemory(budget, peer);
  }

  /** The body after FRAME lies in `buffer[position, end)`. */
  get buffer(): Buffer {
    return this.#cutter.buffer;
  }

  get position(): number {
    return this.#cutter.position;
  }

  get end(): number {
    return this.#cutter.end;
  }

  /** The length that was refused. */
  get refusedBytes(): number {
    return this.#cutter.refusedBytes;
  }

  /** What has come of a frame that is not whole, or was not looked at. */
  get incompleteBytes(): number {
    return this.#cutter.incompleteBytes;
  }

  /** In the middle of a long frame. */
  get isLong(): boolean {
    return this.#cutter.frameBytes > LONG_FROM_BYTES;
  }

  feed(chunk: Buffer): void {
    this.#cutter.feed(chunk);
  }

  next(): Step {
    for (;;) {
      const step = this.#cutter.next();
      if (step === Step.FRAME) this.#memory.deliver(this.#cutter.end - this.#cutter.position);
      if (step !== Step.GROW || !this.#canGrow()) return step;
      this.#isGrowthGranted = false;
      this.#cutter.grow();
    }
  }

  /** What the last chunk has left stays for a while, and is counted. */
  keepRest(): void {
    this.#cutter.keepRest();
    this.#memory.keepRest(this.#cutter.restBytes);
  }

  /** A handler is done with a frame. */
  release(frameBytes: number): void {
    this.#memory.release(frameBytes);
  }

  budgetGranted(bytes: number): void {
    this.#memory.granted(bytes);
    this.#isGrowthGranted = true;
    this.#peer.memoryCame();
  }

  /** Nothing more is read: drops the frame under way, and what it holds or waits for. */
  drop(): void {
    this.#memory.drop(this);
    this.#cutter.clear();
  }

  /** Handlers hold nothing more either. */
  close(): void {
    this.drop();
    this.#memory.close();
  }

  #canGrow(): boolean {
    const { growBytes, frameBytes, restBytes } = this.#cutter;
    return this.#isGrowthGranted || this.#memory.grow(growBytes, frameBytes, restBytes, this);
  }
}

/** What a step that is no frame and wants nothing means to a handler. */
export function violationOf(step: Step): FrameViolation {
  if (step === Step.EMPTY) return "empty";
  return step === Step.NEGATIVE ? "negative" : "too-large";
}

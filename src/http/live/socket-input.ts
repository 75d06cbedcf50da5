/**
 * What comes in over one WebSocket, taken in its order, as fast as it is wanted and in slices of the loop's time.
 *
 *     Bun ---> frame ---> taken at once, while the turn's share lasts and nothing speaks against it (`mayTake`)
 *                   `---> waits here, and nothing further is read of the socket until all that waits is taken
 *
 * A socket that is not read is how a peer is slowed down: its own writes wait. What Bun has read before it was paused still comes, half a
 * megabyte at most, and is counted.
 */

import type { Clock } from "../../base/clock.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { Ring } from "../../base/ring.ts";
import type { RequestMemory } from "../request-memory.ts";
import type { Socket } from "./socket-output.ts";

export interface SocketInputOptions {
  readonly socket: Pick<Socket, "pause" | "resume">;
  readonly clock: Clock;
  /** Counts what waits. */
  readonly memory: Pick<RequestMemory, "charge" | "release">;
  /** False: not now; `changed` tells when to ask again. */
  readonly mayTake: () => boolean;
  readonly take: (frame: Buffer) => void;
}

export class SocketInput {
  readonly #options: SocketInputOptions;
  readonly #waiting = new Ring<Buffer>();
  /** Of the turn that runs; null before its first frame. */
  #share: TurnShare | null = null;
  #isTaking = false;
  #isClosed = false;
  #changed: (() => void) | null = null;

  constructor(options: SocketInputOptions) {
    this.#options = options;
  }

  /** Nothing is read of the socket. */
  get isPaused(): boolean {
    return this.#isTaking;
  }

  received(frame: Buffer): void {
    if (this.#isClosed) return;
    if (!this.#isTaking && this.#mayNow()) {
      this.#options.take(frame);
      return;
    }
    this.#waiting.push(frame);
    this.#options.memory.charge(frame.length);
    if (!this.#isTaking) void this.#takeWaiting();
  }

  /** `mayTake` may say something else now. */
  changed(): void {
    this.#changed?.();
  }

  /** What waits is dropped. */
  close(): void {
    this.#isClosed = true;
    this.#changed?.();
  }

  #mayNow(): boolean {
    return this.#options.mayTake() && !this.#shareOfTurn().isUsedUp;
  }

  #shareOfTurn(): TurnShare {
    if (this.#share === null) {
      this.#share = new TurnShare(this.#options.clock);
      setImmediate(() => {
        this.#share = null;
      });
    }
    return this.#share;
  }

  async #takeWaiting(): Promise<void> {
    const { clock, socket, memory, mayTake, take } = this.#options;
    this.#isTaking = true;
    socket.pause();
    const share = new TurnShare(clock);
    await share.rest();
    for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift()) {
      while (!this.#isClosed && !mayTake()) await this.#whenChanged();
      if (share.isUsedUp) await share.rest();
      if (this.#isClosed) return;
      memory.release(frame.length);
      take(frame);
    }
    this.#isTaking = false;
    if (!this.#isClosed) socket.resume();
  }

  async #whenChanged(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#changed = resolve;
    });
    this.#changed = null;
  }
}

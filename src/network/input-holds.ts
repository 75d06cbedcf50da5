/**
 * Why a connection's input is not read. Reasons are counted apart, so that one cannot lift another:
 *
 *     HANDLER   `pauseInput` .. `resumeInput`; frames that are there already wait too, in order
 *     OUTPUT    unsent output above the soft limit, until half of it is gone, or any that is read as it is sent (base/byte-source.ts),
 *               until all of it is gone: a peer that does not read may not request more
 *     MEMORY    the frame under way waits until its gathering buffer may grow
 *     COMEBACK  one of its host was just cut (cut-hosts.ts)
 *     TURN      frames have taken enough of this turn of the loop (frame-turns.ts)
 */

import type { PeerSocket } from "./connection-options.ts";

export const Hold = { HANDLER: 1, OUTPUT: 2, MEMORY: 4, TURN: 8, COMEBACK: 16 } as const;
export type Hold = (typeof Hold)[keyof typeof Hold];

export class InputHolds {
  readonly #socket: Pick<PeerSocket, "pause" | "resume">;
  #reasons = 0;
  #isPaused = false;

  constructor(socket: Pick<PeerSocket, "pause" | "resume">) {
    this.#socket = socket;
  }

  get isFree(): boolean {
    return this.#reasons === 0;
  }

  has(reason: Hold): boolean {
    return (this.#reasons & reason) !== 0;
  }

  add(reason: Hold): void {
    this.#reasons |= reason;
  }

  /** True when there was this reason, and is none any more. */
  remove(reason: Hold): boolean {
    if (!this.has(reason)) return false;
    this.#reasons &= ~reason;
    return this.isFree;
  }

  clear(): void {
    this.#reasons = 0;
  }

  /** Makes the socket do what the reasons say. */
  apply(): void {
    const isHeld = !this.isFree;
    if (isHeld === this.#isPaused) return;
    this.#isPaused = isHeld;
    if (isHeld) this.#socket.pause();
    else this.#socket.resume();
  }
}

/**
 * What goes out over one WebSocket, and whether its peer takes it.
 *
 *     send ---> the system takes it            the next may follow
 *         `---> Bun keeps it (blocked) ---> drained ---> the next may follow
 *                      `-- for too long: the peer is cut (live-socket.ts)
 *
 * Whoever makes more waits until what was before has left (`whenFree`). So Bun keeps one message of records at most, beside the answers
 * to what was under way.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { SECOND_MS } from "../../base/units.ts";

export type Socket = Bun.ServerWebSocket<unknown>;

/** How long a peer that was cut has to take the reason. */
const LEAVE_MS = 5 * SECOND_MS;
/** Of the reason in a close frame (RFC 6455, 5.5). */
const REASON_BYTES_MAX = 123;

export class SocketOutput {
  readonly #socket: Socket;
  readonly #clock: Clock;
  /** Since when Bun keeps what the system has not taken; -1: it has taken all. */
  #blockedSinceMs = -1;
  #isClosed = false;
  #free: PromiseWithResolvers<void> | null = null;
  #leaving: Timer | null = null;

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  get isBlocked(): boolean {
    return this.#blockedSinceMs >= 0;
  }

  /** For how long its peer has taken nothing of what there is. */
  get blockedMs(): number {
    return this.isBlocked ? this.#clock.monotonicMs() - this.#blockedSinceMs : 0;
  }

  /** Returns how long its text is; 0 when it is closed. */
  send(message: object): number {
    if (this.#isClosed) return 0;
    const text = JSON.stringify(message);
    if (this.#socket.send(text) === -1 && !this.isBlocked) this.#blockedSinceMs = this.#clock.monotonicMs();
    return text.length;
  }

  ping(): void {
    if (!this.#isClosed && !this.isBlocked) this.#socket.ping();
  }

  /** The system has taken some of it. */
  drained(): void {
    if (!this.isBlocked) return;
    if (this.#socket.getBufferedAmount() > 0) this.#blockedSinceMs = this.#clock.monotonicMs();
    else {
      this.#blockedSinceMs = -1;
      this.#release();
    }
  }

  /** Resolves when everything has left, or when it is closed. */
  async whenFree(): Promise<void> {
    if (!this.isBlocked || this.#isClosed) return;
    this.#free ??= Promise.withResolvers();
    await this.#free.promise;
  }

  /** With a code of RFC 6455 (7.4) and a reason in ASCII, after what was sent. */
  close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    const isShort = reason.length <= REASON_BYTES_MAX;
    this.#socket.close(code, isShort ? reason : `${reason.slice(0, REASON_BYTES_MAX - 3)}...`);
    this.#leaving = this.#clock.after(LEAVE_MS, () => this.#socket.terminate());
  }

  /** The connection is gone. */
  closed(): void {
    this.#isClosed = true;
    this.#leaving?.cancel();
    this.#release();
  }

  #release(): void {
    this.#free?.resolve();
    this.#free = null;
  }
}

/**
 * A tail over a WebSocket: what its client subscribed to.
 *
 *   {"type":"subscribed","id":1,"position":"5f3a9c01/0:120","offsets":{"0":120}}
 *   {"type":"messages","messages":[{...},...],"position":"5f3a9c01/0:128"}        as they come, those of one step together
 *   {"type":"position","position":"5f3a9c01/0:5120"}                              when a filter has passed over much
 *   {"type":"unreadable","partition":0,"firstOffset":7,"lastOffset":9,"reason":"..."}
 *   {"type":"end","reason":"limit"}
 *
 * `position` is the one after the message: a client that subscribes there misses nothing and sees nothing twice. It reads on when what it
 * has sent has left, and while its client has not paused it. Who pauses may get what was being read already.
 */

import type { Clock } from "../../base/clock.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { recordJson } from "../../protocol/record/record-json.ts";
import type { LiveTimes } from "./live-tails.ts";
import type { SocketOutput } from "./socket-output.ts";
import type { Tail } from "./tail.ts";
import type { TailMemory } from "./tail-memory.ts";
import { positionText, topicMark } from "./tail-position.ts";

/** Of one step: some 100 bytes surround each, as many as `STEP_BYTES` of records have themselves. */
const STEP_RECORDS = 500;

export interface SubscriptionOptions {
  readonly tail: Tail;
  /** Records after which it ends; may be Infinity. */
  readonly limit: number;
  readonly output: SocketOutput;
  readonly memory: TailMemory;
  readonly clock: Clock;
  readonly times: LiveTimes;
}

export class Subscription {
  readonly tail: Tail;
  readonly #options: SubscriptionOptions;
  readonly #mark: string;
  #left: number;
  #toldPosition = "";
  #isPaused = false;
  #resume: (() => void) | null = null;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.tail = options.tail;
    this.#left = options.limit;
    this.#mark = topicMark(options.tail.topic.id);
  }

  /** Its place, as its client hears of it. */
  get place(): { position: string; offsets: Record<string, number> } {
    return { position: this.#position(), offsets: Object.fromEntries(this.tail.offsets) };
  }

  /** Resolves when the limit is reached, or when it is closed. @throws ObeliskError as `Tail.step` */
  async run(): Promise<void> {
    const { output, memory, clock, times } = this.#options;
    const { tail } = this;
    let toldAtMs = clock.monotonicMs();
    while (!tail.isClosed) {
      await output.whenFree();
      if (this.#isPaused) await this.#whenResumed();
      await memory.begin();
      const records = await tail.step(Math.min(this.#left, STEP_RECORDS));
      loopTurns.enter("http");
      if (tail.isClosed) return;
      let bytes = 0;
      for (const batch of tail.unreadable) bytes += output.send({ type: "unreadable", ...batch });
      if (records.length > 0) {
        const messages = records.map(recordJson);
        bytes += output.send({ type: "messages", messages, position: this.#position() });
        this.#left -= records.length;
      } else if (bytes > 0) this.#tellPosition();
      if (this.#left === 0) {
        output.send({ type: "end", reason: "limit" });
        return;
      }
      const leftMs = toldAtMs + times.heartbeatMs - clock.monotonicMs();
      if (bytes > 0 || leftMs <= 0) toldAtMs = clock.monotonicMs();
      if (bytes > 0) memory.hold(bytes + tail.heldBytes, bytes);
      else if (leftMs <= 0) this.#tellPosition();
      else if (!tail.isBehind) {
        memory.release();
        await tail.wait(leftMs);
      }
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#resume?.();
  }

  /** May be called again. */
  close(): void {
    this.tail.close();
    this.#options.memory.close();
    this.#resume?.();
  }

  /** When it has moved without a word. */
  #tellPosition(): void {
    const told = this.#toldPosition;
    if (this.#position() !== told)
      this.#options.output.send({ type: "position", position: this.#toldPosition });
  }

  /** Nothing is held for a client that has paused. */
  async #whenResumed(): Promise<void> {
    this.tail.drop();
    this.#options.memory.release();
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      if (this.tail.isClosed) resolve();
    });
    this.#resume = null;
  }

  #position(): string {
    this.#toldPosition = positionText(this.#mark, this.tail.offsets);
    return this.#toldPosition;
  }
}

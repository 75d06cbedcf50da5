/**
 * What the Kafka door remembers of one connection: the requests under way, in order, and when the next may start.
 *
 *   under way   [produce][produce][produce]      produce may follow produce: a sync serves them all
 *   parked      fetch                            starts when everything before it is answered
 *   input       paused                           nothing further is read meanwhile
 *
 * Rules
 *   - Answers go out in the order of the requests, whatever order they are done in.
 *   - A pipelined request (Produce) may start behind unanswered ones of its kind; anything else starts alone, and
 *     nothing starts behind it. So a client that sends Produce and then Fetch reads what it wrote, and sequences of an
 *     idempotent producer are checked in the order in which they were sent.
 *   - At most one frame is parked and at most `IN_FLIGHT_MAX` requests are under way; then input is paused.
 */

import { Ring } from "../../base/ring.ts";
import { FetchRotation } from "../../consumer/long-poll.ts";
import type { FrameConnection } from "../../network/frame-handler.ts";
import type { KafkaContext } from "./context.ts";
import type { Exchange, ExchangeOwner } from "./exchange.ts";

/** Clients keep 5 in flight, load generators some hundreds; a waiting Produce is about 500 bytes. */
export const IN_FLIGHT_MAX = 1000;
/** A frame that came too early. */
export interface ParkedFrame {
  readonly buffer: Buffer;
  readonly position: number;
  readonly end: number;
}

type KafkaConnection = FrameConnection<KafkaSession>;

export class KafkaSession implements ExchangeOwner {
  readonly rotation = new FetchRotation();
  readonly #context: KafkaContext;
  readonly #connection: KafkaConnection;
  readonly #startParked: (session: KafkaSession, frame: ParkedFrame) => void;
  readonly #exchanges = new Ring<Exchange<never>>();
  #parked: ParkedFrame | null = null;
  #isPaused = false;
  #isClosed = false;
  #isNextScheduled = false;

  /** `startParked` starts a frame that was parked before. */
  constructor(
    context: KafkaContext,
    connection: KafkaConnection,
    startParked: (session: KafkaSession, frame: ParkedFrame) => void,
  ) {
    this.#context = context;
    this.#connection = connection;
    this.#startParked = startParked;
  }

  get address(): string {
    return this.#connection.remoteAddress;
  }

  get localHost(): string {
    return this.#connection.localHost;
  }

  get inFlightCount(): number {
    return this.#exchanges.count;
  }

  /** Whether the peer itself asked to wait: nothing is under way but a long poll. */
  get isPeerWaiting(): boolean {
    return this.#exchanges.peek()?.fetch?.isWaiting ?? false;
  }

  /** Whether a request may start now. */
  canStart(isPipelined: boolean): boolean {
    const last = this.#exchanges.last();
    if (last === undefined) return true;
    return isPipelined && last.route.isPipelined && this.#exchanges.count < IN_FLIGHT_MAX;
  }

  /** Keeps a copy of a frame that must wait, and reads no further. */
  park({ buffer, position, end }: ParkedFrame): void {
    this.#parked = { buffer: Buffer.from(buffer.subarray(position, end)), position: 0, end: end - position };
    this.#connection.expectAnswers(1);
    this.#pause();
  }

  /** A request is about to be handled. */
  begin(exchange: Exchange<never>, wasParked: boolean): void {
    this.#exchanges.push(exchange);
    if (!wasParked) this.#connection.expectAnswers(1);
  }

  /** A frame turned out to be no request: it will not be answered. */
  abandon(wasParked: boolean): void {
    if (wasParked) this.#connection.answered(1);
  }

  /** A request was handed to its handler: reads on only if another may start behind it. */
  started(exchange: Exchange<never>): void {
    if (exchange.isDone) return;
    if (!exchange.route.isPipelined || this.#exchanges.count >= IN_FLIGHT_MAX) this.#pause();
  }

  answered(exchange: Exchange<never>, answer: unknown): void {
    if (this.#isClosed) return;
    try {
      exchange.encoded = exchange.route.encode(exchange.version, exchange.correlationId, answer);
    } catch (thrown) {
      this.#context.log.error("an answer could not be encoded, the connection is closed", {
        api: exchange.route.name,
        version: exchange.version,
        address: this.address,
        error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
      });
      this.#connection.closeNow();
      return;
    }
    this.ended();
  }

  /** Sends what is done at the front; then goes on with what waited for it. */
  ended(): void {
    if (this.#isClosed) return;
    for (let front = this.#exchanges.peek(); front?.isDone; front = this.#exchanges.peek()) {
      this.#exchanges.shift();
      this.#send(front);
    }
    this.#goOn();
  }

  releaseFrame(bytes: number): void {
    this.#connection.releaseFrame(bytes);
  }

  finish(): void {
    this.#connection.finish();
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true;
    for (let exchange = this.#exchanges.shift(); exchange !== undefined; exchange = this.#exchanges.shift()) {
      exchange.fetch?.cancel();
    }
    this.#parked = null;
  }

  #send(exchange: Exchange<never>): void {
    exchange.releaseFrame();
    if (exchange.encoded !== null) {
      for (const part of exchange.encoded.parts) this.#connection.write(part);
    }
    this.#connection.answered(1);
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#connection.pauseInput();
  }

  /** In a microtask: an answer may come out of a partition that is still telling others about its commit. */
  #goOn(): void {
    if (!this.#isPaused || this.#isNextScheduled) return;
    this.#isNextScheduled = true;
    queueMicrotask(this.#next);
  }

  readonly #next = (): void => {
    this.#isNextScheduled = false;
    if (this.#isClosed) return;
    const parked = this.#parked;
    if (parked !== null) {
      if (this.#exchanges.count > 0) return;
      this.#parked = null;
      this.#startParked(this, parked);
    }
    const last = this.#exchanges.last();
    if (last !== undefined && (!last.route.isPipelined || this.#exchanges.count >= IN_FLIGHT_MAX)) return;
    this.#isPaused = false;
    this.#connection.resumeInput();
  };
}

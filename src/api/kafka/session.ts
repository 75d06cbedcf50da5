/**
 * What the Kafka API remembers of one connection: the requests under way, in order, and when the next may start.
 *
 *   under way   [produce][produce][produce]      produce may follow produce: a sync serves them all
 *   parked      fetch                            starts when everything before it is answered
 *   input       paused                           nothing further is read meanwhile
 *
 * Rules
 *   - Responses go out in the order of the requests, whatever order they are done in.
 *   - A pipelined request (Produce) may start after outstanding ones of its kind; anything else starts alone, and
 *     nothing starts after it. So a client that sends Produce and then Fetch reads what it wrote, and sequences of an
 *     idempotent producer are checked in the order in which they were sent.
 *   - A request that takes much memory waits for it, and then one that is taken in over several turns is taken in whole, before
 *     anything starts after it.
 *   - What a large response holds is given back when the socket has taken it. When the peer has left responses unread, everything that it
 *     asks for is counted; who does not move is cut by the budget when others wait, and long
 *     polls with many partitions are answered early.
 *   - At most one frame is parked and at most `IN_FLIGHT_MAX` requests are under way; then input is paused.
 */

import { fail } from "../../base/assert.ts";
import type { ByteSource } from "../../base/byte-source.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import type { BudgetWaiter } from "../../base/memory/memory-account.ts";
import { Ring } from "../../base/ring.ts";
import { KiB } from "../../base/units.ts";
import { FetchRotation } from "../../consumer/long-poll.ts";
import type { FrameConnection } from "../../network/frame-handler.ts";
import type { Encoded } from "../../protocol/kafka/writer.ts";
import type { Principal } from "../../security/principal.ts";
import type { KafkaContext } from "./context.ts";
import { type Exchange, type ExchangeOwner, FETCHED_PARTITION_BYTES, UNCOUNTED_BYTES } from "./exchange.ts";
import { PeerNames } from "./peer-names.ts";
import { UnwrittenResponses } from "./unwritten.ts";

/** Clients keep 5 in flight, load generators some hundreds; a waiting Produce is about 500 bytes. */
export const IN_FLIGHT_MAX = 1000;

/** Small responses that are made in one turn, and go out at its end, before they are counted too. */
const UNSENT_BYTES_MAX = 64 * KiB;

/** A frame that came too early. */
export interface ParkedFrame {
  readonly buffer: Buffer;
  readonly position: number;
  readonly end: number;
}

type KafkaConnection = FrameConnection<KafkaSession>;

export class KafkaSession implements ExchangeOwner, BudgetWaiter {
  readonly names = new PeerNames();
  readonly rotation = new FetchRotation();
  readonly #context: KafkaContext;
  readonly #connection: KafkaConnection;
  readonly #startParked: (session: KafkaSession, frame: ParkedFrame) => void;
  readonly #exchanges = new Ring<Exchange<never>>();
  readonly #counted = new UnwrittenResponses();
  /** What waits for memory: one at most, because nothing starts after it. */
  #starting: Exchange<never> | null = null;
  #parked: ParkedFrame | null = null;
  #isPaused = false;
  #isClosed = false;
  #isNextScheduled = false;
  /** The socket did not take all that it was last given. */
  #hasLeftResponses = false;

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

  get remoteHost(): string {
    return this.#connection.remoteHost;
  }

  get localHost(): string {
    return this.#connection.localHost;
  }

  get principal(): Principal {
    return this.#connection.principal;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isBehind(): boolean {
    return this.#connection.heldOutputBytes > (this.#hasLeftResponses ? UNCOUNTED_BYTES : UNSENT_BYTES_MAX);
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
    return last === undefined || (isPipelined && this.#mayBeFollowed(last));
  }

  /** Keeps a copy of a frame that must wait, and reads no further. */
  park({ buffer, position, end }: ParkedFrame): void {
    this.#parked = { buffer: Buffer.from(buffer.subarray(position, end)), position: 0, end: end - position };
    this.#connection.expectResponses(1);
    this.#pause();
  }

  /** A request is about to be handled. */
  begin(exchange: Exchange<never>, wasParked: boolean): void {
    this.#exchanges.push(exchange);
    if (!wasParked) this.#connection.expectResponses(1);
  }

  /** A frame turned out to be no request: it will not be answered. */
  abandon(wasParked: boolean): void {
    if (wasParked) this.#connection.responded(1);
  }

  /** A request was handed to its handler: reads on only if another may start after it. */
  started(exchange: Exchange<never>): void {
    if (!exchange.isDone && !this.#mayBeFollowed(exchange)) this.#pause();
  }

  canReserve(bytes: number): boolean {
    return this.#connection.responseMemory.canHold(bytes);
  }

  reserve(exchange: Exchange<never>, bytes: number): boolean {
    const isHeld = this.#connection.responseMemory.reserve(bytes, this);
    if (isHeld) exchange.memoryBytes = bytes;
    else {
      exchange.isStarting = true;
      this.#starting = exchange;
      this.#context.fetches.respondToLarge(bytes / FETCHED_PARTITION_BYTES);
    }
    return isHeld;
  }

  /** What `reserve` could not have at once is held. */
  budgetGranted(bytes: number): void {
    const exchange = this.#starting;
    if (exchange === null) fail("memory was granted that nobody waits for");
    this.#starting = null;
    exchange.memoryBytes = bytes;
    queueMicrotask(() => this.#resume(exchange));
  }

  taken(): void {
    if (!this.#isClosed) this.#goOn();
  }

  responded(exchange: Exchange<never>, response: unknown): void {
    if (this.#isClosed) return;
    try {
      exchange.encoded = exchange.route.encode(exchange.version, exchange.correlationId, response);
    } catch (thrown) {
      this.#context.log.error("a response could not be encoded, the connection is closed", {
        api: exchange.route.name,
        version: exchange.version,
        address: this.address,
        error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
      });
      this.#connection.closeNow();
      return;
    }
    this.#count(exchange);
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

  /** The socket has taken bytes. */
  written(): void {
    this.#hasLeftResponses = this.#connection.heldOutputBytes > 0;
    const bytes = this.#counted.written(this.#connection.bytesOut);
    if (bytes > 0) this.#connection.responseMemory.release(bytes);
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

  #mayBeFollowed(last: Exchange<never>): boolean {
    return last.route.isPipelined && !last.isStarting && this.#exchanges.count < IN_FLIGHT_MAX;
  }

  #resume(exchange: Exchange<never>): void {
    if (this.#isClosed) return;
    exchange.isStarting = false;
    loopTurns.enter(exchange.route.name);
    try {
      exchange.resume?.();
    } catch (thrown) {
      this.#connection.failed(thrown);
      return;
    }
    if (!exchange.isDone) this.#goOn();
  }

  /** The response is there: from now on it is held for what it is. */
  #count(exchange: Exchange<never>): void {
    const bytes = exchange.encoded === null ? 0 : heldBy(exchange.encoded);
    const heldBytes = bytes > UNCOUNTED_BYTES || exchange.memoryBytes > 0 ? bytes : 0;
    const memory = this.#connection.responseMemory;
    if (heldBytes > exchange.memoryBytes) memory.charge(heldBytes - exchange.memoryBytes);
    else memory.release(exchange.memoryBytes - heldBytes);
    exchange.memoryBytes = heldBytes;
  }

  #send(exchange: Exchange<never>): void {
    const connection = this.#connection;
    exchange.releaseFrame();
    if (exchange.encoded === null) this.#count(exchange);
    else for (const part of exchange.encoded.parts) connection.write(part);
    connection.responded(1);
    if (exchange.memoryBytes > 0) {
      const atBytesOut = connection.bytesOut + connection.outputBytes;
      this.#counted.add(exchange.memoryBytes, atBytesOut, exchange.encoded?.slabs ?? []);
    }
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#connection.pauseInput();
  }

  /** In a microtask: a response may come out of a partition that is still telling others about its commit. */
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
    if (last !== undefined && !this.#mayBeFollowed(last)) return;
    this.#isPaused = false;
    this.#connection.resumeInput();
  };
}

/** Records that are read as the socket takes them hold nothing. */
function heldBy({ parts }: Encoded<Buffer | ByteSource>): number {
  let bytes = 0;
  for (const part of parts) bytes += part instanceof Buffer ? part.length : FETCHED_PARTITION_BYTES;
  return bytes;
}

/**
 * The client of the native protocol: frames out, one line back for each, in order (protocol/native).
 *
 *   send 1 2 3  ->  [ 1 2 3 ]  <- OK, NACK:INVALID_FORMAT, OK     at most `inFlightMax` in flight; more wait here
 *
 * A NACK is a response, not an error: it says that this message was not stored. Errors are what happens to the connection;
 * then the outcome of every message in flight is unknown. Nothing is sent again.
 */

import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { ObeliskError, toObeliskError } from "../base/errors.ts";
import { Ring } from "../base/ring.ts";
import { SECOND_MS } from "../base/units.ts";
import { encodeNativeFrame } from "../protocol/native/message.ts";
import { readAddress } from "./address.ts";
import { CONNECT_REMEDY } from "./connection.ts";
import { ClientSocket } from "./socket.ts";

export const NATIVE_PORT = 8080;

/** Enough to keep a server busy over any network; a frame may be 10 MiB, so callers that send large ones set it lower. */
const IN_FLIGHT_MAX = 256;
/** The longest response is shorter; more without a line end is not a response. */
const LINE_BYTES_MAX = 128;
const NEWLINE = 0x0a;
const OK = "OK";
const NACK = "NACK:";
/** The server sends this first, and once, to a connection that it refuses. */
const TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS";

export interface NativeProducerOptions {
  /** `HOST:PORT`. */
  readonly native: string;
  readonly connectTimeoutMs?: number;
  /** For one response. */
  readonly responseTimeoutMs?: number;
  readonly inFlightMax?: number;
  readonly clock?: Clock;
}

export interface NativeRecord {
  readonly topic: string;
  readonly value: Buffer | string;
  readonly key?: Buffer | string;
  /** Default: now. */
  readonly timestampMs?: number;
}

export interface NativeResponse {
  readonly isStored: boolean;
  /** The text after `NACK:`; empty when stored. */
  readonly reason: string;
  /** From sending the frame to its response. */
  readonly latencyMs: number;
}

interface PendingFrame {
  readonly frame: Buffer;
  sentAtMs: number;
  readonly resolve: (response: NativeResponse) => void;
  readonly reject: (error: ObeliskError) => void;
}

export class NativeProducer {
  readonly address: string;
  readonly #clock: Clock;
  readonly #responseTimeoutMs: number;
  readonly #inFlightMax: number;
  readonly #inFlight = new Ring<PendingFrame>();
  readonly #waiting = new Ring<PendingFrame>();
  #socket: ClientSocket | null = null;
  #error: ObeliskError | null = null;
  #line = "";
  #timer: Timer | null = null;

  private constructor(address: string, clock: Clock, options: NativeProducerOptions) {
    this.address = address;
    this.#clock = clock;
    this.#responseTimeoutMs = options.responseTimeoutMs ?? 30 * SECOND_MS;
    this.#inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX;
  }

  /** @throws ObeliskError CONNECTION_FAILED, INVALID_USAGE */
  static async connect(options: NativeProducerOptions): Promise<NativeProducer> {
    const clock = options.clock ?? systemClock;
    const producer = new NativeProducer(options.native, clock, options);
    producer.#socket = await ClientSocket.open(
      {
        address: readAddress(options.native, NATIVE_PORT),
        connectTimeoutMs: options.connectTimeoutMs ?? 10 * SECOND_MS,
        clock,
        remedy: CONNECT_REMEDY,
      },
      {
        received: (chunk) => producer.#received(chunk),
        closed: (error) => producer.#end(error),
      },
    );
    return producer;
  }

  /**
   * Sends one message and waits for its line.
   * @throws ObeliskError MESSAGE_TOO_LARGE, INVALID_TOPIC_EXCEPTION before sending; CONNECTION_CLOSED, REQUEST_TIMED_OUT, PROTOCOL_ERROR
   */
  async send(record: NativeRecord): Promise<NativeResponse> {
    if (this.#error !== null) throw this.#error;
    const frame = encodeNativeFrame(
      record.timestampMs ?? this.#clock.nowMs(),
      Buffer.from(record.topic),
      toBuffer(record.key ?? ""),
      toBuffer(record.value),
    );
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ frame, sentAtMs: -1, resolve, reject });
      this.#sendWaiting();
    });
  }

  close(): void {
    this.#socket?.close();
    this.#end(
      new ObeliskError("CONNECTION_CLOSED", {
        detail: "the client closed the connection",
        address: this.address,
      }),
    );
  }

  #sendWaiting(): void {
    if (this.#waiting.count === 0 || this.#inFlight.count >= this.#inFlightMax) return;
    const nowMs = this.#clock.monotonicMs();
    while (this.#inFlight.count < this.#inFlightMax) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      next.sentAtMs = nowMs;
      this.#inFlight.push(next);
      this.#socket!.write(next.frame);
    }
    if (this.#timer === null) this.#watchOldest();
  }

  #watchOldest(): void {
    const oldest = this.#inFlight.peek();
    if (oldest === undefined) return;
    const restMs = Math.max(0, oldest.sentAtMs + this.#responseTimeoutMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(restMs, () => {
      this.#timer = null;
      const late = this.#inFlight.peek();
      if (late === undefined) return;
      if (late.sentAtMs + this.#responseTimeoutMs > this.#clock.monotonicMs()) return this.#watchOldest();
      const detail = `no response from the server within ${this.#responseTimeoutMs} ms`;
      this.#fail(new ObeliskError("REQUEST_TIMED_OUT", { detail, address: this.address }));
    });
  }

  #received(chunk: Buffer): void {
    const nowMs = this.#clock.monotonicMs();
    let start = 0;
    try {
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        this.#responded(this.#line + chunk.toString("latin1", start, end), nowMs);
        this.#line = "";
        start = end + 1;
      }
      if (this.#line.length + chunk.length - start > LINE_BYTES_MAX) throw this.#notAResponse();
      this.#line += chunk.toString("latin1", start);
      this.#sendWaiting();
    } catch (thrown) {
      this.#fail(toObeliskError(thrown));
    }
  }

  #responded(line: string, nowMs: number): void {
    const isStored = line === OK;
    if (!isStored && !line.startsWith(NACK)) throw this.#notAResponse();
    const reason = isStored ? "" : line.slice(NACK.length);
    if (reason === TOO_MANY_CONNECTIONS) {
      const detail = "the server has reached its limit of connections";
      throw new ObeliskError("CONNECTION_CLOSED", { detail, address: this.address });
    }
    const oldest = this.#inFlight.shift();
    if (oldest === undefined) throw this.#notAResponse();
    oldest.resolve({ isStored, reason, latencyMs: nowMs - oldest.sentAtMs });
  }

  #notAResponse(): ObeliskError {
    return new ObeliskError("PROTOCOL_ERROR", {
      detail: "the response does not belong to the native protocol",
      remedy: "is this the native port of an Obelisk server?",
      address: this.address,
    });
  }

  #fail(error: ObeliskError): void {
    this.#socket?.close();
    this.#end(error);
  }

  #end(error: ObeliskError): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#timer?.cancel();
    this.#timer = null;
    for (const ring of [this.#inFlight, this.#waiting]) {
      for (let pending = ring.shift(); pending !== undefined; pending = ring.shift()) pending.reject(error);
    }
  }
}

function toBuffer(value: Buffer | string): Buffer {
  return typeof value === "string" ? Buffer.from(value) : value;
}

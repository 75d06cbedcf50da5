/**
 * One connection to a Kafka broker: requests go out numbered and in order, responses come back in the same order.
 *
 *   request 7 8 9  ->  [ 7 8 9 ]  <- responses    at most `inFlightMax` in flight; more wait here in order
 *
 * Invariants
 *   - A broker responds to a connection's requests in order, so a response whose correlation id is not the oldest one in
 *     flight violates the protocol and ends the connection.
 *   - When one response is late, all after it are: a timeout ends the connection and fails everything on it. What a failed
 *     request did at the broker is unknown to the caller.
 *   - Versions: ApiVersions goes first, with our newest version; a broker that returns 35 in version 0 is believed. Every
 *     later request uses the highest version that both sides support.
 */

import { type Address, formatAddress } from "../base/address.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { NO_ERROR, ObeliskError, toObeliskError, wireCode } from "../base/errors.ts";
import { Ring } from "../base/ring.ts";
import { MiB, SECOND_MS } from "../base/units.ts";
import type { Api } from "../protocol/kafka/api.ts";
import {
  type ApiVersionsResponse,
  apiVersionsApi,
  apiVersionsResponseVersion,
} from "../protocol/kafka/apis/api-versions.ts";
import { fetchApi } from "../protocol/kafka/apis/fetch.ts";
import { offsetCommitApi } from "../protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../protocol/kafka/apis/offset-fetch.ts";
import { produceApi } from "../protocol/kafka/apis/produce.ts";
import { decodeCorrelationId } from "../protocol/kafka/request-header.ts";
import type { Encoded } from "../protocol/kafka/writer.ts";
import { brokerError } from "./broker-errors.ts";
import { FrameReader } from "./frames.ts";
import { ClientSocket } from "./socket.ts";

export const CONNECT_REMEDY = "is the server running? start it with `obelisk serve`";

/** Kafka's own limit for a request; no response to ours is larger. */
const RESPONSE_BYTES_MAX = 100 * MiB;
/** Idempotence allows five produce requests in flight; more would only fill buffers. */
const IN_FLIGHT_MAX = 5;

/** An API as the requesting side needs it. */
export type ClientApi<Request, Response> = Api<Request, unknown, never, Response>;

/** Versions 0 to 2 of Produce carry older record formats, which this client does not write. */
const PRODUCE_VERSION_MIN = 3;
/** The last versions that name topics by name, as this client does; later ones name them by id. */
const NAMES_MAX: ReadonlyMap<number, number> = new Map([
  [produceApi.key, 12],
  [fetchApi.key, 12],
  [offsetCommitApi.key, 9],
  [offsetFetchApi.key, 9],
]);

export interface ConnectionOptions {
  readonly address: Address;
  readonly clientId: string;
  readonly clock: Clock;
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly inFlightMax?: number;
}

interface PendingResponse {
  readonly correlationId: number;
  readonly frame: Encoded;
  readonly timeoutMs: number;
  deadlineMs: number;
  readonly receive: (frame: Buffer) => void;
  readonly reject: (error: ObeliskError) => void;
}

/** A feature of the cluster that is in force, at this level. */
export interface Feature {
  readonly name: string;
  readonly level: number;
}

interface VersionRange {
  readonly min: number;
  readonly max: number;
}

export class Connection {
  readonly address: string;
  readonly #clientId: string;
  readonly #clock: Clock;
  readonly #requestTimeoutMs: number;
  readonly #inFlightMax: number;
  readonly #reader = new FrameReader(RESPONSE_BYTES_MAX, (frame) => this.#responded(frame));
  readonly #inFlight = new Ring<PendingResponse>();
  readonly #waiting = new Ring<PendingResponse>();
  readonly #versions = new Map<number, VersionRange>();
  #features: readonly Feature[] = [];
  #socket: ClientSocket | null = null;
  #error: ObeliskError | null = null;
  #nextCorrelationId = 1;
  #timer: Timer | null = null;
  #lastUsedAtMs: number;

  private constructor(address: string, options: ConnectionOptions) {
    this.address = address;
    this.#clientId = options.clientId;
    this.#clock = options.clock;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 30 * SECOND_MS;
    this.#inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX;
    this.#lastUsedAtMs = options.clock.monotonicMs();
  }

  /** Connects and learns the broker's versions. @throws ObeliskError CONNECTION_FAILED, CONNECTION_CLOSED, REQUEST_TIMED_OUT, PROTOCOL_ERROR */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(formatAddress(options.address), options);
    connection.#socket = await ClientSocket.open(
      {
        address: options.address,
        connectTimeoutMs: options.connectTimeoutMs ?? 10 * SECOND_MS,
        clock: options.clock,
        remedy: CONNECT_REMEDY,
      },
      {
        received: (chunk) => connection.#received(chunk),
        closed: (error) => connection.#end(error),
      },
    );
    try {
      await connection.#learnVersions();
    } catch (thrown) {
      connection.close();
      throw thrown;
    }
    return connection;
  }

  get isClosed(): boolean {
    return this.#error !== null;
  }

  /** Requests that were sent or wait to be sent. */
  get openRequests(): number {
    return this.#inFlight.count + this.#waiting.count;
  }

  /** The versions of each API that the broker serves, by the API's number. */
  get versions(): ReadonlyMap<number, VersionRange> {
    return this.#versions;
  }

  get features(): readonly Feature[] {
    return this.#features;
  }

  /** Whether there is a version of an API that both sides support. */
  supports<Request, Response>(api: ClientApi<Request, Response>): boolean {
    const range = this.#versions.get(api.key);
    return range !== undefined && range.min <= api.versionMax && range.max >= api.versionMin;
  }

  /** The highest version that both sides support. @throws ObeliskError UNSUPPORTED_VERSION when there is none */
  versionOf<Request, Response>(api: ClientApi<Request, Response>): number {
    const range = this.#versions.get(api.key);
    const versionMax = Math.min(api.versionMax, NAMES_MAX.get(api.key) ?? api.versionMax);
    const version = range === undefined ? -1 : Math.min(range.max, versionMax);
    const versionMin = api.key === produceApi.key ? PRODUCE_VERSION_MIN : api.versionMin;
    if (range !== undefined && version >= range.min && version >= versionMin) return version;
    const theirs =
      range === undefined ? "does not support it" : `supports versions ${range.min} to ${range.max}`;
    throw new ObeliskError("UNSUPPORTED_VERSION", {
      detail: `no common version of ${api.name}: the broker ${theirs}, this client ${versionMin} to ${versionMax}`,
      address: this.address,
    });
  }

  /** Sends a request and waits for its response. `timeoutMs` counts from when it is sent. */
  async request<Request, Response>(
    api: ClientApi<Request, Response>,
    body: Request,
    timeoutMs = this.#requestTimeoutMs,
  ): Promise<Response> {
    return await this.#exchange(api, this.versionOf(api), body, timeoutMs);
  }

  /** Sends a request that gets no response (produce with acks 0). */
  post<Request, Response>(api: ClientApi<Request, Response>, body: Request): void {
    if (this.#error !== null) throw this.#error;
    const version = this.versionOf(api);
    this.#write(api.encodeRequest(version, this.#takeCorrelationId(), this.#clientId, body));
  }

  /** Resolves when the kernel has taken everything, or the connection has ended. */
  async drained(): Promise<void> {
    await this.#socket?.drained();
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

  async #learnVersions(): Promise<void> {
    let version = apiVersionsApi.versionMax;
    for (;;) {
      const software = { clientSoftwareName: "obelisk", clientSoftwareVersion: "0.1.0" };
      const response: ApiVersionsResponse = await this.#exchange(
        apiVersionsApi,
        version,
        software,
        this.#requestTimeoutMs,
      );
      for (const { apiKey, minVersion, maxVersion } of response.apiKeys) {
        this.#versions.set(apiKey, { min: minVersion, max: maxVersion });
      }
      this.#features = response.finalizedFeatures.map(({ name, maxVersionLevel }) => ({
        name,
        level: maxVersionLevel,
      }));
      if (response.errorCode === NO_ERROR) return;
      const isTooNew = response.errorCode === wireCode("UNSUPPORTED_VERSION");
      const next = Math.min(this.#versions.get(apiVersionsApi.key)?.max ?? 0, version - 1);
      if (!isTooNew || next < 0) throw brokerError(response.errorCode, { address: this.address });
      version = next;
    }
  }

  #exchange<Request, Response>(
    api: ClientApi<Request, Response>,
    version: number,
    body: Request,
    timeoutMs: number,
  ): Promise<Response> {
    if (this.#error !== null) return Promise.reject(this.#error);
    const correlationId = this.#takeCorrelationId();
    const frame = api.encodeRequest(version, correlationId, this.#clientId, body);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        correlationId,
        frame,
        timeoutMs,
        deadlineMs: -1,
        receive: (response) => resolve(decodeResponseOf(api, version, response)),
        reject,
      });
      this.#sendWaiting();
    });
  }

  #takeCorrelationId(): number {
    const id = this.#nextCorrelationId;
    this.#nextCorrelationId = (id + 1) & 0x7fff_ffff;
    return id;
  }

  #sendWaiting(): void {
    if (this.#waiting.count === 0 || this.#inFlight.count >= this.#inFlightMax) return;
    this.#lastUsedAtMs = this.#clock.monotonicMs();
    while (this.#inFlight.count < this.#inFlightMax) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      next.deadlineMs = this.#lastUsedAtMs + next.timeoutMs;
      this.#inFlight.push(next);
      this.#write(next.frame);
    }
    if (this.#timer === null) this.#watchOldest();
  }

  /** One timer for the oldest request; it looks again when it fires, so that a response costs no timer. */
  #watchOldest(): void {
    const oldest = this.#inFlight.peek();
    if (oldest === undefined) return;
    const restMs = Math.max(0, oldest.deadlineMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(restMs, () => {
      this.#timer = null;
      const late = this.#inFlight.peek();
      if (late === undefined) return;
      if (late.deadlineMs > this.#clock.monotonicMs()) return this.#watchOldest();
      this.#socket?.close();
      this.#end(
        new ObeliskError("REQUEST_TIMED_OUT", {
          detail: `no response from the broker within ${late.timeoutMs} ms`,
          address: this.address,
        }),
      );
    });
  }

  #received(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (thrown) {
      this.#socket?.close();
      this.#end(toObeliskError(thrown));
    }
  }

  #write(frame: Encoded): void {
    for (const part of frame.parts) this.#socket!.write(part);
  }

  #responded(frame: Buffer): void {
    if (this.#error !== null) return;
    const oldest = this.#inFlight.shift();
    try {
      if (oldest === undefined || decodeCorrelationId(frame, 0, frame.length) !== oldest.correlationId) {
        throw this.#outOfOrder();
      }
      oldest.receive(frame);
    } catch (thrown) {
      oldest?.reject(toObeliskError(thrown));
      throw thrown;
    }
    this.#sendWaiting();
  }

  #outOfOrder(): ObeliskError {
    return new ObeliskError("PROTOCOL_ERROR", {
      detail: "the response does not belong to the oldest request in flight",
      remedy: "is this the Kafka port of a broker?",
      address: this.address,
    });
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

function decodeResponseOf<Request, Response>(
  api: ClientApi<Request, Response>,
  version: number,
  frame: Buffer,
): Response {
  const isApiVersions = api.key === apiVersionsApi.key;
  const responseVersion = isApiVersions
    ? apiVersionsResponseVersion(version, frame, 0, frame.length)
    : version;
  return api.decodeResponse(responseVersion, frame, 0, frame.length);
}

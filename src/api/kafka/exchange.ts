/**
 * One request and the response it will get. It is answered (or ended without a response, acks 0) exactly once; after its
 * connection is gone responses are dropped silently, because whoever still works on them cannot know.
 */

import { fail } from "../../base/assert.ts";
import type { ByteSource } from "../../base/byte-source.ts";
import { KiB } from "../../base/units.ts";
import type { Fetch, FetchRotation } from "../../consumer/long-poll.ts";
import type { Encoded } from "../../protocol/kafka/writer.ts";
import type { Principal } from "../../security/principal.ts";
import type { PeerNames } from "./peer-names.ts";

/**
 * What a request and its response may take without being counted, and how far a peer may be behind with reading before everything is
 * counted. Usual requests are far below.
 */
export const UNCOUNTED_BYTES: number = 16 * KiB;

/** What waits for a partition's records in a fetch. */
export const FETCHED_PARTITION_BYTES = 600;

/** What an exchange knows of its API; a `Route` (dispatch.ts) is one. */
export interface ExchangeRoute {
  readonly name: string;
  /** Whether a request may start while earlier ones of this route are still outstanding. */
  readonly isPipelined: boolean;
  encode(version: number, correlationId: number, response: unknown): Encoded<Buffer | ByteSource>;
}

/** The connection that an exchange belongs to; `KafkaSession` is it. */
export interface ExchangeOwner {
  readonly address: string;
  /** Where the peer is, without the port. */
  readonly remoteHost: string;
  /** Our end of the connection. */
  readonly localHost: string;
  readonly principal: Principal;
  readonly names: PeerNames;
  readonly rotation: FetchRotation;
  readonly isClosed: boolean;
  /** Whether the peer has left so many of its responses unread that everything is counted. */
  readonly isBehind: boolean;
  canReserve(bytes: number): boolean;
  /** True: held by the exchange now. False: later, and then its `resume` is called. Nothing starts after it until then. */
  reserve(exchange: Exchange<never>, bytes: number): boolean;
  /** A request that was being taken in, over several turns, is; others may start after it. */
  taken(): void;
  responded(exchange: Exchange<never>, response: unknown): void;
  /** An exchange ended without a response. */
  ended(): void;
  releaseFrame(bytes: number): void;
  /** Refuses to go on with this peer: what was answered still goes out, no more frames are read. */
  finish(): void;
}

export interface ExchangeStats {
  ended(startedMonotonicMs: number, waitedMs: number): void;
}

export class Exchange<in ResponseInput> {
  readonly session: ExchangeOwner;
  readonly route: ExchangeRoute;
  readonly version: number;
  readonly correlationId: number;
  /** Who asks: as the connection was known when the request was begun, whatever becomes of it meanwhile. */
  readonly principal: Principal;
  /** What the client calls itself; "" when it does not say. */
  clientId = "";
  /** Bytes of the request's frame, to be given back once. */
  frameBytes: number;
  /** Bytes of the memory for responses, held until the response is written. */
  memoryBytes = 0;
  /** It waits for memory, or is taken in over several turns: nothing may start after it. */
  isStarting = false;
  /** What to do when the memory is there that it waits for. */
  resume: (() => void) | null = null;
  isDone = false;
  /** Where its time is counted, and since when, by the monotonic clock. */
  stats: ExchangeStats | null = null;
  startedMs = 0;
  /** What goes out when all before it are out; null while it is not done, and for good when there is no response. */
  encoded: Encoded<Buffer | ByteSource> | null = null;
  /** A fetch under way: ended with the connection. */
  fetch: Fetch | null = null;

  constructor(
    session: ExchangeOwner,
    route: ExchangeRoute,
    version: number,
    correlationId: number,
    frameBytes: number,
  ) {
    this.session = session;
    this.route = route;
    this.version = version;
    this.correlationId = correlationId;
    this.principal = session.principal;
    this.frameBytes = frameBytes;
  }

  get address(): string {
    return this.session.address;
  }

  /** Whether its connection is gone: what is sent now reaches nobody. */
  get isDropped(): boolean {
    return this.session.isClosed;
  }

  canReserve(bytes: number): boolean {
    return this.session.canReserve(bytes);
  }

  /** Reserves what the request and its response may take. False: `whenReserved` is to follow. */
  reserve(bytes: number): boolean {
    if (this.memoryBytes > 0 || this.isStarting) fail("a request reserves memory twice");
    return this.session.reserve(this, bytes);
  }

  whenReserved(resume: () => void): void {
    this.resume = resume;
  }

  /** The request takes several turns to be taken in; `taken` ends that. */
  begin(): void {
    this.isStarting = true;
  }

  taken(): void {
    this.isStarting = false;
    this.session.taken();
  }

  respond(response: ResponseInput): void {
    if (this.isDone) fail("a request was answered twice");
    this.isDone = true;
    this.session.responded(this, response);
    this.stats?.ended(this.startedMs, this.fetch?.waitedMs ?? 0);
  }

  /** Ends the request without a response. */
  end(): void {
    if (this.isDone) fail("a request was ended twice");
    this.isDone = true;
    this.session.ended();
    this.stats?.ended(this.startedMs, 0);
  }

  /** The request's bytes are no longer needed, or are counted elsewhere. May be called again. */
  releaseFrame(): void {
    if (this.frameBytes > 0) this.session.releaseFrame(this.frameBytes);
    this.frameBytes = 0;
  }
}

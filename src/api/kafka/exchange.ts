/**
 * One request and the answer it will get. It is answered (or ended without an answer, acks 0) exactly once; after its
 * connection is gone answers are dropped silently, because whoever still works on them cannot know.
 */

import { fail } from "../../base/assert.ts";
import type { ByteSource } from "../../base/byte-source.ts";
import type { Fetch, FetchRotation } from "../../consumer/long-poll.ts";
import type { Encoded } from "../../protocol/kafka/writer.ts";

/** What an exchange knows of its API; a `Route` (dispatch.ts) is one. */
export interface ExchangeRoute {
  readonly name: string;
  /** Whether a request may start while earlier ones of this route are still unanswered. */
  readonly isPipelined: boolean;
  encode(version: number, correlationId: number, answer: unknown): Encoded<Buffer | ByteSource>;
}

/** The connection that an exchange belongs to; `KafkaSession` is it. */
export interface ExchangeOwner {
  readonly address: string;
  /** Our end of the connection. */
  readonly localHost: string;
  readonly rotation: FetchRotation;
  answered(exchange: Exchange<never>, answer: unknown): void;
  /** An exchange ended without an answer. */
  ended(): void;
  releaseFrame(bytes: number): void;
  /** Refuses to go on with this peer: what was answered still goes out, no more frames are read. */
  finish(): void;
}

export class Exchange<in Answer> {
  readonly session: ExchangeOwner;
  readonly route: ExchangeRoute;
  readonly version: number;
  readonly correlationId: number;
  /** Bytes of the request's frame, to be given back once. */
  frameBytes: number;
  isDone = false;
  /** What goes out when all before it are out; null while it is not done, and for good when there is no answer. */
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
    this.frameBytes = frameBytes;
  }

  get address(): string {
    return this.session.address;
  }

  answer(answer: Answer): void {
    if (this.isDone) fail("a request was answered twice");
    this.isDone = true;
    this.session.answered(this, answer);
  }

  /** Ends the request without an answer. */
  end(): void {
    if (this.isDone) fail("a request was ended twice");
    this.isDone = true;
    this.session.ended();
  }

  /** The request's bytes are no longer needed, or are counted elsewhere. May be called again. */
  releaseFrame(): void {
    if (this.frameBytes > 0) this.session.releaseFrame(this.frameBytes);
    this.frameBytes = 0;
  }
}

/**
 * One request and the answer it will get. It is answered (or ended without an answer, acks 0) exactly once; after its
 * connection is gone answers are dropped silently, because whoever still works on them cannot know.
 */

import { fail } from "../../base/assert.ts";
import type { Fetch } from "../../consumer/fetch.ts";
import type { Encoded } from "../../protocol/kafka/writer.ts";
import type { Route } from "../dispatch.ts";
import type { KafkaSession } from "./session.ts";

export class Exchange<in Answer> {
  readonly session: KafkaSession;
  readonly route: Route;
  readonly version: number;
  readonly correlationId: number;
  /** Bytes of the request's frame, to be given back once. */
  frameBytes: number;
  isDone = false;
  /** What goes out when all before it are out; null while it is not done, and for good when there is no answer. */
  encoded: Encoded | null = null;
  /** A fetch under way: ended with the connection, released when its answer is written. */
  fetch: Fetch | null = null;

  constructor(
    session: KafkaSession,
    route: Route,
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

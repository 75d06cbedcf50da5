/**
 * The Kafka API: frames to requests, requests to handlers, responses in order.
 *
 * Deviations from a perfect request, and what happens
 *
 *   ApiVersions of an unknown version    answered in version 0: error 35 and the list of what is supported
 *   any other unknown key or version     logged, and the connection closes, as Kafka does: nothing says how to respond
 *   Produce 0 to 2                       advertised (older librdkafka compresses only then), answered with error 35
 *   a frame that does not decode         logged with the peer's address, and that connection closes
 *   our own fault                        UNKNOWN_SERVER_ERROR, logged; the connection goes on (dispatch.ts)
 *
 * "Closes" means that what was answered before still goes out. The order of requests is kept by session.ts.
 */

import { ObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { RateLimitedWarning } from "../../base/rate-limited-warning.ts";

import type { FrameConnection, FrameHandler, FrameViolation } from "../../network/frame-handler.ts";
import { decodeRequestHeader, type RequestHeader } from "../../protocol/kafka/request-header.ts";
import type { Route } from "../dispatch.ts";
import { apiVersionsRoute, routeFor, unsupportedApiVersions } from "./apis.ts";
import type { KafkaContext } from "./context.ts";
import { Exchange } from "./exchange.ts";
import { RequestStats } from "./request-stats.ts";
import { KafkaSession, type ParkedFrame } from "./session.ts";

type KafkaConnection = FrameConnection<KafkaSession>;

export class KafkaApi implements FrameHandler<KafkaSession> {
  readonly #context: KafkaContext;
  /** Requests by API name, for metrics. */
  readonly requests = new Map<string, RequestStats>();
  malformedCount = 0;
  readonly #malformedWarning: RateLimitedWarning;

  constructor(context: KafkaContext) {
    this.#context = context;
    const message = "a connection is closed, because the peer broke the protocol";
    this.#malformedWarning = new RateLimitedWarning(context.log, context.clock, message);
  }

  open(connection: KafkaConnection): KafkaSession {
    return new KafkaSession(this.#context, connection, this.#startParked);
  }

  frame(connection: KafkaConnection, buffer: Buffer, position: number, end: number): void {
    this.#receive(connection.state, { buffer, position, end }, false);
  }

  turnEnd(_connection: KafkaConnection): void {}

  violation(connection: KafkaConnection, kind: FrameViolation, lengthBytes: number): void {
    this.#malformed(connection.state, `a frame with a length of ${lengthBytes} bytes is ${kind}`);
    connection.finish();
  }

  end(_connection: KafkaConnection, _incompleteBytes: number): void {}

  isPeerWaiting(connection: KafkaConnection): boolean {
    return connection.state.isPeerWaiting;
  }

  written(connection: KafkaConnection): void {
    connection.state.written();
  }

  close(connection: KafkaConnection): void {
    connection.state.close();
  }

  readonly #startParked = (session: KafkaSession, frame: ParkedFrame): void => {
    this.#receive(session, frame, true);
  };

  #receive(session: KafkaSession, frame: ParkedFrame, wasParked: boolean): void {
    try {
      const header = this.#decodeHeader(session, frame, wasParked);
      const route = routeFor(header.key);
      if (!session.canStart(route?.isPipelined ?? false)) session.park(frame);
      else this.#start(session, frame, header, route, wasParked);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      this.#malformed(session, thrown.message);
      session.finish();
    }
  }

  #decodeHeader(session: KafkaSession, frame: ParkedFrame, wasParked: boolean): RequestHeader {
    try {
      return decodeRequestHeader(frame.buffer, frame.position, frame.end);
    } catch (thrown) {
      session.abandon(wasParked);
      throw thrown;
    }
  }

  #start(
    session: KafkaSession,
    frame: ParkedFrame,
    header: RequestHeader,
    route: Route | undefined,
    wasParked: boolean,
  ): void {
    const { version, correlationId } = header;
    const frameBytes = frame.end - frame.position;
    if (route === undefined || version < route.versionMin || version > route.versionMax) {
      this.#refuse(session, header, frameBytes, wasParked);
      return;
    }
    loopTurns.enter(route.name);
    const stats = this.#statsOf(route.name);
    stats.count += 1;
    const exchange = new Exchange<never>(session, route, version, correlationId, frameBytes);
    exchange.clientId = header.clientId ?? "";
    session.names.setClientId(exchange.clientId);
    exchange.stats = stats;
    exchange.startedMs = loopTurns.pieceAtMs;
    session.begin(exchange, wasParked);
    try {
      route.start(this.#context, exchange, frame.buffer, header.bodyPosition, frame.end);
    } catch (thrown) {
      exchange.end();
      throw thrown;
    }
    session.started(exchange);
  }

  #statsOf(name: string): RequestStats {
    let stats = this.requests.get(name);
    if (stats === undefined) {
      stats = new RequestStats(this.#context.clock);
      this.requests.set(name, stats);
    }
    return stats;
  }

  #refuse(session: KafkaSession, header: RequestHeader, frameBytes: number, wasParked: boolean): void {
    const { key, version, correlationId } = header;
    if (key !== apiVersionsRoute.key) {
      session.abandon(wasParked);
      this.#malformed(session, `the request's key ${key} in version ${version} is not supported`);
      session.finish();
      return;
    }
    const exchange = new Exchange(session, apiVersionsRoute, 0, correlationId, frameBytes);
    session.begin(exchange, wasParked);
    exchange.respond(unsupportedApiVersions() as never);
  }

  #malformed(session: KafkaSession, detail: string): void {
    this.malformedCount += 1;
    this.#malformedWarning.tell({ address: session.address, detail });
  }
}

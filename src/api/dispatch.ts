/**
 * The way of one request: decode, handle, encode; and what happens when one of these goes wrong.
 *
 *   the frame does not decode             thrown to the caller (PROTOCOL_ERROR): it ends the connection
 *   the handler throws an ObeliskError    the API's own refusal with that error's number
 *   the handler throws anything else      our bug: logged with its stack, refused with UNKNOWN_SERVER_ERROR
 *   the answer does not encode            our bug: logged, and the connection ends, because the client waits for it
 *
 * A `Route` is one line of the table of APIs (kafka/apis.ts) with the types of its messages forgotten, so that the
 * table can be a list. A handler returns its answer, or a promise of it, or `LATER` when it will call
 * `exchange.answer` itself: the hot handlers do, so that no promise is made for each request.
 */

import { ObeliskError, wireCode } from "../base/errors.ts";
import type { Api } from "../protocol/kafka/api.ts";
import type { KafkaContext } from "./kafka/context.ts";
import type { Exchange, ExchangeRoute } from "./kafka/exchange.ts";

/** The handler keeps the exchange and answers it later, or not at all (`exchange.end`). */
export const LATER: unique symbol = Symbol("later");
export type Later = typeof LATER;

export type Handler<Request, Answer> = (
  context: KafkaContext,
  request: Request,
  version: number,
  exchange: Exchange<Answer>,
) => Answer | Promise<Answer> | Later;

/** The answer that says `errorCode` for everything that was asked. */
export type Refusal<Request, Answer> = (request: Request, errorCode: number, version: number) => Answer;

export interface Route extends ExchangeRoute {
  readonly key: number;
  /** What ApiVersions tells clients. */
  readonly versionMin: number;
  readonly versionMax: number;
  /** @throws ObeliskError PROTOCOL_ERROR when the body does not decode */
  start(
    context: KafkaContext,
    exchange: Exchange<never>,
    buffer: Buffer,
    position: number,
    end: number,
  ): void;
}

export interface RouteOptions<Request, Answer> {
  readonly versions: readonly [min: number, max: number];
  readonly isPipelined?: boolean;
  readonly handle: Handler<Request, Answer>;
  readonly refuse: Refusal<Request, Answer>;
}

export function route<RequestInput, Request, Answer, Response>(
  api: Api<RequestInput, Request, Answer, Response>,
  options: RouteOptions<Request, Answer>,
): Route {
  const { versions, isPipelined = false } = options;
  return {
    key: api.key,
    name: api.name,
    versionMin: versions[0],
    versionMax: versions[1],
    isPipelined,
    start: (context, exchange, buffer, position, end) => {
      const request = api.decodeRequest(exchange.version, buffer, position, end);
      run(context, options, request, exchange as unknown as Exchange<Answer>);
    },
    encode: (version, correlationId, answer) => api.encodeResponse(version, correlationId, answer as Answer),
  };
}

function run<Request, Answer>(
  context: KafkaContext,
  options: RouteOptions<Request, Answer>,
  request: Request,
  exchange: Exchange<Answer>,
): void {
  const refuse = (thrown: unknown) => {
    exchange.answer(options.refuse(request, errorCodeFor(context, thrown, exchange), exchange.version));
  };
  let answer: Answer | Promise<Answer> | Later;
  try {
    answer = options.handle(context, request, exchange.version, exchange);
  } catch (thrown) {
    refuse(thrown);
    return;
  }
  if (answer === LATER) return;
  if (answer instanceof Promise) answer.then((settled) => exchange.answer(settled), refuse);
  else exchange.answer(answer);
}

/** Kafka's number for what was thrown; our own mistakes are logged. */
export function errorCodeFor(context: KafkaContext, thrown: unknown, exchange: Exchange<never>): number {
  if (thrown instanceof ObeliskError && thrown.wire > 0) return thrown.wire;
  context.log.error("a request failed", {
    api: exchange.route.name,
    version: exchange.version,
    address: exchange.address,
    error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
  });
  return wireCode("UNKNOWN_SERVER_ERROR");
}

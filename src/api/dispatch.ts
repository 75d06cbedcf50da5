/**
 * The way of one request: decode, handle, encode; and what happens when one of these goes wrong.
 *
 *   the frame does not decode             thrown to the caller (PROTOCOL_ERROR): it ends the connection
 *   the handler throws an ObeliskError    the API's own refusal with that error's number
 *   the handler throws anything else      our bug: logged with its stack, refused with UNKNOWN_SERVER_ERROR
 *   the response does not encode          our bug: logged, and the connection ends, because the client waits for it
 *
 * What a request and its response may take in memory is known before anything is done: what was decoded (reader.ts), and what the API
 * says of the response (`responseBytes`). Above `UNCOUNTED_BYTES` it is reserved first, and held until the socket has taken the response:
 *
 *   there is room             handled at once
 *   there is none now         what was decoded is dropped and only the bytes are kept; later it is decoded again, and handled
 *   never for the response    the API's own refusal with POLICY_VIOLATION
 *   never for the request     PROTOCOL_ERROR, as for a frame that is too large
 *
 * A `Route` is one line of the table of APIs (kafka/apis.ts) without the types of its messages, so that the
 * table can be a list. A handler returns its response, or a promise of it, or `LATER` when it will call
 * `exchange.respond` itself: the hot handlers do, so that no promise is made for each request.
 */

import { type ErrorCode, ObeliskError, wireCode } from "../base/errors.ts";
import { KiB } from "../base/units.ts";
import type { Api } from "../protocol/kafka/api.ts";
import { Reader } from "../protocol/kafka/reader.ts";
import type { KafkaContext } from "./kafka/context.ts";
import { type Exchange, type ExchangeRoute, UNCOUNTED_BYTES } from "./kafka/exchange.ts";

/** What is counted for the smallest request of a peer that is behind with reading. */
const COUNTED_BYTES_MIN = KiB;

/** The handler keeps the exchange and responds later, or not at all (`exchange.end`). */
export const LATER: unique symbol = Symbol("later");
export type Later = typeof LATER;

export type Handler<Request, ResponseInput> = (
  context: KafkaContext,
  request: Request,
  version: number,
  exchange: Exchange<ResponseInput>,
) => ResponseInput | Promise<ResponseInput | Later> | Later;

/** The response that says `errorCode` for everything that was asked. */
export type Refusal<Request, ResponseInput> = (
  request: Request,
  errorCode: number,
  version: number,
) => ResponseInput;

export type ResponseBytes<Request> = (context: KafkaContext, request: Request, version: number) => number;

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

export interface RouteOptions<Request, ResponseInput> {
  readonly versions: readonly [min: number, max: number];
  readonly isPipelined?: boolean;
  /** What the response may take beside what the request's own size says (256 bytes for each element, and its texts). May be off a little. */
  readonly responseBytes?: ResponseBytes<Request>;
  /** Fewer elements than other requests may have, where each costs more time. */
  readonly elementsMax?: number;
  readonly handle: Handler<Request, ResponseInput>;
  readonly refuse: Refusal<Request, ResponseInput>;
}

export function route<RequestInput, Request, ResponseInput, Response>(
  api: Api<RequestInput, Request, ResponseInput, Response>,
  options: RouteOptions<Request, ResponseInput>,
): Route {
  const { versions, isPipelined = false } = options;
  return {
    key: api.key,
    name: api.name,
    versionMin: versions[0],
    versionMax: versions[1],
    isPipelined,
    start: (context, exchange, buffer, position, end) => {
      const { version } = exchange;
      const reader = Reader.ofRequest(buffer, position, end, options.elementsMax);
      const request = api.readRequest(version, reader);
      const typed = exchange as unknown as Exchange<ResponseInput>;
      const { decodedBytes } = reader;
      const responseBytes = options.responseBytes?.(context, request, version) ?? 0;
      const bytes = Math.max(decodedBytes + responseBytes, COUNTED_BYTES_MIN);
      if (bytes <= UNCOUNTED_BYTES && !exchange.session.isBehind) {
        run(context, options, request, typed);
        return;
      }
      if (!exchange.canReserve(decodedBytes))
        throw tooMuch("PROTOCOL_ERROR", "the request takes", decodedBytes);
      const canRespond = exchange.canReserve(bytes);
      const begin = (found: Request) => {
        if (canRespond) run(context, options, found, typed);
        else
          refuse(
            context,
            options,
            found,
            typed,
            tooMuch("POLICY_VIOLATION", "the response would take", bytes),
          );
      };
      if (exchange.reserve(canRespond ? bytes : decodedBytes)) {
        begin(request);
        return;
      }
      const body = Buffer.from(buffer.subarray(position, end));
      exchange.whenReserved(() => begin(api.decodeRequest(version, body, 0, body.length)));
    },
    encode: (version, correlationId, response) =>
      api.encodeResponse(version, correlationId, response as ResponseInput),
  };
}

function run<Request, ResponseInput>(
  context: KafkaContext,
  options: RouteOptions<Request, ResponseInput>,
  request: Request,
  exchange: Exchange<ResponseInput>,
): void {
  const give = (given: ResponseInput | Later) => {
    if (given !== LATER) exchange.respond(given);
  };
  let response: ResponseInput | Promise<ResponseInput | Later> | Later;
  try {
    response = options.handle(context, request, exchange.version, exchange);
  } catch (thrown) {
    refuse(context, options, request, exchange, thrown);
    return;
  }
  if (response instanceof Promise)
    response.then(give, (thrown) => refuse(context, options, request, exchange, thrown));
  else give(response);
}

function refuse<Request, ResponseInput>(
  context: KafkaContext,
  options: RouteOptions<Request, ResponseInput>,
  request: Request,
  exchange: Exchange<ResponseInput>,
  thrown: unknown,
): void {
  exchange.respond(options.refuse(request, errorCodeFor(context, thrown, exchange), exchange.version));
}

function tooMuch(code: ErrorCode, what: string, bytes: number): ObeliskError {
  const detail = `${what} more memory than there is for responses: ask for less, or give the server more \`memory\``;
  return new ObeliskError(code, { detail, bytes });
}

/** Kafka's number for what was thrown; our own faults are logged. */
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

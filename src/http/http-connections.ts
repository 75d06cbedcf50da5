/**
 * The connections of the HTTP door: node:http over sockets of our own, so that each is counted from the moment that it is accepted.
 *
 *   - Without a place (descriptor-budget.ts) a connection gets a 503 at once, and is closed.
 *   - A connection has `CONNECTION_MS_MAX` until its next answer; then it is closed, so that nobody holds a place with nothing, or with a
 *     byte a second.
 *   - A request's head is at most 16 KiB (node:http), its body `REQUEST_BYTES_MAX`, which is thrown away.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fail } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { ConnectionPlaces, RefusalCause } from "../base/descriptor-budget.ts";
import type { Log } from "../base/log.ts";
import { RareWarning } from "../base/rare-warning.ts";
import { nextTurn } from "../base/turns.ts";
import { KiB, SECOND_MS } from "../base/units.ts";
import { NetworkCounters } from "../network/counters.ts";
import { type ListeningSocket, listenOn } from "../network/listening-socket.ts";
import { HttpStream } from "./http-stream.ts";

/** A scraper keeps its connection for longer and comes back on a new one; a probe takes milliseconds. */
export const CONNECTION_MS_MAX = 10 * SECOND_MS;
/** A probe has no body; a connection with a larger one is closed before it is read. */
export const REQUEST_BYTES_MAX = 64 * KiB;
/** Nobody sends many requests before the first is answered; a connection that does is closed. */
const REQUESTS_WAITING_MAX = 64;
const REFUSAL = answerText("503 Service Unavailable", "too many connections");
const BAD_REQUEST = answerText("400 Bad Request", "this is no HTTP request");

export interface HttpConnectionsOptions {
  hostname: string;
  /** 0 takes a free one. */
  port: number;
  places: ConnectionPlaces;
  /** When it fails, which is a mistake of ours, the connection is closed. */
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  clock: Clock;
  log: Log;
}

interface Carried {
  connection: HttpConnection | null;
}

export class HttpConnections {
  readonly counters = new NetworkCounters();
  readonly port: number;
  readonly #options: HttpConnectionsOptions;
  readonly #sockets: readonly ListeningSocket<Carried>[];
  readonly #server = createServer((request, response) => this.#request(request, response));
  readonly #connections = new Set<HttpConnection>();
  readonly #refusedWarning: RareWarning;
  readonly #faultWarning: RareWarning;

  /** @throws ObeliskError PORT_IN_USE, INVALID_SETTING */
  constructor(options: HttpConnectionsOptions) {
    this.#options = options;
    this.#refusedWarning = new RareWarning(options.log, options.clock, "connections are refused");
    this.#faultWarning = new RareWarning(
      options.log,
      options.clock,
      "an HTTP connection was closed after an error",
    );
    this.#server.on("clientError", (_error, stream) => {
      this.counters.violations += 1;
      if (stream.writable) stream.end(BAD_REQUEST, () => stream.destroy());
      else stream.destroy();
    });
    this.#sockets = listenOn<Carried>({
      ...options,
      data: { connection: null },
      socket: {
        open: (socket) => this.#opened(socket),
        data: (socket, bytes) => socket.data.connection?.received(bytes),
        drain: (socket) => socket.data.connection?.drained(),
        end: (socket) => socket.data.connection?.ended(),
        close: (socket) => void socket.data.connection?.destroy(),
        error: (socket) => void socket.data.connection?.destroy(),
      },
    });
    this.port = this.#sockets[0]!.port;
  }

  /** Who comes while it does not accept waits in the system's queue. */
  setAccepting(isAccepting: boolean): void {
    for (const socket of this.#sockets) socket.setAccepting(isAccepting);
  }

  /** At once: whoever asks now may ask again. */
  stop(): void {
    for (const socket of this.#sockets) socket.stop();
    for (const connection of this.#connections) connection.destroy();
  }

  #opened(socket: Bun.Socket<Carried>): void {
    socket.data = { connection: null };
    const cause = this.#options.places.take();
    if (cause !== null) {
      this.#refuse(socket, cause);
      return;
    }
    socket.setNoDelay(true);
    this.counters.accepted += 1;
    this.counters.open += 1;
    const connection = new HttpConnection(socket, this.#options.clock);
    this.#connections.add(connection);
    connection.once("close", () => this.#closed(connection));
    socket.data.connection = connection;
    this.#server.emit("connection", connection);
  }

  #refuse(socket: Bun.Socket<Carried>, cause: RefusalCause): void {
    this.counters.refused[cause] += 1;
    const { places } = this.#options;
    this.#refusedWarning.tell(() => ({
      port: this.port,
      ...places.facts(cause),
      address: socket.remoteAddress,
    }));
    socket.end(REFUSAL);
  }

  #closed(connection: HttpConnection): void {
    if (!this.#connections.delete(connection)) fail("an HTTP connection closes twice");
    this.counters.open -= 1;
    this.#options.places.give();
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const connection = request.socket as unknown as HttpConnection;
    let bytes = 0;
    request.on("data", (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes > REQUEST_BYTES_MAX) connection.destroy();
    });
    connection.serve(async () => {
      try {
        await this.#options.answer(request, response);
      } catch (thrown) {
        this.counters.faults += 1;
        this.#faultWarning.tell({ error: thrown instanceof Error ? thrown.stack : String(thrown) });
        connection.destroy();
      }
    });
  }
}

class HttpConnection extends HttpStream {
  readonly #clock: Clock;
  #timer: Timer;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(socket: Bun.Socket<Carried>, clock: Clock) {
    super(socket);
    this.#clock = clock;
    this.#timer = this.#plan();
    this.on("error", () => this.destroy());
    this.once("close", () => this.#timer.cancel());
  }

  /** One after another, in turns of their own: others are served between. */
  serve(answer: () => Promise<void>): void {
    this.#waiting += 1;
    if (this.#waiting > REQUESTS_WAITING_MAX) {
      this.destroy();
      return;
    }
    this.#turn = this.#turn.then(nextTurn).then(async () => {
      this.#waiting -= 1;
      if (this.destroyed) return;
      await answer();
      this.#timer.cancel();
      if (!this.destroyed) this.#timer = this.#plan();
    });
  }

  #plan(): Timer {
    return this.#clock.after(CONNECTION_MS_MAX, () => this.destroy());
  }
}

/** A whole answer that ends its connection. */
function answerText(status: string, message: string): string {
  const body = JSON.stringify({ error: status.slice(4), message });
  const head = ["content-type: application/json", `content-length: ${body.length}`, "connection: close"];
  return `HTTP/1.1 ${status}\r\n${head.join("\r\n")}\r\n\r\n${body}`;
}

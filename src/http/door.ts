/**
 * The HTTP door: probes and metrics. Elysia routes; how connections are taken and closed is http-connections.ts.
 *
 *   GET /health         the whole report; 503 when unhealthy
 *   GET /health/live    200 as long as the process answers
 *   GET /health/ready   200 when messages are accepted; 503 while stopping or unhealthy
 *   GET /metrics        Prometheus text
 *
 * Everything else is 404 with a JSON body.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Elysia } from "elysia";
import type { Clock } from "../base/clock.ts";
import type { ConnectionPlaces } from "../base/descriptor-budget.ts";
import type { Log } from "../base/log.ts";
import type { LoopTurns } from "../base/loop-turns.ts";
import type { NetworkCounters } from "../network/counters.ts";
import { type HealthParts, reportHealth } from "./health.ts";
import { HttpConnections } from "./http-connections.ts";
import { createMetrics, type DoorActivity } from "./metrics.ts";

export interface HttpDoorOptions extends HealthParts {
  host: string;
  /** 0 takes a free port. */
  port: number;
  places: ConnectionPlaces;
  clock: Clock;
  log: Log;
  /** False while the server stops. */
  isReady: () => boolean;
  activity: () => DoorActivity;
  loopTurns: LoopTurns;
  residentBytes: () => number;
  /** Lines that the log could not write. */
  logLinesLost: () => number;
}

export class HttpDoor {
  readonly #connections: HttpConnections;

  private constructor(connections: HttpConnections) {
    this.#connections = connections;
  }

  /** @throws ObeliskError PORT_IN_USE, INVALID_SETTING */
  static start(options: HttpDoorOptions): HttpDoor {
    const app = routes(options);
    const { host: hostname, port, places, loopTurns, clock, log } = options;
    const fetch: Answer = (request) => {
      loopTurns.enter("http");
      return app.fetch(request);
    };
    const answer = (request: IncomingMessage, response: ServerResponse) => reply(fetch, request, response);
    return new HttpDoor(new HttpConnections({ hostname, port, places, answer, clock, log }));
  }

  get port(): number {
    return this.#connections.port;
  }

  get counters(): NetworkCounters {
    return this.#connections.counters;
  }

  setAccepting(isAccepting: boolean): void {
    this.#connections.setAccepting(isAccepting);
  }

  stop(): void {
    this.#connections.stop();
  }
}

type Answer = (request: Request) => Response | Promise<Response>;

/** From node:http's request to Elysia's, and back. */
async function reply(fetch: Answer, asked: IncomingMessage, response: ServerResponse): Promise<void> {
  const request = requestOf(asked);
  if (request === null) {
    response.writeHead(400, { connection: "close" }).end();
    return;
  }
  const answer = await fetch(request);
  const body = Buffer.from(await answer.arrayBuffer());
  response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), "content-length": body.length });
  response.end(body);
}

/** Without its body, which nobody wants; HEAD is a GET whose answer node:http leaves out. Null for a path that cannot be. */
function requestOf({ method = "GET", url = "/" }: IncomingMessage): Request | null {
  try {
    return new Request(new URL(url, "http://localhost"), { method: method === "HEAD" ? "GET" : method });
  } catch (thrown) {
    if (thrown instanceof TypeError) return null;
    throw thrown;
  }
}

function routes(options: HttpDoorOptions) {
  const metrics = createMetrics({
    ...options,
    nowMs: () => options.clock.nowMs(),
  });
  return new Elysia()
    .onError(({ code, set }) => {
      if (code === "NOT_FOUND") {
        set.status = 404;
        return { error: "NOT_FOUND", message: "there is /health, /health/live, /health/ready and /metrics" };
      }
      set.status = 500;
      return { error: "UNKNOWN_SERVER_ERROR", message: "the server met an error that it did not expect" };
    })
    .get("/health", ({ set }) => {
      const report = reportHealth(options, options.clock.nowMs());
      if (report.status === "unhealthy") set.status = 503;
      return report;
    })
    .get("/health/live", () => ({ status: "alive", timestamp: timestamp(options) }))
    .get("/health/ready", ({ set }) => {
      const isReady =
        options.isReady() && reportHealth(options, options.clock.nowMs()).status !== "unhealthy";
      if (!isReady) set.status = 503;
      return { status: isReady ? "ready" : "not ready", timestamp: timestamp(options) };
    })
    .get("/metrics", async ({ set }) => {
      set.headers["content-type"] = metrics.contentType;
      return await metrics.metrics();
    });
}

function timestamp(options: HttpDoorOptions): string {
  return new Date(options.clock.nowMs()).toISOString();
}

/**
 * The HTTP door: probes and metrics. Elysia routes, Bun serves.
 *
 *   GET /health         the whole report; 503 when unhealthy
 *   GET /health/live    200 as long as the process answers
 *   GET /health/ready   200 when messages are accepted; 503 while stopping or unhealthy
 *   GET /metrics        Prometheus text
 *
 * Everything else is 404 with a JSON body. "localhost" is served on both loopbacks, as the other doors do.
 */

import { Elysia } from "elysia";
import { LOOPBACK_NAME } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import { listenError } from "../base/listen-error.ts";
import type { LoopTurns } from "../base/loop-turns.ts";
import { type HealthParts, reportHealth } from "./health.ts";
import { createMetrics, type DoorActivity } from "./metrics.ts";

/** A probe has no body; anything larger is refused before it is read. */
const REQUEST_BYTES_MAX = 64 * 1024;
/** A free port of one address family may be taken in the other: so often another one is tried. */
const FREE_PORT_TRIES = 16;

export interface HttpDoorOptions extends HealthParts {
  host: string;
  /** 0 takes a free port. */
  port: number;
  clock: Clock;
  /** False while the server stops. */
  isReady: () => boolean;
  activity: () => DoorActivity;
  loopTurns: LoopTurns;
  residentBytes: () => number;
  /** Lines that the log could not write. */
  logLinesLost: () => number;
}

export class HttpDoor {
  readonly #servers: Bun.Server<undefined>[];
  readonly port: number;

  private constructor(servers: Bun.Server<undefined>[]) {
    this.#servers = servers;
    this.port = servers[0]!.port!;
  }

  /** @throws ObeliskError PORT_IN_USE */
  static start(options: HttpDoorOptions): HttpDoor {
    const app = routes(options);
    const answer: Answer = (request) => {
      options.loopTurns.enter("http");
      return app.fetch(request);
    };
    const servers =
      options.host === LOOPBACK_NAME
        ? serveLoopbacks(answer, options.port)
        : [serve(answer, options.host, options.port)];
    return new HttpDoor(servers);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop(true)));
  }
}

type Answer = (request: Request) => Response | Promise<Response>;

/** Both loopbacks on one port; the IPv4 one alone on a machine without IPv6. */
function serveLoopbacks(answer: Answer, port: number): Bun.Server<undefined>[] {
  for (let tries = 1; ; tries += 1) {
    const first = serve(answer, "127.0.0.1", port);
    try {
      return [first, serve(answer, "::1", first.port!)];
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError) || thrown.code !== "PORT_IN_USE") return [first];
      void first.stop(true);
      if (port !== 0 || tries === FREE_PORT_TRIES) throw thrown;
    }
  }
}

function serve(answer: Answer, hostname: string, port: number): Bun.Server<undefined> {
  try {
    return Bun.serve({ hostname, port, maxRequestBodySize: REQUEST_BYTES_MAX, fetch: answer });
  } catch (thrown) {
    throw listenError(thrown, hostname, port);
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

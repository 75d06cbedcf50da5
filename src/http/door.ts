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
import type { Clock } from "../base/clock.ts";
import { errnoOf, ObeliskError } from "../base/errors.ts";
import { type DoorStatus, type HealthParts, reportHealth } from "./health.ts";
import { createMetrics } from "./metrics.ts";

/** A probe has no body; anything larger is refused before it is read. */
const REQUEST_BYTES_MAX = 64 * 1024;
const LOOPBACKS = ["127.0.0.1", "::1"];

export interface HttpDoorOptions extends HealthParts {
  host: string;
  /** 0 takes a free port. */
  port: number;
  clock: Clock;
  /** False while the server stops. */
  isReady: () => boolean;
  residentBytes: () => number;
}

export class HttpDoor {
  readonly #servers: Bun.Server<undefined>[];
  readonly port: number;
  readonly #status: { total: number; errors: number };

  private constructor(servers: Bun.Server<undefined>[], status: { total: number; errors: number }) {
    this.#servers = servers;
    this.port = servers[0]!.port!;
    this.#status = status;
  }

  /** @throws ObeliskError PORT_IN_USE */
  static start(options: HttpDoorOptions): HttpDoor {
    const status = { total: 0, errors: 0 };
    const app = routes(options, status);
    const hosts = options.host === "localhost" ? LOOPBACKS : [options.host];
    const servers: Bun.Server<undefined>[] = [];
    for (const hostname of hosts) {
      const port = servers[0]?.port ?? options.port;
      try {
        servers.push(Bun.serve({ hostname, port, maxRequestBodySize: REQUEST_BYTES_MAX, fetch: app.fetch }));
      } catch (thrown) {
        if (servers.length > 0 && errnoOf(thrown) !== "EADDRINUSE") continue; // a machine without IPv6
        for (const server of servers) void server.stop(true);
        throw new ObeliskError(
          "PORT_IN_USE",
          {
            detail: `the HTTP port ${hostname}:${port} cannot be taken`,
            remedy: "stop what uses it or choose another with --http-port",
          },
          thrown,
        );
      }
    }
    return new HttpDoor(servers, status);
  }

  get status(): DoorStatus {
    return {
      name: "http",
      isListening: true,
      connectionsActive: this.#servers.reduce((sum, server) => sum + server.pendingRequests, 0),
      connectionsTotal: this.#status.total,
      connectionErrors: this.#status.errors,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop(true)));
  }
}

function routes(options: HttpDoorOptions, status: { total: number; errors: number }) {
  const metrics = createMetrics({
    ...options,
    nowMs: () => options.clock.nowMs(),
    residentBytes: options.residentBytes,
  });
  return new Elysia()
    .onRequest(() => {
      status.total += 1;
    })
    .onError(({ code, set }) => {
      if (code === "NOT_FOUND") {
        set.status = 404;
        return { error: "NOT_FOUND", message: "there is /health, /health/live, /health/ready and /metrics" };
      }
      status.errors += 1;
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

/**
 * The HTTP API: probes and metrics. Elysia routes, Bun serves. Bun reports no connections, so those are counted from outside
 * (`look`); requests under way are counted here.
 *
 *   GET /health         the whole report; 503 when unhealthy
 *   GET /health/live    200 as long as the process responds
 *   GET /health/ready   200 when messages are accepted; 503 while stopping or unhealthy
 *   GET /metrics        Prometheus text
 *
 * Everything else is 404 with a JSON body.
 */

import { Elysia } from "elysia";
import { LOOPBACK_NAME } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { ConnectionPlaces } from "../base/descriptors/descriptor-budget.ts";
import { ObeliskError } from "../base/errors.ts";
import { listenError } from "../base/listen-error.ts";
import type { Log } from "../base/log.ts";
import type { LoopTurns } from "../base/loop/loop-turns.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import { NetworkCounters } from "../network/counters.ts";
import { type HealthParts, reportHealth } from "./health.ts";
import { createMetrics, type ListenerActivity } from "./metrics.ts";

/** A probe has no body; anything larger is refused before it is read. */
const REQUEST_BYTES_MAX = 64 * 1024;
/** A free port of one address family may be taken in the other: another one is tried so many times. */
const FREE_PORT_TRIES = 16;
/** A connection that is silent for so long is closed. */
const IDLE_SECONDS = 10;

export interface HttpApiOptions extends HealthParts {
  host: string;
  /** 0 takes a free port. */
  port: number;
  places: ConnectionPlaces;
  clock: Clock;
  log: Log;
  /** False while the server stops. */
  isReady: () => boolean;
  activity: () => ListenerActivity;
  loopTurns: LoopTurns;
  residentBytes: () => number;
  /** Lines that the log could not write. */
  logLinesLost: () => number;
}

export class HttpApi {
  readonly counters = new NetworkCounters();
  readonly port: number;
  readonly #options: HttpApiOptions;
  readonly #app: App;
  readonly #warning: RateLimitedWarning;
  #servers: Bun.Server<undefined>[];
  /** Servers that have stopped listening, and still have connections. */
  #draining: Bun.Server<undefined>[] = [];
  #underWay = 0;

  private constructor(options: HttpApiOptions) {
    this.#options = options;
    this.#app = routes(options);
    this.#warning = new RateLimitedWarning(options.log, options.clock, "connections are refused");
    this.#servers = this.#serveAll(options.port);
    this.port = this.#servers[0]!.port!;
  }

  /** @throws ObeliskError PORT_IN_USE */
  static start(options: HttpApiOptions): HttpApi {
    return new HttpApi(options);
  }

  /**
   * `open`: how many connections there seem to be. Above its places it stops listening, and resumes when there are fewer; so it does
   * when nobody may connect (`isAccepting`).
   */
  look(open: number, isAccepting: boolean): void {
    const { places } = this.#options;
    const cause = places.record(open);
    this.counters.open = open;
    if (isAccepting && cause === null) this.#resume();
    else if (this.#servers.length > 0) {
      const facts = places.facts(cause ?? "descriptors");
      this.counters.refused[cause ?? "descriptors"] += 1;
      this.#warning.tell({ port: this.port, ...facts });
      for (const server of this.#servers) void server.stop(false);
      this.#draining = [...this.#draining.filter((server) => server.pendingRequests > 0), ...this.#servers];
      this.#servers = [];
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers, ...this.#draining].map((server) => server.stop(true)));
  }

  #resume(): void {
    if (this.#servers.length > 0) return;
    try {
      this.#servers = this.#serveAll(this.port);
    } catch (thrown) {
      // Somebody else has the port, or no descriptor is left: it is tried again at the next look.
      if (!(thrown instanceof ObeliskError)) throw thrown;
    }
  }

  async #respond(request: Request): Promise<Response> {
    const { places, loopTurns } = this.#options;
    loopTurns.enter("http");
    if (this.#underWay >= places.max) {
      this.counters.refused["connections-max"] += 1;
      this.#warning.tell({ port: this.port, ...places.facts("connections-max") });
      const body = { error: "Service Unavailable", message: "too many requests are under way" };
      return Response.json(body, { status: 503, headers: { connection: "close" } });
    }
    this.#underWay += 1;
    this.counters.accepted += 1;
    try {
      return await this.#app.fetch(request);
    } finally {
      this.#underWay -= 1;
    }
  }

  #serveAll(port: number): Bun.Server<undefined>[] {
    const { host } = this.#options;
    const respond = (request: Request) => this.#respond(request);
    return host === LOOPBACK_NAME ? serveLoopbacks(respond, port) : [serve(respond, host, port)];
  }
}

type App = ReturnType<typeof routes>;
type Respond = (request: Request) => Promise<Response>;

/** Both loopbacks on one port; the IPv4 one alone on a machine without IPv6. */
function serveLoopbacks(respond: Respond, port: number): Bun.Server<undefined>[] {
  for (let tries = 1; ; tries += 1) {
    const first = serve(respond, "127.0.0.1", port);
    try {
      return [first, serve(respond, "::1", first.port!)];
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError) || thrown.code !== "PORT_IN_USE") return [first];
      void first.stop(true);
      if (port !== 0 || tries === FREE_PORT_TRIES) throw thrown;
    }
  }
}

function serve(respond: Respond, hostname: string, port: number): Bun.Server<undefined> {
  try {
    return Bun.serve({
      hostname,
      port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: REQUEST_BYTES_MAX,
      fetch: respond,
    });
  } catch (thrown) {
    throw listenError(thrown, hostname, port);
  }
}

function routes(options: HttpApiOptions) {
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
      return { error: "UNKNOWN_SERVER_ERROR", message: "unexpected server error" };
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

function timestamp(options: HttpApiOptions): string {
  return new Date(options.clock.nowMs()).toISOString();
}

/**
 * The HTTP API's listener. Bun serves, Elysia routes (app.ts). Bun reports no connections, so those are counted from outside
 * (`look`); requests under way are counted here.
 */

import { LOOPBACK_NAME } from "../base/address.ts";
import type { ConnectionPlaces } from "../base/descriptors/descriptor-budget.ts";
import { ObeliskError } from "../base/errors.ts";
import { listenError } from "../base/listen-error.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import { NetworkCounters } from "../network/counters.ts";
import { createApp, type HttpApp } from "./app.ts";
import type { HttpParts } from "./http-parts.ts";
import { HttpStats } from "./http-stats.ts";
import { LeasedMembers } from "./lease/leased-members.ts";
import { LiveTails, type LiveTimes } from "./live/live-tails.ts";
import { LIVE_SOCKETS } from "./live/routes.ts";
import { Readings } from "./metrics/readings.ts";
import { Sampler } from "./metrics/sampler.ts";
import { problemResponse } from "./problem.ts";
import { type HttpServer, RequestServers } from "./request-servers.ts";

/** Bodies may be endless streams; each route has its own limit (body.ts). Bun reads nothing before it is asked to. */
const REQUEST_BYTES_MAX = Number.MAX_SAFE_INTEGER;
/** A free port of one address family may be taken in the other: another one is tried so many times. */
const FREE_PORT_TRIES = 16;
/** A connection that is silent for so long is closed. */
const IDLE_SECONDS = 10;

export interface HttpApiOptions
  extends Omit<HttpParts, "servers" | "readings" | "sampler" | "live" | "http" | "leases"> {
  host: string;
  /** 0 takes a free port. */
  port: number;
  places: ConnectionPlaces;
  /** Default: LIVE_TIMES. */
  liveTimes?: LiveTimes;
}

export class HttpApi {
  readonly counters = new NetworkCounters();
  readonly port: number;
  readonly #options: HttpApiOptions;
  readonly #app: HttpApp;
  readonly #sampler: Sampler;
  readonly #stats = new HttpStats();
  readonly #requestServers = new RequestServers();
  readonly #warning: RateLimitedWarning;
  readonly live: LiveTails;
  readonly #leases: LeasedMembers;
  #servers: HttpServer[];
  /** Servers that have stopped listening, and still have connections. */
  #draining: HttpServer[] = [];
  #underWay = 0;

  private constructor(options: HttpApiOptions) {
    this.#options = options;
    this.live = new LiveTails(() => options.places.max, options.liveTimes);
    const parts = { ...options, http: this.#stats, live: this.live };
    const readings = new Readings(parts);
    this.#sampler = new Sampler(parts, readings, options.log);
    this.#leases = new LeasedMembers(options);
    this.#app = createApp({
      ...parts,
      servers: this.#requestServers,
      readings,
      sampler: this.#sampler,
      leases: this.#leases,
    });
    this.#warning = new RateLimitedWarning(options.log, options.clock, "connections are refused");
    this.#servers = this.#serveAll(options.port);
    this.port = this.#servers[0]!.port!;
    this.#sampler.start();
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
      this.#draining = [...this.#draining.filter(hasPeers), ...this.#servers];
      this.#servers = [];
    }
  }

  /** Readers who stay are told that the server stops; consumers keep their places until their sessions end. */
  endTails(): void {
    this.live.endAll();
    this.#leases.close();
  }

  async stop(): Promise<void> {
    this.endTails();
    this.#sampler.stop();
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

  async #respond(request: Request, server: HttpServer): Promise<Response> {
    const { places, loopTurns } = this.#options;
    loopTurns.enter("http");
    const startedMs = loopTurns.pieceAtMs;
    if (this.#underWay >= places.max) {
      this.counters.refused["connections-max"] += 1;
      this.#warning.tell({ port: this.port, ...places.facts("connections-max") });
      const error = new ObeliskError("TOO_MANY_REQUESTS", { limit: places.max });
      const refusal = problemResponse(error, {}, { connection: "close" });
      this.#stats.answered(request, refusal.status, 0);
      return refusal;
    }
    this.#underWay += 1;
    this.#requestServers.enter(request, server);
    this.counters.accepted += 1;
    try {
      const response = await this.#app.fetch(request);
      this.#stats.answered(request, response.status, this.#options.clock.monotonicMs() - startedMs);
      return response;
    } finally {
      this.#underWay -= 1;
    }
  }

  #serveAll(port: number): HttpServer[] {
    const { host } = this.#options;
    const respond: Respond = (request, server) => this.#respond(request, server);
    return host === LOOPBACK_NAME ? serveLoopbacks(respond, port) : [serve(respond, host, port)];
  }
}

type Respond = (request: Request, server: HttpServer) => Promise<Response>;

/** Both loopbacks on one port; the IPv4 one alone on a machine without IPv6. */
function serveLoopbacks(respond: Respond, port: number): HttpServer[] {
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

function serve(respond: Respond, hostname: string, port: number): HttpServer {
  try {
    return Bun.serve({
      hostname,
      port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: REQUEST_BYTES_MAX,
      fetch: respond,
      websocket: LIVE_SOCKETS,
    });
  } catch (thrown) {
    throw listenError(thrown, hostname, port);
  }
}

function hasPeers({ pendingRequests, pendingWebSockets }: HttpServer): boolean {
  return pendingRequests > 0 || pendingWebSockets > 0;
}

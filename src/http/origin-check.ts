/**
 * Who may use the HTTP API from a browser. There is no authentication: who reaches the port reads and writes, and a page that somebody looks
 * at reaches what that browser reaches. Two things tell such a page from other clients:
 *
 *   Host     what the client believes to talk to. A page may have a name of its own that leads here (DNS rebinding), so where only this
 *            machine reaches the API, names of the loopback are taken and those of the setting `http-hosts`; any other is 403 FOREIGN_HOST
 *   Origin   where the page is from; sent by every browser with what a page of another origin may do, WebSocket too. Its own origin and
 *            those of the setting `http-cors-origins` are taken, any other is 403 FOREIGN_ORIGIN
 *
 * Pages of `http-cors-origins` are told that they may read the answers (CORS), and their preflights are answered here, whatever the path.
 */

import { isLoopback, parseHost } from "../base/address.ts";
import { ObeliskError } from "../base/errors.ts";
import { problemResponse } from "./problem.ts";

/** How long a browser may remember a preflight. */
const PREFLIGHT_SECONDS = 600;
const METHODS = "GET, HEAD, POST, PATCH, DELETE";
const REQUEST_HEADERS = "accept, content-type, idempotency-key, last-event-id";
const RESPONSE_HEADERS = "location, allow";
/** Of `http-cors-origins`: any. */
const ANY = "*";

export interface OriginRules {
  /** Where it listens. */
  readonly host: string;
  /** Further names that it is called by. */
  readonly hosts: readonly string[];
  readonly corsOrigins: readonly string[];
}

export class OriginCheck {
  readonly #hosts: ReadonlySet<string>;
  readonly #isLoopback: boolean;
  readonly #origins: ReadonlySet<string>;
  /** That was ours. */
  #lastHost: string | null = null;

  constructor({ host, hosts, corsOrigins }: OriginRules) {
    this.#hosts = new Set(hosts.map((name) => name.toLowerCase()));
    this.#isLoopback = isLoopback(host);
    this.#origins = new Set(corsOrigins);
  }

  /** The refusal, or the answer to a preflight; null: the request goes on. */
  answer(request: Request): Response | null {
    const { headers, method } = request;
    const host = headers.get("host");
    if (host !== null && !this.#isOurs(host)) return problemResponse(foreignHost(host));
    const origin = headers.get("origin");
    if (origin === null || isSame(origin, host)) return null;
    if (!this.#isAllowed(origin)) return problemResponse(foreignOrigin(origin));
    if (method !== "OPTIONS" || headers.get("access-control-request-method") === null) return null;
    return this.mark(request, new Response(null, { status: 204, headers: preflight() }));
  }

  /** Lets the page that asks read the answer, when it is of another origin that may. */
  mark(request: Request, response: Response): Response {
    if (this.#origins.size === 0) return response;
    const origin = request.headers.get("origin");
    response.headers.append("vary", "origin");
    if (origin === null || !this.#isAllowed(origin)) return response;
    response.headers.set("access-control-allow-origin", origin);
    response.headers.set("access-control-expose-headers", RESPONSE_HEADERS);
    return response;
  }

  /** `host`: a name or an address, with a port or without. Nearly all requests name the same. */
  #isOurs(host: string): boolean {
    if (host === this.#lastHost) return true;
    const isOurs = this.#looksOurs(host);
    if (isOurs) this.#lastHost = host;
    return isOurs;
  }

  #looksOurs(host: string): boolean {
    if (!this.#isLoopback && this.#hosts.size === 0) return true;
    const name = parseHost(host.replace(/:\d*$/, ""))?.toLowerCase().replace(/\.$/, "");
    return name !== undefined && (isLoopback(name) || name.endsWith(".localhost") || this.#hosts.has(name));
  }

  #isAllowed(origin: string): boolean {
    return this.#origins.has(origin) || this.#origins.has(ANY);
  }
}

/** A proxy in between may have taken the TLS off, so the scheme says nothing. */
function isSame(origin: string, host: string | null): boolean {
  return host !== null && /^https?:\/\/(.*)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
}

function preflight(): Record<string, string> {
  return {
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": REQUEST_HEADERS,
    "access-control-max-age": String(PREFLIGHT_SECONDS),
  };
}

function foreignHost(host: string): ObeliskError {
  return new ObeliskError("FOREIGN_HOST", {
    detail: `this is not ${JSON.stringify(host)}`,
    remedy: "name the host in the setting http-hosts, if this server is meant",
  });
}

function foreignOrigin(origin: string): ObeliskError {
  return new ObeliskError("FOREIGN_ORIGIN", {
    detail: `pages of ${origin} may not use this server`,
    remedy: "name the origin in the setting http-cors-origins, if they may",
  });
}

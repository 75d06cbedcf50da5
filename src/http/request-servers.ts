/**
 * Which of Bun's servers a request came through (there is one for each address family), for what only that one can do: upgrade to a
 * WebSocket, keep a silent connection open, tell the peer's address.
 */

import { fail } from "../base/assert.ts";

export type HttpServer = Bun.Server<unknown>;

export class RequestServers {
  readonly #servers = new WeakMap<Request, HttpServer>();

  enter(request: Request, server: HttpServer): void {
    this.#servers.set(request, server);
  }

  of(request: Request): HttpServer {
    return this.#servers.get(request) ?? fail("the request came through no server");
  }
}

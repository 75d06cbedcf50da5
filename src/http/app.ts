/**
 * The routes of the HTTP API, and what holds for all of them.
 *
 *     request -> route (routes/*.ts, one family each) -> handler -> response
 *                  |                                        |
 *                  access.ts: what it does to what          ObeliskError -> problem document (problem.ts)
 *
 * Every route is documented, with its access (`documented`); one that is not is a fault of ours, found at the start. What is thrown
 * as an `ObeliskError` is answered with its status; anything else is a fault of ours too: 500, and a line in the log. A path that is
 * there with other methods is answered 405 with `Allow`. Before any of it: whose request it is (origin-check.ts), and whether the server
 * takes any.
 */

import { type AnyElysia, Elysia } from "elysia";
import { fail } from "../base/assert.ts";
import { ObeliskError } from "../base/errors.ts";
import { documentOf } from "./access.ts";
import { dashboardRoutes } from "./dashboard/routes.ts";
import type { HttpParts } from "./http-parts.ts";
import { liveRoutes } from "./live/routes.ts";
import { OriginCheck } from "./origin-check.ts";
import { problemResponse, unexpectedProblem } from "./problem.ts";
import { pathsOf, type RoutePaths } from "./route-paths.ts";
import { clusterRoutes } from "./routes/cluster.ts";
import { groupsRoutes } from "./routes/groups.ts";
import { healthRoutes } from "./routes/health.ts";
import { leasesRoutes } from "./routes/leases.ts";
import { messagesRoutes } from "./routes/messages.ts";
import { openApiRoutes } from "./routes/openapi.ts";
import { overviewRoutes } from "./routes/overview.ts";
import { statsRoutes } from "./routes/stats.ts";
import { topicsRoutes } from "./routes/topics.ts";
import { validationError } from "./validation.ts";

export interface HttpApp {
  fetch(request: Request): Response | Promise<Response>;
}

/** The families of routes. */
const FAMILIES: readonly ((parts: HttpParts) => AnyElysia)[] = [
  dashboardRoutes,
  healthRoutes,
  overviewRoutes,
  topicsRoutes,
  messagesRoutes,
  groupsRoutes,
  leasesRoutes,
  clusterRoutes,
  statsRoutes,
  liveRoutes,
];

export function createApp(parts: HttpParts): HttpApp {
  let paths: RoutePaths | null = null;
  const app: AnyElysia = new Elysia({ normalize: false })
    .onError(({ code, error, request }) => {
      if (error instanceof ObeliskError) return problemResponse(error);
      if (code === "NOT_FOUND") return notFound(request, (paths ??= pathsOf(app.routes)));
      const invalid = validationError(code, error);
      if (invalid !== null) return problemResponse(invalid);
      parts.log.error("a request over HTTP failed by a fault of Obelisk itself", {
        method: request.method,
        path: new URL(request.url).pathname,
        reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return unexpectedProblem();
    })
    .onTransform(({ request, route }) => parts.http.routed(request, route))
    .onBeforeHandle(({ params }) => checkParams(params));
  for (const family of FAMILIES) app.use(family(parts));
  app.use(openApiRoutes(() => app.routes, parts.build.version));
  for (const { method, path, hooks } of app.routes) {
    if (documentOf(hooks) === undefined) fail(`the route ${method} ${path} is not documented`);
  }
  const origins = new OriginCheck(parts);
  return {
    fetch: async (request) => {
      const answer = origins.answer(request) ?? notReady(parts, request);
      return answer ?? origins.mark(request, await app.fetch(request));
    },
  };
}

/** A server that stops answers probes; others are to go elsewhere, or come back. */
function notReady({ isReady }: HttpParts, request: Request): Response | null {
  if (isReady() || PROBES.test(new URL(request.url).pathname)) return null;
  return problemResponse(new ObeliskError("NOT_READY"), {}, { connection: "close", "retry-after": "1" });
}

const PROBES = /^\/(health(\/|$)|metrics$)/;

/** Elysia gives null for a part of a path that is percent-encoded wrong. @throws ObeliskError INVALID_REQUEST */
function checkParams(params: Readonly<Record<string, string | null>>): void {
  for (const name in params) {
    if (params[name] === null)
      throw new ObeliskError("INVALID_REQUEST", {
        detail: `${name} in the path is not percent-encoded UTF-8`,
      });
  }
}

function notFound(request: Request, paths: RoutePaths): Response {
  const { pathname } = new URL(request.url);
  const methods = paths.methodsAt(pathname);
  if (methods.length === 0) {
    const detail = `there is nothing at ${pathname}`;
    return problemResponse(
      new ObeliskError("NOT_FOUND", { detail, remedy: "/openapi.json lists what there is" }),
    );
  }
  const allow = methods.join(", ");
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const detail = `${pathname} takes ${allow}, not ${request.method}`;
  return problemResponse(new ObeliskError("METHOD_NOT_ALLOWED", { detail }), {}, { allow });
}

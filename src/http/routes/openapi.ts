/**
 * What the API says of itself.
 *
 *   GET /openapi.json         the OpenAPI 3.1 document
 *   GET /openapi              a page that shows it
 *   GET /openapi/rapidoc.js   the page's script
 */

import { type AnyElysia, Elysia } from "elysia";
import { documented } from "../access.ts";
import { openApiDocument, type Route } from "../openapi/document.ts";
import { VIEWER_PAGE, VIEWER_POLICY, VIEWER_SCRIPT, viewerScript } from "../openapi/viewer.ts";

/** `routes`: all of the API's, once they are there. */
export function openApiRoutes(routes: () => readonly Route[], version: string): AnyElysia {
  let text: string | null = null;
  return new Elysia()
    .get(
      "/openapi.json",
      () => {
        text ??= JSON.stringify(openApiDocument(routes(), version));
        return new Response(text, {
          headers: { "content-type": "application/json", "cache-control": "no-cache" },
        });
      },
      documented({
        access: ["none", "server"],
        tag: "api",
        summary: "This document",
        responses: {
          200: {
            description: "An OpenAPI 3.1 document.",
            schema: { type: "object", required: ["openapi"], properties: { openapi: { type: "string" } } },
            example: { openapi: "3.1.0" },
          },
        },
      }),
    )
    .get(
      "/openapi",
      () =>
        new Response(VIEWER_PAGE, {
          headers: {
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-cache",
            "content-security-policy": VIEWER_POLICY,
            "referrer-policy": "no-referrer",
          },
        }),
      documented({
        access: ["none", "server"],
        tag: "api",
        summary: "This document, for browsers",
        responses: {
          200: { description: "A page.", mediaType: "text/html", example: "<!doctype html>" },
        },
      }),
    )
    .get(
      VIEWER_SCRIPT,
      ({ request }) => viewerScript(request.headers.get("accept-encoding")),
      documented({
        access: ["none", "server"],
        tag: "api",
        summary: "The script of that page",
        responses: {
          200: { description: "A script.", mediaType: "text/javascript", example: "export {};" },
        },
      }),
    );
}

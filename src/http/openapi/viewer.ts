/**
 * The page that shows the OpenAPI document: RapiDoc, carried in the executable, which asks no other host for anything.
 *
 * It is embedded as its package has it compressed, and taken apart for clients that do not take gzip: browsers do.
 */

import { gunzipSync } from "node:zlib";
import archive from "rapidoc/dist/rapidoc-min.js.gz" with { type: "file" };
import { version } from "rapidoc/package.json" with { type: "json" };
import { createDisk } from "../../base/disk.ts";

export const VIEWER_SCRIPT = "/openapi/rapidoc.js";

export const VIEWER_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const VIEWER_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Obelisk: HTTP API</title>
    <link rel="icon" href="data:,">
    <script type="module" src="${VIEWER_SCRIPT}?${version}"></script>
  </head>
  <body>
    <rapi-doc spec-url="/openapi.json" load-fonts="false" regular-font="system-ui, sans-serif"
      mono-font="ui-monospace, monospace" render-style="read" theme="light" schema-style="table" show-header="false"
      allow-authentication="false" allow-server-selection="false" show-method-in-nav-bar="as-colored-text"
      use-path-in-nav-bar="true" persist-auth="false" allow-spec-file-download="true"></rapi-doc>
  </body>
</html>
`;

let loaded: Uint8Array<ArrayBuffer> | null = null;

export function viewerScript(acceptEncoding: string | null): Response {
  loaded ??= new Uint8Array(createDisk().readFile(archive));
  const isGzip = /\bgzip\b/.test(acceptEncoding ?? "");
  return new Response(isGzip ? loaded : gunzipSync(loaded), {
    headers: {
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "public, max-age=31536000, immutable",
      vary: "accept-encoding",
      "x-content-type-options": "nosniff",
      ...(isGzip ? { "content-encoding": "gzip" } : {}),
    },
  });
}

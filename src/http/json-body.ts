/** Bodies of everything but messages: small JSON documents, parsed whole. */

import { ObeliskError } from "../base/errors.ts";
import { JsonScanner } from "../base/json-scanner.ts";
import { MiB } from "../base/units.ts";
import { checkUtf8, isJsonType, mediaTypeOf, readBody } from "./body.ts";
import type { HttpParts } from "./http-parts.ts";
import { RequestMemory } from "./request-memory.ts";

/** A document of this size takes a few milliseconds to parse. */
const DOCUMENT_BYTES_MAX = MiB;

/** For the options of a route with a body. */
export function jsonBody(parts: HttpParts): { parse: (context: { request: Request }) => Promise<unknown> } {
  return { parse: ({ request }) => readJsonBody(parts, request) };
}

/** @throws ObeliskError INVALID_JSON with the position, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE */
async function readJsonBody(parts: HttpParts, request: Request): Promise<unknown> {
  const type = mediaTypeOf(request);
  if (!isJsonType(type)) {
    throw new ObeliskError("UNSUPPORTED_MEDIA_TYPE", {
      detail: `the body cannot be ${type}`,
      remedy: "send application/json",
    });
  }
  const host = parts.servers.of(request).requestIP(request)?.address ?? "";
  using memory = new RequestMemory(parts.requestBudget, host);
  const limit = Math.min(DOCUMENT_BYTES_MAX, parts.bodyBytesMax);
  return parseJson(await readBody(request, limit, () => memory));
}

/** @throws ObeliskError INVALID_JSON with the position */
function parseJson(body: Buffer): unknown {
  checkUtf8(body);
  try {
    return JSON.parse(body.toString());
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    const scanner = new JsonScanner();
    scanner.reset(body, 0, body.length);
    scanner.value(Number.POSITIVE_INFINITY);
    scanner.finish();
    throw new ObeliskError("INVALID_JSON"); // a byte order mark, which JSON.parse refuses and the scanner does not see
  }
}

/** What elysia says of a request that does not fit its route's schemas, as one of our errors. */

import { ObeliskError } from "../base/errors.ts";

/** Null: it is not that. `code` is elysia's. */
export function validationError(code: unknown, error: unknown): ObeliskError | null {
  if (code === "PARSE" && error instanceof Error && error.cause instanceof ObeliskError) return error.cause;
  if (code !== "VALIDATION" || !(error instanceof Error)) return null;
  const { on, property, summary, message } = JSON.parse(error.message) as Record<string, string | undefined>;
  const place = on === "query" ? "the query" : on === "body" ? "the body" : `the ${on ?? "request"}`;
  const member = property === undefined || property === "root" ? "" : ` at ${property}`;
  return new ObeliskError("INVALID_REQUEST", {
    detail: `${place} is not as it must be${member}: ${lower(summary ?? message ?? "")}`,
  });
}

function lower(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

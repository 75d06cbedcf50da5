/**
 * The dashboard: a page for people, over the same routes as everybody else.
 *
 *   GET /                  the page
 *   GET /dashboard/...     the page: its views have addresses of their own, which may be reloaded and passed on
 *   GET /assets/{name}     its script, style sheet and icon
 *
 * The page may load nothing from elsewhere, run nothing but its script, turn no text into markup (`trusted-types`), and stand in no
 * other page. What has a hash in its name is kept by browsers for a year, the page itself is asked for again by its tag.
 */

import { type AnyElysia, Elysia } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import { documented } from "../access.ts";
import { type Asset, chooseCoding, INDEX } from "./asset.ts";
import { loadAssets } from "./assets.ts";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const PAGE_HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": POLICY,
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
};

const KEPT_HEADERS = { "cache-control": "public, max-age=31536000, immutable" };

export function dashboardRoutes(): AnyElysia {
  const page = async ({ request }: { request: Request }) =>
    assetResponse(request, await assetNamed(INDEX), PAGE_HEADERS);
  const pageDocument = documented({
    access: ["none", "server"],
    tag: "dashboard",
    summary: "The dashboard, for browsers",
    responses: { 200: { description: "The page.", mediaType: "text/html" } },
  });
  return new Elysia()
    .get("/", page, pageDocument)
    .get("/dashboard", page, pageDocument)
    .get("/dashboard/*", page, pageDocument)
    .get(
      "/assets/:name",
      async ({ request, params }) => assetResponse(request, await assetNamed(params.name), KEPT_HEADERS),
      documented({
        access: ["none", "server"],
        tag: "dashboard",
        summary: "A file that the dashboard's page names",
        responses: { 200: { description: "The file, compressed as the browser takes it." } },
      }),
    );
}

/** @throws ObeliskError NOT_FOUND */
async function assetNamed(name: string): Promise<Asset> {
  const asset = (await loadAssets()).get(name);
  if (asset === undefined)
    throw new ObeliskError("NOT_FOUND", {
      detail: `there is no asset ${name}`,
      remedy: "load the page again",
    });
  return asset;
}

function assetResponse(request: Request, asset: Asset, headers: Readonly<Record<string, string>>): Response {
  const coding = chooseCoding(request.headers.get("accept-encoding"));
  const tag = `"${asset.tag}-${coding}"`;
  const all: Record<string, string> = {
    ...headers,
    etag: tag,
    vary: "accept-encoding",
    "x-content-type-options": "nosniff",
  };
  if (hasTag(request.headers.get("if-none-match"), tag))
    return new Response(null, { status: 304, headers: all });
  all["content-type"] = asset.mediaType;
  if (coding !== "identity") all["content-encoding"] = coding;
  return new Response(asset.bodies[coding], { headers: all });
}

function hasTag(ifNoneMatch: string | null, tag: string): boolean {
  return (ifNoneMatch ?? "").split(",").some((candidate) => {
    const trimmed = candidate.trim();
    return trimmed === "*" || trimmed === tag || trimmed === `W/${tag}`;
  });
}

/** How the dashboard's files are served: over real HTTP, from the sources, and by the compiled executable. */

import { describe, expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { startHttp } from "../../support/http.ts";
import { compiled } from "../../support/obelisk-command.ts";
import { startServer } from "../../support/obelisk-server.ts";

const UNPACK = {
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
  gzip: gunzipSync,
} as const;

/** The addresses of assets that the page names. */
function assetsOf(page: string): string[] {
  return [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
}

describe("the page", () => {
  test("is answered at / and at every address of a view", async () => {
    await using http = await startHttp();
    const page = await (await http.fetch("/")).text();
    expect(page).toStartWith("<!doctype html>");
    for (const path of ["/dashboard", "/dashboard/topics", "/dashboard/topics/a%2Fb/c"]) {
      const response = await http.fetch(path);
      expect([path, response.status, await response.text()]).toEqual([path, 200, page]);
    }
  });

  test("may load nothing from elsewhere, and stand in no other page", async () => {
    await using http = await startHttp();
    const { headers } = await http.fetch("/");
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
  });

  test("is asked for again by its tag, and not sent twice", async () => {
    await using http = await startHttp();
    const first = await http.fetch("/");
    expect(first.headers.get("cache-control")).toBe("no-cache");
    const again = await http.fetch("/", { headers: { "if-none-match": first.headers.get("etag")! } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const other = await http.fetch("/", { headers: { "if-none-match": '"another"' } });
    expect(other.status).toBe(200);
  });
});

describe("assets", () => {
  test("have a hash in their names, and are kept for a year", async () => {
    await using http = await startHttp();
    const assets = assetsOf(await (await http.fetch("/")).text());
    expect(assets.map((path) => path.replace(/-[0-9a-z]{8}\./, "-HASH."))).toEqual([
      "/assets/icon-HASH.svg",
      "/assets/index-HASH.css",
      "/assets/index-HASH.js",
    ]);
    for (const path of assets) {
      const { status, headers } = await http.fetch(path);
      expect([status, headers.get("cache-control"), headers.get("x-content-type-options")]).toEqual([
        200,
        "public, max-age=31536000, immutable",
        "nosniff",
      ]);
    }
  });

  test("are sent in the smallest coding that the browser takes", async () => {
    await using http = await startHttp();
    const script = assetsOf(await (await http.fetch("/")).text()).find((path) => path.endsWith(".js"))!;
    const ask = (accepted: string) =>
      http.fetch(script, { headers: { "accept-encoding": accepted }, decompress: false } as RequestInit);
    const plain = await ask("identity");
    const source = await plain.text();
    expect(plain.headers.get("content-encoding")).toBeNull();
    for (const [accepted, coding] of [
      ["gzip, deflate, br, zstd", "br"],
      ["gzip, zstd", "zstd"],
      ["br;q=0, gzip;q=0.5", "gzip"],
    ] as const) {
      const response = await ask(accepted);
      const body = Buffer.from(await response.arrayBuffer());
      expect([response.headers.get("content-encoding"), response.headers.get("vary")]).toEqual([
        coding,
        "accept-encoding",
      ]);
      expect(UNPACK[coding](body).toString()).toBe(source);
      expect(body.length).toBeLessThan(source.length);
    }
  });

  test("that are not there are told so", async () => {
    await using http = await startHttp();
    const [status, problem] = await http.ask("/assets/index-00000000.js");
    expect([status, (problem as { code: string }).code]).toEqual([404, "NOT_FOUND"]);
  });
});

test.skipIf(compiled.missing !== undefined)("the compiled executable carries the same files", async () => {
  await using http = await startHttp();
  await using server = await startServer("memory:", [], { program: compiled });
  const { host, port } = server.started.http;
  const origin = `http://${host}:${port}`;
  const page = await (await http.fetch("/")).text();
  expect(await (await fetch(`${origin}/`)).text()).toBe(page);
  for (const path of assetsOf(page)) {
    expect(await (await fetch(origin + path)).text()).toBe(await (await http.fetch(path)).text());
  }
});

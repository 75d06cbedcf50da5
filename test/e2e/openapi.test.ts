/**
 * What is made of the OpenAPI document, on the executable as it is shipped: a client that openapi-typescript generates, which compiles
 * strictly and works, and the page in a browser, which asks no other host.
 */

import { afterAll, beforeAll, describe, expect, mock, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browserMissing, TestBrowser } from "../support/browser.ts";
import { compiled, fromSources } from "../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../support/obelisk-server.ts";

const program = compiled.missing === undefined ? compiled : fromSources;
const MODULES = join(import.meta.dir, "../../node_modules");

let server: RunningServer;
let directory: string;
let origin: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-openapi-"));
  server = await startServer(join(directory, "data"), [], { program });
  origin = `http://127.0.0.1:${server.started.http.port}`;
});

afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** What somebody writes who has only the document. */
const CLIENT = `
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

type Message = components["schemas"]["Message"];

const client = createClient<paths>({ baseUrl: process.argv[2]! });

const created = await client.POST("/topics", { body: { name: "orders", partitions: 1 } });
if (created.error !== undefined) throw new Error(created.error.detail);

const stored = await client.POST("/topics/{topic}/messages", {
  params: { path: { topic: "orders" }, header: { "idempotency-key": "1" } },
  body: { key: "user-1", value: { amount: 12 } },
});
if (stored.error !== undefined) throw new Error(stored.error.detail);

const polled = await client.POST("/groups/{group}/poll", {
  params: { path: { group: "billing" } },
  body: { topics: ["orders"], waitMs: 10_000 },
});
if (polled.data === undefined) throw new Error(polled.error.code);
const messages: Message[] = polled.data.messages;
const { member, offsets } = polled.data;
await client.POST("/groups/{group}/commit", { params: { path: { group: "billing" } }, body: { member, offsets } });

const group = await client.GET("/groups/{group}", { params: { path: { group: "billing" } } });
const lag: number | null | undefined = group.data?.lag;
const page = await client.GET("/topics/{topic}/messages", {
  params: { path: { topic: "orders" }, query: { limit: 10, order: "desc" } },
});
// The same path answers a stream too; this client asked for JSON.
const { next }: { next: Record<string, number> } = page.data as components["schemas"]["MessagesPage"];
const refused = await client.GET("/topics/{topic}", { params: { path: { topic: "none" } } });
console.log(JSON.stringify({ messages: messages.map(({ value }) => value), lag, next, code: refused.error?.code }));

// @ts-expect-error there is no such path
void client.GET("/nothing");
// @ts-expect-error a limit is a number
void client.GET("/topics", { params: { query: { limit: "many" } } });
`;

test("a client that is generated from the document compiles strictly, and works", async () => {
  // The generator prints types with the compiler's older interface.
  const older = await import("typescript-5");
  await mock.module("typescript", () => older);
  const { astToString, default: generate } = await import("openapi-typescript");
  const types = astToString(await generate(new URL("/openapi.json", origin)));
  const folder = mkdtempSync(join(directory, "client-"));
  symlinkSync(MODULES, join(folder, "node_modules"));
  writeFileSync(join(folder, "api.d.ts"), types);
  writeFileSync(join(folder, "client.ts"), CLIENT);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        module: "esnext",
        moduleResolution: "bundler",
        target: "esnext",
        types: ["bun"],
        allowImportingTsExtensions: true,
        skipLibCheck: true,
      },
      files: ["client.ts"],
    }),
  );
  const compiling = Bun.spawn([join(MODULES, ".bin/tsc"), "-p", folder], { stdout: "pipe", stderr: "pipe" });
  expect([await new Response(compiling.stdout).text(), await compiling.exited]).toEqual(["", 0]);
  const running = Bun.spawn([process.execPath, join(folder, "client.ts"), origin], { stdout: "pipe" });
  const output = await new Response(running.stdout).text();
  expect([await running.exited, JSON.parse(output)]).toEqual([
    0,
    { messages: ['{"amount":12}'], lag: 0, next: { "0": 0 }, code: "UNKNOWN_TOPIC_OR_PARTITION" },
  ]);
}, 60_000);

const title = browserMissing === undefined ? "the page" : `the page (skipped: ${browserMissing})`;

describe.skipIf(browserMissing !== undefined)(title, () => {
  const browser = new TestBrowser();
  beforeAll(() => browser.launch(), 60_000);
  afterAll(() => browser.close());

  test("shows every operation, and asks no other host", async () => {
    const watched = await browser.open(origin, "/openapi");
    const { page } = watched;
    await page.getByText("Store messages").first().waitFor();
    const shown = await page.locator("rapi-doc").evaluate((element) => element.shadowRoot?.textContent ?? "");
    for (const summary of [
      "Read messages",
      "List groups",
      "Consume: the next messages of a group",
      "Every setting",
    ])
      expect(shown).toContain(summary);
    // Examples are those of the document, not made up from the schemas.
    await page.getByText("a size such as 64KiB, 512MiB or 1GiB").first().waitFor();
    expect(watched.faults()).toEqual([]);
  }, 60_000);
});

/** Pages of other origins, and names that are not ours: as browsers send them, by real HTTP. */

import { expect, test } from "bun:test";
import { startHttp, type TestHttp } from "../support/http.ts";

async function statusOf(http: TestHttp, headers: Record<string, string>, init: RequestInit = {}) {
  const response = await http.fetch("/transactions", { ...init, headers });
  const text = await response.text();
  return [response.status, response.status === 403 ? (JSON.parse(text) as { code: string }).code : null];
}

const TAKEN = [200, null];
const FOREIGN_HOST = [403, "FOREIGN_HOST"];
const FOREIGN_ORIGIN = [403, "FOREIGN_ORIGIN"];

test("on loopback only names of the loopback are taken, and those that are named", async () => {
  await using http = await startHttp({ hosts: ["obelisk.example"] });
  const by = (host: string) => statusOf(http, { host });
  for (const host of [
    "localhost",
    "LOCALHOST:9999",
    "127.0.0.1:1",
    "127.1.2.3",
    "[::1]:8081",
    "app.localhost",
    "Obelisk.Example:443",
    "obelisk.example.",
  ])
    expect([host, await by(host)]).toEqual([host, TAKEN]);
  for (const host of [
    "rebound.example",
    "obelisk.example.com",
    "localhost.example",
    "10.0.0.1:8081",
    "0.0.0.0",
  ])
    expect([host, await by(host)]).toEqual([host, FOREIGN_HOST]);
  const [, problem] = await http.ask("/topics", { headers: { host: "rebound.example" } });
  expect(problem).toEqual({
    type: "urn:obelisk:error:FOREIGN_HOST",
    title: "the request is for another host",
    status: 403,
    detail: 'this is not "rebound.example"; name the host in the setting http-hosts, if this server is meant',
    code: "FOREIGN_HOST",
    isRetriable: false,
  });
});

test("where everybody may come, every name is taken, unless some are given", async () => {
  await using open = await startHttp({ host: "0.0.0.0" });
  expect(await statusOf(open, { host: "anything.example" })).toEqual(TAKEN);
  await using named = await startHttp({ host: "0.0.0.0", hosts: ["obelisk.example"] });
  expect(await statusOf(named, { host: "anything.example" })).toEqual(FOREIGN_HOST);
  expect(await statusOf(named, { host: "obelisk.example" })).toEqual(TAKEN);
});

test("pages of other origins are refused, whatever they ask, and do nothing", async () => {
  await using http = await startHttp();
  const port = new URL(http.origin).port;
  const host = `localhost:${port}`;
  for (const origin of [`http://localhost:${port}`, `https://LOCALHOST:${port}`])
    expect([origin, await statusOf(http, { host, origin })]).toEqual([origin, TAKEN]);
  for (const origin of ["https://evil.example", "http://localhost:3000", `http://127.0.0.1:${port}`, "null"])
    expect([origin, await statusOf(http, { host, origin })]).toEqual([origin, FOREIGN_ORIGIN]);
  const response = await http.fetch("/topics/t/messages", {
    method: "POST",
    body: '{"value": "x"}',
    headers: { origin: "https://evil.example", "content-type": "text/plain" },
  });
  expect([response.status, http.broker.topics.get("t")]).toEqual([403, undefined]);
  const upgrade = { origin: "https://evil.example", connection: "upgrade", upgrade: "websocket" };
  expect(await statusOf(http, upgrade)).toEqual(FOREIGN_ORIGIN);
});

test("origins that are allowed may read the answers, also after a preflight; others may not", async () => {
  await using http = await startHttp({ corsOrigins: ["https://console.example"] });
  const origin = "https://console.example";
  const preflight = await http.fetch("/topics/any/messages", {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST" },
  });
  const headers = (response: Response) =>
    ["allow-origin", "allow-methods", "allow-headers", "max-age", "allow-credentials"].map((name) =>
      response.headers.get(`access-control-${name}`),
    );
  expect([preflight.status, headers(preflight)]).toEqual([
    204,
    [
      origin,
      "GET, HEAD, POST, PATCH, DELETE",
      "accept, content-type, idempotency-key, last-event-id",
      "600",
      null,
    ],
  ]);
  const answer = await http.fetch("/topics", { headers: { origin } });
  expect([
    answer.status,
    answer.headers.get("access-control-allow-origin"),
    answer.headers.get("vary"),
  ]).toEqual([200, origin, "origin"]);
  // Refusals can be read too.
  const refused = await http.fetch("/topics/none", { headers: { origin } });
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([404, origin]);
  const foreign = await http.fetch("/topics", { headers: { origin: "https://evil.example" } });
  expect([foreign.status, foreign.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  const plain = await http.fetch("/topics");
  expect([plain.status, plain.headers.get("access-control-allow-origin"), plain.headers.get("vary")]).toEqual(
    [200, null, "origin"],
  );
});

test("with * every origin may, and without the setting nobody is told so", async () => {
  await using all = await startHttp({ corsOrigins: ["*"] });
  const answer = await all.fetch("/topics", { headers: { origin: "https://any.example" } });
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([
    200,
    "https://any.example",
  ]);
  await using none = await startHttp();
  const plain = await none.fetch("/topics");
  expect([plain.headers.get("access-control-allow-origin"), plain.headers.get("vary")]).toEqual([null, null]);
});

import { expect, test } from "bun:test";
import { startHttp } from "../support/http.ts";
import { LiveClient } from "../support/live-client.ts";

test("answers are counted by their status, and by route with the time until they begin, however many paths are asked for", async () => {
  await using http = await startHttp();
  for (const path of ["/health/live", "/health/live", "/topics/missing", "/topics?limit=many"])
    await http.fetch(path);
  for (let index = 0; index < 100; index += 1) {
    await http.fetch(`/nothing/${index}`);
    await http.fetch(`/topics/t${index}/messages`, { method: index % 2 === 0 ? "GET" : "PUT" });
  }
  const lines = (await (await http.fetch("/metrics")).text()).split("\n");
  expect(lines.filter((line) => line.startsWith("obelisk_http_responses_total"))).toEqual([
    'obelisk_http_responses_total{status="200"} 2',
    'obelisk_http_responses_total{status="404"} 151',
    'obelisk_http_responses_total{status="400"} 1',
    'obelisk_http_responses_total{status="405"} 50',
  ]);
  expect(lines.filter((line) => line.startsWith("obelisk_http_duration_seconds_count"))).toEqual([
    'obelisk_http_duration_seconds_count{route="GET /health/live"} 2',
    'obelisk_http_duration_seconds_count{route="GET /topics/{topic}"} 1',
    'obelisk_http_duration_seconds_count{route="GET /topics"} 1',
    'obelisk_http_duration_seconds_count{route="none"} 150',
    'obelisk_http_duration_seconds_count{route="GET /topics/{topic}/messages"} 50',
  ]);
});

test("a connection that becomes a WebSocket is counted as such", async () => {
  await using http = await startHttp();
  await http.broker.topics.ensure("orders");
  await using _ = await LiveClient.open(http.origin, "orders");
  const scrape = await (await http.fetch("/metrics")).text();
  expect(scrape).toContain('obelisk_http_responses_total{status="101"} 1\n');
});

test("live tails are told as long as they are open", async () => {
  await using http = await startHttp();
  await http.broker.topics.ensure("orders");
  const tails = async () =>
    (await (await http.fetch("/metrics")).text())
      .split("\n")
      .filter((line) => line.startsWith("obelisk_live_tails"));
  const reader = new AbortController();
  const tail = await http.fetch("/topics/orders/messages", {
    headers: { accept: "text/event-stream" },
    signal: reader.signal,
  });
  expect([tail.status, await tails()]).toEqual([
    200,
    ["obelisk_live_tails 1", "obelisk_live_tails_cut_total 0"],
  ]);
  reader.abort();
  while (http.api.live.count > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(await tails()).toEqual(["obelisk_live_tails 0", "obelisk_live_tails_cut_total 0"]);
});

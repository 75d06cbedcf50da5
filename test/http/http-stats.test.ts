import { expect, test } from "bun:test";
import { startHttp } from "../support/http.ts";

test("answers are counted by their status, with the time until they begin", async () => {
  await using http = await startHttp();
  for (const path of ["/health/live", "/health/live", "/nothing", "/topics/missing"]) await http.fetch(path);
  const lines = (await (await http.fetch("/metrics")).text()).split("\n");
  expect(lines.filter((line) => line.startsWith("obelisk_http_responses_total"))).toEqual([
    'obelisk_http_responses_total{status="200"} 2',
    'obelisk_http_responses_total{status="404"} 2',
  ]);
  expect(lines).toContain("obelisk_http_duration_seconds_count 4");
});

/** The HTTP door's connections on real sockets; what is answered is a line that names the request. */

import { afterEach, expect, test } from "bun:test";
import type { ConnectionPlaces } from "../../src/base/descriptor-budget.ts";
import { silentLog } from "../../src/base/log.ts";
import { CONNECTION_MS_MAX, HttpConnections, REQUEST_BYTES_MAX } from "../../src/http/http-connections.ts";
import { TestClient, until } from "../network/support.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { placesOf } from "../support/places.ts";

const opened: HttpConnections[] = [];
afterEach(() => {
  for (const connections of opened.splice(0)) connections.stop();
});

function served(places: ConnectionPlaces = placesOf(100), bodyBytes = 0) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const connections = new HttpConnections({
    hostname: "127.0.0.1",
    port: 0,
    places,
    answer: async ({ method, url }, response) => {
      asked.push(`${method} ${url}`);
      if (url === "/fault") throw new Error("a mistake of ours");
      response.removeHeader("date");
      response.writeHead(200, { "content-length": url!.length + bodyBytes });
      response.end(url + "x".repeat(bodyBytes));
    },
    clock,
    log: silentLog,
  });
  opened.push(connections);
  return { connections, clock, asked, places, connect: () => TestClient.connect(connections.port) };
}

const request = (path: string, head = "") => Buffer.from(`GET ${path} HTTP/1.1\r\nhost: here\r\n${head}\r\n`);

test("without a place a connection gets a 503 before it has asked, and one that closes leaves its place", async () => {
  const { connections, connect } = served(placesOf(1));
  await using first = await connect();
  await until(() => connections.counters.open === 1);
  await using second = await connect();
  await second.ends();
  expect(second.text).toBe(
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 64\r\n" +
      'connection: close\r\n\r\n{"error":"Service Unavailable","message":"too many connections"}',
  );
  first.abort();
  await until(() => connections.counters.open === 0);
  await using third = await connect();
  third.send(request("/third", "connection: close\r\n"));
  await third.ends();
  expect(third.text).toEndWith("/third");
  expect([connections.counters.accepted, connections.counters.refused]).toEqual([
    2,
    { "connections-max": 1, descriptors: 0 },
  ]);
});

test("requests that are sent at once are answered in order, and a connection stays open for the next", async () => {
  const { connections, asked, connect } = served();
  await using client = await connect();
  client.send(Buffer.concat([request("/1"), request("/2"), request("/3")]));
  await until(() => client.text.includes("/3"));
  client.send(request("/4"));
  await until(() => client.text.includes("/4"));
  expect([asked, connections.counters.open]).toEqual([["GET /1", "GET /2", "GET /3", "GET /4"], 1]);
});

test("a peer that has sent everything and shut its side gets its answer", async () => {
  const { connect } = served();
  await using client = await connect();
  client.send(request("/half"));
  client.halfClose();
  await client.ends();
  expect(client.text).toEndWith("/half");
});

test("an answer larger than the socket takes at once arrives whole", async () => {
  const { connect } = served(placesOf(1), 8_000_000);
  await using client = await connect();
  client.send(request("/large", "connection: close\r\n"));
  await client.ends();
  expect(client.received.length).toBeGreaterThan(8_000_000);
});

test("a connection that asks nothing, or never ends its question, is closed in time, one that asks again is not", async () => {
  const { connections, clock, connect } = served();
  await using silent = await connect();
  await using slow = await connect();
  await using busy = await connect();
  await until(() => connections.counters.open === 3);
  slow.send(Buffer.from("GET / HT"));
  clock.advance(CONNECTION_MS_MAX / 2);
  busy.send(request("/busy"));
  await until(() => busy.text.includes("/busy"));
  slow.send(Buffer.from("TP/1."));
  clock.advance(CONNECTION_MS_MAX / 2);
  await Promise.all([silent.ends(), slow.ends()]);
  expect([connections.counters.open, silent.text, slow.text, busy.hasEnded]).toEqual([1, "", "", false]);
  clock.advance(CONNECTION_MS_MAX / 2);
  await busy.ends();
  expect(clock.pending).toBe(0);
});

test("what is no request gets a 400, and a body that nobody wants, or more requests than are kept, ends the connection", async () => {
  const { connections, asked, connect } = served();
  await using garbage = await connect();
  garbage.send(Buffer.from("\x00\x01 hello\r\n\r\n"));
  await garbage.ends();
  expect(garbage.text).toStartWith("HTTP/1.1 400 Bad Request\r\n");
  await using heavy = await connect();
  heavy.send(
    Buffer.from(`POST / HTTP/1.1\r\nhost: here\r\ncontent-length: ${10 * REQUEST_BYTES_MAX}\r\n\r\n`),
  );
  heavy.send(Buffer.alloc(2 * REQUEST_BYTES_MAX));
  await heavy.ends();
  await using greedy = await connect();
  greedy.send(Buffer.concat(Array.from({ length: 1000 }, () => request("/"))));
  await greedy.ends();
  await until(() => connections.counters.open === 0);
  expect(asked.length).toBeLessThan(200);
});

test("an answer that fails closes its connection and no other", async () => {
  const { connections, connect } = served();
  await using other = await connect();
  await using client = await connect();
  client.send(request("/fault"));
  await client.ends();
  other.send(request("/sound"));
  await until(() => other.text.endsWith("/sound"));
  expect([client.text, connections.counters.faults]).toEqual(["", 1]);
});

/** What the HTTP API refuses, and with what, on the program as it is shipped. */

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpStream } from "../support/http-stream.ts";
import { compiled, fromSources } from "../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../support/obelisk-server.ts";
import { SmallDisk, smallDiskMissing } from "../support/small-disk.ts";

const program = compiled.missing === undefined ? compiled : fromSources;

interface Refusal {
  readonly status: number;
  readonly type: string | null;
  readonly problem: {
    readonly code: string;
    readonly detail: string;
    readonly isRetriable: boolean;
    readonly [member: string]: unknown;
  };
}

class TestServer implements AsyncDisposable {
  readonly directory: string;
  readonly server: RunningServer;

  private constructor(directory: string, server: RunningServer) {
    this.directory = directory;
    this.server = server;
  }

  static async start(...flags: string[]): Promise<TestServer> {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-http-refusals-"));
    return new TestServer(directory, await startServer(join(directory, "data"), flags, { program }));
  }

  get port(): number {
    return this.server.started.http.port;
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, init);
  }

  async refusal(path: string, body?: string, headers: Record<string, string> = {}): Promise<Refusal> {
    const response = await this.fetch(
      path,
      body === undefined ? { headers } : { method: "POST", body, headers },
    );
    const problem = (await response.json()) as Refusal["problem"];
    return { status: response.status, type: response.headers.get("content-type"), problem };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

test("a body, a line and a message that are too large are 413, bad JSON is 400 with its position, what is not there 404", async () => {
  await using server = await TestServer.start(
    "--http-body-bytes-max=64KiB",
    "--message-bytes-max=32KiB",
    "--auto-create=false",
  );
  await server.fetch("/topics", { method: "POST", body: '{"name": "t"}' });
  const type = "application/problem+json";
  const path = "/topics/t/messages";
  expect(await server.refusal(path, `{"value": "${"x".repeat(70_000)}"}`)).toMatchObject({
    status: 413,
    type,
    problem: { code: "BODY_TOO_LARGE", limit: 65_536, isRetriable: false },
  });
  const line = await server.refusal(path, "x".repeat(70_000), { "content-type": "application/x-ndjson" });
  expect(line).toMatchObject({ status: 413, problem: { code: "MESSAGE_TOO_LARGE" } });
  expect(await server.refusal(path, `{"value": "${"x".repeat(40_000)}"}`)).toMatchObject({
    status: 413,
    type,
    problem: { code: "MESSAGE_TOO_LARGE" },
  });
  expect(await server.refusal(path, '{"value": "a",}')).toMatchObject({
    status: 400,
    type,
    problem: { code: "INVALID_JSON", position: 14 },
  });
  expect(await server.refusal("/groups/g/poll", '{"topics": ["t"}')).toMatchObject({
    status: 400,
    problem: { code: "INVALID_JSON", position: 15 },
  });
  expect(await server.refusal("/topics/none/messages", '{"value": "a"}')).toMatchObject({
    status: 404,
    type,
    problem: { code: "UNKNOWN_TOPIC_OR_PARTITION", topic: "none" },
  });
  expect(await server.refusal("/nothing")).toMatchObject({ status: 404, problem: { code: "NOT_FOUND" } });
  const stored = (await (await server.fetch("/stats?topic=t")).json()) as { persisted: number };
  expect(stored.persisted).toBe(0);
}, 60_000);

test("another host, and pages of other origins, are 403", async () => {
  await using server = await TestServer.start("--http-cors-origins=https://console.example");
  expect(await server.refusal("/topics", undefined, { host: "rebound.example" })).toMatchObject({
    status: 403,
    problem: { code: "FOREIGN_HOST" },
  });
  const body = '{"value": "a"}';
  expect(await server.refusal("/topics/t/messages", body, { origin: "https://evil.example" })).toMatchObject({
    status: 403,
    problem: { code: "FOREIGN_ORIGIN" },
  });
  expect((await server.fetch("/topics/t")).status).toBe(404);
  const allowed = await server.fetch("/topics", { headers: { origin: "https://console.example" } });
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
    200,
    "https://console.example",
  ]);
}, 60_000);

test("one connection too many is 503, and there is a place when another has gone", async () => {
  await using server = await TestServer.start("--http-connections-max=2");
  await server.fetch("/topics", { method: "POST", body: '{"name": "t"}' });
  const waiting = [0, 1].map(() => {
    const gone = new AbortController();
    const answer = server.fetch("/topics/t/messages?wait=60000", { signal: gone.signal }).catch(() => null);
    return { gone, answer };
  });
  let refused = await server.refusal("/transactions");
  while (refused.status === 200) refused = await server.refusal("/transactions");
  expect(refused).toMatchObject({
    status: 503,
    type: "application/problem+json",
    problem: { code: "TOO_MANY_REQUESTS", limit: 2, isRetriable: true },
  });
  waiting[0]!.gone.abort();
  while ((await server.fetch("/transactions")).status !== 200) await Bun.sleep(10);
  waiting[1]!.gone.abort();
  await Promise.all(waiting.map(({ answer }) => answer));
}, 60_000);

test("a server that stops is 503 for all but probes", async () => {
  await using server = await TestServer.start();
  // Somebody is in the middle of a request: the server gives him a moment.
  const slow = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.server.started.kafka.port,
    allowHalfOpen: true,
    socket: { data: () => {}, end: () => {} },
  });
  slow.write(Buffer.from([0, 0, 0, 100, 1]));
  const bytesIn = async () => {
    const { connections } = (await (await server.fetch("/connections")).json()) as {
      connections: { bytesIn: number }[];
    };
    return connections[0]?.bytesIn ?? 0;
  };
  while ((await bytesIn()) < 5) await Bun.sleep(10);
  expect((await server.fetch("/health/ready")).status).toBe(200);
  const exited = server.server.stop("SIGTERM");
  let ready = 200;
  while (ready === 200) ready = (await server.fetch("/health/ready")).status;
  expect(ready).toBe(503);
  expect(await server.refusal("/topics/t/messages", '{"value": "a"}')).toMatchObject({
    status: 503,
    type: "application/problem+json",
    problem: { code: "NOT_READY", isRetriable: true },
  });
  expect((await server.fetch("/health/live")).status).toBe(200);
  slow.terminate();
  expect(await exited).toBe(0);
}, 60_000);

test.skipIf(smallDiskMissing !== undefined)(
  `a full disk is 507, and what comes later is stored${smallDiskMissing === undefined ? "" : ` (skipped: ${smallDiskMissing})`}`,
  async () => {
    using disk = new SmallDisk(16 * 1024 * 1024);
    await using server = await startServer(join(disk.path, "data"), [], { program });
    const produce = async (value: string) => {
      const response = await fetch(`http://127.0.0.1:${server.started.http.port}/topics/t/messages`, {
        method: "POST",
        body: JSON.stringify({ value }),
      });
      return [response.status, ((await response.json()) as { code?: string }).code];
    };
    expect(await produce("a")).toEqual([200, undefined]);
    disk.fillBytes();
    let outcome = await produce("x".repeat(100_000));
    while (outcome[0] === 200) outcome = await produce("x".repeat(100_000));
    expect(outcome).toEqual([507, "DISK_FULL"]);
    disk.empty();
    while ((await produce("b"))[0] !== 200) await Bun.sleep(20);
  },
  60_000,
);

test("a reader that takes nothing costs a bounded amount of memory, and others read on", async () => {
  await using server = await TestServer.start("--durability=os");
  const value = "x".repeat(1000);
  const lines = `${JSON.stringify({ value })}\n`.repeat(10_000);
  for (let sent = 0; sent < 10; sent += 1) {
    const headers = { "content-type": "application/x-ndjson" };
    await (await server.fetch("/topics/t/messages", { method: "POST", body: lines, headers })).text();
  }
  const residentBytes = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.server.child.pid}/status`, "utf8"))![1]) * 1024;
  const count = async () => {
    const response = await server.fetch("/topics/t/messages", {
      headers: { accept: "application/x-ndjson" },
    });
    return (await response.text()).split("\n").length - 1;
  };
  expect(await count()).toBe(100_000);
  const before = residentBytes();
  const streams = await Promise.all(
    Array.from({ length: 20 }, () =>
      HttpStream.get(server.port, "/topics/t/messages", { accept: "application/x-ndjson" }),
    ),
  );
  for (const stream of streams) stream.pause();
  expect(await count()).toBe(100_000);
  // 20 times the topic would be 2 GB; each may hold a piece or two, and what the system takes of it.
  expect(residentBytes() - before).toBeLessThan(150 * 1024 * 1024);
  for (const stream of streams) await stream[Symbol.asyncDispose]();
}, 120_000);

/**
 * Messages over HTTP: one by one, and in lists of a hundred, each request sent when the one before it on its connection is answered.
 *
 *   bun scripts/bench/http.ts [--quick]     only this; scripts/bench/main.ts measures it too
 *
 * Requests are built beforehand and answers are only cut apart, so that a run measures the server and hardly the client.
 */

import { type Address, LoadSocket, percentile, withDeadline } from "./load.ts";
import { cpuMs, startBare, startObelisk } from "./servers.ts";

const VALUE_BYTES = 100;
const LIST = 100;
const CROWD = 16;

interface HttpRun {
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type Add = (server: string, work: string, value: number, unit: string) => void;

/** `requests`: of each run, over all of its connections. */
export async function measureHttp(
  name: string,
  { address, pid }: { address: Address; pid: number },
  requests: number,
  add: Add,
): Promise<void> {
  const message = JSON.stringify({ key: "k", value: "x".repeat(VALUE_BYTES) });
  const list = `[${new Array(LIST).fill(message).join(",")}]`;
  await pumpHttp(address, message, 1, requests / 10, CROWD);
  for (const [connections, share] of [
    [1, 0.25],
    [CROWD, 1],
  ] as const) {
    const who = `${connections} connection${connections === 1 ? "" : "s"}`;
    for (const [work, body, messages, count] of [
      [`HTTP produce one by one, ${who}`, message, 1, requests * share],
      [`HTTP produce lists of ${LIST}, ${who}`, list, LIST, (requests * share) / 10],
    ] as const) {
      const beforeMs = cpuMs(pid);
      const run = await pumpHttp(address, body, messages, count, connections);
      add(name, work, run.messagesPerSecond, "messages/s");
      add(name, `${work}, p50`, run.p50Ms, "ms");
      add(name, `${work}, p99`, run.p99Ms, "ms");
      add(
        name,
        `${work}, the server's processor`,
        ((cpuMs(pid) - beforeMs) * 1000) / run.messages,
        "us a message",
      );
    }
  }
}

async function pumpHttp(
  address: Address,
  body: string,
  messages: number,
  requests: number,
  connections: number,
): Promise<HttpRun> {
  const head = [
    "POST /topics/bench-http/messages HTTP/1.1",
    `host: localhost:${address.port}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  const request = Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
  const each = Math.max(1, Math.floor(requests / connections));
  const startedAt = performance.now();
  const latencies = await withDeadline(
    Promise.all(Array.from({ length: connections }, () => ask(address, request, each))),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const all = latencies.flat();
  return {
    messages: all.length * messages,
    messagesPerSecond: (all.length * messages) / seconds,
    p50Ms: percentile(all, 0.5),
    p99Ms: percentile(all, 0.99),
  };
}

/** One after the other on one connection; ms of each. @throws when an answer is not 200 */
async function ask(address: Address, request: Buffer, count: number): Promise<number[]> {
  const latencies: number[] = [];
  const done = Promise.withResolvers<void>();
  let sentAt = 0;
  const answers = new AnswerCounter((status) => {
    if (status !== 200) return done.reject(new Error(`the answer is ${status}`));
    latencies.push(performance.now() - sentAt);
    if (latencies.length === count) done.resolve();
    else send();
  });
  const socket = await LoadSocket.connect(address, (chunk) => answers.push(chunk));
  const send = () => {
    sentAt = performance.now();
    socket.send(request);
  };
  send();
  await done.promise;
  socket.close();
  return latencies;
}

/** Cuts answers with a told length out of what comes. */
class AnswerCounter {
  readonly #answered: (status: number) => void;
  #held: Buffer = Buffer.alloc(0);

  constructor(answered: (status: number) => void) {
    this.#answered = answered;
  }

  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (;;) {
      const headEnd = this.#held.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const head = this.#held.toString("latin1", 0, headEnd);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
      if (!Number.isInteger(length)) throw new Error(`an answer without a length: ${head}`);
      const end = headEnd + 4 + length;
      if (this.#held.length < end) return;
      this.#held = this.#held.subarray(end);
      this.#answered(Number(head.slice(9, 12)));
    }
  }
}

/** The runtime's HTTP alone, then the server. */
async function main(requests: number): Promise<void> {
  const add: Add = (name, work, value, unit) =>
    console.log(
      `${name.padEnd(8)} ${work.padEnd(62)} ${value >= 100 ? Math.round(value) : value.toFixed(2)} ${unit}`,
    );
  const bare = await startBare("bare-http.ts");
  await measureHttp("bare", bare, requests, add);
  await bare.stop();
  const server = await startObelisk();
  await measureHttp("obelisk", { address: server.http, pid: server.pid }, requests, add);
  await server.stop();
}

if (import.meta.main) await main(process.argv.includes("--quick") ? 4000 : 40_000);

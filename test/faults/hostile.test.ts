/**
 * Hostile peers, on every listener of the compiled executable, while a well-behaved client goes on: bytes of other protocols,
 * lengths that lie, large frames that never end, consumers that request and do not read. Memory stays below the ceiling.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "../support/obelisk-command.ts";
import type { RunningServer } from "../support/obelisk-server.ts";
import { Bench, brokersOf } from "./support.ts";

const MiB = 1024 * 1024;
/** The default of `memory`, and what the process needs beside it. */
const RESIDENT_BYTES_MAX = (512 + 200) * MiB;
const title = compiled.missing === undefined ? "" : ` (skipped: ${compiled.missing})`;

const HOSTILE: readonly Uint8Array[] = [
  Uint8Array.from({ length: 1000 }, (_, index) => (index * 7919) % 251),
  Uint8Array.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, ...new Array(200).fill(0x5a)]), // a TLS greeting
  new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  new TextEncoder().encode("*1\r\n$4\r\nPING\r\n"),
  Uint8Array.from([0x7f, 0xff, 0xff, 0xff, ...new Array(1000).fill(0x78)]),
  Uint8Array.from([0xff, 0xff, 0xff, 0xff]),
  new Uint8Array(1000),
  Uint8Array.from([0, 0, 0, 4, 0, 18, 0, 99]), // a request that ends within its header
  Uint8Array.from([0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]), // an API that nobody knows
];

type Socket = Bun.Socket<undefined>;

/** A peer that takes nothing from its socket. */
async function connect(port: number): Promise<Socket> {
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {}, error() {} } });
  (socket as unknown as { pause(): void }).pause();
  return socket;
}

/** Fetch version 4: all of `topic` from its first record, up to 60 MiB. */
function fetchFrame(topic: string): Uint8Array {
  const frame = Buffer.alloc(4 + 10 + 17 + 4 + 2 + topic.length + 4 + 16);
  let at = frame.writeInt32BE(frame.length - 4, 0);
  at = frame.writeInt16BE(1, at); // Fetch
  at = frame.writeInt16BE(4, at);
  at = frame.writeInt32BE(7, at);
  at = frame.writeInt16BE(-1, at);
  for (const value of [-1, 100, 1, 60 * MiB]) at = frame.writeInt32BE(value, at);
  at = frame.writeInt8(0, at);
  at = frame.writeInt32BE(1, at);
  at = frame.writeInt16BE(topic.length, at);
  at += frame.write(topic, at);
  at = frame.writeInt32BE(1, at);
  at = frame.writeInt32BE(0, at);
  at = frame.writeBigInt64BE(0n, at);
  frame.writeInt32BE(60 * MiB, at);
  return frame;
}

describe.skipIf(compiled.missing !== undefined)(`hostile peers${title}`, () => {
  const bench = new Bench();
  let server: RunningServer;
  let sent = 0;
  beforeAll(async () => {
    server = await bench.serve();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const residentBytes = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))![1]) * 1024;

  /** Sends a record and reads it back. */
  async function expectService(): Promise<void> {
    sent += 1;
    const brokers = ["--brokers", brokersOf(server)];
    expect(await bench.run("produce", "good", `record ${sent}`, ...brokers)).toMatchObject({ exitCode: 0 });
    const consumed = await bench.run("consume", "good", "--no-commit", "--from=-1", ...brokers);
    expect([consumed.exitCode, consumed.stdout.toString()]).toEqual([0, `record ${sent}\n`]);
  }

  test("bytes of other protocols and lying lengths, on each listener, disturb nobody", async () => {
    const { kafka, native, http } = server.started;
    for (const { port } of [kafka, native, http]) {
      for (const bytes of HOSTILE) {
        const sockets = await Promise.all([connect(port), connect(port)]);
        for (const socket of sockets) socket.write(bytes);
        sockets[0]!.end();
        sockets[1]!.terminate();
      }
    }
    await expectService();
    expect(server.child.exitCode).toBe(null);
  }, 60_000);

  test("fifty frames of 100 MB that never end stay within the memory ceiling", async () => {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => connect(server.started.kafka.port)));
    const head = Buffer.alloc(14);
    head.writeInt32BE(100 * 1024 * 1024 - 16, 0);
    head.writeInt16BE(9, 6);
    const piece = Buffer.alloc(MiB);
    for (const socket of sockets) socket.write(head);
    for (let round = 0; round < 40; round += 1) {
      for (const socket of sockets) socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expectService();
    expect(residentBytes()).toBeLessThan(RESIDENT_BYTES_MAX);
    for (const socket of sockets) socket.terminate();
    await expectService();
  }, 60_000);

  test("consumers that request all and never read do not stop the others, alive or gone", async () => {
    const file = join(bench.directory, "fat");
    writeFileSync(file, `${"x".repeat(999)}\n`.repeat(48 * 1024));
    const produced = await bench.run("produce", "fat", "--file", file, "--brokers", brokersOf(server));
    expect(produced.exitCode).toBe(0);
    const sockets = await Promise.all(Array.from({ length: 20 }, () => connect(server.started.kafka.port)));
    for (const socket of sockets) socket.write(fetchFrame("fat"));
    await expectService(); // waits until some of them were cut
    expect(residentBytes()).toBeLessThan(RESIDENT_BYTES_MAX);
    for (const socket of sockets.slice(10)) socket.end();
    for (const socket of sockets.slice(0, 10)) socket.terminate();
    await expectService();
  }, 90_000);

  test("it still shuts down gracefully", async () => {
    expect(await server.stop()).toBe(0);
    expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0 });
  }, 30_000);
});

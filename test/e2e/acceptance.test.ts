/**
 * What Obelisk promises a newcomer, on the compiled executable: odd text survives every codec between our commands and kcat, a full
 * message of the native protocol reaches Kafka clients, a Go Obelisk's directory is taken over once, and nothing that was acknowledged is
 * lost when the server is told to stop under load.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Bench, brokersOf, runProgram } from "../faults/support.ts";
import { goFrame } from "../support/go-data.ts";
import { compiled } from "../support/obelisk-command.ts";
import type { RunningServer } from "../support/obelisk-server.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const MESSAGE_BYTES_MAX = 10 * 1024 * 1024;
const GO_DATA = join(import.meta.dir, "../storage/fixtures/go-data");
const kcat = Bun.which("kcat");
const title = compiled.missing === undefined ? "" : ` (skipped: ${compiled.missing})`;
const kcatTitle = kcat === null ? " (skipped: kcat is not installed)" : "";

/** Lines with every kind of byte but their separator: UTF-8, what is no UTF-8, NUL, CR, escapes, and some very long ones. */
function oddLines(count: number): Buffer {
  const words = ["obelisk", "größe", "日本語", "😀", "\t", "\r", "\0", "\x1b[31m", "\\n", "%s", "a b"];
  const pieces: Buffer[] = [];
  for (let index = 0; index < count; index += 1) {
    const length = index % 5000 === 17 ? 60_000 : index % 13;
    const text = Array.from({ length }, (_, at) => words[(index * 31 + at * 7) % words.length]).join(" ");
    pieces.push(Buffer.from(`${index}${text}${index % 9 === 0 ? "\r" : ""}`));
    if (index % 100 === 3) pieces.push(Buffer.from([0x00, 0xff, 0xfe, 0x80, index % 7]));
    pieces.push(Buffer.from("\n"));
  }
  return Buffer.concat(pieces);
}

/** Sends whole native frames and collects the responses until `count` lines came or the connection ended. */
async function sendNative(port: number, frames: Uint8Array, count: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let responses = "";
  let rest = frames;
  const write = (socket: Bun.Socket<undefined>) => {
    const taken = socket.write(rest);
    if (taken > 0) rest = rest.subarray(taken);
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: write,
      drain: write,
      data: (_socket, chunk) => {
        responses += chunk.toString();
        if (responses.split("\n").length > count) resolve();
      },
      close: () => resolve(),
      error: () => resolve(),
    },
  });
  await promise;
  socket.terminate();
  return responses;
}

describe.skipIf(compiled.missing !== undefined)(`acceptance${title}`, () => {
  const bench = new Bench();
  let server: RunningServer;
  let text: Buffer = Buffer.alloc(0);
  const file = join(bench.directory, "text");
  beforeAll(async () => {
    text = oddLines(20_000);
    writeFileSync(file, new Uint8Array(text));
    server = await bench.serve();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const consume = async (topic: string, on = server, ...flags: string[]) => {
    const { exitCode, stdout } = await bench.run("consume", topic, ...flags, "--brokers", brokersOf(on));
    expect(exitCode).toBe(0);
    return stdout;
  };

  for (const codec of CODECS) {
    test(`odd text comes out as it went in, codec ${codec}`, async () => {
      const topic = `ours-${codec}`;
      const flags = ["--file", file, "--compression", codec, "--brokers", brokersOf(server)];
      expect((await bench.run("produce", topic, ...flags)).exitCode).toBe(0);
      expect((await consume(topic)).equals(text)).toBe(true);
    }, 30_000);

    test.skipIf(kcat === null)(
      `and so between kcat and our commands, codec ${codec}${kcatTitle}`,
      async () => {
        const base = [kcat!, "-b", brokersOf(server), "-t"];
        const ours = await runProgram([...base, `ours-${codec}`, "-C", "-e", "-q"]);
        expect(ours.stdout.equals(text)).toBe(true);
        const theirs = await runProgram([...base, `theirs-${codec}`, "-P", "-z", codec, "-l", file]);
        expect(theirs.exitCode).toBe(0);
        expect((await consume(`theirs-${codec}`)).equals(text)).toBe(true);
      },
      30_000,
    );
  }

  test("odd text goes through the native protocol too", async () => {
    const flags = ["--protocol=native", "--native", `127.0.0.1:${server.started.native.port}`];
    expect((await bench.run("produce", "native", "--file", file, ...flags)).exitCode).toBe(0);
    expect((await consume("native")).equals(text)).toBe(true);
  }, 30_000);

  test("a native message at the limit is stored and comes out whole, one byte more is refused", async () => {
    const empty = goFrame("big", "k", "").length - 4;
    const message = (bytes: number) => goFrame("big", "k", Buffer.alloc(bytes - empty, "v"));
    const port = server.started.native.port;
    expect(await sendNative(port, new Uint8Array(message(MESSAGE_BYTES_MAX - 1)), 1)).toBe("OK\n");
    expect(await sendNative(port, new Uint8Array(message(MESSAGE_BYTES_MAX + 1)), 1)).toBe(
      "NACK:PROTOCOL_ERROR\n",
    );
    const value = "v".repeat(MESSAGE_BYTES_MAX - 1 - empty);
    expect((await consume("big")).toString() === `${value}\n`).toBe(true);
    if (kcat === null) return;
    const read = await runProgram([kcat, "-b", brokersOf(server), "-C", "-t", "big", "-e", "-q"]);
    expect(read.stdout.toString() === `${value}\n`).toBe(true);
  }, 30_000);

  test("a Go Obelisk's directory is taken over once, its saved offsets are honoured", async () => {
    const data = join(bench.directory, "go");
    cpSync(GO_DATA, data, { recursive: true });
    writeFileSync(join(data, "consumers/reader.json"), '{"topic-0": 100}');
    for (let start = 0; start < 2; start += 1) {
      const go = await bench.serve([], data);
      const all = (await consume("topic-0", go, "--no-commit", "--group=new")).toString();
      expect(all.trimEnd().split("\n").length).toBe(114);
      const rest = (await consume("topic-0", go, "--no-commit", "--group=reader")).toString();
      expect(rest).toBe(`${all.trimEnd().split("\n").slice(100).join("\n")}\n`);
      expect(await go.stop()).toBe(0);
    }
    const before = readFileSync(join(GO_DATA, "topics/topic-0.log"));
    expect(readFileSync(join(data, "topics/topic-0.log.imported")).equals(before)).toBe(true);
  }, 30_000);

  test("told to stop under load it ends with 0 and keeps what it acknowledged", async () => {
    const port = server.started.native.port;
    const frames = Buffer.concat(
      Array.from({ length: 300_000 }, (_, index) => goFrame("load", "", `${index}`)),
    );
    const responses = sendNative(port, new Uint8Array(frames), 300_000);
    while (
      !(await bench.run("consume", "load", "--max=1", "--no-commit", "--brokers", brokersOf(server))).stdout
        .length
    );
    const startedAtMs = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
    const count = (await responses).split("OK\n").length - 1;
    expect(count).toBeGreaterThan(0);
    expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0 });
    await using again = await bench.serve();
    const stored = (await consume("load", again)).toString().trimEnd().split("\n");
    expect(stored.length).toBeGreaterThanOrEqual(count);
    expect(stored).toEqual(stored.map((_, index) => `${index}`));
  }, 60_000);
});

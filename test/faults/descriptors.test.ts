/**
 * Descriptors that are taken from a running server by somebody else, and connections that come and go faster than it could serve them.
 * Compiled; the limit of a running process is changed by Linux's prlimit.
 */

import { expect, test } from "bun:test";
import { Consumer } from "../../src/client/consumer.ts";
import { NativeProducer } from "../../src/client/native-producer.ts";
import { TestClient } from "../network/support.ts";
import { goFrame } from "../support/go-data.ts";
import { compiled } from "../support/obelisk-command.ts";
import type { RunningServer } from "../support/obelisk-server.ts";
import { Bench, brokersOf } from "./support.ts";

const missing = compiled.missing ?? (Bun.which("prlimit") === null ? "there is no prlimit" : undefined);
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
/** More than a server has open by itself. */
const ENOUGH = 4096;

const MESSAGE = goFrame("m", "key", "value");

function allow(server: RunningServer, descriptors: number): void {
  const { exitCode, stderr } = Bun.spawnSync([
    "prlimit",
    "--pid",
    `${server.child.pid}`,
    `--nofile=${descriptors}:`,
  ]);
  if (exitCode !== 0) throw new Error(`prlimit failed: ${stderr}`);
}

/** Reads the log as far as a line that holds `text`. */
async function until(log: ReadableStreamDefaultReader<Uint8Array>, text: string): Promise<string> {
  const decoder = new TextDecoder();
  let read = "";
  while (!read.includes(text)) {
    const { value, done } = await log.read();
    if (done) throw new Error(`the log ended without ${text}: ${read}`);
    read += decoder.decode(value, { stream: true });
  }
  return read;
}

/** A producer and a consumer that are connected, and go on. */
async function honestClients(server: RunningServer) {
  const producer = await NativeProducer.connect({ native: `127.0.0.1:${server.started.native.port}` });
  const consumer = await Consumer.connect({ brokers: brokersOf(server) });
  const store = async (topic: string) => (await producer.send({ topic, value: "v" })).isStored;
  const goOn = async () => {
    expect(await store("t")).toBe(true);
    expect((await consumer.poll()).length).toBe(1);
  };
  expect(await store("t")).toBe(true);
  await consumer.assign([{ topic: "t", partition: 0 }], "earliest");
  expect((await consumer.poll()).length).toBe(1);
  const close = async () => {
    producer.close();
    await consumer.close();
  };
  return { store, goOn, close };
}

test.skipIf(missing !== undefined)(
  `a limit that is lowered under a running server refuses new connections, harms none that is open, and is over when it is raised${skipped}`,
  async () => {
    await using bench = new Bench();
    const server = await bench.serve();
    const log = server.child.stderr.getReader();
    const honest = await honestClients(server);
    allow(server, 40);
    await until(log, "the limit of open files has been changed");
    for (let count = 0; count < 50; count += 1) {
      await using client = await TestClient.connect(server.started.native.port);
      await client.ends();
      expect(client.text).toBe("NACK:TOO_MANY_CONNECTIONS\n");
    }
    await honest.goOn();
    for (let topic = 0; topic < 40; topic += 1) expect(await honest.store(`topic-${topic}`)).toBe(true);
    allow(server, ENOUGH);
    await until(log, `before=40 now=${ENOUGH}`);
    await honest.goOn();
    await using newcomer = await TestClient.connect(server.started.native.port);
    newcomer.send(MESSAGE);
    await newcomer.receives("OK\n");
    expect(newcomer.text).toBe("OK\n");
    await honest.close();
    expect(await server.stop()).toBe(0);
  },
  60_000,
);

test.skipIf(missing !== undefined)(
  `where not even one descriptor is left, new connections wait in the backlog until there is one, and open ones go on${skipped}`,
  async () => {
    await using bench = new Bench();
    const server = await bench.serve();
    const log = server.child.stderr.getReader();
    const honest = await honestClients(server);
    allow(server, 3);
    await until(log, "no file descriptor is left");
    await using waiting = await TestClient.connect(server.started.native.port);
    waiting.send(MESSAGE);
    for (let count = 0; count < 20; count += 1) await honest.goOn();
    expect([waiting.text, waiting.hasEnded, waiting.isClosed]).toEqual(["", false, false]);
    allow(server, ENOUGH);
    await waiting.receives("OK\n");
    expect(waiting.text).toBe("OK\n");
    await honest.close();
    expect(await server.stop()).toBe(0);
  },
  60_000,
);

test.skipIf(missing !== undefined)(
  `where HTTP connections that never end their request take more than the HTTP API's places, it stops listening, and connections elsewhere go on${skipped}`,
  async () => {
    await using bench = new Bench();
    const server = await bench.serve(["--http-connections-max=20"]);
    const log = server.child.stderr.getReader();
    const honest = await honestClients(server);
    const crowd: TestClient[] = [];
    while (crowd.length < 40) {
      const client = await TestClient.connect(server.started.http.port);
      client.send(Buffer.from("GET /health HT"));
      crowd.push(client);
    }
    expect(await until(log, "connections are refused")).toContain(
      `port=${server.started.http.port} cause=connections-max limit=20 remedy=raise http-connections-max`,
    );
    for (let count = 0; count < 20; count += 1) await honest.goOn();
    for (const client of crowd) client.abort();
    let status = 0;
    while (status !== 200) {
      const requested = fetch(`http://127.0.0.1:${server.started.http.port}/health/ready`);
      status = await requested.then(
        (response) => response.status,
        () => 0,
      );
    }
    await honest.close();
    expect(await server.stop()).toBe(0);
  },
  60_000,
);

/** Opens connections and closes them at once, until it is killed. */
const STORM = `
  const port = Number(process.argv[1]);
  const socket = { open: (socket) => void socket.terminate(), data: () => {}, error: () => {}, connectError: () => {} };
  const one = () => Bun.connect({ hostname: "127.0.0.1", port, socket }).catch(() => {});
  for (;;) await Promise.all(Array.from({ length: 100 }, one));
`;

for (const listener of ["native", "kafka", "http"] as const) {
  test.skipIf(compiled.missing !== undefined)(
    `connections to the ${listener} listener that come and go without end block no open one, and are logged at a limited rate${compiled.missing === undefined ? "" : ` (skipped: ${compiled.missing})`}`,
    async () => {
      await using bench = new Bench();
      const server = await bench.serve(["--connections-max=20", "--http-connections-max=20"]);
      const honest = await honestClients(server);
      const storm = Array.from({ length: 2 }, () =>
        Bun.spawn([process.execPath, "-e", STORM, `${server.started[listener].port}`], {
          stdio: ["ignore", "ignore", "ignore"],
        }),
      );
      try {
        for (let count = 0; count < 100; count += 1) await honest.goOn();
        expect(storm.map(({ exitCode }) => exitCode)).toEqual([null, null]);
      } finally {
        for (const child of storm) {
          child.kill("SIGKILL");
          await child.exited;
        }
      }
      await honest.goOn();
      await honest.close();
      expect(await server.stop()).toBe(0);
      expect((await new Response(server.child.stderr).text()).split("\n").length).toBeLessThan(30);
    },
    60_000,
  );
}

/**
 * Real servers to which more connections come than `ulimit -n` leaves room for, while honest clients that are in go on. Compiled; Linux
 * tells of descriptors.
 */

import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nextTurn } from "../../src/base/loop/turns.ts";
import { KiB } from "../../src/base/units.ts";
import { Admin } from "../../src/client/admin.ts";
import { Consumer } from "../../src/client/consumer.ts";
import { NativeProducer } from "../../src/client/native-producer.ts";
import { TestClient } from "../network/support.ts";
import { compiled, type Program, runObelisk } from "../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../support/obelisk-server.ts";

const missing = compiled.missing ?? (existsSync("/proc/self/fd") ? undefined : "there is no /proc");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** So much, so often and alone that a thread of its own syncs it. */
const VALUE = "x".repeat(16 * KiB);
const BUSY_COUNT = 30;

function limitedTo(limit: number): Program {
  return { ...compiled, command: ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh", ...compiled.command] };
}

function directoryOf(name: string) {
  const path = mkdtempSync(join(tmpdir(), `obelisk-${name}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const LISTENERS = ["native", "kafka"] as const;
/** What a listener sends to a connection that it refuses. */
const REFUSALS = { native: "NACK:TOO_MANY_CONNECTIONS\n", kafka: "" } as const;

/** So many connections at each listener, one after another: those that stay, once everyone else has been refused in the protocol's own words. */
async function crowd(server: RunningServer, count: number): Promise<TestClient[]> {
  const staying: TestClient[] = [];
  for (const listener of LISTENERS) {
    const clients: TestClient[] = [];
    while (clients.length < count) clients.push(await TestClient.connect(server.started[listener].port));
    await clients.at(-1)!.ends();
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    const refused = clients.filter(({ hasEnded, isClosed }) => hasEnded || isClosed);
    expect(refused.map(({ text }) => text.slice(0, REFUSALS[listener].length))).toEqual(
      Array.from({ length: refused.length }, () => REFUSALS[listener]),
    );
    staying.push(...clients.filter((client) => !refused.includes(client)));
  }
  return staying;
}

for (const [limit, count, topics] of [
  [64, 40, 40],
  [256, 150, 150],
  [1024, 500, 300],
] as const) {
  test.skipIf(missing !== undefined)(
    `a server with ${limit} descriptors refuses whom it has no room for, serves who is in, and lets others in when there is room${skipped}`,
    async () => {
      using directory = directoryOf("descriptors");
      await using server = await startServer(join(directory.path, "data"), [], { program: limitedTo(limit) });
      const producer = await NativeProducer.connect({ native: `127.0.0.1:${server.started.native.port}` });
      const brokers = `127.0.0.1:${server.started.kafka.port}`;
      const admin = await Admin.connect({ brokers });
      const consumer = await Consumer.connect({ brokers });
      await admin.createTopic({ name: "first" });
      const store = async (topic: string) => (await producer.send({ topic, value: VALUE })).isStored;
      expect(await store("t")).toBe(true);
      await consumer.assign([{ topic: "t", partition: 0 }], "earliest");
      let read = (await consumer.poll()).length;

      const crowded = await crowd(server, count);
      expect(crowded.length).toBeGreaterThan(0);
      for (let sent = 0; sent < BUSY_COUNT; sent += 1) expect(await store("t")).toBe(true);
      while (read < 1 + BUSY_COUNT) read += (await consumer.poll()).length;
      for (let topic = 0; topic < topics; topic += 1) {
        if (topic % 2 === 0) expect(await store(`topic-${topic}`)).toBe(true);
        else await admin.createTopic({ name: `topic-${topic}`, partitions: 3 });
      }

      for (const client of crowded) client.abort();
      producer.close();
      const newcomer = await NativeProducer.connect({ native: `127.0.0.1:${server.started.native.port}` });
      expect((await newcomer.send({ topic: "t", value: VALUE })).isStored).toBe(true);
      newcomer.close();
      while (read < 2 + BUSY_COUNT) read += (await consumer.poll()).length;
      expect((await fetch(`http://127.0.0.1:${server.started.http.port}/health/ready`)).status).toBe(200);
      await consumer.close();
      await admin.close();
      expect(await server.stop()).toBe(0);
      const log = (await new Response(server.child.stderr).text()).split("\n");
      const refusals = log.filter((line) => line.includes("connections are refused"));
      expect(refusals.length).toBeGreaterThanOrEqual(2);
      expect(refusals[0]).toContain(`cause=descriptors limit=${limit} remedy=raise \`ulimit -n\``);
      expect(log.filter((line) => line.includes("could not") || line.includes("no file descriptor"))).toEqual(
        [],
      );
    },
    60_000,
  );
}

test.skipIf(missing !== undefined)(
  `a server that may open too few files does not start, and says in one line what to do${skipped}`,
  async () => {
    using directory = directoryOf("few-descriptors");
    const args = [
      "serve",
      "--data",
      join(directory.path, "data"),
      "--native-port=0",
      "--http-port=0",
      "--kafka-port=0",
    ];
    const { exitCode, stderr, stdout } = await runObelisk(args, { program: limitedTo(32) });
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(
      /^obelisk: the process may open 32 files, and needs \d+ at least; raise `ulimit -n`, to 4096 or more for a busy server\n$/,
    );
  },
);

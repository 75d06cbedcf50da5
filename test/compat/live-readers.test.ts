/**
 * Readers of a live topic in other languages, whose connections are cut 20 times each while the topic grows: every record is seen once, in
 * order. Two come back by themselves (a browser's EventSource, for Node), two as an application does it.
 */

import { expect, test } from "bun:test";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { type ForeignClient, NODE_CLIENT, PYTHON_WEB_CLIENT } from "../support/foreign-clients.ts";
import { randomOf } from "../support/random.ts";
import { SERVERS, type TestServer } from "../support/server.ts";

const CUTS = 20;
const CUT_BYTES_MAX = 64 * 1024;
const PARTITIONS = 3;
const READERS: readonly (readonly [string, ForeignClient, string, string])[] = [
  ["websockets (Python)", PYTHON_WEB_CLIENT, "test/compat/live/reader.py", "websocket"],
  ["ws (Node)", NODE_CLIENT, "test/compat/live/reader.mjs", "websocket"],
  ["sseclient (Python)", PYTHON_WEB_CLIENT, "test/compat/live/reader.py", "sse"],
  ["eventsource (Node)", NODE_CLIENT, "test/compat/live/reader.mjs", "sse"],
];

interface Report {
  readonly connections: number;
  readonly partitions: Record<string, number[][]>;
  readonly wrong: unknown[];
}

async function post(server: TestServer, messages: readonly object[]): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/topics/grows/messages`, {
    method: "POST",
    body: JSON.stringify(messages),
  });
  expect(response.status).toBe(200);
}

for (const kind of SERVERS.filter(({ name }) => name === "compiled")) {
  const missing = kind.missing ?? READERS.find(([, client]) => client.missing !== undefined)?.[1].missing;
  test.skipIf(missing !== undefined)(
    `cut 20 times under load, they see every record once and in order${missing ? ` (skipped: ${missing})` : ""}`,
    async () => {
      const seed = Date.now() % 1e6;
      const random = randomOf(seed);
      const server = await kind.start();
      await using stack = new AsyncDisposableStack();
      stack.defer(() => server.stop());
      const created = await fetch(`http://127.0.0.1:${server.httpPort}/topics`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: "grows", partitions: PARTITIONS }),
      });
      expect(created.status).toBe(201);
      const proxies = await Promise.all(
        READERS.map(() => {
          const afterBytes = Array.from({ length: CUTS }, () => 1 + Math.floor(random() * CUT_BYTES_MAX));
          return startCuttingProxy(server.httpPort, afterBytes);
        }),
      );
      for (const proxy of proxies) stack.use(proxy);
      let failure: unknown = null;
      const reports = READERS.map(async ([name, client, program, way], index) => {
        const address = `127.0.0.1:${proxies[index]!.port}`;
        const report = (await client.run(program, way, address, "grows", `${PARTITIONS}`)) as Report;
        return { name, partitions: report.partitions, wrong: report.wrong };
      });
      for (const report of reports)
        report.catch((thrown: unknown) => {
          failure ??= thrown;
        });
      // One producer: in each partition, the record with the number n has the offset n.
      let count = 0;
      while (proxies.some(({ cuts }) => cuts < CUTS)) {
        const messages = Array.from({ length: 10 * PARTITIONS }, (_, slot) => {
          const partition = slot % PARTITIONS;
          const offset = count + Math.floor(slot / PARTITIONS);
          return { partition, value: `${partition}-${offset} ${"x".repeat(Math.floor(random() * 200))}` };
        });
        await post(server, messages);
        count += 10;
        await Bun.sleep(5); // the load, not a wait for anything
        if (failure !== null) throw failure;
      }
      await post(
        server,
        Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, value: "end" })),
      );
      const whole = Object.fromEntries(
        Array.from({ length: PARTITIONS }, (_, partition) => [partition, [[0, count]]]),
      );
      const seen = await Promise.all(reports);
      expect({ seed, seen }).toEqual({
        seed,
        seen: READERS.map(([name]) => ({ name, partitions: whole, wrong: [] })),
      });
      expect(proxies.map(({ cuts }) => cuts)).toEqual(READERS.map(() => CUTS));
    },
    180_000,
  );
}

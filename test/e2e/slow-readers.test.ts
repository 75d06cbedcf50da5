/**
 * Readers over HTTP who take nothing, on a topic that grows at full speed, on the compiled executable: each is cut with the reason, the
 * server's memory stays below its ceiling, and a reader who keeps up gets everything. It takes as long as a slow reader has: 30 s.
 */

import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MiB } from "../../src/base/units.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import { batchOf } from "../support/batches.ts";
import { EventReader } from "../support/event-reader.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";
import { SlowReader } from "../support/slow-reader.ts";

/** The default of `memory`. */
const MEMORY = 512 * MiB;
const EACH = 8;
const BATCHES = 200;
const RECORDS = 90;
const missing = compiled.missing ?? (existsSync("/proc/self/status") ? undefined : "there is no /proc");

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1];
  return Number(kilobytes) * 1024;
}

test.skipIf(missing !== undefined)(
  `slow readers are cut with a reason, and memory stays below its ceiling${missing ? ` (skipped: ${missing})` : ""}`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-slow-"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const server = stack.use(await startServer(directory, [`--memory=${MEMORY}`], { program: compiled }));
    const { port } = server.started.http;
    const origin = `http://127.0.0.1:${port}`;
    const created = await fetch(`${origin}/topics`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"name":"t","partitions":1}`,
    });
    expect(created.status).toBe(201);
    const producer = await WireClient.connect(server.started.kafka.port);
    stack.defer(() => producer.close());
    const records = batchOf(Array.from({ length: RECORDS }, () => "x".repeat(10_000)));
    const topicData = [{ name: "t", partitionData: [{ index: 0, records }] }];
    const quick = stack.use(await EventReader.open(`${origin}/topics/t/messages?offset=earliest`));
    const slow = Array.from({ length: EACH }, () => [
      new SlowReader(port, "sse"),
      new SlowReader(port, "ndjson"),
      new SlowReader(port, "websocket"),
    ]).flat();
    for (const reader of slow) stack.use(reader);
    let peak = 0;
    const look = () => {
      peak = Math.max(peak, residentBytes(server.child.pid));
    };
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const body = { transactionalId: null, acks: -1, timeoutMs: 30_000, topicData };
      const { responses } = await producer.ask(produceApi, 9, body);
      expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
      look();
    }
    // The reader who keeps up has everything, and nobody waits for the slow ones.
    await quick.until(() => quick.events.length === 1 + BATCHES * RECORDS);
    const cutOf = async () => {
      const metrics = await (await fetch(`${origin}/metrics`)).text();
      look();
      return Number(/^obelisk_live_tails_cut_total (\d+)/m.exec(metrics)?.[1]);
    };
    while ((await cutOf()) < slow.length) await Bun.sleep(200);
    const reasons = await Promise.all(slow.map((reader) => reader.reason()));
    expect(new Set(reasons)).toEqual(new Set(["SLOW_READER"]));
    expect(peak).toBeLessThan(MEMORY);
    expect(quick.isOver).toBe(false);
  },
  180_000,
);

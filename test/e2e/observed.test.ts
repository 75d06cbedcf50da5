/** What the compiled server tells of itself over HTTP: metrics that promtool takes, the overview and its history. */

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTopic, fetchOnce, produceBatch, Wire } from "../crash/wire.ts";
import { batchOf } from "../support/batches.ts";
import { titled } from "../support/failing-calls.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";
import { promtool, promtoolMissing } from "../support/promtool.ts";

const missing = compiled.missing ?? promtoolMissing;

describe.skipIf(missing !== undefined)(titled("the compiled server", missing), () => {
  test("has metrics that promtool takes, and an overview with its history", async () => {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-observed-"));
    await using server = await startServer(join(directory, "data"), [], { program: compiled });
    const origin = `http://127.0.0.1:${server.started.http.port}`;
    const wire = await Wire.kafka(server.started.kafka.port);
    await createTopic(wire, "orders", 3);
    await produceBatch(wire, "orders", batchOf(["a", "b"]), 1);
    await fetchOnce(wire, "orders", 0, 1);
    wire.close();
    const text = await (await fetch(`${origin}/metrics`)).text();
    expect(await promtool(["check", "metrics"], text)).toEqual({ exitCode: 0, said: "" });
    for (const line of [
      'obelisk_topic_records_in_total{topic="orders"} 2',
      'obelisk_topic_records_out_total{topic="orders"} 2',
      'obelisk_partition_end_offset{topic="orders",partition="1"} 2',
    ])
      expect(text.split("\n")).toContain(line);
    expect(text).toMatch(/^obelisk_build_info\{version="\d+\.\d+\.\d+",runtime="bun [\d.]+"\} 1$/m);
    const overview = (await (await fetch(`${origin}/overview`)).json()) as object;
    expect(overview).toMatchObject({
      health: { status: "healthy" },
      totals: { messagesStored: 2, messagesRead: 2, batches: 1 },
      topics: 1,
      partitions: 3,
      disk: { isFull: false },
    });
    const history = (await (await fetch(`${origin}/overview/history`)).json()) as {
      series: Record<string, number[]>;
    };
    expect(history.series["at"]!.length).toBeGreaterThan(0);
    expect(await server.stop()).toBe(0);
    rmSync(directory, { recursive: true });
  });
});

/** A real server to which more connections come than it may have descriptors. Compiled; Linux tells of descriptors. */

import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KiB } from "../../src/base/units.ts";
import { NativeProducer } from "../../src/client/native-producer.ts";
import { TestClient } from "../network/support.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";

const missing = compiled.missing ?? (existsSync("/proc/self/fd") ? undefined : "there is no /proc");

/** So much, so often and alone that a thread of its own would sync it, for which there are no descriptors. */
const VALUE = "x".repeat(16 * KiB);
const BUSY_COUNT = 30;

test.skipIf(missing !== undefined)(
  `a server without descriptors says so, stores what busy clients send, serves when there are some again, and ends in order${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-descriptors-"));
    const limited = {
      ...compiled,
      command: ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", ...compiled.command],
    };
    await using server = await startServer(join(directory, "data"), [], { program: limited });
    const producer = await NativeProducer.connect({ native: `127.0.0.1:${server.started.native.port}` });
    const store = async () => (await producer.send({ topic: "t", value: VALUE })).isStored;
    expect(await store()).toBe(true);
    const clients = await Promise.all(
      Array.from({ length: 80 }, () => TestClient.connect(server.started.kafka.port)),
    );
    const reader = server.child.stderr.getReader();
    const decoder = new TextDecoder();
    let text = "";
    while (!text.includes("no file descriptor is left")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the log ended: ${text}`);
      text += decoder.decode(value, { stream: true });
    }
    for (let count = 0; count < BUSY_COUNT; count += 1) expect(await store()).toBe(true);
    for (const client of clients) client.abort();
    producer.close();
    expect((await fetch(`http://127.0.0.1:${server.started.http.port}/health/ready`)).status).toBe(200);
    expect(await server.stop()).toBe(0);
    rmSync(directory, { recursive: true, force: true });
  },
);

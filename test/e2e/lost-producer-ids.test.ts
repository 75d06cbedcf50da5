/**
 * A server that comes back without its `meta.db`, or with a damaged or an older one, and a new idempotent producer of a foreign
 * client: its records are stored, and not taken for what another producer has sent before.
 */

import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { compiled, fromSources } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";
import { valuesIn } from "../support/topic-values.ts";

const TOPIC = "orders";

const kcat = Bun.which("kcat");
const CLIENTS = [
  { name: "kafkajs", missing: undefined, send: sendByKafkajs },
  { name: "kcat", missing: kcat === null ? "kcat is not installed" : undefined, send: sendByKcat },
];

/** Each sends one record by a producer of its own. */
async function sendByKafkajs(broker: string, value: string): Promise<void> {
  const kafka = new Kafka({ clientId: "judge", brokers: [broker], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({ topic: TOPIC, messages: [{ value }], acks: -1 });
  await producer.disconnect();
}

async function sendByKcat(broker: string, value: string): Promise<void> {
  const child = Bun.spawn([kcat!, "-b", broker, "-P", "-t", TOPIC, "-X", "enable.idempotence=true"], {
    stdin: new TextEncoder().encode(value),
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await child.exited) !== 0) throw new Error(`kcat: ${await new Response(child.stderr).text()}`);
}

const LOSSES: Record<string, (file: string, older: string) => void> = {
  missing: (file) => rmSync(file),
  "of 0 bytes": (file) => writeFileSync(file, ""),
  garbage: (file) => writeFileSync(file, "no database at all, and longer than a header of one".repeat(100)),
  "an older copy": (file, older) => copyFileSync(older, file),
};

for (const program of [fromSources, compiled]) {
  for (const client of CLIENTS) {
    const missing = program.missing ?? client.missing;
    const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
    for (const [loss, lose] of Object.entries(LOSSES)) {
      test.skipIf(missing !== undefined)(
        `${program.name}, ${client.name}: with a meta.db that is ${loss} a new producer's records are stored${skipped}`,
        async () => {
          const directory = mkdtempSync(join(tmpdir(), "obelisk-producer-ids-"));
          const file = join(directory, "meta.db");
          const older = join(directory, "copy-of-meta.db");
          const run = async (value: string) => {
            await using server = await startServer(directory, [], { program });
            const broker = `127.0.0.1:${server.started.kafka.port}`;
            await client.send(broker, value);
            const values = await valuesIn(broker, TOPIC);
            expect(await server.stop()).toBe(0);
            return values;
          };
          try {
            await run("first");
            copyFileSync(file, older);
            await run("second");
            lose(file, older);
            expect(await run("third")).toEqual(["first", "second", "third"]);
          } finally {
            rmSync(directory, { recursive: true, force: true });
          }
        },
        30_000,
      );
    }
  }
}

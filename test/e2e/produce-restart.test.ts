/**
 * A producer and a consumer that live through kill -9 of their server: every record arrives once, in order, at the offset that was
 * acknowledged, and the consumer goes on where it was.
 */

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Consumer } from "../../src/client/consumer.ts";
import { Producer } from "../../src/client/producer.ts";
import { startObelisk } from "../support/obelisk-command.ts";

const ROUNDS = 3;
/** Acknowledged in each round before the server is killed. */
const RECORDS_PER_ROUND = 2000;

async function startServer(directory: string, kafkaPort: number) {
  const flags = [
    "--json",
    "--data",
    directory,
    "--native-port=0",
    "--http-port=0",
    `--kafka-port=${kafkaPort}`,
  ];
  const child = startObelisk(["serve", ...flags]);
  const { value } = await child.stdout.getReader().read();
  return { child, kafka: JSON.parse(new TextDecoder().decode(value)).kafka as { port: number } };
}

test("records survive kill -9 of the server exactly once, and a consumer goes on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-restart-"));
  let server = await startServer(directory, 0);
  const brokers = `127.0.0.1:${server.kafka.port}`;
  try {
    const producer = await Producer.connect({ brokers });
    const consumer = await Consumer.connect({ brokers });
    await producer.partitionsOf("t");
    await consumer.assign([{ topic: "t", partition: 0 }], "earliest");

    const acknowledged: number[] = [];
    let sent = 0;
    let isDone = false;
    let failure: unknown;
    const sending = (async () => {
      while (!isDone && failure === undefined) {
        for (let index = 0; index < 20; index += 1) {
          const number = sent++;
          producer.send("t", { value: `${number}` }).then(
            ({ offset }) => {
              acknowledged[number] = offset;
            },
            (error) => {
              failure ??= error;
            },
          );
        }
        await Bun.sleep(1);
      }
    })();
    const seen: string[] = [];
    const reading = (async () => {
      while (!isDone || seen.length < sent)
        for (const { value } of await consumer.poll(1000)) seen.push(`${value}`);
    })();

    for (let round = 1; round <= ROUNDS; round += 1) {
      const target = acknowledged.length + RECORDS_PER_ROUND;
      while (acknowledged.length < target && failure === undefined) await Bun.sleep(1);
      if (failure !== undefined) throw failure;
      server.child.kill("SIGKILL");
      await server.child.exited;
      server = await startServer(directory, server.kafka.port);
    }
    isDone = true;
    await sending;
    await producer.flush();
    await reading;

    const expected = Array.from({ length: sent }, (_, index) => index);
    expect(acknowledged).toEqual(expected);
    expect(seen).toEqual(expected.map(String));
    await producer.close();
    await consumer.close();
  } finally {
    server.child.kill("SIGKILL");
    await server.child.exited;
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);

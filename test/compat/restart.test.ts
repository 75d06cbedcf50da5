/**
 * Producers of kafkajs and @platformatic/kafka while the server under them is killed with SIGKILL and started again, on the same
 * port and directory. What was acknowledged must lie where the acknowledgement said; what an idempotent producer sent must be there
 * once, in order, without a gap. Each send waits for the one before it (FINDINGS.md says why).
 */

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Producer as PlatformaticProducer, stringSerializers } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { Admin } from "../../src/client/admin.ts";
import { compiled, startObelisk } from "../support/obelisk-command.ts";
import { valuesIn } from "../support/topic-values.ts";

const ROUNDS = 3;
/** Acknowledged for each producer before each kill. */
const SENDS_PER_ROUND = 25;
const RECORDS_PER_SEND = 4;
/** The clients wait this long between two attempts, as often as it takes. */
const RETRY_MS = 40;
const RETRIES = 200;

interface Client {
  readonly topic: string;
  readonly isIdempotent: boolean;
  /** Sends the values as one batch; the offset of the first. */
  send(values: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

async function connectKafkajs(broker: string, isIdempotent: boolean): Promise<Client> {
  const retry = { initialRetryTime: RETRY_MS, maxRetryTime: RETRY_MS, factor: 0, retries: RETRIES };
  const kafka = new Kafka({ clientId: "judge", brokers: [broker], logLevel: logLevel.NOTHING, retry });
  const producer = kafka.producer({ idempotent: isIdempotent, maxInFlightRequests: 1, retry });
  const topic = `kafkajs-${isIdempotent}`;
  await producer.connect();
  return {
    topic,
    isIdempotent,
    send: async (values) => {
      const [sent] = await producer.send({ topic, messages: values.map((value) => ({ value })), acks: -1 });
      return Number(sent!.baseOffset);
    },
    close: () => producer.disconnect(),
  };
}

async function connectPlatformatic(broker: string, isIdempotent: boolean): Promise<Client> {
  const producer = new PlatformaticProducer({
    clientId: "judge",
    bootstrapBrokers: [broker],
    serializers: stringSerializers,
    acks: -1,
    idempotent: isIdempotent,
    retries: RETRIES,
    retryDelay: RETRY_MS,
  });
  const topic = `platformatic-${isIdempotent}`;
  return {
    topic,
    isIdempotent,
    send: async (values) => {
      const { offsets } = await producer.send({ messages: values.map((value) => ({ topic, value })) });
      return Number(offsets![0]!.offset);
    },
    close: () => producer.close(),
  };
}

/** One producer at work: it sends numbers until told to stop, and notes where each was acknowledged. */
class Work {
  readonly client: Client;
  /** Offset by number. */
  readonly acknowledged: number[] = [];
  failure: unknown;
  readonly #running: Promise<void>;
  #isDone = false;

  constructor(client: Client) {
    this.client = client;
    this.#running = this.#run().catch((thrown) => {
      this.failure = thrown;
    });
  }

  async stop(): Promise<void> {
    this.#isDone = true;
    await this.#running;
    if (this.failure !== undefined) throw this.failure;
  }

  async #run(): Promise<void> {
    while (!this.#isDone) {
      const first = this.acknowledged.length;
      const numbers = Array.from({ length: RECORDS_PER_SEND }, (_, index) => first + index);
      const offset = await this.client.send(numbers.map(String));
      for (const number of numbers) this.acknowledged[number] = offset + number - first;
    }
  }
}

async function startServer(directory: string, kafkaPort: number) {
  const ports = ["--native-port=0", "--http-port=0", `--kafka-port=${kafkaPort}`];
  const child = startObelisk(["serve", "--json", "--data", directory, ...ports], { program: compiled });
  const { value } = await child.stdout.getReader().read();
  const { kafka } = JSON.parse(new TextDecoder().decode(value)) as { kafka: { port: number } };
  return { child, port: kafka.port };
}

const title = `a server that is killed${compiled.missing ? ` (skipped: ${compiled.missing})` : ""}`;
describe.skipIf(compiled.missing !== undefined)(title, () => {
  test("costs foreign producers nothing that was acknowledged, and idempotent ones no order", async () => {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-foreign-restart-"));
    let server = await startServer(directory, 0);
    const { port } = server;
    const broker = `127.0.0.1:${port}`;
    try {
      const clients = [
        await connectKafkajs(broker, true),
        await connectKafkajs(broker, false),
        await connectPlatformatic(broker, true),
        await connectPlatformatic(broker, false),
      ];
      const admin = await Admin.connect({ brokers: broker });
      for (const { topic } of clients) await admin.createTopic({ name: topic });
      await admin.close();

      const works = clients.map((client) => new Work(client));
      for (let round = 0; round < ROUNDS; round += 1) {
        const targets = works.map(
          ({ acknowledged }) => acknowledged.length + SENDS_PER_ROUND * RECORDS_PER_SEND,
        );
        const isReached = () =>
          works.every(
            ({ acknowledged, failure }, slot) =>
              failure !== undefined || acknowledged.length >= targets[slot]!,
          );
        while (!isReached()) await Bun.sleep(1);
        server.child.kill("SIGKILL");
        await server.child.exited;
        server = await startServer(directory, port);
      }
      for (const work of works) await work.stop();

      for (const { client, acknowledged } of works) {
        const values = await valuesIn(broker, client.topic);
        const sent = acknowledged.map((_, number) => `${number}`);
        expect([client.topic, acknowledged.map((offset) => values[offset])]).toEqual([client.topic, sent]);
        if (client.isIdempotent) expect([client.topic, values]).toEqual([client.topic, sent]);
        await client.close();
      }
    } finally {
      server.child.kill("SIGKILL");
      await server.child.exited;
      rmSync(directory, { recursive: true, force: true });
    }
  }, 30_000);
});

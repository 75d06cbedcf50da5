/**
 * Idempotent producers whose id has expired: because they were idle for longer than the server keeps them (a
 * millisecond here), and because their topic was deleted and created again. Each goes on under its old id and loses nothing.
 */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Producer as PlatformaticProducer, stringSerializers } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { systemClock } from "../../src/base/clock.ts";
import { Admin } from "../../src/client/admin.ts";
import { CONFLUENT_CLIENTS, JAVA_CLIENT } from "../support/foreign-clients.ts";
import { compiled } from "../support/obelisk-command.ts";
import { type ServerKind, startCompiled, startHere, type TestServer } from "../support/server.ts";
import { valuesIn } from "../support/topic-values.ts";

const TOPIC = "orders";
const NEW_TOPIC = { name: TOPIC, partitions: 1, replicationFactor: 1, configs: {} };
const EXPIRATION_MS = 1;
/** A program in Java compiles itself first. */
const PROGRAM_TIMEOUT_MS = 90_000;

interface IdempotentProducer {
  /** Sends one record and waits for its acknowledgement; the offset. */
  send(value: string): Promise<number>;
  close(): Promise<void>;
}

async function connectKafkajs(broker: string): Promise<IdempotentProducer> {
  const kafka = new Kafka({ clientId: "judge", brokers: [broker], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return {
    send: async (value) => {
      const [sent] = await producer.send({ topic: TOPIC, messages: [{ value }], acks: -1 });
      return Number(sent!.baseOffset);
    },
    close: () => producer.disconnect(),
  };
}

async function connectPlatformatic(broker: string): Promise<IdempotentProducer> {
  const producer = new PlatformaticProducer({
    clientId: "judge",
    bootstrapBrokers: [broker],
    serializers: stringSerializers,
    idempotent: true,
    acks: -1,
  });
  return {
    send: async (value) => {
      const { offsets } = await producer.send({ messages: [{ topic: TOPIC, value }], acks: -1 });
      return Number(offsets![0]!.offset);
    },
    close: () => producer.close(),
  };
}

const SERVERS: readonly ServerKind[] = [
  {
    name: "in this process",
    missing: undefined,
    start: () => startHere({ producerIdExpirationMs: EXPIRATION_MS }),
  },
  {
    name: "compiled",
    missing: compiled.missing,
    start: () => startCompiled([`--producer-id-expiration-ms=${EXPIRATION_MS}`]),
  },
];

const CLIENTS = [
  ["kafkajs", connectKafkajs],
  ["@platformatic/kafka", connectPlatformatic],
] as const;

/** Until the server's clock has left the time within which the last batch is remembered. */
async function untilEvicted(): Promise<void> {
  const startMs = systemClock.steadyMs();
  while (systemClock.steadyMs() <= startMs + EXPIRATION_MS) await Bun.sleep(EXPIRATION_MS);
}

const PROGRAMS = [
  ...CONFLUENT_CLIENTS.map((client) => [client, "test/compat/expired_producer.py"] as const),
  [JAVA_CLIENT, "test/compat/ExpiredProducer.java"] as const,
];

for (const { name: kind, missing, start } of SERVERS) {
  const title = `server ${kind}${missing === undefined ? "" : ` (skipped: ${missing})`}`;
  describe.skipIf(missing !== undefined)(title, () => {
    let server: TestServer;
    let admin: Admin;
    beforeEach(async () => {
      server = await start();
      admin = await Admin.connect({ brokers: server.kafka });
    });
    afterEach(async () => {
      await admin.close();
      await server.stop();
    });

    for (const [name, connect] of CLIENTS) {
      describe(name, () => {
        test("goes on after its id expired while idle", async () => {
          await admin.createTopic(NEW_TOPIC);
          const producer = await connect(server.kafka);
          const offsets: number[] = [];
          for (const value of ["a", "b", "c"]) {
            offsets.push(await producer.send(value));
            await untilEvicted();
          }
          await producer.close();
          expect(offsets).toEqual([0, 1, 2]);
          expect(await valuesIn(server.kafka, TOPIC)).toEqual(["a", "b", "c"]);
        });

        test("goes on after its topic was deleted and made again", async () => {
          await admin.createTopic(NEW_TOPIC);
          const producer = await connect(server.kafka);
          await producer.send("a");
          await producer.send("b");
          await admin.deleteTopic(TOPIC);
          await admin.createTopic(NEW_TOPIC);
          const offsets = [await producer.send("c"), await producer.send("d")];
          await producer.close();
          expect(offsets).toEqual([0, 1]);
          expect(await valuesIn(server.kafka, TOPIC)).toEqual(["c", "d"]);
        });
      });
    }

    for (const [client, program] of PROGRAMS) {
      const skipped = client.missing === undefined ? "" : ` (skipped: ${client.missing})`;
      describe.skipIf(client.missing !== undefined)(`${client.name}${skipped}`, () => {
        test(
          "goes on after its id expired while idle",
          async () => {
            expect(await client.run(program, "silence", server.kafka, TOPIC)).toEqual([0, 1, 2]);
            expect(await valuesIn(server.kafka, TOPIC)).toEqual(["a", "b", "c"]);
          },
          PROGRAM_TIMEOUT_MS,
        );

        test(
          "goes on after its topic was deleted and made again",
          async () => {
            expect(await client.run(program, "again", server.kafka, TOPIC)).toEqual([0, 1, 0, 1]);
            expect(await valuesIn(server.kafka, TOPIC)).toEqual(["c", "d"]);
          },
          PROGRAM_TIMEOUT_MS,
        );
      });
    }
  });
}

/**
 * Whoever was acknowledged with acks 1, the default of sarama and of @platformatic/kafka, can read what was written: after each acknowledgement a
 * second connection asks for the latest offset, and gets the record before it. `ACKNOWLEDGED_ROUNDS=1000` goes on for longer.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  Admin,
  Connection,
  fetchV12,
  ListOffsetTimestamps,
  ProduceAcks,
  Producer,
  stringSerializers,
} from "@platformatic/kafka";
import { JAVA_CLIENT, SARAMA_CLIENT } from "../support/foreign-clients.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startCompiled, type TestServer } from "../support/server.ts";

const ROUNDS = Number(process.env.ACKNOWLEDGED_ROUNDS ?? 100);
const TIMEOUT_MS = 120_000;
const ALL_READ = { rounds: ROUNDS, read: ROUNDS, stale: 0 };

const title = `what acks 1 has acknowledged${compiled.missing ? ` (skipped: ${compiled.missing})` : ""}`;
describe.skipIf(compiled.missing !== undefined)(title, () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startCompiled();
  });
  afterAll(() => server.stop());

  for (const [client, program] of [
    [SARAMA_CLIENT, ""],
    [JAVA_CLIENT, "test/compat/JavaClient.java"],
  ] as const) {
    const reason = client.missing;
    test.skipIf(reason !== undefined)(
      `${client.name} reads it from a second connection, each time${reason ? ` (skipped: ${reason})` : ""}`,
      async () => {
        expect(await client.run(program, "acknowledged", server.kafka, String(ROUNDS))).toEqual(ALL_READ);
      },
      TIMEOUT_MS,
    );
  }

  test(
    "@platformatic/kafka reads it from a second connection, each time",
    async () => {
      expect(await seenByPlatformatic(server, ROUNDS)).toEqual(ALL_READ);
    },
    TIMEOUT_MS,
  );
});

async function seenByPlatformatic(server: TestServer, rounds: number): Promise<typeof ALL_READ> {
  const base = { clientId: "judge", bootstrapBrokers: [server.kafka], retries: 0 };
  const topic = "platformatic-acknowledged";
  const producer = new Producer({ ...base, serializers: stringSerializers, autocreateTopics: true });
  const admin = new Admin(base);
  const reader = new Connection("judge");
  await reader.connect("127.0.0.1", server.kafkaPort);
  let read = 0;
  try {
    for (let round = 0; round < rounds; round += 1) {
      const value = `round ${round}`;
      const messages = [{ topic, partition: 0, value }];
      const { offsets } = await producer.send({ messages, acks: ProduceAcks.LEADER });
      const latest = await latestOffset(admin, topic);
      if (latest === offsets![0]!.offset + 1n && (await valueAt(reader, topic, latest - 1n)) === value)
        read += 1;
    }
  } finally {
    await Promise.all([producer.close(), admin.close(), reader.close()]);
  }
  return { rounds, read, stale: rounds - read };
}

async function latestOffset(admin: Admin, topic: string): Promise<bigint> {
  const partitions = [{ partitionIndex: 0, timestamp: ListOffsetTimestamps.LATEST }];
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
  return listed!.partitions[0]!.offset;
}

/** The value of the record at the offset, which is the last one. */
async function valueAt(connection: Connection, topic: string, fetchOffset: bigint): Promise<string | null> {
  const requested = {
    partition: 0,
    currentLeaderEpoch: -1,
    fetchOffset,
    lastFetchedEpoch: -1,
    partitionMaxBytes: 1_000_000,
  };
  const topics = [{ topicId: topic, partitions: [requested] }];
  const response = await fetchV12.api.async(connection, 100, 1, 10_000_000, 0, 0, -1, topics, [], "");
  const batches = response.responses[0]!.partitions[0]!.records ?? [];
  return batches.at(-1)?.records.at(-1)?.value?.toString() ?? null;
}

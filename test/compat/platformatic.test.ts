/**
 * @platformatic/kafka as a judge: the strictest of the clients, because it has one version of most requests. Its consumer
 * needs group membership, so records are read with its own Fetch and its own decoder.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  Admin,
  type CompressionAlgorithmValue,
  Connection,
  fetchV12,
  ListOffsetTimestamps,
  ProduceAcks,
  Producer,
  stringSerializers,
} from "@platformatic/kafka";
import { SERVERS, type TestServer } from "../support/server.ts";

/** Named in each send: what the constructor is told is not used, and without idempotence a send asks for acks 1. */
const ALL = ProduceAcks.ALL;
const CODECS: readonly CompressionAlgorithmValue[] = ["none", "gzip", "snappy", "lz4", "zstd"];

interface ReadRecord {
  offset: number;
  timestampMs: number;
  key: string | null;
  value: string | null;
  headers: [string, string][];
}

for (const kind of SERVERS) {
  const title = `@platformatic/kafka, server ${kind.name}${kind.missing ? ` (skipped: ${kind.missing})` : ""}`;
  describe.skipIf(kind.missing !== undefined)(title, () => {
    let server: TestServer;
    let admin: Admin;
    const base = () => ({ clientId: "judge", bootstrapBrokers: [server.kafka], retries: 0 });
    beforeAll(async () => {
      server = await kind.start();
      admin = new Admin(base());
    });
    afterAll(async () => {
      await admin.close();
      await server.stop();
    });

    async function withProducer<Result>(
      options: { compression?: CompressionAlgorithmValue; idempotent?: boolean },
      work: (producer: Producer<string, string, string, string>) => Promise<Result>,
    ): Promise<Result> {
      const producer = new Producer({
        ...base(),
        serializers: stringSerializers,
        autocreateTopics: true,
        ...options,
      });
      try {
        return await work(producer);
      } finally {
        await producer.close();
      }
    }

    async function readAll(topic: string, partition = 0): Promise<ReadRecord[]> {
      const connection = new Connection("judge");
      await connection.connect("127.0.0.1", server.kafkaPort);
      const requested = {
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: 0n,
        lastFetchedEpoch: -1,
        partitionMaxBytes: 1_000_000,
      };
      const topics = [{ topicId: topic, partitions: [requested] }];
      const response = await fetchV12.api.async(connection, 100, 1, 10_000_000, 0, 0, -1, topics, [], "");
      await connection.close();
      const batches = response.responses[0]!.partitions[0]!.records ?? [];
      return batches.flatMap((batch) =>
        batch.records.map((record) => ({
          offset: Number(batch.firstOffset) + record.offsetDelta,
          timestampMs: Number(batch.firstTimestamp + record.timestampDelta),
          key: record.key?.toString() ?? null,
          value: record.value?.toString() ?? null,
          headers: record.headers.map(([name, value]): [string, string] => [String(name), String(value)]),
        })),
      );
    }

    for (const compression of CODECS) {
      test(`records with codec ${compression} come back with keys, values, headers and timestamps`, async () => {
        const topic = `codec-${compression}`;
        const messages = Array.from({ length: 500 }, (_, index) => ({
          topic,
          key: `key-${index}`,
          value: `value ${index} ä`.repeat(5),
          headers: { trace: `id-${index}` },
          timestamp: BigInt(1_700_000_000_000 + index),
        }));
        await withProducer({ compression }, (producer) => producer.send({ messages, acks: ALL }));
        expect(await readAll(topic)).toEqual(
          messages.map(({ key, value, headers, timestamp }, offset) => ({
            offset,
            timestampMs: Number(timestamp),
            key,
            value,
            headers: Object.entries(headers),
          })),
        );
      });
    }

    test("an idempotent producer gets its offsets in order", async () => {
      const offsets = await withProducer({ idempotent: true }, async (producer) => {
        const found: number[] = [];
        for (const value of ["a", "b", "c"]) {
          const { offsets: sent } = await producer.send({ messages: [{ topic: "idempotent", value }] });
          found.push(Number(sent![0]!.offset));
        }
        return found;
      });
      expect(offsets).toEqual([0, 1, 2]);
    });

    test("acks 0 goes on without a response", async () => {
      await withProducer({}, async (producer) => {
        await producer.send({ messages: [{ topic: "acks", value: "a" }], acks: ProduceAcks.NO_RESPONSE });
        await producer.send({ messages: [{ topic: "acks", value: "b" }], acks: ALL });
      });
      expect((await readAll("acks")).map(({ value }) => value)).toEqual(["a", "b"]);
    });

    test("topics are created, listed and deleted", async () => {
      const created = await admin.createTopics({ topics: ["made"], partitions: 3, replicas: 1 });
      expect(created).toMatchObject([{ name: "made", partitions: 3, replicas: 1 }]);
      expect(await admin.listTopics()).toContain("made");
      await admin.deleteTopics({ topics: ["made"] });
      expect(await admin.listTopics()).not.toContain("made");
    });

    test("offsets are found by time, and a group's offsets are kept", async () => {
      const messages = [1000n, 2000n, 3000n].map((timestamp) => ({ topic: "times", value: "x", timestamp }));
      await withProducer({}, (producer) => producer.send({ messages, acks: ALL }));
      const offsetAt = async (timestamp: bigint) => {
        const partitions = [{ partitionIndex: 0, timestamp }];
        const [topic] = await admin.listOffsets({ topics: [{ name: "times", partitions }] });
        return Number(topic!.partitions[0]!.offset);
      };
      expect(await offsetAt(1500n)).toBe(1);
      expect(await offsetAt(ListOffsetTimestamps.LATEST)).toBe(3);
      expect(await offsetAt(ListOffsetTimestamps.EARLIEST)).toBe(0);
      const topics = [{ name: "times", partitionOffsets: [{ partition: 0, offset: 2n }] }];
      await admin.alterConsumerGroupOffsets({ groupId: "judges", topics });
      const [group] = await admin.listConsumerGroupOffsets({ groups: ["judges"] });
      expect(group!.topics[0]!.partitions[0]).toMatchObject({ partitionIndex: 0, committedOffset: 2n });
    });
  });
}

/**
 * kafkajs as a judge. Its consumer needs group membership, so records are read with the Fetch and the decoder of its
 * inner cluster object.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createRequire } from "node:module";
import { type Admin, CompressionCodecs, CompressionTypes, Kafka, logLevel, type Producer } from "kafkajs";
import { type Codec, compress, decompress } from "../../src/protocol/record/compression.ts";
import { SERVERS, type TestServer } from "../support/server.ts";

const INFLATED_BYTES_MAX = 64 * 1024 * 1024;
const CODECS: Record<Codec, CompressionTypes> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** kafkajs brings gzip alone; the others are given to it as plug-ins. */
const plugins = CompressionCodecs as unknown as Record<number, () => object>;
for (const codec of ["snappy", "lz4", "zstd"] as const) {
  plugins[CODECS[codec]] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => compress(codec, buffer),
    decompress: async (buffer: Buffer) => decompress(codec, buffer, INFLATED_BYTES_MAX),
  });
}

interface InnerMessage {
  offset: string;
  timestamp: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer>;
}

interface InnerBroker {
  fetch(request: object): Promise<{ responses: { partitions: { messages: InnerMessage[] }[] }[] }>;
}

interface InnerCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
  findBroker(options: { nodeId: string }): Promise<InnerBroker>;
}

const load = createRequire(import.meta.url);
const Cluster = load("kafkajs/src/cluster") as new (options: object) => InnerCluster;
const silentLogger = load("kafkajs/src/loggers").createLogger({
  level: logLevel.NOTHING,
  logCreator: () => () => {},
}) as object;
const socketFactory = load("kafkajs/src/network/socketFactory")() as object;

for (const kind of SERVERS) {
  const title = `kafkajs, server ${kind.name}${kind.missing ? ` (skipped: ${kind.missing})` : ""}`;
  describe.skipIf(kind.missing !== undefined)(title, () => {
    let server: TestServer;
    let kafka: Kafka;
    let admin: Admin;
    let producer: Producer;
    beforeAll(async () => {
      server = await kind.start();
      kafka = new Kafka({
        clientId: "judge",
        brokers: [server.kafka],
        logLevel: logLevel.NOTHING,
        retry: { retries: 0 },
      });
      admin = kafka.admin();
      producer = kafka.producer({ allowAutoTopicCreation: true });
      await Promise.all([admin.connect(), producer.connect()]);
    });
    afterAll(async () => {
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      await server.stop();
    });

    async function readAll(topic: string): Promise<InnerMessage[]> {
      const cluster = new Cluster({
        logger: silentLogger,
        socketFactory,
        brokers: [server.kafka],
        clientId: "judge",
        connectionTimeout: 5000,
        requestTimeout: 5000,
        metadataMaxAge: 60_000,
        allowAutoTopicCreation: false,
        retry: { retries: 0 },
        offsets: new Map(),
      });
      await cluster.connect();
      await cluster.addTargetTopic(topic);
      const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [0]));
      const broker = await cluster.findBroker({ nodeId: nodeId! });
      const partitions = [{ partition: 0, fetchOffset: "0", maxBytes: 1_000_000 }];
      const response = await broker.fetch({
        isolationLevel: 1,
        maxWaitTime: 100,
        topics: [{ topic, partitions }],
      });
      await cluster.disconnect();
      return response.responses[0]!.partitions[0]!.messages;
    }

    for (const [codec, compression] of Object.entries(CODECS)) {
      test(`records with codec ${codec} come back with keys, values, headers and timestamps`, async () => {
        const topic = `codec-${codec}`;
        const messages = Array.from({ length: 300 }, (_, index) => ({
          key: index % 3 === 0 ? null : `key-${index}`,
          value: index % 5 === 0 ? null : `value ${index} ä`.repeat(5),
          headers: { trace: `id-${index}` },
          timestamp: String(1_700_000_000_000 + index),
        }));
        await producer.send({ topic, messages, compression });
        const found = (await readAll(topic)).map(({ offset, key, value, headers, timestamp }) => ({
          offset: Number(offset),
          key: key?.toString() ?? null,
          value: value?.toString() ?? null,
          headers: { trace: headers.trace!.toString() },
          timestamp,
        }));
        expect(found).toEqual(messages.map((message, offset) => ({ offset, ...message })));
      });
    }

    test("an idempotent producer gets its offsets in order", async () => {
      const idempotent = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 1 } });
      await idempotent.connect();
      const offsets: (string | undefined)[] = [];
      for (const value of ["a", "b", "c"]) {
        const [sent] = await idempotent.send({ topic: "idempotent", messages: [{ value }], acks: -1 });
        offsets.push(sent!.baseOffset);
      }
      await idempotent.disconnect();
      expect(offsets).toEqual(["0", "1", "2"]);
    });

    test("topics are created with partitions, described, and deleted", async () => {
      expect(await admin.createTopics({ topics: [{ topic: "made", numPartitions: 3 }] })).toBe(true);
      const { topics } = await admin.fetchTopicMetadata({ topics: ["made"] });
      expect(topics[0]!.partitions.map(({ partitionId }) => partitionId).sort()).toEqual([0, 1, 2]);
      expect(await admin.createTopics({ topics: [{ topic: "made" }] })).toBe(false);
      await admin.deleteTopics({ topics: ["made"] });
      expect(await admin.listTopics()).not.toContain("made");
    });

    test("offsets are found at both ends and by time", async () => {
      const messages = [1000, 2000, 3000].map((timestamp) => ({ value: "x", timestamp: String(timestamp) }));
      await producer.send({ topic: "times", messages });
      const [ends] = await admin.fetchTopicOffsets("times");
      expect(ends).toEqual({ partition: 0, offset: "3", high: "3", low: "0" });
      expect(await admin.fetchTopicOffsetsByTimestamp("times", 1500)).toEqual([
        { partition: 0, offset: "1" },
      ]);
    });

    test("a group that has committed nothing has no offsets", async () => {
      await producer.send({ topic: "groups", messages: [{ value: "x" }] });
      const [topic] = await admin.fetchOffsets({ groupId: "nobody", topics: ["groups"] });
      expect(topic!.partitions).toMatchObject([{ partition: 0, offset: "-1" }]);
    });

    test("the cluster is described", async () => {
      const cluster = await admin.describeCluster();
      expect(cluster.brokers).toMatchObject([{ nodeId: cluster.controller!, port: server.kafkaPort }]);
    });
  });
}

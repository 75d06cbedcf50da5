/** What a Kafka client relies on across a restart of the whole server, on the file engine. */

import { expect, test } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { initProducerIdApi } from "../../../src/protocol/kafka/apis/init-producer-id.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { WireClient } from "../../support/kafka-wire.ts";
import { startHere } from "../../support/server.ts";

async function withServer<Result>(
  data: string,
  work: (client: WireClient) => Promise<Result>,
): Promise<Result> {
  const server = await startHere({ data });
  const client = await WireClient.connect(server.kafkaPort);
  try {
    return await work(client);
  } finally {
    client.close();
    await server.stop();
  }
}

async function produce(client: WireClient, records: Buffer) {
  const topicData = [{ name: "t", partitionData: [{ index: 0, records }] }];
  const response = await client.ask(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
  const { errorCode, baseOffset } = response.responses[0]!.partitionResponses[0]!;
  return [errorCode, baseOffset];
}

test("topic ids, cluster id, records, committed offsets, producer ids and their sequences survive", async () => {
  const data = mkdtempSync(join(tmpdir(), "obelisk-restart-"));
  try {
    const before = await withServer(data, async (client) => {
      const topics = [{ name: "t", numPartitions: 2, replicationFactor: 1 }];
      const created = await client.ask(createTopicsApi, 7, { topics });
      const { clusterId } = await client.ask(metadataApi, 9, { topics: [] });
      const { producerId } = await client.ask(initProducerIdApi, 4, {
        transactionalId: null,
        transactionTimeoutMs: 0,
      });
      const batch = batchOf(["a", "b"], { producerId, producerEpoch: 0, baseSequence: 0 });
      expect(await produce(client, batch)).toEqual([0, 0]);
      const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: "note" }];
      await client.ask(offsetCommitApi, 8, { groupId: "g", topics: [{ name: "t", partitions }] });
      return { topicId: created.topics[0]!.topicId, clusterId, producerId };
    });
    await withServer(data, async (client) => {
      const { topics, clusterId } = await client.ask(metadataApi, 12, { topics: null });
      expect(topics.map(({ name, topicId, partitions }) => [name, topicId, partitions.length])).toEqual([
        ["t", before.topicId, 2],
      ]);
      expect(clusterId).toBe(before.clusterId);
      const producer = { producerId: before.producerId, producerEpoch: 0 };
      expect(await produce(client, batchOf(["a", "b"], { ...producer, baseSequence: 0 }))).toEqual([0, 0]);
      expect(await produce(client, batchOf(["c"], { ...producer, baseSequence: 2 }))).toEqual([0, 2]);
      const fresh = await client.ask(initProducerIdApi, 4, {
        transactionalId: null,
        transactionTimeoutMs: 0,
      });
      expect(fresh.producerId).toBeGreaterThan(before.producerId);
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000 }];
      const fetched = await client.ask(fetchApi, 12, {
        maxWaitMs: 0,
        minBytes: 1,
        topics: [{ topic: "t", partitions }],
      });
      expect(recordsIn(fetched.responses[0]!.partitions[0]!.records!)).toEqual([
        [0, "a"],
        [1, "b"],
        [2, "c"],
      ]);
      const committed = await client.ask(offsetFetchApi, 8, { groups: [{ groupId: "g", topics: null }] });
      expect(committed.groups[0]!.topics[0]!.partitions[0]).toMatchObject({
        committedOffset: 1,
        metadata: "note",
      });
    });
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});

test("after an end that was not clean, earliest has the epoch of the first record and latest the new one", async () => {
  const data = mkdtempSync(join(tmpdir(), "obelisk-restart-"));
  const crashed = `${data}-crashed`;
  try {
    await withServer(data, async (client) => {
      await client.ask(createTopicsApi, 7, {
        topics: [{ name: "t", numPartitions: 2, replicationFactor: 1 }],
      });
      expect(await produce(client, batchOf(["a", "b"]))).toEqual([0, 0]);
      cpSync(data, crashed, { recursive: true });
    });
    await withServer(crashed, async (client) => {
      const epochOf = async (partitionIndex: number, timestamp: number) => {
        const topics = [{ name: "t", partitions: [{ partitionIndex, timestamp }] }];
        const response = await client.ask(listOffsetsApi, 8, { topics });
        const { offset, leaderEpoch } = response.topics[0]!.partitions[0]!;
        return [offset, leaderEpoch];
      };
      expect(await epochOf(0, -1)).toEqual([2, 1]);
      for (const timestamp of [-2, -4]) expect(await epochOf(0, timestamp)).toEqual([0, 0]);
      expect(await epochOf(0, -3)).toEqual([1, 0]);
      expect(await epochOf(0, 0)).toEqual([0, 0]);
      const fetched = async (currentLeaderEpoch: number) => {
        const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000, currentLeaderEpoch };
        const topics = [{ topic: "t", partitions: [partition] }];
        const response = await client.ask(fetchApi, 9, { maxWaitMs: 0, minBytes: 0, topics });
        return response.responses[0]!.partitions[0]!.errorCode;
      };
      expect([await fetched(0), await fetched(1), await fetched(2)]).toEqual([74, 0, 75]);
      expect(await produce(client, batchOf(["c"], {}, 9000))).toEqual([0, 2]);
      expect(await epochOf(0, 9000)).toEqual([2, 1]);
      expect(await epochOf(0, -2)).toEqual([0, 0]);
    });
  } finally {
    for (const directory of [data, crashed]) rmSync(directory, { recursive: true, force: true });
  }
});

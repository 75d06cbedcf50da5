/**
 * A partition that the disk refused to open, beside one that is served: nobody may take it for an empty one, and nobody may be
 * told that his offset is out of range, because consumers then throw their position away.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createDisk } from "../../../src/base/disk.ts";
import { NO_ERROR, wireCode } from "../../../src/base/errors.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetForLeaderEpochApi } from "../../../src/protocol/kafka/apis/offset-for-leader-epoch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { MemoryState } from "../../../src/storage/memory/state.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../../storage/file/support.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { openBroker } from "../../support/broker.ts";
import { FaultyFiles, type Operation } from "../../support/faulty-files.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { appendTo, logOf } from "../../support/partitions.ts";

const REFUSED = wireCode("KAFKA_STORAGE_ERROR");
/** Partition 0 is refused, 1 is served. Both hold ten records. */
const PARTITIONS = [0, 1];

function tenRecords(): Buffer {
  const values = Array.from({ length: 10 }, (_, index) => `value ${index}`);
  return batchOf(values, { producerId: 5, producerEpoch: 0, baseSequence: 0 });
}

/** How the disk refuses partition 0: its folder; what was read at the start and is written again; the sync of that. */
const REFUSALS: readonly { operation: Operation; errno: "EACCES" | "EIO"; path: string }[] = [
  { operation: "list", errno: "EACCES", path: "t/0" },
  { operation: "write", errno: "EIO", path: "t/0/0" },
  { operation: "sync", errno: "EIO", path: "t/0/0" },
];

for (const { operation, errno, path } of REFUSALS) {
  describe(`a partition whose ${operation} was refused at the start`, () => {
    const folder = temporaryDirectory();
    let api: TestKafkaApi;
    let client: WireClient;

    beforeAll(async () => {
      const directory = new TestDirectory(folder.path);
      const state = new MemoryState();
      const before = openEngine(directory, { state });
      const broker = await openBroker({}, { engine: before });
      const { partitions } = await broker.topics.create("t", { partitions: PARTITIONS.length, configs: {} });
      await Promise.all(partitions.map((partition) => appendTo(partition, tenRecords()).done));

      const files = new FaultyFiles(createDisk(), { hasSyncAll: false });
      files.setFault({ operations: [operation], path, nth: 1, more: Number.POSITIVE_INFINITY, errno });
      api = await openKafkaApi({ engine: openEngine(directory, { files, state }) });
      client = await api.connect();
    });
    afterAll(async () => {
      await api.stop();
      await api.context.broker.engine.close();
      folder[Symbol.dispose]();
    });

    for (const version of [4, 5, 9, 11]) {
      test(`Fetch ${version}: a storage error at every offset and epoch, and the other partition's records`, async () => {
        for (const [offset, currentLeaderEpoch] of [
          [0, -1],
          [5, 0],
          [10, -1],
          [60, 7],
          [-1, -1],
        ] as const) {
          const requested = { fetchOffset: offset, currentLeaderEpoch, partitionMaxBytes: 100_000 };
          const response = await client.ask(fetchApi, version, {
            maxWaitMs: 60_000,
            minBytes: 1,
            maxBytes: 100_000,
            topics: [
              { topic: "t", partitions: [{ partition: 0, ...requested }] },
              { topic: "t", partitions: [{ partition: 1, fetchOffset: 0, partitionMaxBytes: 100_000 }] },
            ],
          });
          const [refused, served] = response.responses.map(({ partitions }) => partitions[0]!);
          expect(refused).toMatchObject({ errorCode: REFUSED, highWatermark: -1 });
          expect([served!.errorCode, recordsIn(served!.records!).length]).toEqual([NO_ERROR, 10]);
        }
      });
    }

    test("ListOffsets: a storage error for each question, no empty partition", async () => {
      for (const timestamp of [-1, -2, -3, -4, 0, 1005, Date.now()]) {
        const partitions = PARTITIONS.map((partitionIndex) => ({ partitionIndex, timestamp }));
        const response = await client.ask(listOffsetsApi, 8, { topics: [{ name: "t", partitions }] });
        const [refused, served] = response.topics[0]!.partitions;
        expect(refused).toMatchObject({ errorCode: REFUSED, offset: -1, timestamp: -1, leaderEpoch: -1 });
        expect(served!.errorCode).toBe(NO_ERROR);
      }
    });

    test("OffsetForLeaderEpoch: a storage error, whatever epochs the client knows", async () => {
      for (const [currentLeaderEpoch, leaderEpoch] of [
        [-1, 0],
        [0, 0],
        [7, 6],
      ] as const) {
        const partitions = [{ partition: 0, currentLeaderEpoch, leaderEpoch }];
        const response = await client.ask(offsetForLeaderEpochApi, 4, {
          replicaId: -1,
          topics: [{ topic: "t", partitions }],
        });
        expect(response.topics[0]!.partitions[0]).toMatchObject({ errorCode: REFUSED, endOffset: -1 });
      }
    });

    for (const acks of [-1, 1]) {
      test(`Produce with acks ${acks}: a storage error that says why, for a duplicate too, and the other partition takes records`, async () => {
        const produce = async (records: () => Buffer) => {
          const partitionData = PARTITIONS.map((index) => ({ index, records: records() }));
          const topicData = [{ name: "t", partitionData }];
          const request = { transactionalId: null, acks, timeoutMs: 1000, topicData };
          return (await client.ask(produceApi, 8, request)).responses[0]!.partitionResponses;
        };
        const refused = {
          errorCode: REFUSED,
          baseOffset: -1,
          logStartOffset: -1,
          errorMessage: "the partition is offline: it could not be opened at the start",
        };
        expect(await produce(tenRecords)).toMatchObject([refused, { errorCode: NO_ERROR, baseOffset: 0 }]);
        const end = logOf(api.context.broker.topics.get("t")!.partitions[1]!).endOffset;
        expect(await produce(() => batchOf(["more"]))).toMatchObject([
          refused,
          { errorCode: NO_ERROR, baseOffset: end },
        ]);
      });
    }

    test("the native protocol: a message for the partition is refused", () => {
      const { batcher, topics } = api.context.broker;
      const partition = topics.get("t")!.partitions[0]!;
      const value = Buffer.from("v");
      const append = () => batcher.append(partition, 0, null, 0, 0, value, 0, value.length);
      expect(append).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
    });

    test("OffsetCommit and OffsetFetch go on: a group's place lies elsewhere, and is what brings it back", async () => {
      const { offsets } = api.context;
      await offsets.commit("g", [{ topic: "t", partition: 0, offset: 7, leaderEpoch: 0, metadata: "" }]);
      expect(offsets.fetch("g", "t", 0)?.offset).toBe(7);
    });

    test("Metadata: the partition has no leader, as Kafka tells of an offline log directory", async () => {
      const response = await client.ask(metadataApi, 9, { topics: [{ name: "t" }] });
      expect(response.topics[0]!.errorCode).toBe(NO_ERROR);
      expect(response.topics[0]!.partitions).toMatchObject([
        {
          errorCode: wireCode("LEADER_NOT_AVAILABLE"),
          leaderId: -1,
          leaderEpoch: -1,
          replicaNodes: [1],
          isrNodes: [],
          offlineReplicas: [1],
        },
        { errorCode: NO_ERROR, leaderId: 1, replicaNodes: [1], isrNodes: [1], offlineReplicas: [] },
      ]);
    });
  });
}

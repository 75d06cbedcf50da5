/**
 * What Apache Kafka takes without a word is taken here too: bytes after the body, tags that nobody knows, a null client
 * id, integers of 64 bits. Clients were written against its readers, and one that is refused gets no response at all: the
 * connection closes. Each case goes over a real socket and must be answered, and so must the request behind it.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ROUTES } from "../../../src/api/kafka/apis.ts";
import type { Api } from "../../../src/protocol/kafka/api.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { APIS } from "../../../src/protocol/kafka/apis.ts";
import { BATCH_CRC, computeBatchCrc } from "../../../src/protocol/record/batch.ts";
import { batchOf } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

type LooseApi = Api<object, unknown, never, unknown>;

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    beforeAll(async () => {
      api = await openKafkaApi(kind.create());
      client = await api.connect();
      await api.context.broker.topics.create("t", { partitions: 1, configs: {} });
    });
    afterAll(() => api.stop());

    /** A frame of the header's fields, the client id and its tags (in hex), and the body. */
    function frameOf(key: number, version: number, correlationId: number, rest: string): Buffer {
      const tail = Buffer.from(rest.replaceAll(" ", ""), "hex");
      const frame = Buffer.alloc(12 + tail.length);
      frame.writeInt32BE(8 + tail.length, 0);
      frame.writeInt16BE(key, 4);
      frame.writeInt16BE(version, 6);
      frame.writeInt32BE(correlationId, 8);
      tail.copy(frame, 12);
      return frame;
    }

    /** The frame is answered, and so is a request behind it on the same connection. */
    async function responseTo(frame: Buffer): Promise<Buffer> {
      client.sendBytes(frame);
      const response = await client.take();
      if (response === null) throw new Error("the connection was closed instead of an answer");
      expect(response.readInt32BE(0)).toBe(frame.readInt32BE(8));
      expect((await client.ask(apiVersionsApi, 0, {})).errorCode).toBe(0);
      return response;
    }

    test("Metadata for all topics as librdkafka 2.16 sends it, with three stray bytes", async () => {
      const frame = Buffer.from("000000190003000c00000003000772646b61666b610000000000010000", "hex");
      const response = await responseTo(frame);
      const { topics } = metadataApi.decodeResponse(12, response, 0, response.length);
      expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([["t", 0]]);
    });

    test("a client id may be empty, as long as a string can be, and no UTF-8", async () => {
      for (const clientId of ["0000", `7fff${"78".repeat(0x7fff)}`, "0003ff00fe"]) {
        for (const [version, tags] of [
          [1, ""],
          [12, "00"],
        ] as const) {
          const body = version === 1 ? "00000000" : "01000000";
          const response = await responseTo(
            frameOf(metadataApi.key, version, 6, `${clientId} ${tags} ${body}`),
          );
          expect(metadataApi.decodeResponse(version, response, 0, response.length).topics).toEqual([]);
        }
      }
    });

    /** A request of each API, good for every version: what a version lacks is left out. */
    const REQUESTS: Record<string, object | ((version: number) => object)> = {
      Produce: {
        acks: -1,
        timeoutMs: 1,
        topicData: [{ name: "t", partitionData: [{ index: 0, records: batchOf(["a"]) }] }],
      },
      Fetch: {
        maxWaitMs: 0,
        minBytes: 0,
        topics: [{ topic: "t", partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100 }] }],
      },
      ListOffsets: { topics: [{ name: "t", partitions: [{ partitionIndex: 0, timestamp: -1 }] }] },
      Metadata: { topics: [{ name: "t" }] },
      OffsetCommit: {
        groupId: "g",
        topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 0 }] }],
      },
      OffsetFetch: (version) => {
        const topics = [{ name: "t", partitionIndexes: [0] }];
        return version < 8 ? { groupId: "g", topics } : { groups: [{ groupId: "g", topics }] };
      },
      FindCoordinator: (version) => (version < 4 ? { key: "g" } : { key: "", coordinatorKeys: ["g"] }),
      ApiVersions: { clientSoftwareName: "test", clientSoftwareVersion: "1" },
      JoinGroup: {
        groupId: "g",
        sessionTimeoutMs: 10_000,
        memberId: "nobody",
        protocolType: "consumer",
        protocols: [{ name: "range", metadata: Buffer.from("m") }],
      },
      Heartbeat: { groupId: "g", generationId: 1, memberId: "nobody" },
      LeaveGroup: (version) =>
        version < 3
          ? { groupId: "g", memberId: "nobody" }
          : { groupId: "g", members: [{ memberId: "nobody" }] },
      SyncGroup: { groupId: "g", generationId: 1, memberId: "nobody", assignments: [] },
      DescribeConfigs: {
        resources: [{ resourceType: 2, resourceName: "t", configurationKeys: ["retention.ms"] }],
      },
      AlterConfigs: { resources: [{ resourceType: 2, resourceName: "t", configs: [] }], validateOnly: true },
      IncrementalAlterConfigs: {
        resources: [{ resourceType: 2, resourceName: "t", configs: [] }],
        validateOnly: true,
      },
      ListConfigResources: {},
      ConsumerGroupHeartbeat: { groupId: "h", memberId: "nobody", memberEpoch: 7, topicPartitions: null },
      ConsumerGroupDescribe: { groupIds: ["h"], includeAuthorizedOperations: false },
      CreatePartitions: {
        topics: [{ name: "t", count: 2, assignments: null }],
        timeoutMs: 1000,
        validateOnly: true,
      },
      DescribeCluster: { includeClusterAuthorizedOperations: false },
      DescribeTopicPartitions: { topics: [{ name: "t" }] },
      AlterReplicaLogDirs: { dirs: [{ path: "/", topics: [{ name: "t", partitions: [0] }] }] },
      DescribeLogDirs: { topics: [{ topic: "t", partitions: [0] }] },
      DescribeProducers: { topics: [{ name: "t", partitionIndexes: [0] }] },
      ElectLeaders: { topicPartitions: [{ topic: "t", partitions: [0] }], timeoutMs: 1000 },
      ListPartitionReassignments: { timeoutMs: 1000, topics: null },
      AlterPartitionReassignments: { timeoutMs: 1000, topics: [] },
      DescribeClientQuotas: { components: [], strict: false },
      DescribeQuorum: { topics: [{ topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] }] },
      UpdateFeatures: { featureUpdates: [] },
      DescribeGroups: { groups: ["g"] },
      ListGroups: {},
      DeleteGroups: { groupsNames: ["g"] },
      OffsetDelete: { groupId: "g", topics: [{ name: "t", partitions: [{ partitionIndex: 0 }] }] },
      CreateTopics: { topics: [{ name: "t", numPartitions: 1, replicationFactor: 1 }] },
      DeleteTopics: (version) =>
        version < 6 ? { topicNames: ["none"], timeoutMs: 1 } : { topics: [{ name: "none" }], timeoutMs: 1 },
      DeleteRecords: {
        topics: [{ name: "t", partitions: [{ partitionIndex: 0, offset: 0 }] }],
        timeoutMs: 1,
      },
      InitProducerId: { transactionalId: null, transactionTimeoutMs: 1 },
      OffsetForLeaderEpoch: { topics: [{ topic: "t", partitions: [{ partition: 0, leaderEpoch: 0 }] }] },
    };

    const supported = ROUTES.flatMap(({ key, name, versionMin, versionMax }) =>
      Array.from(
        { length: versionMax - versionMin + 1 },
        (_, index) => [name, versionMin + index, key] as const,
      ),
    );

    describe.each(supported)("%s version %d", (name, version, key) => {
      const api = APIS.find((candidate) => candidate.key === key) as unknown as LooseApi;
      const request = REQUESTS[name]!;
      const encoded = api.encodeRequest(
        version,
        1,
        null,
        typeof request === "function" ? request(version) : request,
      );
      const whole = Buffer.concat(encoded.parts);
      const isFlexible = version >= api.flexibleFrom;
      /** Behind the header, which ends with a null client id and no tags. */
      const body = whole.toString("hex", isFlexible ? 15 : 14);

      test("bytes after the body are passed over", async () => {
        const response = await responseTo(
          frameOf(key, version, 7, `ffff ${isFlexible ? "00" : ""} ${body} 00010203`),
        );
        api.decodeResponse(version, response, 0, response.length);
      });

      test("any negative length is a null client id, and tags that nobody knows are passed over", async () => {
        const tags = isFlexible ? "02 63 02 abcd 07 00" : "";
        await responseTo(frameOf(key, version, 8, `8000 ${tags} ${body}`));
      });

      if (!isFlexible) return;
      test("tags that nobody knows are passed over after the body's fields", async () => {
        expect(body).toEndWith("00");
        await responseTo(frameOf(key, version, 9, `ffff 00 ${body.slice(0, -2)} 02 63 02 abcd 8001 00`));
      });
    });

    /** Stands for the 64-bit integer of a case, which no number of ours can hold. */
    const WRITTEN = 0x11_2233_4455_6677;
    const MARK_BYTES = Buffer.from("0011223344556677", "hex");
    const INT64_MAX = 0x7fff_ffff_ffff_ffffn;
    const INT64_MIN = -0x8000_0000_0000_0000n;

    /** The response to a request in which `value` stands wherever it says `MARK`. */
    async function respondWith(
      name: string,
      version: number,
      request: object,
      value: bigint,
    ): Promise<unknown> {
      const api = APIS.find((candidate) => candidate.name === name) as unknown as LooseApi;
      const frame = Buffer.concat(api.encodeRequest(version, 7, "test", request).parts);
      const position = frame.indexOf(MARK_BYTES);
      expect(position).toBeGreaterThan(0);
      frame.writeBigInt64BE(value, position);
      const response = await responseTo(frame);
      return api.decodeResponse(version, response, 0, response.length);
    }

    describe.each([INT64_MAX, INT64_MIN, 2n ** 53n, -(2n ** 53n)])("the int64 %p is answered", (value) => {
      test("ListOffsets: nothing is that late, and there is no such special time", async () => {
        for (let version = 1; version <= 8; version += 1) {
          const topics = [{ name: "t", partitions: [{ partitionIndex: 0, timestamp: WRITTEN }] }];
          expect(await respondWith("ListOffsets", version, { topics }, value)).toMatchObject({
            topics: [{ partitions: [{ errorCode: value > 0 ? 0 : 35, offset: -1, timestamp: -1 }] }],
          });
        }
      });

      test("Fetch: the offset is out of range, and a follower's log start is no reader's", async () => {
        for (let version = 4; version <= 12; version += 1) {
          const partition = { partition: 0, partitionMaxBytes: 100, currentLeaderEpoch: -1 };
          const ask = (place: object) => ({
            maxWaitMs: 0,
            minBytes: 0,
            topics: [{ topic: "t", partitions: [{ ...partition, ...place }] }],
          });
          const errorOf = (errorCode: number) => ({ responses: [{ partitions: [{ errorCode }] }] });
          expect(await respondWith("Fetch", version, ask({ fetchOffset: WRITTEN }), value)).toMatchObject(
            errorOf(1),
          );
          if (version < 5) continue;
          const followed = ask({ fetchOffset: 0, logStartOffset: WRITTEN });
          expect(await respondWith("Fetch", version, followed, value)).toMatchObject(errorOf(0));
        }
      });

      test("OffsetCommit: no record has that offset; a retention time is not looked at", async () => {
        const commit = (place: object) => ({ name: "t", partitions: [{ partitionIndex: 0, ...place }] });
        const errorOf = (errorCode: number) => ({
          topics: [{ partitions: [{ partitionIndex: 0, errorCode }] }],
        });
        for (let version = 2; version <= 8; version += 1) {
          const request = { groupId: "g", topics: [commit({ committedOffset: WRITTEN })] };
          expect(await respondWith("OffsetCommit", version, request, value)).toMatchObject(errorOf(42));
        }
        const retained = { groupId: "g", retentionTimeMs: WRITTEN, topics: [commit({ committedOffset: 1 })] };
        expect(await respondWith("OffsetCommit", 4, retained, value)).toMatchObject(errorOf(0));
      });

      test("InitProducerId: an id that was never assigned gets a new one", async () => {
        const request = {
          transactionalId: null,
          transactionTimeoutMs: 1,
          producerId: WRITTEN,
          producerEpoch: 1,
        };
        for (const version of [3, 4]) {
          expect(await respondWith("InitProducerId", version, request, value)).toMatchObject({
            errorCode: 0,
            producerEpoch: 0,
          });
        }
      });

      test("Produce: a producer id, timestamp or base offset of a batch is refused for its partition at most", async () => {
        const PLACES = { baseOffset: 0, baseTimestamp: 27, maxTimestamp: 35, producerId: 43 };
        for (const position of Object.values(PLACES)) {
          const records = batchOf(["a"]);
          records.writeBigInt64BE(value, position);
          records.writeUInt32BE(computeBatchCrc(records, 0, records.length), BATCH_CRC);
          const topicData = [{ name: "t", partitionData: [{ index: 0, records }] }];
          const response = await client.ask(produceApi, 9, { acks: -1, timeoutMs: 1, topicData });
          expect(response.responses[0]!.partitionResponses.length).toBe(1);
          expect((await client.ask(apiVersionsApi, 0, {})).errorCode).toBe(0);
        }
      });
    });
  });
}

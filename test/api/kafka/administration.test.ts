/**
 * What administration clients ask: more partitions, the cluster, topics page by page, where records lie, producers, leaders, and moves
 * that there are none of.
 */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { alterPartitionReassignmentsApi } from "../../../src/protocol/kafka/apis/alter-partition-reassignments.ts";
import { alterReplicaLogDirsApi } from "../../../src/protocol/kafka/apis/alter-replica-log-dirs.ts";
import {
  type CreatePartitionsRequestInput,
  createPartitionsApi,
} from "../../../src/protocol/kafka/apis/create-partitions.ts";
import { describeClusterApi } from "../../../src/protocol/kafka/apis/describe-cluster.ts";
import { describeLogDirsApi } from "../../../src/protocol/kafka/apis/describe-log-dirs.ts";
import { describeProducersApi } from "../../../src/protocol/kafka/apis/describe-producers.ts";
import { describeQuorumApi, METADATA_TOPIC } from "../../../src/protocol/kafka/apis/describe-quorum.ts";
import {
  type DescribeTopicPartitionsRequestInput,
  describeTopicPartitionsApi,
} from "../../../src/protocol/kafka/apis/describe-topic-partitions.ts";
import { electLeadersApi } from "../../../src/protocol/kafka/apis/elect-leaders.ts";
import { listPartitionReassignmentsApi } from "../../../src/protocol/kafka/apis/list-partition-reassignments.ts";
import {
  CLUSTER_OPERATIONS,
  metadataApi,
  TOPIC_OPERATIONS,
} from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ZERO_UUID } from "../../../src/protocol/kafka/schema.ts";
import { batchOf } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    beforeEach(async () => {
      api = await openKafkaApi({ ...kind.create(), broker: { partitionsMax: 100 } });
      client = await api.connect();
      for (const [name, partitions] of [
        ["a", 3],
        ["b", 2],
      ] as const) {
        await api.context.broker.topics.create(name, { partitions, configs: {} });
      }
    });
    afterEach(() => api.stop());

    const topicOf = (name: string) => api.context.broker.topics.get(name)!;

    async function grow(
      topics: CreatePartitionsRequestInput["topics"],
      validateOnly = false,
      version = 3,
    ): Promise<[string, number][]> {
      const { results } = await client.ask(createPartitionsApi, version, {
        topics,
        timeoutMs: 1000,
        validateOnly,
      });
      return results.map(({ name, errorCode }) => [name, errorCode]);
    }

    for (let version = 0; version <= 3; version += 1) {
      test(`CreatePartitions ${version} adds partitions that are there at once`, async () => {
        const order = { name: "a", count: 5, assignments: null };
        expect(await grow([order], true, version)).toEqual([["a", 0]]);
        expect(topicOf("a").partitions.length).toBe(3);
        expect(await grow([order], false, version)).toEqual([["a", 0]]);
        const { topics } = await client.ask(metadataApi, 12, { topics: [{ name: "a" }] });
        expect(topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([0, 1, 2, 3, 4]);
        const produced = await client.ask(produceApi, 9, {
          acks: -1,
          timeoutMs: 1000,
          topicData: [{ name: "a", partitionData: [{ index: 4, records: batchOf(["value"]) }] }],
        });
        expect(produced.responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
      });
    }

    test("CreatePartitions tells each topic's fault, and a name that occurs twice once and first", async () => {
      const order = (name: string, count: number, brokers: number[][] | null = null) => ({
        name,
        count,
        assignments: brokers?.map((brokerIds) => ({ brokerIds })) ?? null,
      });
      expect(
        await grow([order("none", 4), order("b", 2), order("a", 9), order("a", 8), order("c", 0)]),
      ).toEqual([
        ["a", wireCode("INVALID_REQUEST")],
        ["none", wireCode("UNKNOWN_TOPIC_OR_PARTITION")],
        ["b", wireCode("INVALID_PARTITIONS")],
        ["c", wireCode("UNKNOWN_TOPIC_OR_PARTITION")],
      ]);
      const misassigned = wireCode("INVALID_REPLICA_ASSIGNMENT");
      for (const brokers of [[[1]], [[1], [2]], [[1, 1], [1]], [[], [1]], [[1], [1], [1]]]) {
        expect([brokers, await grow([order("b", 4, brokers)])]).toEqual([brokers, [["b", misassigned]]]);
      }
      expect(await grow([order("b", 1000)])).toEqual([["b", wireCode("POLICY_VIOLATION")]]);
      expect(await grow([order("b", 100_000)])).toEqual([["b", wireCode("POLICY_VIOLATION")]]);
      expect(topicOf("b").partitions.length).toBe(2);
      expect(await grow([order("b", 4, [[1], [1]])])).toEqual([["b", 0]]);
      expect(topicOf("b").partitions.length).toBe(4);
    });

    test("DescribeCluster names this broker, and no endpoints of controllers", async () => {
      const request = { includeClusterAuthorizedOperations: true };
      for (let version = 0; version <= 2; version += 1) {
        expect(await client.ask(describeClusterApi, version, request)).toEqual({
          throttleTimeMs: 0,
          errorCode: 0,
          errorMessage: null,
          endpointType: 1,
          clusterId: api.context.broker.clusterId,
          controllerId: 1,
          brokers: [{ brokerId: 1, host: "127.0.0.1", port: api.port, rack: null, isFenced: false }],
          clusterAuthorizedOperations: CLUSTER_OPERATIONS,
        });
      }
      const codes = [2, 3, 0].map(
        async (endpointType) => (await client.ask(describeClusterApi, 1, { endpointType })).errorCode,
      );
      expect([await codes[0], await codes[1], await codes[2]]).toEqual([
        wireCode("MISMATCHED_ENDPOINT_TYPE"),
        wireCode("UNSUPPORTED_ENDPOINT_TYPE"),
        wireCode("UNSUPPORTED_ENDPOINT_TYPE"),
      ]);
    });

    async function page(request: DescribeTopicPartitionsRequestInput) {
      const { topics, nextCursor } = await client.ask(describeTopicPartitionsApi, 0, request);
      const found = topics.map(({ name, errorCode, partitions }) => [
        name,
        errorCode,
        partitions.map(({ partitionIndex }) => partitionIndex),
      ]);
      return { found, nextCursor };
    }

    test("DescribeTopicPartitions goes through topics page by page", async () => {
      const first = await page({ topics: [], responsePartitionLimit: 2 });
      expect(first).toEqual({ found: [["a", 0, [0, 1]]], nextCursor: { topicName: "a", partitionIndex: 2 } });
      const second = await page({ topics: [], responsePartitionLimit: 1, cursor: first.nextCursor });
      expect(second).toEqual({ found: [["a", 0, [2]]], nextCursor: { topicName: "b", partitionIndex: 0 } });
      const third = await page({ topics: [], responsePartitionLimit: 2, cursor: second.nextCursor });
      expect(third).toEqual({ found: [["b", 0, [0, 1]]], nextCursor: null });
      const all = await page({ topics: [] });
      expect(all).toEqual({
        found: [
          ["a", 0, [0, 1, 2]],
          ["b", 0, [0, 1]],
        ],
        nextCursor: null,
      });
    });

    test("DescribeTopicPartitions names what is not there, and describes what is", async () => {
      const names = ["none", "b", "a b", "b"];
      const { topics } = await client.ask(describeTopicPartitionsApi, 0, {
        topics: names.map((name) => ({ name })),
        responsePartitionLimit: 0,
      });
      const partition = {
        errorCode: 0,
        partitionIndex: 0,
        leaderId: 1,
        leaderEpoch: topicOf("b").partitions[0]!.leaderEpoch,
        replicaNodes: [1],
        isrNodes: [1],
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
        offlineReplicas: [],
      };
      const rest = { isInternal: false, topicAuthorizedOperations: TOPIC_OPERATIONS };
      const unknown = { topicId: ZERO_UUID, partitions: [], ...rest };
      expect(topics).toEqual([
        { errorCode: wireCode("INVALID_TOPIC_EXCEPTION"), name: "a b", ...unknown },
        { errorCode: 0, name: "b", topicId: topicOf("b").id, partitions: [partition], ...rest },
      ]);
      expect((await page({ topics: [{ name: "none" }] })).found).toEqual([
        ["none", wireCode("UNKNOWN_TOPIC_OR_PARTITION"), []],
      ]);
    });

    async function store(topic: string, index: number, producerId: number): Promise<number> {
      const records = batchOf(["value"], { producerId, producerEpoch: 2, baseSequence: 0 });
      await client.ask(produceApi, 9, {
        acks: -1,
        timeoutMs: 1000,
        topicData: [{ name: topic, partitionData: [{ index, records }] }],
      });
      return records.length;
    }

    test("DescribeLogDirs tells the bytes of partitions, all or those named", async () => {
      const bytes = await store("b", 1, 7);
      for (let version = 1; version <= 5; version += 1) {
        const { errorCode, results } = await client.ask(describeLogDirsApi, version, {
          topics: [
            { topic: "b", partitions: [1, 5, 1] },
            { topic: "none", partitions: [0] },
            { topic: "a", partitions: [-1] },
          ],
        });
        expect([errorCode, results.length, results[0]!.errorCode]).toEqual([0, 1, 0]);
        const partition = { partitionIndex: 1, partitionSize: bytes, offsetLag: 0, isFutureKey: false };
        expect(results[0]!.topics).toEqual([{ name: "b", partitions: [partition] }]);
      }
      const { results } = await client.ask(describeLogDirsApi, 4, { topics: null });
      expect(results[0]!.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([
        ["a", 3],
        ["b", 2],
      ]);
    });

    test("AlterReplicaLogDirs takes the directory where partitions lie, and no other", async () => {
      const { results } = await client.ask(describeLogDirsApi, 4, { topics: [] });
      const { logDir } = results[0]!;
      for (const version of [1, 2]) {
        const moved = await client.ask(alterReplicaLogDirsApi, version, {
          dirs: [
            {
              path: logDir,
              topics: [
                { name: "a", partitions: [0, 9] },
                { name: "none", partitions: [0] },
              ],
            },
            { path: "/elsewhere", topics: [{ name: "a", partitions: [1] }] },
          ],
        });
        const unknown = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
        expect(
          moved.results.map(({ topicName, partitions }) => [
            topicName,
            partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
          ]),
        ).toEqual([
          [
            "a",
            [
              [0, 0],
              [9, unknown],
              [1, wireCode("LOG_DIR_NOT_FOUND")],
            ],
          ],
          ["none", [[0, unknown]]],
        ]);
      }
    });

    test("DescribeQuorum names this broker as leader and only voter, of the metadata alone", async () => {
      const ask = (version: number, topicName: string, ...indexes: number[]) =>
        client.ask(describeQuorumApi, version, {
          topics: [{ topicName, partitions: indexes.map((partitionIndex) => ({ partitionIndex })) }],
        });
      for (const version of [0, 1, 2]) {
        const { errorCode, topics, nodes } = await ask(version, METADATA_TOPIC, 0);
        const { currentVoters, ...partition } = topics[0]!.partitions[0]!;
        expect([errorCode, topics.length, topics[0]!.topicName]).toEqual([0, 1, METADATA_TOPIC]);
        expect(partition).toEqual({
          partitionIndex: 0,
          errorCode: 0,
          errorMessage: "",
          leaderId: 1,
          leaderEpoch: 1,
          highWatermark: 0,
          observers: [],
        });
        expect(currentVoters.map(({ replicaId, logEndOffset }) => [replicaId, logEndOffset])).toEqual([
          [1, 0],
        ]);
        const listeners = [{ name: "PLAINTEXT", host: "127.0.0.1", port: api.port }];
        expect(nodes).toEqual(version < 2 ? [] : [{ nodeId: 1, listeners }]);
      }
      const unknown = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
      for (const [topicName, ...indexes] of [["a", 0] as const, [METADATA_TOPIC, 1] as const]) {
        const { topics, nodes } = await ask(2, topicName, ...indexes);
        expect([topics[0]!.partitions[0]!.errorCode, nodes]).toEqual([unknown, []]);
      }
    });

    test("DescribeProducers tells who stores idempotently", async () => {
      await store("a", 0, 7);
      const { topics } = await client.ask(describeProducersApi, 0, {
        topics: [
          { name: "a", partitionIndexes: [0, 1, 9] },
          { name: "a b", partitionIndexes: [0] },
        ],
      });
      const { lastTimestamp, ...producer } = topics[0]!.partitions[0]!.activeProducers[0]!;
      expect(typeof lastTimestamp).toBe("number");
      expect(producer).toEqual({
        producerId: 7,
        producerEpoch: 2,
        lastSequence: 0,
        coordinatorEpoch: -1,
        currentTxnStartOffset: -1,
      });
      const told = topics.map(({ partitions }) =>
        partitions.map(({ errorCode, activeProducers }) => [errorCode, activeProducers.length]),
      );
      expect(told).toEqual([
        [
          [0, 1],
          [0, 0],
          [wireCode("UNKNOWN_TOPIC_OR_PARTITION"), 0],
        ],
        [[wireCode("INVALID_TOPIC_EXCEPTION"), 0]],
      ]);
    });

    test("ElectLeaders finds the leader where it should be", async () => {
      const partitions = [{ topic: "a", partitions: [0, 9] }];
      for (let version = 0; version <= 2; version += 1) {
        const { replicaElectionResults } = await client.ask(electLeadersApi, version, {
          topicPartitions: partitions,
        });
        const results = replicaElectionResults[0]!.partitionResult;
        expect(results.map(({ partitionId, errorCode }) => [partitionId, errorCode])).toEqual([
          [0, wireCode("ELECTION_NOT_NEEDED")],
          [9, wireCode("UNKNOWN_TOPIC_OR_PARTITION")],
        ]);
      }
      const all = await client.ask(electLeadersApi, 2, { electionType: 1, topicPartitions: null });
      expect(all.replicaElectionResults).toEqual([
        { topic: "a", partitionResult: [] },
        { topic: "b", partitionResult: [] },
      ]);
      const wrong = await client.ask(electLeadersApi, 2, { electionType: 7, topicPartitions: null });
      expect(wrong.errorCode).toBe(wireCode("INVALID_REQUEST"));
    });

    test("AlterPartitionReassignments takes what changes nothing, and no move is listed", async () => {
      for (const version of [0, 1]) {
        const { responses } = await client.ask(alterPartitionReassignmentsApi, version, {
          topics: [
            {
              name: "a",
              partitions: [
                { partitionIndex: 0, replicas: [1] },
                { partitionIndex: 1, replicas: [2] },
                { partitionIndex: 2, replicas: [1, 2] },
                { partitionIndex: 2, replicas: null },
                { partitionIndex: 9, replicas: [1] },
              ],
            },
          ],
        });
        expect(responses[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([
          0,
          wireCode("INVALID_REPLICA_ASSIGNMENT"),
          wireCode("INVALID_REPLICA_ASSIGNMENT"),
          wireCode("NO_REASSIGNMENT_IN_PROGRESS"),
          wireCode("UNKNOWN_TOPIC_OR_PARTITION"),
        ]);
      }
      const listed = await client.ask(listPartitionReassignmentsApi, 0, {});
      expect(listed).toEqual({ throttleTimeMs: 0, errorCode: 0, errorMessage: null, topics: [] });
    });
  });
}

/** OffsetCommit and OffsetFetch together, over every version of both. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { OFFSET_METADATA_LENGTH_MAX } from "../../../src/consumer/commit-room.ts";
import { findCoordinatorApi } from "../../../src/protocol/kafka/apis/find-coordinator.ts";
import { initProducerIdApi } from "../../../src/protocol/kafka/apis/init-producer-id.ts";
import {
  type OffsetCommitRequestInput,
  offsetCommitApi,
} from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    let groupId = "";
    let count = 0;
    beforeAll(async () => {
      api = await openKafkaApi(kind.create());
      client = await api.connect();
      await api.context.broker.topics.create("t", { partitions: 2, configs: {} });
      await api.context.broker.topics.create("u", { partitions: 1, configs: {} });
    });
    beforeEach(() => {
      groupId = `group/${count++}`;
    });
    afterAll(() => api.stop());

    function commitOf(
      partitionIndex: number,
      committedOffset: number,
      committedMetadata: string | null = "",
    ) {
      return { partitionIndex, committedOffset, committedMetadata, committedLeaderEpoch: 5 };
    }

    async function commit(
      version: number,
      partitions: ReturnType<typeof commitOf>[],
      rest: Partial<OffsetCommitRequestInput> = {},
    ) {
      const response = await client.ask(offsetCommitApi, version, {
        groupId,
        topics: [{ name: "t", partitions }],
        ...rest,
      });
      return response.topics.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorCode));
    }

    async function committed(
      version: number,
      topics: { name: string; partitionIndexes: number[] }[] | null,
      group = groupId,
    ) {
      const request = version >= 8 ? { groups: [{ groupId: group, topics }] } : { groupId: group, topics };
      const response = await client.ask(offsetFetchApi, version, request);
      const found = version >= 8 ? response.groups[0]!.topics : response.topics;
      return found.flatMap(({ name, partitions }) =>
        partitions.map((partition) => [
          name,
          partition.partitionIndex,
          partition.committedOffset,
          partition.metadata,
          partition.errorCode,
        ]),
      );
    }

    for (let version = 2; version <= 8; version += 1) {
      test(`what version ${version} commits comes back with its metadata, in every version of OffsetFetch`, async () => {
        expect(await commit(version, [commitOf(0, 7, "note é"), commitOf(1, 0, null)])).toEqual([0, 0]);
        for (let fetchVersion = 1; fetchVersion <= 8; fetchVersion += 1) {
          expect(await committed(fetchVersion, [{ name: "t", partitionIndexes: [1, 0] }])).toEqual([
            ["t", 1, 0, "", 0],
            ["t", 0, 7, "note é", 0],
          ]);
        }
      });
    }

    test("the leader epoch comes back from version 5, and is unknown when the commit had no room for it", async () => {
      const epoch = async () => {
        const topics = [{ name: "t", partitionIndexes: [0] }];
        const response = await client.ask(offsetFetchApi, 7, { groupId, topics });
        return response.topics[0]!.partitions[0]!.committedLeaderEpoch;
      };
      await commit(8, [commitOf(0, 1)]);
      expect(await epoch()).toBe(5);
      await commit(5, [commitOf(0, 1)]);
      expect(await epoch()).toBe(-1);
    });

    test("null topics mean everything the group has; a version 8 request asks for several groups", async () => {
      await commit(8, [commitOf(1, 3), commitOf(0, 2)]);
      const other = `${groupId}-other`;
      await commit(8, [commitOf(0, 9)], { groupId: other });
      const all = [
        ["t", 0, 2, "", 0],
        ["t", 1, 3, "", 0],
      ];
      expect(await committed(2, null)).toEqual(all);
      expect(await committed(8, null)).toEqual(all);
      const groups = [groupId, other, "nobody"].map((name) => ({ groupId: name, topics: null }));
      const response = await client.ask(offsetFetchApi, 8, { groups, requireStable: true });
      expect(
        response.groups.map((group) => [
          group.groupId,
          group.errorCode,
          group.topics[0]?.partitions.length ?? 0,
        ]),
      ).toEqual([
        [groupId, 0, 2],
        [other, 0, 1],
        ["nobody", 0, 0],
      ]);
    });

    test("what was never committed, and what does not exist, is offset -1 without an error", async () => {
      const requested = [
        { name: "t", partitionIndexes: [0, 9] },
        { name: "nobody", partitionIndexes: [0] },
      ];
      expect(await committed(8, requested)).toEqual([
        ["t", 0, -1, "", 0],
        ["t", 9, -1, "", 0],
        ["nobody", 0, -1, "", 0],
      ]);
    });

    test("partitions that cannot be committed have their own errors, the others are kept", async () => {
      const long = "é".repeat(OFFSET_METADATA_LENGTH_MAX + 1);
      const fits = `${"é".repeat(OFFSET_METADATA_LENGTH_MAX - 2)}😀`;
      expect(
        await commit(8, [commitOf(0, 1, fits), commitOf(1, 1, long), commitOf(2, 1), commitOf(1, -2)]),
      ).toEqual([0, wireCode("OFFSET_METADATA_TOO_LARGE"), wireCode("UNKNOWN_TOPIC_OR_PARTITION"), 0]);
      // A negative offset is kept: clients mean the beginning or the end by it.
      expect(await committed(8, null)).toEqual([
        ["t", 0, 1, fits, 0],
        ["t", 1, -2, "", 0],
      ]);
    });

    for (const version of [2, 8]) {
      test(`a partition that is named again and again counts as it stands last, each is answered (version ${version})`, async () => {
        const requested = Array.from({ length: 2000 }, (_, n) => commitOf(n % 3, n));
        const topics = [
          { name: "t", partitions: requested },
          { name: "u", partitions: [commitOf(0, 1, "first")] },
          { name: "nobody", partitions: [commitOf(0, 1)] },
          { name: "u", partitions: [commitOf(0, 2, "last")] },
        ];
        const response = await client.ask(offsetCommitApi, version, { groupId, topics });
        const unknown = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
        expect(response.topics.map(({ name, partitions }) => ({ name, partitions }))).toEqual([
          {
            name: "t",
            partitions: requested.map(({ partitionIndex }) => ({
              partitionIndex,
              errorCode: partitionIndex === 2 ? unknown : 0,
            })),
          },
          { name: "u", partitions: [{ partitionIndex: 0, errorCode: 0 }] },
          { name: "nobody", partitions: [{ partitionIndex: 0, errorCode: unknown }] },
          { name: "u", partitions: [{ partitionIndex: 0, errorCode: 0 }] },
        ]);
        expect(await committed(8, null)).toEqual([
          ["t", 0, 1998, "", 0],
          ["t", 1, 1999, "", 0],
          ["u", 0, 2, "last", 0],
        ]);
      });
    }

    test("a commit without a generation is taken, also for the empty group; one with a generation is refused", async () => {
      expect(await commit(2, [commitOf(0, 4)], { groupId: "" })).toEqual([0]);
      expect(await committed(8, [{ name: "t", partitionIndexes: [0] }], "")).toEqual([["t", 0, 4, "", 0]]);
      expect(await commit(8, [commitOf(0, 1)], { generationIdOrMemberEpoch: 3, memberId: "m" })).toEqual([
        22,
      ]);
      expect(await committed(8, null)).toEqual([]);
      expect(await commit(8, [commitOf(0, 1)], { memberId: "m" })).toEqual([0]);
      expect(await committed(8, null)).toEqual([["t", 0, 1, "", 0]]);
      expect(await commit(8, [commitOf(0, 2)], { generationIdOrMemberEpoch: 3, memberId: "m" })).toEqual([
        25,
      ]);
      expect(await committed(8, null)).toEqual([["t", 0, 1, "", 0]]);
    });

    test("an unknown partition is told before a generation is", async () => {
      const commits = [commitOf(0, 1), commitOf(9, 1)];
      expect(await commit(8, commits, { generationIdOrMemberEpoch: 3 })).toEqual([22, 3]);
    });

    test("a group name that is too long is INVALID_GROUP_ID", async () => {
      expect(await commit(8, [commitOf(0, 1)], { groupId: "g".repeat(2000) })).toEqual([24]);
    });

    test("removing a topic removes what was committed for it", async () => {
      await api.context.broker.topics.create("gone", { partitions: 1, configs: {} });
      const topics = [
        { name: "gone", partitions: [commitOf(0, 3)] },
        { name: "u", partitions: [commitOf(0, 4)] },
      ];
      await commit(8, [], { topics });
      await api.context.broker.topics.remove("gone");
      expect(await committed(8, null)).toEqual([["u", 0, 4, "", 0]]);
    });

    for (let version = 0; version <= 4; version += 1) {
      test(`FindCoordinator ${version} names this broker for groups and transactions, and refuses other kinds`, async () => {
        const place = { nodeId: 1, host: "127.0.0.1", port: api.port, errorCode: 0 };
        const ask = async (keyType: number) => {
          const key = version >= 4 ? { coordinatorKeys: ["g", "h"] } : { key: "g" };
          return client.ask(findCoordinatorApi, version, { ...key, ...(version >= 1 && { keyType }) });
        };
        const found = await ask(0);
        if (version < 4) expect(found).toMatchObject(place);
        else
          expect(found.coordinators).toMatchObject([
            { key: "g", ...place },
            { key: "h", ...place },
          ]);
        if (version === 0) return;
        expect(version < 4 ? (await ask(1)).errorCode : (await ask(1)).coordinators[0]!.errorCode).toBe(0);
        expect(version < 4 ? (await ask(9)).errorCode : (await ask(9)).coordinators[1]!.errorCode).toBe(42);
      });

      test(`InitProducerId ${version} gives a new id each time, and refuses transactions and half of an old id`, async () => {
        const ask = (transactionalId: string | null, old = {}) =>
          client.ask(initProducerIdApi, version, { transactionalId, transactionTimeoutMs: 1000, ...old });
        const [first, second] = [await ask(null), await ask(null)];
        expect(first).toMatchObject({ errorCode: 0, producerEpoch: 0 });
        expect(second.producerId).toBeGreaterThan(first.producerId);
        const refused = { errorCode: wireCode("INVALID_REQUEST"), producerId: -1, producerEpoch: -1 };
        expect(await ask("tx")).toMatchObject(refused);
        if (version < 3) return;
        expect(await ask(null, { producerId: 5 })).toMatchObject(refused);
        expect(await ask(null, { producerEpoch: 0 })).toMatchObject(refused);
        const renewed = await ask(null, { producerId: second.producerId, producerEpoch: 0 });
        expect(renewed).toMatchObject({ errorCode: 0, producerEpoch: 0 });
        expect(renewed.producerId).toBeGreaterThan(second.producerId);
      });
    }
  });
}

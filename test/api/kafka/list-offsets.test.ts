import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { offsetForLeaderEpochApi } from "../../../src/protocol/kafka/apis/offset-for-leader-epoch.ts";
import { batchOf } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { appendTo } from "../../support/partitions.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    let leaderEpoch = 0;

    /** Offsets 0 to 5 with the timestamps 1000 1001 1002 5000 5001 2000. */
    beforeAll(async () => {
      api = await openKafkaApi(kind.create());
      client = await api.connect();
      const topic = await api.context.broker.topics.create("t", { partitions: 2, configs: {} });
      const partition = topic.partitions[0]!;
      leaderEpoch = partition.leaderEpoch;
      for (const batch of [
        batchOf(["a", "b", "c"], {}, 1000),
        batchOf(["d", "e"], {}, 5000),
        batchOf(["f"], {}, 2000),
      ]) {
        await appendTo(partition, batch).done;
      }
    });
    afterAll(() => api.stop());

    async function ask(
      version: number,
      partitionIndex: number,
      timestamp: number,
      currentLeaderEpoch = -1,
      name = "t",
    ) {
      const partitions = [{ partitionIndex, timestamp, currentLeaderEpoch }];
      const response = await client.ask(listOffsetsApi, version, { topics: [{ name, partitions }] });
      const { errorCode, offset, timestamp: found } = response.topics[0]!.partitions[0]!;
      return [errorCode, offset, found];
    }

    const UNSUPPORTED = [wireCode("UNSUPPORTED_VERSION"), -1, -1];

    for (let version = 1; version <= 8; version += 1) {
      test(`version ${version} answers earliest, latest, and what its version has`, async () => {
        expect(await ask(version, 0, -1)).toEqual([0, 6, -1]);
        expect(await ask(version, 0, -2)).toEqual([0, 0, -1]);
        expect(await ask(version, 0, -3)).toEqual(version >= 7 ? [0, 4, 5001] : UNSUPPORTED);
        expect(await ask(version, 0, -4)).toEqual(version >= 8 ? [0, 0, -1] : UNSUPPORTED);
        for (const timestamp of [-5, -6, -7, -1000, Number.MIN_SAFE_INTEGER]) {
          expect(await ask(version, 0, timestamp)).toEqual(UNSUPPORTED);
          expect(await ask(version, 9, timestamp)).toEqual(UNSUPPORTED);
          expect(await ask(version, 0, timestamp, -1, "nobody")).toEqual(UNSUPPORTED);
        }
        expect(await ask(version, 0, 1001)).toEqual([0, 1, 1001]);
      });
    }

    for (const [timestamp, expected] of [
      [0, [0, 0, 1000]],
      [1000, [0, 0, 1000]],
      [1002, [0, 2, 1002]],
      [1003, [0, 3, 5000]],
      [5001, [0, 4, 5001]],
      [5002, [0, -1, -1]],
    ] as const) {
      test(`by time ${timestamp} it is the first record at or after it`, async () => {
        expect(await ask(8, 0, timestamp)).toEqual([...expected]);
      });
    }

    test("an empty partition has offset 0 at both ends and nothing by time", async () => {
      expect(await ask(8, 1, -1)).toEqual([0, 0, -1]);
      expect(await ask(8, 1, -2)).toEqual([0, 0, -1]);
      expect(await ask(8, 1, -3)).toEqual([0, -1, -1]);
      expect(await ask(8, 1, 1000)).toEqual([0, -1, -1]);
    });

    test("an unknown partition and a wrong epoch are errors of the partition", async () => {
      expect(await ask(8, 2, -1)).toEqual([3, -1, -1]);
      expect(await ask(8, 0, -1, -1, "nobody")).toEqual([3, -1, -1]);
      expect(await ask(8, 0, -1, leaderEpoch + 1)).toEqual([75, -1, -1]);
      expect(await ask(8, 0, -1, leaderEpoch - 2)).toEqual([74, -1, -1]);
      expect(await ask(8, 0, -1, leaderEpoch)).toEqual([0, 6, -1]);
    });

    test("a partition asked for twice is an invalid request and answered once, the others are answered", async () => {
      const requested = (partitionIndex: number, timestamp = -1) => ({ partitionIndex, timestamp });
      const errorsOf = async (
        version: number,
        topics: { name: string; partitions: { partitionIndex: number; timestamp: number }[] }[],
      ) => {
        const response = await client.ask(listOffsetsApi, version, { topics });
        return response.topics.map(({ name, partitions }) => [
          name,
          partitions.map(({ partitionIndex, errorCode, offset }) => [partitionIndex, errorCode, offset]),
        ]);
      };
      for (let version = 1; version <= 8; version += 1) {
        const duplicates = [requested(0), requested(1), requested(0, -2), requested(7), requested(7, -99)];
        expect(await errorsOf(version, [{ name: "t", partitions: duplicates }])).toEqual([
          [
            "t",
            [
              [0, 42, -1],
              [1, 0, 0],
              [7, 42, -1],
            ],
          ],
        ]);
        const spread = [
          { name: "t", partitions: [requested(0)] },
          { name: "nobody", partitions: [requested(0), requested(0)] },
          { name: "t", partitions: [requested(0), requested(1)] },
        ];
        expect(await errorsOf(version, spread)).toEqual([
          [
            "t",
            [
              [0, 42, -1],
              [1, 0, 0],
            ],
          ],
          ["nobody", [[0, 42, -1]]],
        ]);
      }
    });

    for (const version of [2, 3, 4]) {
      test(`OffsetForLeaderEpoch ${version} answers where the epoch ends, and -1 for one that is not known`, async () => {
        const epochOf = async (partition: number, epoch: number, currentLeaderEpoch = -1) => {
          const partitions = [{ partition, leaderEpoch: epoch, currentLeaderEpoch }];
          const response = await client.ask(offsetForLeaderEpochApi, version, {
            topics: [{ topic: "t", partitions }],
          });
          const found = response.topics[0]!.partitions[0]!;
          return [found.errorCode, found.leaderEpoch, found.endOffset];
        };
        expect(await epochOf(0, leaderEpoch)).toEqual([0, leaderEpoch, 6]);
        expect(await epochOf(7, leaderEpoch)).toEqual([3, -1, -1]);
        expect(await epochOf(0, leaderEpoch, leaderEpoch + 1)).toEqual([75, -1, -1]);
        expect((await epochOf(0, leaderEpoch - 1)).slice(0, 1)).toEqual([0]);
      });
    }

    for (const timestamp of [1001, -3]) {
      test(`a search (${timestamp}) is told when its client is gone`, async () => {
        const other = await api.connect();
        const partition = api.context.broker.topics.get("t")!.partitions[1]!;
        const requested = Promise.withResolvers<() => boolean>();
        const ended = Promise.withResolvers<null>();
        partition.offsetForTimestamp = (_timestampMs, isWanted) => {
          requested.resolve(isWanted!);
          return ended.promise;
        };
        partition.offsetOfMaxTimestamp = (isWanted) => partition.offsetForTimestamp(-1, isWanted);
        const partitions = [{ partitionIndex: 1, timestamp, currentLeaderEpoch: -1 }];
        const response = other
          .ask(listOffsetsApi, 7, { topics: [{ name: "t", partitions }] })
          .catch((error: Error) => error.message);
        const isWanted = await requested.promise;
        expect(isWanted()).toBe(true);
        other.close();
        await until(() => !isWanted());
        ended.resolve(null);
        expect(await response).toContain("closed");
      });
    }
  });
}

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { deleteRecordsApi } from "../../../src/protocol/kafka/apis/delete-records.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { batchOf } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { appendTo } from "../../support/partitions.ts";

const OUT_OF_RANGE = wireCode("OFFSET_OUT_OF_RANGE");
const UNKNOWN = wireCode("UNKNOWN_TOPIC_OR_PARTITION");

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    let count = 0;
    let name = "";
    beforeAll(async () => {
      api = await openKafkaApi(kind.create());
      client = await api.connect();
    });
    afterAll(() => api.stop());

    /** Offsets 0 to 5 in partition 0 of two. */
    beforeEach(async () => {
      count += 1;
      name = `t${count}`;
      const topic = await api.context.broker.topics.create(name, { partitions: 2, configs: {} });
      for (const values of [["a", "b", "c"], ["d", "e"], ["f"]])
        await appendTo(topic.partitions[0]!, batchOf(values)).done;
    });

    async function deletedBefore(version: number, offsets: readonly [number, number][], topic = name) {
      const partitions = offsets.map(([partitionIndex, offset]) => ({ partitionIndex, offset }));
      const topics = [{ name: topic, partitions }];
      const response = await client.ask(deleteRecordsApi, version, { topics, timeoutMs: 1000 });
      return response.topics.map(({ partitions: told }) =>
        told.map(({ partitionIndex, lowWatermark, errorCode }) => [partitionIndex, lowWatermark, errorCode]),
      );
    }

    async function earliest(): Promise<number> {
      const partitions = [{ partitionIndex: 0, timestamp: -2, currentLeaderEpoch: -1 }];
      const response = await client.ask(listOffsetsApi, 5, { topics: [{ name, partitions }] });
      return response.topics[0]!.partitions[0]!.offset;
    }

    for (const version of [0, 1, 2]) {
      test(`version ${version} moves the start, also inside a batch, and never back`, async () => {
        expect(await deletedBefore(version, [[0, 1]])).toEqual([[[0, 1, 0]]]);
        expect(await earliest()).toBe(1);
        expect(await deletedBefore(version, [[0, 4]])).toEqual([[[0, 4, 0]]]);
        expect(await deletedBefore(version, [[0, 2]])).toEqual([[[0, 4, 0]]]);
        expect(await earliest()).toBe(4);
        expect(await deletedBefore(version, [[0, -1]])).toEqual([[[0, 6, 0]]]);
        expect(await earliest()).toBe(6);
      });
    }

    test("what lies beyond the high watermark is out of range, and so are other negative offsets", async () => {
      for (const offset of [7, Number.MAX_SAFE_INTEGER, -2, Number.MIN_SAFE_INTEGER])
        expect(await deletedBefore(2, [[0, offset]])).toEqual([[[0, -1, OUT_OF_RANGE]]]);
      expect(await earliest()).toBe(0);
    });

    test("an empty partition starts where it ends", async () => {
      expect(
        await deletedBefore(2, [
          [1, -1],
          [0, 0],
        ]),
      ).toEqual([
        [
          [1, 0, 0],
          [0, 0, 0],
        ],
      ]);
    });

    test("of a partition that is named twice the last offset counts", async () => {
      expect(
        await deletedBefore(2, [
          [0, 5],
          [0, 3],
        ]),
      ).toEqual([[[0, 3, 0]]]);
    });

    test("what is not there is unknown, and the others are answered", async () => {
      expect(await deletedBefore(2, [[0, 1]], "nobody")).toEqual([[[0, -1, UNKNOWN]]]);
      expect(
        await deletedBefore(2, [
          [9, 1],
          [-1, 1],
          [0, 1],
        ]),
      ).toEqual([
        [
          [9, -1, UNKNOWN],
          [-1, -1, UNKNOWN],
          [0, 1, 0],
        ],
      ]);
    });

    test("a topic that is only compacted keeps its records", async () => {
      const { topics } = api.context.broker;
      await topics.alter(name, () => ({ "cleanup.policy": "compact" }));
      expect(await deletedBefore(2, [[0, 1]])).toEqual([[[0, -1, wireCode("POLICY_VIOLATION")]]]);
      await topics.alter(name, () => ({ "cleanup.policy": "compact,delete" }));
      expect(await deletedBefore(2, [[0, 1]])).toEqual([[[0, 1, 0]]]);
    });
  });
}

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { FETCHED_PARTITION_BYTES } from "../../../src/api/kafka/exchange.ts";
import { wireCode } from "../../../src/base/errors.ts";
import { type FetchRequestInput, fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { appendTo } from "../../support/partitions.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    let topic = "";
    let count = 0;
    beforeAll(async () => {
      api = await openKafkaApi(kind.create());
      client = await api.connect();
    });
    beforeEach(async () => {
      topic = `topic-${count++}`;
      await api.context.broker.topics.create(topic, { partitions: 3, configs: {} });
    });
    afterAll(() => api.stop());

    /** Appends and waits until it is committed. */
    async function append(index: number, values: readonly string[]): Promise<void> {
      const partition = api.context.broker.topics.get(topic)!.partitions[index]!;
      const batch = batchOf(values);
      await appendTo(partition, batch).done;
    }

    type PartitionRequest = FetchRequestInput["topics"][number]["partitions"][number];

    function request(
      partitions: PartitionRequest[],
      rest: Partial<FetchRequestInput> = {},
    ): FetchRequestInput {
      return { maxWaitMs: 10_000, minBytes: 1, topics: [{ topic, partitions }], ...rest };
    }

    function ask(
      partition: number,
      fetchOffset: number,
      rest: Partial<PartitionRequest> = {},
    ): PartitionRequest {
      return { partition, fetchOffset, partitionMaxBytes: 100_000, ...rest };
    }

    async function fetch(version: number, requested: FetchRequestInput) {
      const response = await client.ask(fetchApi, version, requested);
      return response.responses.flatMap(({ partitions }) => partitions);
    }

    for (let version = 4; version <= 12; version += 1) {
      test(`version ${version} answers batches, bounds and null for transactions that nobody asked about`, async () => {
        await append(0, ["a", "b"]);
        await append(0, ["c"]);
        const [response] = await fetch(version, request([ask(0, 0)]));
        expect(recordsIn(response!.records!)).toEqual([
          [0, "a"],
          [1, "b"],
          [2, "c"],
        ]);
        expect({ ...response, records: null }).toMatchObject({
          partitionIndex: 0,
          errorCode: 0,
          highWatermark: 3,
          lastStableOffset: 3,
          logStartOffset: version >= 5 ? 0 : -1,
          abortedTransactions: null,
          preferredReadReplica: -1,
        });
      });
    }

    test("an offset inside a batch gives the whole batch, so that no consumer hangs", async () => {
      await append(0, ["a", "b", "c"]);
      const [response] = await fetch(11, request([ask(0, 2)]));
      expect(recordsIn(response!.records!)).toEqual([
        [0, "a"],
        [1, "b"],
        [2, "c"],
      ]);
    });

    test("a batch larger than every limit is still returned", async () => {
      await append(0, ["x".repeat(5000)]);
      const [response] = await fetch(11, request([ask(0, 0, { partitionMaxBytes: 1 })], { maxBytes: 1 }));
      expect(response!.records!.length).toBeGreaterThan(5000);
    });

    test("a fetch at the end waits for the next record", async () => {
      const requested = fetch(11, request([ask(0, 0), ask(1, 0)]));
      await until(() => api.context.fetches.openCount === 1);
      await append(1, ["a"]);
      const [left, right] = await requested;
      expect(left!.records!.length).toBe(0);
      expect(recordsIn(right!.records!)).toEqual([[0, "a"]]);
    });

    test("min_bytes counts over the partitions, and max_wait ends the wait with what there is", async () => {
      await append(0, ["a"]);
      const startedAtMs = performance.now();
      const [response] = await fetch(11, request([ask(0, 0)], { minBytes: 100_000, maxWaitMs: 50 }));
      expect(performance.now() - startedAtMs).toBeGreaterThan(45);
      expect(recordsIn(response!.records!)).toEqual([[0, "a"]]);
    });

    test("out of range is only below the start or beyond the end, and is answered at once", async () => {
      await append(0, ["a"]);
      const responses = await fetch(11, request([ask(0, -1), ask(0, 2), ask(1, 0)]));
      expect(responses.map(({ errorCode }) => errorCode)).toEqual([1, 1, 0]);
      const [atEnd] = await fetch(11, request([ask(0, 1)], { maxWaitMs: 0 }));
      expect(atEnd).toMatchObject({ errorCode: 0, highWatermark: 1 });
    });

    test("an unknown topic or partition is answered at once with error 3", async () => {
      const unknown = { topic: "nobody", partitions: [ask(0, 0)] };
      const topics = [{ topic, partitions: [ask(0, 0), ask(3, 0)] }, unknown];
      const responses = await fetch(11, request([], { topics }));
      expect(responses.map(({ errorCode }) => errorCode)).toEqual([0, 3, 3]);
    });

    test("the leader epoch of the client is checked from version 9", async () => {
      const { leaderEpoch } = api.context.broker.topics.get(topic)!.partitions[0]!;
      const epochs = [-1, leaderEpoch, leaderEpoch + 1, -2, -(2 ** 31)].map((currentLeaderEpoch) =>
        ask(0, 0, { currentLeaderEpoch }),
      );
      const responses = await fetch(9, request(epochs, { maxWaitMs: 0 }));
      expect(responses.map(({ errorCode }) => errorCode)).toEqual([
        0,
        0,
        wireCode("UNKNOWN_LEADER_EPOCH"),
        0,
        0,
      ]);
    });

    test("a full fetch that wants no session gets none, and a fetch that relies on one that is not there is refused", async () => {
      for (const [sessionId, sessionEpoch, errorCode] of [
        [0, -1, 0],
        [7, -1, 0],
        [7, 1, 70],
        [0, 1, 70],
      ] as const) {
        const requested = request([ask(0, 0)], { maxWaitMs: 0, sessionId, sessionEpoch });
        const response = await client.ask(fetchApi, 11, requested);
        expect(response).toMatchObject({ errorCode, sessionId: 0 });
        expect(response.responses.length).toBe(errorCode === 0 ? 1 : 0);
      }
    });

    test("a reader of committed records gets an empty list of aborted transactions; errors have lists as in Kafka", async () => {
      const abortedOf = async (isolationLevel: number) => {
        const responses = await fetch(
          11,
          request([ask(0, 0), ask(0, 9), ask(7, 0)], { isolationLevel, maxWaitMs: 0 }),
        );
        return responses.map(({ errorCode, abortedTransactions }) => [errorCode, abortedTransactions]);
      };
      expect(await abortedOf(1)).toEqual([
        [0, []],
        [1, null],
        [3, []],
      ]);
      expect(await abortedOf(0)).toEqual([
        [0, null],
        [1, null],
        [3, []],
      ]);
    });

    test("a topic that is removed answers those who wait in it", async () => {
      const requested = fetch(11, request([ask(0, 0)]));
      await until(() => api.context.fetches.openCount === 1);
      await api.context.broker.topics.remove(topic);
      expect((await requested)[0]!.errorCode).toBe(wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
    });

    test("a response of several MiB arrives whole and in one piece", async () => {
      for (let batch = 0; batch < 10; batch += 1) await append(0, ["y".repeat(400_000)]);
      const requested = request([ask(0, 0, { partitionMaxBytes: 10_000_000 })]);
      const [response] = await fetch(11, requested);
      expect(recordsIn(response!.records!).map(([offset]) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    test("a thousand small responses carry the right bytes, each of them", async () => {
      for (let offset = 0; offset < 1000; offset += 1) {
        await append(0, [`value ${offset} ${"x".repeat(offset % 300)}`]);
        const [response] = await fetch(11, request([ask(0, offset)]));
        expect(recordsIn(response!.records!)).toEqual([
          [offset, `value ${offset} ${"x".repeat(offset % 300)}`],
        ]);
      }
    });

    test("a response that a client does not take is not held in memory, and arrives whole when it reads on", async () => {
      for (let batch = 0; batch < 20; batch += 1) await append(0, ["z".repeat(1_000_000)]);
      const slow = await api.connect();
      slow.pause();
      slow.send(fetchApi, 11, request([ask(0, 0, { partitionMaxBytes: 20_000_000 })]));
      const unsent = () => [...api.listener.connections].find(({ outputBytes }) => outputBytes > 0);
      await until(() => unsent() !== undefined);
      const other = await client.ask(fetchApi, 11, request([ask(0, 19)]));
      expect(other.responses[0]!.partitions[0]!.errorCode).toBe(0);
      const { outputBytes, heldOutputBytes } = unsent()!;
      expect([outputBytes > 10_000_000, heldOutputBytes < 100]).toEqual([true, true]);
      slow.resume();
      const response = await slow.takeAs(fetchApi, 11);
      const records = recordsIn(response.responses[0]!.partitions[0]!.records!);
      expect(records.map(([offset]) => offset)).toEqual(
        Array.from({ length: 20 }, (_, offset) => offset).slice(0, records.length),
      );
      expect(records.length).toBeGreaterThan(18);
    });

    test("what a response keeps to read many partitions' records later is counted until they are sent", async () => {
      const COUNT = 40;
      const { topics } = api.context.broker;
      const many = await topics.create("many", { partitions: COUNT, configs: {} });
      for (const partition of many.partitions) {
        const batch = batchOf(["w".repeat(250_000)]);
        appendTo(partition, batch);
      }
      await until(() => many.partitions.every(({ highWatermark }) => highWatermark === 1));
      const slow = await api.connect();
      slow.pause();
      const partitions = many.partitions.map(({ index }) => ask(index, 0, { partitionMaxBytes: 1_000_000 }));
      slow.send(fetchApi, 11, {
        ...request([]),
        maxBytes: 20_000_000,
        topics: [{ topic: "many", partitions }],
      });
      const unsent = () => [...api.listener.connections].find(({ outputBytes }) => outputBytes > 0);
      await until(() => unsent() !== undefined);
      const connection = unsent()!;
      expect(connection.responseMemory.bytes).toBeGreaterThanOrEqual(COUNT * FETCHED_PARTITION_BYTES);
      slow.resume();
      const response = await slow.takeAs(fetchApi, 11);
      expect(response.responses[0]!.partitions.map(({ records }) => records!.length > 250_000)).toEqual(
        Array.from({ length: COUNT }, () => true),
      );
      await until(() => connection.responseMemory.bytes === 0);
    });
  });
}

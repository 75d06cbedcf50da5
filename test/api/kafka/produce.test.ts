import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import type { Partition } from "../../../src/broker/partition.ts";
import { initProducerIdApi } from "../../../src/protocol/kafka/apis/init-producer-id.ts";
import { type ProduceRequestInput, produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import {
  BATCH_CRC,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_RECORD_COUNT,
  computeBatchCrc,
} from "../../../src/protocol/record/batch.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { takenOffset } from "../../support/partitions.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    let name = "";
    let count = 0;
    beforeAll(async () => {
      api = await openKafkaApi(kind.create());
      client = await api.connect();
    });
    beforeEach(async () => {
      name = `topic-${count++}`;
      await api.context.broker.topics.create(name, { partitions: 2, configs: {} });
    });
    afterAll(() => api.stop());

    function partition(index: number): Partition {
      return api.context.broker.topics.get(name)!.partitions[index]!;
    }

    function request(
      batches: readonly [index: number, records: Buffer | null][],
      rest: Partial<ProduceRequestInput> = {},
    ) {
      const partitionData = batches.map(([index, records]) => ({ index, records }));
      return { acks: -1, timeoutMs: 1000, topicData: [{ name, partitionData }], ...rest };
    }

    async function produce(version: number, requested: ProduceRequestInput) {
      const response = await client.ask(produceApi, version, requested);
      return response.responses[0]!.partitionResponses;
    }

    async function readAll(index: number): Promise<[number, string | null][]> {
      return recordsIn(await bytesOf(partition(index).span(0, 100_000, true)));
    }

    for (let version = 3; version <= 11; version += 1) {
      test(`version ${version} stores a batch for each partition and answers base offsets and the log's start`, async () => {
        await produce(version, request([[1, batchOf(["x"])]]));
        const responses = await produce(
          version,
          request([
            [0, batchOf(["a", "b"])],
            [1, batchOf(["c"])],
          ]),
        );
        const logStartOffset = version >= 5 ? 0 : -1;
        expect(responses).toMatchObject([
          { index: 0, errorCode: 0, baseOffset: 0, logAppendTimeMs: -1, logStartOffset },
          { index: 1, errorCode: 0, baseOffset: 1, logAppendTimeMs: -1, logStartOffset },
        ]);
        expect(await readAll(0)).toEqual([
          [0, "a"],
          [1, "b"],
        ]);
        expect(await readAll(1)).toEqual([
          [0, "x"],
          [1, "c"],
        ]);
      });
    }

    for (const version of [0, 1, 2]) {
      test(`version ${version} is advertised but refused in its own format, and nothing is stored`, async () => {
        const responses = await produce(version, request([[0, batchOf(["a"])]]));
        expect(responses).toMatchObject([
          { index: 0, errorCode: wireCode("UNSUPPORTED_VERSION"), baseOffset: -1 },
        ]);
        expect(takenOffset(partition(0))).toBe(0);
      });
    }

    test("an unknown topic or partition is an error of that partition alone, and nothing is created", async () => {
      const [good, bad, negative] = await produce(
        7,
        request([
          [0, batchOf(["a"])],
          [2, batchOf(["b"])],
          [-1, batchOf(["b"])],
        ]),
      );
      expect([good!.errorCode, bad!.errorCode, negative!.errorCode]).toEqual([0, 3, 3]);
      const unknown = [{ name: "nobody", partitionData: [{ index: 0, records: batchOf(["a"]) }] }];
      expect((await produce(7, request([], { topicData: unknown })))[0]!.errorCode).toBe(3);
      expect(api.context.broker.topics.get("nobody")).toBeUndefined();
    });

    for (const acks of [-2, 2, 100]) {
      test(`acks ${acks} is INVALID_REQUIRED_ACKS`, async () => {
        const [response] = await produce(8, request([[0, batchOf(["a"])]], { acks }));
        expect(response).toMatchObject({ errorCode: 21, baseOffset: -1 });
        expect(takenOffset(partition(0))).toBe(0);
      });
    }

    test("no batch, two batches, a cut batch, a flipped bit and an old magic are refused with their errors", async () => {
      const good = batchOf(["a"]);
      const flipped = Buffer.from(good);
      flipped[flipped.length - 1]! ^= 1;
      const old = Buffer.from(good);
      old[16] = 1;
      const cases: [Buffer | null, number][] = [
        [null, wireCode("INVALID_RECORD")],
        [Buffer.alloc(0), wireCode("INVALID_RECORD")],
        [Buffer.concat([good, good]), wireCode("INVALID_RECORD")],
        [good.subarray(0, good.length - 1), wireCode("INVALID_RECORD")],
        [flipped, wireCode("CORRUPT_MESSAGE")],
        [old, wireCode("INVALID_RECORD")],
      ];
      for (const [records, errorCode] of cases) {
        expect((await produce(8, request([[0, records]])))[0]).toMatchObject({ errorCode, baseOffset: -1 });
      }
      expect(takenOffset(partition(0))).toBe(0);
    });

    test("zstd is taken from version 7 on, and refused before", async () => {
      const codeIn = async (version: number) =>
        (await produce(version, request([[0, batchOf(["a"], { codec: "zstd" })]])))[0]!.errorCode;
      expect(await codeIn(6)).toBe(wireCode("UNSUPPORTED_COMPRESSION_TYPE"));
      expect(await codeIn(7)).toBe(0);
    });

    test("what begins after the batch is not stored, and records that the header does not know are refused", async () => {
      const batch = batchOf(["a"]);
      const [kept] = await produce(
        8,
        request([[0, Buffer.concat([batch, batch.subarray(0, batch.length - 1)])]]),
      );
      expect(kept).toMatchObject({ errorCode: 0, baseOffset: 0 });
      const hidden = batchOf(["b", "c"]);
      hidden.writeInt32BE(0, BATCH_LAST_OFFSET_DELTA);
      hidden.writeInt32BE(1, BATCH_RECORD_COUNT);
      hidden.writeUInt32BE(computeBatchCrc(hidden, 0, hidden.length), BATCH_CRC);
      const [refused] = await produce(8, request([[0, hidden]]));
      expect(refused).toMatchObject({
        errorCode: wireCode("INVALID_RECORD"),
        errorMessage: "bytes follow the 1 records that the header says",
      });
      expect(await readAll(0)).toEqual([[0, "a"]]);
      expect((await bytesOf(partition(0).span(0, 10_000, true))).length).toBe(batch.length);
    });

    test("a batch above max.message.bytes is MESSAGE_TOO_LARGE", async () => {
      name = `${name}-small`;
      await api.context.broker.topics.create(name, {
        partitions: 1,
        configs: { "max.message.bytes": "2000" },
      });
      const [large] = await produce(8, request([[0, batchOf(["a".repeat(2000)])]]));
      expect(large).toMatchObject({
        errorCode: wireCode("MESSAGE_TOO_LARGE"),
        baseOffset: -1,
        logStartOffset: -1,
      });
      expect((await produce(8, request([[0, batchOf(["a".repeat(1900)])]])))[0]!.errorCode).toBe(0);
    });

    test("a topic that stamps records itself answers the time", async () => {
      name = `${name}-stamped`;
      const configs = { "message.timestamp.type": "LogAppendTime" };
      await api.context.broker.topics.create(name, { partitions: 1, configs });
      const beforeMs = Date.now();
      const [response] = await produce(8, request([[0, batchOf(["a"])]]));
      expect(response!.logAppendTimeMs).toBeGreaterThanOrEqual(beforeMs);
    });

    test("transactions are refused, also when only the batch says so", async () => {
      const [named] = await produce(8, request([[0, batchOf(["a"])]], { transactionalId: "tx" }));
      expect(named).toMatchObject({
        errorCode: wireCode("INVALID_REQUEST"),
        errorMessage: "transactions are not supported",
      });
      const batch = batchOf(["a"], {
        producerId: 1,
        producerEpoch: 0,
        baseSequence: 0,
        isTransactional: true,
      });
      const [marked] = await produce(8, request([[0, batch]]));
      expect(marked!.errorCode).toBe(wireCode("INVALID_REQUEST"));
      expect(takenOffset(partition(0))).toBe(0);
    });

    test("an idempotent producer gets the first offset again for a duplicate, and an error for a gap", async () => {
      const { producerId, producerEpoch } = await client.ask(initProducerIdApi, 4, {
        transactionalId: null,
        transactionTimeoutMs: 0,
      });
      const batch = (value: string, baseSequence: number, epoch = producerEpoch) =>
        batchOf([value], { producerId, producerEpoch: epoch, baseSequence });
      const send = async (records: Buffer) => {
        const [response] = await produce(8, request([[0, records]]));
        return [response!.errorCode, response!.baseOffset];
      };
      expect(await send(batch("a", 0))).toEqual([0, 0]);
      expect(await send(batch("b", 1))).toEqual([0, 1]);
      expect(await send(batch("a", 0))).toEqual([0, 0]);
      expect(await send(batch("d", 3))).toEqual([wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"), -1]);
      expect(await send(batch("e", 0, 1))).toEqual([0, 2]);
      expect(await send(batch("c", 2))).toEqual([wireCode("INVALID_PRODUCER_EPOCH"), -1]);
      expect(await readAll(0)).toEqual([
        [0, "a"],
        [1, "b"],
        [2, "e"],
      ]);
    });

    for (const version of [8, 9]) {
      test(`a long request stores each batch where it belongs, and answers each entry in its place (version ${version})`, async () => {
        const values = Array.from({ length: 1500 }, (_, n) => `value-${n}`.padEnd((n % 40) + 10, "-"));
        const requested = request([
          [9, batchOf(["lost"])],
          [0, null],
          ...values.map((value, n): [number, Buffer] => [n % 2, batchOf([value])]),
          [0, Buffer.alloc(0)],
        ]);
        const unknown = { name: "nobody", partitionData: [{ index: 0, records: batchOf(["lost"]) }] };
        const response = await client.ask(produceApi, version, {
          ...requested,
          topicData: [...requested.topicData, unknown],
        });
        const unknownCode = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
        const codes = response.responses.map(({ name: topic, partitionResponses }) => [
          topic === name ? "here" : topic,
          partitionResponses.map(({ index, errorCode, baseOffset }) => [index, errorCode, baseOffset]),
        ]);
        const stored = values.map((_, n) => [n % 2, 0, Math.floor(n / 2)]);
        const invalid = [0, wireCode("INVALID_RECORD"), -1];
        expect(codes).toEqual([
          ["here", [[9, unknownCode, -1], invalid, ...stored, invalid]],
          ["nobody", [[0, unknownCode, -1]]],
        ]);
        for (const index of [0, 1]) {
          const own = values.filter((_, n) => n % 2 === index);
          expect(await readAll(index)).toEqual(own.map((value, offset): [number, string] => [offset, value]));
        }
      });
    }

    test("a request without partitions is answered empty", async () => {
      expect(await client.ask(produceApi, 7, request([], { topicData: [] }))).toMatchObject({
        responses: [],
      });
    });
  });
}

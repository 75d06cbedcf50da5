/**
 * Commits that fail, as clients see them: which code a producer is answered with, and that real clients, which send again by these
 * codes, lose nothing and store nothing twice.
 */

import { afterEach, describe, expect, test } from "bun:test";
import { ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { ObeliskError, wireCode } from "../../../src/base/errors.ts";
import { offsetForLeaderEpochApi } from "../../../src/protocol/kafka/apis/offset-for-leader-epoch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { readAll } from "../../broker/conformance/subject.ts";
import { batchOf } from "../../support/batches.ts";
import type { DelayedStore, DelayedStoreOptions } from "../../support/delayed-store.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { delayedPartitions } from "../../support/partition-kinds.ts";

const FAILURES = { definite: 0.15, "unknown-stored": 0.15, "unknown-lost": 0.15, "unknown-late": 0.15 };
const RECORDS = 40;

let api: TestKafkaApi;
afterEach(() => api.stop());

async function opened(options: DelayedStoreOptions): Promise<DelayedStore> {
  const { store, partitions } = delayedPartitions(options);
  api = await openKafkaApi(partitions);
  await api.context.broker.topics.create("t", { partitions: 2, configs: {} });
  return store;
}

async function valuesIn(index: number): Promise<(string | null)[]> {
  const records = await readAll(api.context.broker.topics.get("t")!.partitions[index]!);
  return records.map(([, value]) => value);
}

describe("codes", () => {
  test("a batch that is not stored is KAFKA_STORAGE_ERROR, one that may be REQUEST_TIMED_OUT, and what follows out of order", async () => {
    const store = await opened({ isHeld: true });
    const client = await api.connect();
    const send = (baseSequence: number) => {
      const records = batchOf([`${baseSequence}`], { producerId: 7, producerEpoch: 0, baseSequence });
      const topicData = [{ name: "t", partitionData: [{ index: 0, records }] }];
      client.send(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
    };
    const take = async () => {
      const { responses } = await client.takeAs(produceApi, 9);
      const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
      return [errorCode, baseOffset];
    };
    const [notStored, maybeStored, outOfOrder] = [
      wireCode("KAFKA_STORAGE_ERROR"),
      wireCode("REQUEST_TIMED_OUT"),
      wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"),
    ];
    store.failNext(null, "definite", null);
    for (const sequence of [0, 1, 2]) send(sequence);
    store.release();
    expect([await take(), await take(), await take()]).toEqual([
      [0, 0],
      [notStored, -1],
      [outOfOrder, -1],
    ]);
    store.failNext("unknown-stored", null, "unknown-lost");
    for (const sequence of [1, 2, 3]) send(sequence);
    expect([await take(), await take(), await take()]).toEqual([
      [maybeStored, -1],
      [0, 2],
      [maybeStored, -1],
    ]);
    for (const sequence of [1, 3]) send(sequence);
    expect([await take(), await take()]).toEqual([
      [0, 1],
      [0, 3],
    ]);
    expect(await valuesIn(0)).toEqual(["0", "1", "2", "3"]);
  });

  test("a look-up that is refused later is an error of its partition alone", async () => {
    await opened({});
    const { partitions } = api.context.broker.topics.get("t")!;
    partitions[0]!.endOffsetForEpoch = () => Promise.reject(new ObeliskError("KAFKA_STORAGE_ERROR"));
    const client = await api.connect();
    const requested = [0, 1].map((partition) => ({ partition, leaderEpoch: 3, currentLeaderEpoch: -1 }));
    const { topics } = await client.ask(offsetForLeaderEpochApi, 4, {
      topics: [{ topic: "t", partitions: requested }],
    });
    expect(topics[0]!.partitions.map(({ errorCode, endOffset }) => [errorCode, endOffset])).toEqual([
      [wireCode("KAFKA_STORAGE_ERROR"), -1],
      [0, 0],
    ]);
  });
});

describe("clients", () => {
  test("kafkajs, idempotent, has every record stored once and in order", async () => {
    await opened({ seed: 11, failures: FAILURES });
    const kafka = new Kafka({
      brokers: [`127.0.0.1:${api.port}`],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 1, factor: 0, multiplier: 1, maxRetryTime: 5, retries: 100 },
    });
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    try {
      for (let index = 0; index < RECORDS; index += 1) {
        const messages = [{ value: `${index}`, partition: index % 2 }];
        await producer.send({ topic: "t", messages });
      }
    } finally {
      await producer.disconnect();
    }
    const all = Array.from({ length: RECORDS }, (_, index) => `${index}`);
    expect(await valuesIn(0)).toEqual(all.filter((_, index) => index % 2 === 0));
    expect(await valuesIn(1)).toEqual(all.filter((_, index) => index % 2 === 1));
  });

  test("@platformatic/kafka, idempotent, has every record stored once and in order", async () => {
    await opened({ seed: 12, failures: FAILURES });
    const producer = new Producer({
      clientId: "judge",
      bootstrapBrokers: [`127.0.0.1:${api.port}`],
      serializers: stringSerializers,
      idempotent: true,
      retries: 100,
      retryDelay: 1,
    });
    try {
      for (let index = 0; index < RECORDS; index += 1) {
        const messages = [{ topic: "t", key: "k", value: `${index}`, partition: index % 2 }];
        await producer.send({ messages, acks: ProduceAcks.ALL });
      }
    } finally {
      await producer.close();
    }
    const all = Array.from({ length: RECORDS }, (_, index) => `${index}`);
    expect(await valuesIn(0)).toEqual(all.filter((_, index) => index % 2 === 0));
    expect(await valuesIn(1)).toEqual(all.filter((_, index) => index % 2 === 1));
  });
});

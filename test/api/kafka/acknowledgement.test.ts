/**
 * What an acknowledgement means: the batch is committed, with acks 1 as with acks all. So whoever was answered, and whoever hears of
 * it, reads what was written. The syncs end when the test says so.
 */

import { afterEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import type { BrokerOptions } from "../../../src/broker/broker.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi, TIMESTAMP_LATEST } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { GatedEngine, turns } from "../../support/gated-engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

let api: TestKafkaApi;
afterEach(() => api.stop());

async function opened(options: Partial<BrokerOptions> = {}) {
  const engine = new GatedEngine();
  api = await openKafkaApi({ engine, broker: options });
  const producer = await api.connect();
  await producer.ask(metadataApi, 4, { topics: [{ name: "t" }] });
  return { engine, producer, reader: await api.connect() };
}

function sendRecord(client: WireClient, value: string, acks: number): void {
  const partitionData = [{ index: 0, records: batchOf([value]) }];
  client.send(produceApi, 7, { acks, timeoutMs: 1000, topicData: [{ name: "t", partitionData }] });
}

async function takeResponse(client: WireClient) {
  const { responses } = await client.takeAs(produceApi, 7);
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
  return { errorCode, baseOffset };
}

async function latestOffset(client: WireClient): Promise<number> {
  const partitions = [{ partitionIndex: 0, timestamp: TIMESTAMP_LATEST }];
  const { topics } = await client.ask(listOffsetsApi, 4, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: "t", partitions }],
  });
  return topics[0]!.partitions[0]!.offset;
}

async function read(client: WireClient) {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000 }];
  const { responses } = await client.ask(fetchApi, 4, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [{ topic: "t", partitions }],
  });
  return recordsIn(responses[0]!.partitions[0]!.records ?? Buffer.alloc(0));
}

for (const acks of [-1, 1]) {
  test(`acks ${acks} is answered when the sync has ended, and then everybody reads the record`, async () => {
    const { engine, producer, reader } = await opened();
    sendRecord(producer, "a", acks);
    await until(() => engine.waiting.length === 1);
    expect([await latestOffset(reader), await read(reader), producer.waitingCount]).toEqual([0, [], 0]);
    await engine.waiting[0]!.end();
    expect(await takeResponse(producer)).toEqual({ errorCode: 0, baseOffset: 0 });
    expect([await latestOffset(reader), await read(reader)]).toEqual([1, [[0, "a"]]]);
  });

  test(`acks ${acks} is told when the sync has failed`, async () => {
    const { engine, producer } = await opened();
    sendRecord(producer, "lost", acks);
    await until(() => engine.waiting.length === 1);
    await engine.waiting[0]!.end(true);
    expect(await takeResponse(producer)).toEqual({
      errorCode: wireCode("KAFKA_STORAGE_ERROR"),
      baseOffset: -1,
    });
  });

  test(`acks ${acks} with durability os is answered when it is written`, async () => {
    const { engine, producer } = await opened({ durability: { mode: "os" } });
    sendRecord(producer, "a", acks);
    expect(await takeResponse(producer)).toEqual({ errorCode: 0, baseOffset: 0 });
    expect(engine.started).toEqual([]);
  });
}

test("acks 0 waits for nothing: no response comes, and what follows on the connection is answered while the sync runs", async () => {
  const { engine, producer } = await opened();
  sendRecord(producer, "a", 0);
  expect(await latestOffset(producer)).toBe(0);
  await until(() => engine.waiting.length === 1);
  await engine.waiting[0]!.end();
  await turns();
  expect([await latestOffset(producer), producer.waitingCount]).toEqual([1, 0]);
});

test("acks 0: a sync that fails closes the connection, as any other error", async () => {
  const { engine, producer } = await opened();
  sendRecord(producer, "lost", 0);
  await until(() => engine.waiting.length === 1);
  await engine.waiting[0]!.end(true);
  expect(await producer.take()).toBeNull();
});

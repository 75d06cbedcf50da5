/** Produce and Fetch by topic id, and what becomes of an id whose topic is gone or was made again. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ZERO_UUID } from "../../../src/protocol/kafka/schema.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

const engine = () => api.context.broker.engine;
const UNKNOWN_ID = "01234567-89ab-cdef-0123-456789abcdef";
const FETCH_VERSIONS = [13, 14, 15, 16, 17, 18];

let api: TestKafkaApi;
let client: WireClient;
let id: string;
beforeEach(async () => {
  api = await openKafkaApi({ engine: new MemoryEngine() });
  client = await api.connect();
  id = (await api.context.broker.topics.create("t", { partitions: 1, configs: {} })).id;
});
afterEach(() => api.stop());

async function produce(topicId: string, index = 0) {
  const { responses } = await client.ask(produceApi, 13, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ topicId, partitionData: [{ index, records: batchOf(["v"]) }] }],
  });
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
  return [responses[0]!.topicId, errorCode, baseOffset];
}

async function fetch(version: number, topicId: string, partition = 0) {
  const { responses } = await client.ask(fetchApi, version, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [{ topicId, partitions: [{ partition, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
  });
  const { errorCode, records } = responses[0]!.partitions[0]!;
  return [responses[0]!.topicId, errorCode, recordsIn(records ?? Buffer.alloc(0))];
}

test("records go in and come out by the topic's id", async () => {
  expect(await produce(id)).toEqual([id, 0, 0]);
  for (const version of FETCH_VERSIONS) expect(await fetch(version, id)).toEqual([id, 0, [[0, "v"]]]);
});

test("an id that no topic has is UNKNOWN_TOPIC_ID, a partition that is not there is not", async () => {
  for (const topicId of [UNKNOWN_ID, ZERO_UUID]) {
    expect(await produce(topicId)).toEqual([topicId, wireCode("UNKNOWN_TOPIC_ID"), -1]);
    for (const version of FETCH_VERSIONS)
      expect(await fetch(version, topicId)).toEqual([topicId, wireCode("UNKNOWN_TOPIC_ID"), []]);
  }
  expect(await produce(id, 7)).toEqual([id, wireCode("UNKNOWN_TOPIC_OR_PARTITION"), -1]);
  expect(await fetch(13, id, 7)).toEqual([id, wireCode("UNKNOWN_TOPIC_OR_PARTITION"), []]);
});

test("the id of a topic that was made again under its name reaches neither of the two", async () => {
  const { topics } = api.context.broker;
  await topics.remove("t");
  const { id: next } = await topics.create("t", { partitions: 1, configs: {} });
  expect(await produce(id)).toEqual([id, wireCode("UNKNOWN_TOPIC_ID"), -1]);
  expect(await fetch(13, id)).toEqual([id, wireCode("UNKNOWN_TOPIC_ID"), []]);
  expect(await produce(next)).toEqual([next, 0, 0]);
});

test("offsets are committed and fetched by the topic's id", async () => {
  const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: "m" }];
  const committed = await client.ask(offsetCommitApi, 10, {
    groupId: "g",
    topics: [
      { topicId: id, partitions },
      { topicId: UNKNOWN_ID, partitions },
    ],
  });
  expect(committed.topics.map(({ topicId, partitions: [told] }) => [topicId, told!.errorCode])).toEqual([
    [id, 0],
    [UNKNOWN_ID, wireCode("UNKNOWN_TOPIC_ID")],
  ]);
  for (const [topics, expected] of [
    [
      [
        { topicId: id, partitionIndexes: [0] },
        { topicId: UNKNOWN_ID, partitionIndexes: [0] },
      ],
      [
        [id, 0, 3],
        [UNKNOWN_ID, wireCode("UNKNOWN_TOPIC_ID"), -1],
      ],
    ],
    [null, [[id, 0, 3]]],
  ] as const) {
    const { groups } = await client.ask(offsetFetchApi, 10, { groups: [{ groupId: "g", topics }] });
    const told = groups[0]!.topics.map(({ topicId, partitions: [first] }) => [
      topicId,
      first!.errorCode,
      first!.committedOffset,
    ]);
    expect(told).toEqual(expected as never);
  }
});

test("an id is the same after the next start", async () => {
  await produce(id);
  const store = engine();
  await api.stop();
  api = await openKafkaApi({ engine: store });
  client = await api.connect();
  expect(await fetch(13, id)).toEqual([id, 0, [[0, "v"]]]);
  const { topics } = await client.ask(metadataApi, 13, { topics: [{ topicId: id, name: null }] });
  expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([["t", 0]]);
});

test("nothing is in tiered storage", async () => {
  for (const [version, timestamp, errorCode] of [
    [8, -5, wireCode("UNSUPPORTED_VERSION")],
    [9, -5, 0],
    [10, -6, wireCode("UNSUPPORTED_VERSION")],
    [11, -6, 0],
  ] as const) {
    const { topics } = await client.ask(listOffsetsApi, version, {
      topics: [{ name: "t", partitions: [{ partitionIndex: 0, timestamp }] }],
    });
    expect(topics[0]!.partitions).toMatchObject([{ errorCode, timestamp: -1, offset: -1 }]);
  }
});

/**
 * Requests with more elements than a request may have: refused before anything is built of them, whatever API they are for, and
 * however they are spread over arrays and tagged fields. What may still be is answered.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Api } from "../../../src/protocol/kafka/api.ts";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { REQUEST_ELEMENTS_MAX } from "../../../src/protocol/kafka/reader.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";

let api: TestKafkaApi;
beforeAll(async () => {
  api = await openKafkaApi();
});
afterAll(() => api.stop());

const times = <Element>(count: number, element: Element) => Array.from({ length: count }, () => element);

function frameOf<Request>(
  api: Api<Request, unknown, never, unknown>,
  version: number,
  request: Request,
): Buffer {
  return Buffer.concat(api.encodeRequest(version, 1, "test", request).parts);
}

function taggedMetadata(tags: number): Buffer {
  const plain = frameOf(metadataApi, 9, { topics: [] });
  const count = [0, 7, 14].map((shift) => ((tags >>> shift) & 0x7f) | (shift < 14 ? 0x80 : 0));
  const frame = Buffer.concat([plain.subarray(0, -1), Buffer.from(count), Buffer.alloc(2 * tags)]);
  frame.writeInt32BE(frame.length - 4, 0);
  return frame;
}

const MANY = REQUEST_ELEMENTS_MAX + 1;
const assignment = { partitionIndex: 0, brokerIds: [] };
const FRAMES: readonly (readonly [name: string, frame: () => Buffer])[] = [
  [
    "CreateTopics with assignments",
    () =>
      frameOf(createTopicsApi, 7, {
        topics: [
          { name: "new", numPartitions: -1, replicationFactor: -1, assignments: times(MANY, assignment) },
        ],
      }),
  ],
  [
    "Produce with one partition again and again",
    () =>
      frameOf(produceApi, 9, {
        acks: -1,
        timeoutMs: 0,
        topicData: [{ name: "t", partitionData: times(MANY, { index: 0, records: null }) }],
      }),
  ],
  [
    "ListOffsets with each partition in a topic of its own",
    () =>
      frameOf(listOffsetsApi, 7, {
        topics: times(MANY / 2 + 1, { name: "t", partitions: [{ partitionIndex: 0, timestamp: 0 }] }),
      }),
  ],
  ["Metadata with tagged fields", () => taggedMetadata(MANY)],
];

test.each(FRAMES)("%s", async (_name, frame) => {
  const before = api.api.malformedCount;
  const client = await api.connect();
  client.sendBytes(frame());
  expect(await client.take()).toBeNull();
  expect(api.api.malformedCount).toBe(before + 1);
  expect(api.context.broker.topics.count).toBe(0);
});

test("as many as there may be are answered", async () => {
  const client = await api.connect();
  client.sendBytes(taggedMetadata(REQUEST_ELEMENTS_MAX - 1));
  const { topics } = await client.takeAs(metadataApi, 9);
  expect(topics).toEqual([]);
});

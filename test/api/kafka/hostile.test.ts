/**
 * Broken and hostile requests: cut, with flipped bits, with lengths that lie, and noise. Whatever comes, the server
 * responds or closes that connection, keeps no memory of it, and serves the next one.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { ROUTES } from "../../../src/api/kafka/apis.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";

let api: TestKafkaApi;
beforeAll(async () => {
  api = await openKafkaApi();
  await api.context.broker.topics.create("t", { partitions: 1, configs: {} });
});
afterAll(() => api.stop());

/** No single flipped bit makes it 1, the number of the good request behind a broken one. */
const GOOD_ID = 0x55;

/** Good requests (without their length) to break. */
const GOOD: readonly Buffer[] = [
  produceApi.encodeRequest(9, GOOD_ID, "c", {
    acks: -1,
    timeoutMs: 10,
    topicData: [{ name: "t", partitionData: [{ index: 0, records: batchOf(["a", "b"]) }] }],
  }),
  fetchApi.encodeRequest(12, GOOD_ID, "c", {
    maxWaitMs: 0,
    minBytes: 1,
    topics: [{ topic: "t", partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100 }] }],
  }),
  metadataApi.encodeRequest(9, GOOD_ID, "c", { topics: [{ name: "t" }], allowAutoTopicCreation: false }),
  createTopicsApi.encodeRequest(7, GOOD_ID, "c", {
    topics: [{ name: "t", numPartitions: 1, replicationFactor: 1 }],
    validateOnly: true,
  }),
  offsetCommitApi.encodeRequest(8, GOOD_ID, "c", {
    groupId: "g",
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: "" }] }],
  }),
].map(({ parts }) => Buffer.concat(parts).subarray(4));

function framed(body: Buffer): Buffer {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeInt32BE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

/** Sends the frame and a good request behind it, and waits until that is answered, or cannot be any more or for long. */
async function survives(frame: Buffer): Promise<void> {
  const client = await api.connect();
  client.sendBytes(frame);
  const after = client.send(apiVersionsApi, 0, {});
  let hasResponse = false;
  await until(() => {
    while (client.waitingCount > 0) if (client.takeNow().readInt32BE(0) === after) hasResponse = true;
    return hasResponse || client.isClosed || api.context.fetches.openCount > 0;
  });
  client.close();
  const next = await api.connect();
  expect((await next.ask(apiVersionsApi, 0, {})).errorCode).toBe(0);
  next.close();
}

async function nothingIsHeld(): Promise<void> {
  await until(() => api.listener.connections.size === 0);
  expect([api.frameBudget.usedBytes, api.context.fetches.openCount]).toEqual([0, 0]);
  expect(api.lines.filter(({ level }) => level === "error")).toEqual([]);
}

test("requests that are cut at every byte", async () => {
  for (const good of GOOD) {
    for (let length = 1; length < good.length; length += 1) await survives(framed(good.subarray(0, length)));
  }
  await nothingIsHeld();
}, 60_000);

test("requests with one flipped bit", async () => {
  const places = fc.record({ which: fc.nat(GOOD.length - 1), at: fc.nat(), bit: fc.nat(7) });
  await fc.assert(
    fc.asyncProperty(places, async ({ which, at, bit }) => {
      const broken = Buffer.from(GOOD[which]!);
      broken[at % broken.length]! ^= 1 << bit;
      await survives(framed(broken));
    }),
    { numRuns: 300 },
  );
  await nothingIsHeld();
}, 60_000);

test("noise after every key and version that is supported", async () => {
  const noise = fc.record({
    route: fc.nat(ROUTES.length - 1),
    version: fc.nat(12),
    body: fc.uint8Array({ maxLength: 200 }),
  });
  await fc.assert(
    fc.asyncProperty(noise, async ({ route, version, body }) => {
      const { key } = ROUTES[route]!;
      const header = Buffer.alloc(8);
      header.writeInt16BE(key, 0);
      header.writeInt16BE(version, 2);
      await survives(framed(Buffer.concat([header, body])));
    }),
    { numRuns: 300 },
  );
  await nothingIsHeld();
}, 60_000);

/**
 * The oldest Produce versions, which no broker of today supports and so no golden vector can hold: judged by the codec of
 * kafkajs, which still has them. What it writes we decode, what we write it decodes.
 */

import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ZERO_UUID } from "../../../src/protocol/kafka/schema.ts";
import { frameOf } from "../../support/encoded.ts";

interface ForeignRequest {
  encode(): Promise<{ readonly buffer: Buffer }>;
}

interface ForeignApi {
  request(options: object): ForeignRequest;
  response: { decode(body: Buffer): Promise<unknown> };
}

const require = createRequire(import.meta.url);

function kafkajsProduce(version: number): ForeignApi {
  const path = `kafkajs/src/protocol/requests/produce/v${version}`;
  return { request: require(`${path}/request`), response: require(`${path}/response`) };
}

test.each([0, 1, 2])("kafkajs and we agree on the request of Produce version %d", async (version) => {
  const messages = [{ key: "k", value: "v", timestamp: 1_700_000_000_000 }];
  const topicData = [{ topic: "t", partitions: [{ partition: 3, messages }] }];
  const request = kafkajsProduce(version).request({ acks: 1, timeout: 500, compression: 0, topicData });
  const body = (await request.encode()).buffer;
  const decoded = produceApi.decodeRequest(version, body, 0, body.length);
  const records = decoded.topicData[0]?.partitionData[0]?.records ?? Buffer.alloc(0);
  expect(decoded).toEqual({
    transactionalId: null,
    acks: 1,
    timeoutMs: 500,
    topicData: [{ name: "t", topicId: ZERO_UUID, partitionData: [{ index: 3, records }] }],
  });
  expect(records.length).toBeGreaterThan(20);
  const frame = Buffer.concat(produceApi.encodeRequest(version, 1, null, decoded).parts);
  expect(frame.toString("hex", 14)).toBe(body.toString("hex"));
});

test.each([0, 1, 2])("kafkajs and we agree on the response of Produce version %d", async (version) => {
  const partitionResponses = [{ index: 3, errorCode: 43, baseOffset: 9, logAppendTimeMs: 77 }];
  const response = { responses: [{ name: "t", partitionResponses }], throttleTimeMs: 5 };
  const frame = frameOf(produceApi.encodeResponse(version, 1, response));
  const partition = {
    partition: 3,
    errorCode: 43,
    offset: "9",
    ...(version >= 2 ? { timestamp: "77" } : {}),
  };
  expect(await kafkajsProduce(version).response.decode(frame.subarray(8))).toEqual({
    topics: [{ topicName: "t", partitions: [partition] }],
    ...(version >= 1 ? { throttleTime: 5 } : {}),
  });
});

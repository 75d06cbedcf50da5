/** What the settings of a topic do with records: their times, keys, codec and replicas. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { BATCH_CRC, batchCodec, computeBatchCrc } from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { CODECS, type Codec } from "../../../src/protocol/record/compression.ts";
import { bytesOf, recordsIn } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

type KeyedRecord = [key: string | null, value: string, timestampMs: number];

let api: TestKafkaApi;
let client: WireClient;
beforeEach(async () => {
  api = await openKafkaApi();
  client = await api.connect();
});
afterEach(() => api.stop());

async function topicWith(configs: Record<string, string>): Promise<void> {
  await api.context.broker.topics.create("t", { partitions: 1, configs });
}

async function produce(records: Buffer) {
  const { responses } = await client.ask(produceApi, 11, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records }] }],
  });
  const { errorCode, baseOffset, recordErrors } = responses[0]!.partitionResponses[0]!;
  return { errorCode, baseOffset, indexes: recordErrors.map(({ batchIndex }) => batchIndex) };
}

function batch(codec: Codec, ...records: KeyedRecord[]): Buffer {
  const builder = new BatchBuilder(1_000_000);
  for (const [keyText, valueText, timestampMs] of records) {
    const key = keyText === null ? null : Buffer.from(keyText);
    const value = Buffer.from(valueText);
    builder.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value.length);
  }
  return builder.finish({ codec });
}

async function stored(): Promise<Buffer> {
  return await bytesOf(api.context.broker.topics.get("t")!.partitions[0]!.span(0, 1_000_000, true));
}

const ACCEPTED = { errorCode: 0, baseOffset: 0, indexes: [] };
const HOUR_MS = 3_600_000;

test("a timestamp more than an hour ahead of the clock is refused, and its record named", async () => {
  await topicWith({});
  const nowMs = Date.now();
  const refused = await produce(batch("none", ["a", "now", nowMs], ["b", "later", nowMs + 2 * HOUR_MS]));
  expect(refused).toEqual({ errorCode: wireCode("INVALID_TIMESTAMP"), baseOffset: -1, indexes: [1] });
  expect(await produce(batch("gzip", ["a", "soon", nowMs + HOUR_MS / 2]))).toEqual(ACCEPTED);
});

test("a timestamp too far behind the clock is refused where the topic says how far", async () => {
  await topicWith({ "message.timestamp.before.max.ms": "60000" });
  const nowMs = Date.now();
  const old: KeyedRecord = ["a", "old", nowMs - HOUR_MS];
  for (const codec of CODECS) {
    expect(await produce(batch(codec, ["a", "now", nowMs], old))).toEqual({
      errorCode: wireCode("INVALID_TIMESTAMP"),
      baseOffset: -1,
      indexes: [1],
    });
  }
  expect(await produce(batch("none", ["a", "now", nowMs], ["a", "no time", -1]))).toEqual(ACCEPTED);
});

test("a topic that stamps records itself takes any timestamp", async () => {
  await topicWith({ "message.timestamp.type": "LogAppendTime" });
  expect(await produce(batch("none", ["a", "v", Date.now() + 10 * HOUR_MS]))).toEqual(ACCEPTED);
});

test("records without a key are refused by a compacted topic, with every codec, and named", async () => {
  await topicWith({ "cleanup.policy": "compact" });
  for (const codec of CODECS) {
    const refused = await produce(batch(codec, ["a", "1", 1000], [null, "2", 1000], [null, "3", 1000]));
    expect(refused).toEqual({ errorCode: wireCode("INVALID_RECORD"), baseOffset: -1, indexes: [1, 2] });
  }
  expect(await produce(batch("zstd", ["a", "1", 1000]))).toEqual(ACCEPTED);
});

for (const codec of CODECS) {
  test(`a batch of any codec is stored as ${codec} where the topic says so`, async () => {
    await topicWith({ "compression.type": codec === "none" ? "uncompressed" : codec });
    let offset = 0;
    for (const from of CODECS) {
      const records: KeyedRecord[] = [
        ["k", `from ${from}`, 1000],
        [null, "x".repeat(500), 1001],
      ];
      expect(await produce(batch(from, ...records))).toEqual({ ...ACCEPTED, baseOffset: offset });
      offset += records.length;
    }
    const bytes = await stored();
    expect(recordsIn(bytes)).toEqual(
      CODECS.flatMap((from, index) => [
        [2 * index, `from ${from}`],
        [2 * index + 1, "x".repeat(500)],
      ]),
    );
    for (let position = 0; position < bytes.length; ) {
      const end = position + 12 + bytes.readInt32BE(position + 8);
      expect(CODECS[batchCodec(bytes, position)]).toBe(codec);
      expect(bytes.readUInt32BE(position + BATCH_CRC)).toBe(computeBatchCrc(bytes, position, end - position));
      position = end;
    }
  });
}

test("a batch that is too large once it is compressed anew is refused", async () => {
  await topicWith({ "compression.type": "uncompressed", "max.message.bytes": "1000" });
  const refused = await produce(batch("zstd", ["k", "x".repeat(5000), 1000]));
  expect(refused).toEqual({ errorCode: wireCode("MESSAGE_TOO_LARGE"), baseOffset: -1, indexes: [] });
});

test("min.insync.replicas may be more than there are: the one replica counts, as in Kafka", async () => {
  await topicWith({ "min.insync.replicas": "2" });
  expect(await produce(batch("none", ["k", "v", 1000]))).toEqual(ACCEPTED);
});

/** Batches of producers that fill in less, or more, than they should, over the wire: what is stored, found by time, and refused. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { wireCode } from "../../src/base/errors.ts";
import { MiB } from "../../src/base/units.ts";
import { apiVersionsApi } from "../../src/protocol/kafka/apis/api-versions.ts";
import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { fetchApi } from "../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi } from "../../src/protocol/kafka/apis/list-offsets.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import {
  BATCH_CRC,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_MAX_TIMESTAMP,
  BATCH_RECORD_COUNT,
  batchMaxTimestamp,
  computeBatchCrc,
} from "../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import type { Codec } from "../../src/protocol/record/compression.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { SERVERS, type TestServer } from "../support/server.ts";

const START_MS = 1_700_000_000_000;
const LATEST = -3;
/** Above what we open ourselves, in records that other readers can take. */
const LARGE_RECORDS = 15;
const LARGE_RECORD_BYTES = 10 * MiB;
const CROWD = 1_000_000;
const SEARCHES = 20;

/** A batch with a record for each time, changed, under a true CRC. */
function batchAt(times: readonly number[], change: (batch: Buffer) => void, codec: Codec = "none"): Buffer {
  const builder = new BatchBuilder(MiB);
  const value = Buffer.from("value");
  for (const timestampMs of times) builder.append(timestampMs, null, 0, 0, value, 0, value.length);
  const batch = builder.finish({ codec });
  change(batch);
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  return batch;
}

/** A million of the smallest records, the last one later than the others. */
function crowdedBatch(): Buffer {
  const builder = new BatchBuilder(16 * MiB);
  for (let index = 0; index < CROWD; index += 1)
    builder.append(START_MS + (index === CROWD - 1 ? 1 : 0), null, 0, 0, null, 0, 0);
  return builder.finish({ codec: "zstd" });
}

function largeBatch(): Buffer {
  const builder = new BatchBuilder((LARGE_RECORDS + 1) * LARGE_RECORD_BYTES);
  const value = Buffer.alloc(LARGE_RECORD_BYTES);
  for (let index = 0; index < LARGE_RECORDS; index += 1)
    builder.append(START_MS + index, null, 0, 0, value, 0, value.length);
  return builder.finish({ codec: "zstd" });
}

for (const kind of SERVERS) {
  const title = `server ${kind.name}${kind.missing ? ` (skipped: ${kind.missing})` : ""}`;
  describe.skipIf(kind.missing !== undefined)(title, () => {
    let server: TestServer;
    let client: WireClient;
    let count = 0;
    beforeAll(async () => {
      server = await kind.start();
      client = await WireClient.connect(server.kafkaPort);
    });
    afterAll(async () => {
      client.close();
      await server.stop();
    });

    async function newTopic(): Promise<string> {
      count += 1;
      const topic = { name: `strange-${count}`, numPartitions: 1, replicationFactor: 1 };
      await client.ask(createTopicsApi, 5, {
        topics: [{ ...topic, assignments: [], configs: [] }],
        timeoutMs: 10_000,
        validateOnly: false,
      });
      return topic.name;
    }

    async function produce(name: string, records: Buffer): Promise<number> {
      const topicData = [{ name, partitionData: [{ index: 0, records }] }];
      const response = await client.ask(produceApi, 8, { acks: -1, timeoutMs: 10_000, topicData });
      return response.responses[0]!.partitionResponses[0]!.errorCode;
    }

    async function offsetAt(name: string, timestamp: number): Promise<[number, number]> {
      const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }];
      const response = await client.ask(listOffsetsApi, 7, { topics: [{ name, partitions }] });
      const { errorCode, offset } = response.topics[0]!.partitions[0]!;
      return [errorCode, offset];
    }

    async function fetchAll(name: string): Promise<Buffer> {
      const place = { partition: 0, fetchOffset: 0, partitionMaxBytes: 64 * MiB };
      const response = await client.ask(fetchApi, 11, {
        maxWaitMs: 1000,
        minBytes: 1,
        topics: [{ topic: name, partitions: [place] }],
      });
      return response.responses[0]!.partitions[0]!.records!;
    }

    for (const [said, maxMs, codecs] of [
      ["no max timestamp", -1, ["none", "gzip", "zstd"]],
      ["a max timestamp of 0", 0, ["none", "gzip", "zstd"]],
      ["the first record's timestamp as the largest", START_MS, ["none"]],
    ] as const) {
      test(`of ${said} the later records are found by time, and readers get the right one`, async () => {
        for (const codec of codecs) {
          const name = await newTopic();
          const change = (batch: Buffer) => batch.writeBigInt64BE(BigInt(maxMs), BATCH_MAX_TIMESTAMP);
          const times = [START_MS, START_MS + 900, START_MS + 500];
          expect(await produce(name, batchAt(times, change, codec))).toBe(0);
          expect(await offsetAt(name, START_MS + 1)).toEqual([0, 1]);
          expect(await offsetAt(name, START_MS + 901)).toEqual([0, -1]);
          expect(await offsetAt(name, LATEST)).toEqual([0, 1]);
          const fetched = await fetchAll(name);
          expect(batchMaxTimestamp(fetched, 0)).toBe(START_MS + 900);
          expect(fetched.readUInt32BE(BATCH_CRC)).toBe(computeBatchCrc(fetched, 0, fetched.length));
        }
      });
    }

    test("a batch that holds another number of records than it says is refused, and nothing of it is stored", async () => {
      const name = await newTopic();
      for (const records of [1, 3]) {
        const batch = batchAt([START_MS, START_MS], (bytes) => {
          bytes.writeInt32BE(records - 1, BATCH_LAST_OFFSET_DELTA);
          bytes.writeInt32BE(records, BATCH_RECORD_COUNT);
        });
        expect(await produce(name, batch)).toBe(wireCode("INVALID_RECORD"));
      }
      expect(await offsetAt(name, -1)).toEqual([0, 0]);
    });

    test("a compressed batch that says it holds more records than it can is refused, and nothing of it is stored", async () => {
      const name = await newTopic();
      for (const codec of ["gzip", "snappy", "lz4", "zstd"] as const) {
        for (const records of [300_000, 2 ** 31 - 1]) {
          const batch = batchAt(
            [START_MS],
            (bytes) => {
              bytes.writeInt32BE(records - 1, BATCH_LAST_OFFSET_DELTA);
              bytes.writeInt32BE(records, BATCH_RECORD_COUNT);
            },
            codec,
          );
          expect(await produce(name, batch)).toBe(wireCode("INVALID_RECORD"));
        }
      }
      expect(await offsetAt(name, -1)).toEqual([0, 0]);
    });

    test("many searches in a small batch of a great many records give right results, and others are served meanwhile", async () => {
      const name = await newTopic();
      expect(await produce(name, crowdedBatch())).toBe(0);
      const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: START_MS + 1 }];
      const searchers = await Promise.all(
        Array.from({ length: SEARCHES }, () => WireClient.connect(server.kafkaPort)),
      );
      let responded = 0;
      const searches = searchers.map(async (searcher) => {
        const response = await searcher.ask(listOffsetsApi, 7, { topics: [{ name, partitions }] });
        responded += 1;
        return response.topics[0]!.partitions[0]!;
      });
      let others = 0;
      for (; responded < SEARCHES; others += 1) await client.ask(apiVersionsApi, 0, {});
      const last = { errorCode: 0, offset: CROWD - 1, timestamp: START_MS + 1 };
      expect(await Promise.all(searches)).toEqual(searches.map(() => expect.objectContaining(last)));
      expect(others).toBeGreaterThan(SEARCHES);
      for (const searcher of searchers) searcher.close();
    });

    test("a batch that decompresses beyond what we open is stored, found by time and returned as it came", async () => {
      const name = await newTopic();
      const batch = largeBatch();
      const sent = Buffer.from(batch);
      expect(await produce(name, batch)).toBe(0);
      expect(
        await produce(
          name,
          batchAt([START_MS + 5000], () => {}),
        ),
      ).toBe(0);
      expect(await offsetAt(name, START_MS + 10)).toEqual([0, 0]);
      expect(await offsetAt(name, START_MS + 5000)).toEqual([0, LARGE_RECORDS]);
      expect(await offsetAt(name, LATEST)).toEqual([0, LARGE_RECORDS]);
      const fetched = await fetchAll(name);
      expect(fetched.subarray(16, sent.length)).toEqual(sent.subarray(16));
    });
  });
}

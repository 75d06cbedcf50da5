/**
 * Producers and consumers at random on a whole server with the file engine and next to no ring of recent batches, so
 * that fetches meet memory, disk and the border between them. The model is a list for each partition: every consumer
 * must see exactly that list, in order, whatever limits it asks with.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { KiB } from "../../../src/base/units.ts";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { WireClient } from "../../support/kafka-wire.ts";
import { startHere, type TestServer } from "../../support/server.ts";

const PARTITIONS = 3;

let server: TestServer;
beforeAll(async () => {
  server = await startHere({ recentBytes: 64 * KiB, segmentBytes: 1024 * KiB });
});
afterAll(() => server.stop());

/** One produce request: which partition, and the sizes of the values of its batch. */
interface Step {
  partition: number;
  sizes: number[];
}

interface Limits {
  maxBytes: number;
  partitionMaxBytes: number;
  minBytes: number;
  /** Later start in the list of partitions, as clients rotate. */
  skew: number;
}

const steps = fc.array(
  fc.record({
    partition: fc.nat(PARTITIONS - 1),
    sizes: fc.array(fc.oneof(fc.nat(200), fc.nat(20_000)), { minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 60 },
);
const limits = fc.record({
  maxBytes: fc.integer({ min: 1, max: 200_000 }),
  partitionMaxBytes: fc.integer({ min: 1, max: 100_000 }),
  minBytes: fc.oneof(fc.constant(1), fc.nat(50_000)),
  skew: fc.nat(PARTITIONS),
});

/** Values that tell where they belong. */
function valuesOf({ partition, sizes }: Step, index: number): string[] {
  return sizes.map((size, record) => `${partition}/${index}/${record}/${"v".repeat(size)}`);
}

function modelOf(plan: readonly Step[]): string[][] {
  const model: string[][] = Array.from({ length: PARTITIONS }, () => []);
  for (const [index, step] of plan.entries()) model[step.partition]!.push(...valuesOf(step, index));
  return model;
}

/** Several requests in flight; waits for all responses. */
async function produceAll(topic: string, plan: readonly Step[]): Promise<void> {
  const client = await WireClient.connect(server.kafkaPort);
  for (const [index, step] of plan.entries()) {
    const partitionData = [{ index: step.partition, records: batchOf(valuesOf(step, index)) }];
    client.send(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData: [{ name: topic, partitionData }] });
    if (index % 5 === 4) for (let count = 0; count < 5; count += 1) await client.take();
  }
  for (let count = 0; count < plan.length % 5; count += 1) await client.take();
  client.close();
}

async function consumeAll(topic: string, model: readonly string[][], requested: Limits): Promise<string[][]> {
  const client = await WireClient.connect(server.kafkaPort);
  const seen: string[][] = Array.from({ length: PARTITIONS }, () => []);
  const isDone = () => seen.every((values, index) => values.length >= model[index]!.length);
  while (!isDone()) {
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => {
      const partition = (index + requested.skew) % PARTITIONS;
      return {
        partition,
        fetchOffset: seen[partition]!.length,
        partitionMaxBytes: requested.partitionMaxBytes,
      };
    });
    const { maxBytes, minBytes } = requested;
    const response = await client.ask(fetchApi, 11, {
      maxWaitMs: 20,
      minBytes,
      maxBytes,
      topics: [{ topic, partitions }],
    });
    for (const { partitionIndex, errorCode, records } of response.responses[0]!.partitions) {
      expect(errorCode).toBe(0);
      const values = seen[partitionIndex]!;
      const start = values.length;
      for (const [offset, value] of recordsIn(records!)) {
        if (offset < start) continue;
        expect(offset).toBe(values.length);
        values.push(value!);
      }
    }
  }
  client.close();
  return seen;
}

test("every consumer sees exactly what was produced, in order, whatever its limits are", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(steps, fc.array(limits, { minLength: 1, maxLength: 3 }), async (plan, readers) => {
      const topic = `model-${run++}`;
      const admin = await WireClient.connect(server.kafkaPort);
      await admin.ask(createTopicsApi, 7, {
        topics: [{ name: topic, numPartitions: PARTITIONS, replicationFactor: 1 }],
      });
      admin.close();
      const model = modelOf(plan);
      const consumers = readers.map((requested) => consumeAll(topic, model, requested));
      await produceAll(topic, plan);
      for (const seen of await Promise.all(consumers)) expect(seen).toEqual(model);
      expect(await consumeAll(topic, model, readers[0]!)).toEqual(model);
    }),
    { numRuns: 25 },
  );
}, 60_000);

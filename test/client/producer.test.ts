/**
 * The producer against a broker that keeps what it is sent, with the sequence rules of idempotence, and fails on demand.
 * The model: what the broker kept, read back, must be what was sent, once, in order.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Producer, type ProducerOptions } from "../../src/client/producer.ts";
import { RetryInterrupted } from "../../src/client/retry.ts";
import { batchBaseSequence, batchProducerId, batchRecordCount } from "../../src/protocol/record/batch.ts";
import { readRecords } from "../../src/protocol/record/records.ts";
import { validateBatch } from "../../src/protocol/record/validate.ts";
import { FakeBroker, type Reply, until } from "./fake-broker.ts";

const OUT_OF_ORDER = 45;
const BYTES_MAX = 1 << 24;

/** One partition's log with the sequence check of a real broker. */
class KeepingBroker extends FakeBroker {
  readonly values = new Map<number, string[]>();
  readonly #next = new Map<string, number>();
  readonly #known = new Map<string, number>();
  /** Called for each produce request, by its number from 0: something else to do than to succeed. */
  misbehave: (request: number) => "close" | "append and close" | "silence" | number | undefined = () =>
    undefined;
  #requests = 0;

  constructor() {
    super();
    this.on("Produce", (body) => this.#produce(body));
  }

  #produce(body: {
    topicData: { name: string; partitionData: { index: number; records: Buffer }[] }[];
  }): Reply {
    const whim = this.misbehave(this.#requests++);
    if (whim === "close" || whim === "silence") return whim;
    const response = {
      responses: body.topicData.map(({ name, partitionData }) => ({
        name,
        partitionResponses: partitionData.map(({ index, records }) =>
          typeof whim === "number"
            ? { index, errorCode: whim, baseOffset: -1 }
            : { index, ...this.#append(index, Buffer.from(records)) },
        ),
      })),
    };
    return whim === "append and close" ? "close" : { response };
  }

  #append(index: number, batch: Buffer): { errorCode: number; baseOffset: number } {
    expect(validateBatch(batch, 0, batch.length, { bytesMax: BYTES_MAX, isLogAppendTime: false })).toBe(null);
    const values = this.values.get(index) ?? [];
    this.values.set(index, values);
    const producer = `${batchProducerId(batch, 0)}/${index}`;
    const sequence = batchBaseSequence(batch, 0);
    const duplicateOf = this.#known.get(`${producer}/${sequence}`);
    if (sequence >= 0) {
      if (duplicateOf !== undefined) return { errorCode: 0, baseOffset: duplicateOf };
      if (sequence !== (this.#next.get(producer) ?? 0)) return { errorCode: OUT_OF_ORDER, baseOffset: -1 };
      this.#next.set(producer, sequence + batchRecordCount(batch, 0));
      this.#known.set(`${producer}/${sequence}`, values.length);
    }
    const baseOffset = values.length;
    values.push(...readRecords(batch).map(({ value }) => value!.toString()));
    return { errorCode: 0, baseOffset };
  }
}

function connect(broker: FakeBroker, options: Partial<ProducerOptions> = {}): Promise<Producer> {
  return Producer.connect({ brokers: broker.address, requestTimeoutMs: 200, random: () => 0, ...options });
}

describe("producer", () => {
  test("records of one turn share a batch and get their own offsets", async () => {
    using broker = new KeepingBroker();
    const producer = await connect(broker);
    const places = await Promise.all(["a", "b", "c"].map((value) => producer.send("t", { value })));
    expect(places).toEqual([0, 1, 2].map((offset) => ({ topic: "t", partition: 0, offset })));
    expect([broker.values.get(0), broker.of("Produce").length]).toEqual([["a", "b", "c"], 1]);
    await producer.close();
  });

  test("a batch is closed by its bytes, by its count, and by a flush that does not wait for the linger time", async () => {
    using broker = new KeepingBroker();
    const producer = await connect(broker, { batchBytesMax: 300, batchRecordsMax: 3, lingerMs: 3_600_000 });
    const sent = Array.from({ length: 7 }, (_, index) => producer.send("t", { value: `${index}` }));
    const large = ["x".repeat(150), "y".repeat(150), "z".repeat(5000)].map((value) =>
      producer.send("t", { value }),
    );
    await producer.flush();
    await Promise.all([...sent, ...large]);
    const counts = broker
      .of("Produce")
      .map(({ body }) => batchRecordCount(body.topicData[0].partitionData[0].records, 0));
    expect(counts).toEqual([3, 3, 2, 1, 1]);
    expect(broker.values.get(0)!.map((value) => value[0])).toEqual([..."0123456xyz"]);
    await producer.close();
  });

  test("keys choose partitions as Kafka's clients do, keyless records stay together, and a wish is obeyed", async () => {
    using broker = new KeepingBroker();
    broker.partitions = 3;
    const producer = await connect(broker);
    const partitionOf = async (record: { key?: string; partition?: number }) =>
      (await producer.send("t", { value: "v", ...record })).partition;
    // The murmur2 hashes that Kafka's Java client publishes for these keys, sign bit cleared, modulo 3.
    const hashes = { "21": -973932308, foobar: -790332482, "a-little-bit-long-string": -985981536 };
    for (const [key, hash] of Object.entries(hashes))
      expect(await partitionOf({ key })).toBe((hash & 0x7fffffff) % 3);
    expect(new Set(await Promise.all([1, 2, 3, 4].map(() => partitionOf({})))).size).toBe(1);
    expect(await partitionOf({ key: "21", partition: 2 })).toBe(2);
    await expect(partitionOf({ partition: 3 })).rejects.toThrow(
      "the topic has 3 partitions, numbered from 0",
    );
    await producer.close();
  });

  test("records without a key spread over the partitions, a batch at a time", async () => {
    using broker = new KeepingBroker();
    broker.partitions = 3;
    const choices = [0.1, 0.9, 0.5];
    const producer = await connect(broker, { random: () => choices.shift() ?? 0 });
    const places: number[][] = [];
    for (let batch = 0; batch < 3; batch += 1) {
      const sent = await Promise.all([1, 2, 3].map(() => producer.send("t", { value: "v" })));
      places.push(sent.map(({ partition }) => partition));
    }
    expect(places).toEqual([
      [0, 0, 0],
      [2, 2, 2],
      [1, 1, 1],
    ]);
    await producer.close();
  });

  test("every failure that passes leaves each record there once, in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.constantFrom(undefined, undefined, "close" as const, "append and close" as const, 6, 3, 7),
          { maxLength: 12 },
        ),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 }),
        async (whims, turns) => {
          using broker = new KeepingBroker();
          broker.misbehave = (request) => whims[request];
          const producer = await connect(broker, { batchRecordsMax: 4 });
          const sent: Promise<unknown>[] = [];
          let next = 0;
          for (const count of turns) {
            for (let index = 0; index < count; index += 1)
              sent.push(producer.send("t", { value: `${next++}` }));
            await new Promise((resolve) => setImmediate(resolve));
          }
          const places = (await Promise.all(sent)) as { offset: number }[];
          const expected = Array.from({ length: next }, (_, index) => index);
          expect(places.map(({ offset }) => offset)).toEqual(expected);
          expect(broker.values.get(0)).toEqual(expected.map(String));
          await producer.close();
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);

  test("a batch that is refused for good fails alone, and those after it arrive under a new identity", async () => {
    using broker = new KeepingBroker();
    broker.misbehave = (request) => (request === 0 ? 10 : undefined);
    const producer = await connect(broker, { batchRecordsMax: 1 });
    const outcomes = await Promise.all(
      ["a", "b", "c"].map((value) =>
        producer.send("t", { value }).then(
          ({ offset }) => offset,
          (error) => error.code,
        ),
      ),
    );
    expect([outcomes, broker.values.get(0)]).toEqual([
      ["MESSAGE_TOO_LARGE", 0, 1],
      ["b", "c"],
    ]);
    await expect(producer.close()).rejects.toThrow("larger than the limit");
  });

  test("a broker that stays silent is given up after the delivery time", async () => {
    using broker = new KeepingBroker();
    broker.misbehave = () => "silence";
    const producer = await connect(broker, { requestTimeoutMs: 20, deliveryTimeoutMs: 60 });
    const error = await producer.send("t", { value: "v" }).catch((thrown) => thrown);
    expect([error.code, error.message]).toEqual([
      "REQUEST_TIMED_OUT",
      expect.stringContaining(
        "records were not acknowledged within 60 ms; the last error: no response from the broker within 20 ms",
      ),
    ]);
    await producer.close().catch(() => {});
  });

  test("an abort fails at once what waits for a further attempt, and what waits after it", async () => {
    for (const isIdempotent of [true, false]) {
      using broker = new KeepingBroker();
      broker.misbehave = () => 56;
      const controller = new AbortController();
      const told: number[] = [];
      const producer = await connect(broker, {
        isIdempotent,
        batchRecordsMax: 2,
        signal: controller.signal,
        onRetry: (_error, attempts) => told.push(attempts),
      });
      const outcomes = Array.from({ length: 9 }, (_, index) =>
        producer.send("t", { value: `${index}` }).catch((thrown) => thrown),
      );
      await until(() => told.includes(3));
      const startedAtMs = performance.now();
      controller.abort();
      await expect(producer.close()).rejects.toBeInstanceOf(RetryInterrupted);
      for (const outcome of await Promise.all(outcomes)) {
        expect([outcome instanceof RetryInterrupted, outcome.code]).toEqual([true, "KAFKA_STORAGE_ERROR"]);
      }
      expect(performance.now() - startedAtMs).toBeLessThan(1000);
    }
  });

  test("a full buffer makes the sender wait until there is room", async () => {
    using broker = new KeepingBroker();
    const gate = Promise.withResolvers<void>();
    const usual = broker.handlers.get("Produce")!;
    broker.on("Produce", async (body, version) => {
      await gate.promise;
      return await usual(body, version);
    });
    const producer = await connect(broker, { bufferBytesMax: 1000, batchBytesMax: 400 });
    await producer.partitionsOf("t");
    let waiting: Promise<void> | undefined;
    let added = 0;
    while (waiting === undefined) {
      waiting = producer.add("t", { value: "x".repeat(100) });
      added += 1;
    }
    expect(added).toBeLessThan(15);
    let hasRoom = false;
    waiting.then(() => {
      hasRoom = true;
    });
    await until(() => broker.of("Produce").length > 0);
    expect(hasRoom).toBe(false);
    gate.resolve();
    await waiting;
    await producer.close();
    expect(broker.values.get(0)!.length).toBe(added);
  });

  test("acks 0 waits for no response, acks 1 has one batch under way and no producer id", async () => {
    using broker = new KeepingBroker();
    const usual = broker.handlers.get("Produce")!;
    broker.on("Produce", async (body, version) => {
      const reply = await usual(body, version);
      return body.acks === 0 ? "silence" : reply;
    });
    const zero = await connect(broker, { acks: 0 });
    expect(await zero.send("t", { value: "zero" })).toEqual({ topic: "t", partition: 0, offset: -1 });
    await zero.close();
    await until(() => broker.values.get(0)?.length === 1);
    const one = await connect(broker, { acks: 1, batchRecordsMax: 1 });
    const places = await Promise.all(["a", "b", "c"].map((value) => one.send("t", { value })));
    await one.close();
    expect([
      places.map(({ offset }) => offset),
      broker.values.get(0),
      broker.of("InitProducerId").length,
    ]).toEqual([[1, 2, 3], ["zero", "a", "b", "c"], 0]);
    await expect(connect(broker, { acks: 1, isIdempotent: true })).rejects.toThrow("needs acks -1");
  });
});

/** The consumer against a broker that errs: what passes is tried again, what does not is told, and no record is lost or repeated. */

import { describe, expect, test } from "bun:test";
import { MiB } from "../../src/base/units.ts";
import { Consumer, type ConsumerOptions } from "../../src/client/consumer.ts";
import { BATCH_HEADER_BYTES, stampBatch } from "../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { FakeBroker, type Reply } from "./fake-broker.ts";

type Whim = "close" | "cut" | number | undefined;

/** Serves a log of one-record batches, one batch for each fetch. */
class LogBroker extends FakeBroker {
  readonly log: Buffer[] = [];
  /** Called for each fetch, by its number from 0: something else to do than to succeed. */
  misbehave: (fetch: number) => Whim = () => undefined;

  constructor(count: number) {
    super();
    for (let offset = 0; offset < count; offset += 1) {
      const builder = new BatchBuilder(1000);
      const value = Buffer.from(`${offset}`);
      builder.append(1000, null, 0, 0, value, 0, value.length);
      const batch = builder.finish();
      stampBatch(batch, 0, offset, 0);
      this.log.push(batch);
    }
    let fetches = 0;
    this.on("Fetch", async (body) => await this.#fetch(body, this.misbehave(fetches++)));
    this.on("ListOffsets", (body) => {
      const at = body.topics[0].partitions[0].timestamp;
      const offset = at === -2 ? 0 : this.log.length;
      return {
        response: { topics: [{ name: "t", partitions: [{ partitionIndex: 0, errorCode: 0, offset }] }] },
      };
    });
  }

  async #fetch(body: { topics: { partitions: { fetchOffset: number }[] }[] }, whim: Whim): Promise<Reply> {
    if (whim === "close") return "close";
    const { fetchOffset } = body.topics[0]!.partitions[0]!;
    const isOutOfRange = fetchOffset > this.log.length;
    const errorCode = typeof whim === "number" ? whim : isOutOfRange ? 1 : 0;
    const records = errorCode === 0 ? (this.log[fetchOffset] ?? null) : null;
    if (errorCode === 0 && records === null) await Bun.sleep(5);
    const highWatermark = this.log.length;
    const partitions = [{ partitionIndex: 0, errorCode, highWatermark, records }];
    const response = { responses: [{ topic: "t", partitions }] };
    return whim === "cut" ? { response, cutAt: 30 } : { response };
  }
}

async function connect(broker: FakeBroker, options: Partial<ConsumerOptions> = {}): Promise<Consumer> {
  const consumer = await Consumer.connect({ brokers: broker.address, random: () => 0, ...options });
  await consumer.assign([{ topic: "t", partition: 0 }], "earliest");
  return consumer;
}

async function read(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  while (values.length < count) {
    const records = await consumer.poll(5000);
    if (records.length === 0) throw new Error(`only ${values.length} of ${count} records came`);
    values.push(...records.map(({ value }) => `${value}`));
  }
  return values;
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);

describe("consumer", () => {
  test("every failure that passes leaves each record there once, in order", async () => {
    using broker = new LogBroker(12);
    const whims: Whim[] = [6, undefined, "close", undefined, "cut", 3, 56, undefined, 74];
    broker.misbehave = (fetch) => whims[fetch];
    const consumer = await connect(broker);
    expect(await read(consumer, 12)).toEqual(numbers(12));
    await consumer.close();
  });

  test("an error that does not pass is thrown once, and the next poll goes on", async () => {
    using broker = new LogBroker(2);
    broker.misbehave = (fetch) => (fetch === 0 ? 29 : undefined);
    const consumer = await connect(broker);
    await expect(consumer.poll(5000)).rejects.toThrow("TOPIC_AUTHORIZATION_FAILED");
    expect(await read(consumer, 2)).toEqual(numbers(2));
    await consumer.close();
  });

  test("a broker that stays away is reported after the total retry time, and welcomed back", async () => {
    using broker = new LogBroker(2);
    let isAway = true;
    broker.misbehave = () => (isAway ? "close" : undefined);
    const consumer = await connect(broker, { retryTimeoutMs: 60 });
    const error = await consumer.poll(5000).catch((thrown) => thrown);
    expect(error.code).toBe("CONNECTION_CLOSED");
    isAway = false;
    expect(await read(consumer, 2)).toEqual(numbers(2));
    await consumer.close();
  });

  test("a damaged batch is refused with its place, before anything after it, until the consumer skips it", async () => {
    using broker = new LogBroker(4);
    broker.log[2]![BATCH_HEADER_BYTES + 5]! ^= 1;
    const consumer = await connect(broker);
    expect(await read(consumer, 2)).toEqual(["0", "1"]);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const error = await consumer.poll(5000).catch((thrown) => thrown);
      expect([error.code, error.facts.topic, error.facts.partition, error.facts.offset]).toEqual([
        "CORRUPT_MESSAGE",
        "t",
        0,
        2,
      ]);
      expect(consumer.position("t", 0)).toBe(2);
    }
    consumer.seek("t", 0, 3);
    expect(await read(consumer, 1)).toEqual(["3"]);
    await consumer.close();
  });

  test("a fetch that returns no whole batch is an error, not repeated for ever", async () => {
    using broker = new LogBroker(3);
    broker.log[1] = broker.log[1]!.subarray(0, 60);
    const consumer = await connect(broker);
    expect(await read(consumer, 1)).toEqual(["0"]);
    const error = await consumer.poll(5000).catch((thrown) => thrown);
    expect([error.code, error.message]).toEqual([
      "PROTOCOL_ERROR",
      "a fetch returned less than one record batch (partition t-0, offset 1)",
    ]);
    await consumer.close();
  });

  test("a time before 1970 is 1970, not one of the protocol's special values", async () => {
    using broker = new LogBroker(2);
    const consumer = await connect(broker);
    for (const timestampMs of [-1, -2, -3, -86_400_000]) {
      await consumer.assign([{ topic: "t", partition: 0 }], { timestampMs });
    }
    const requested = broker.of("ListOffsets").map(({ body }) => body.topics[0].partitions[0].timestamp);
    expect(requested.filter((at: number) => at !== -1 && at !== -2)).toEqual([0, 0, 0, 0]);
    await consumer.close();
  });

  test("a broker that refuses the very offset that it returns as the first is an error, not retried for ever", async () => {
    using broker = new LogBroker(2);
    broker.misbehave = () => 1;
    const consumer = await connect(broker);
    const error = await consumer.poll(5000).catch((thrown) => thrown);
    expect([error.code, error.facts.offset]).toEqual(["OFFSET_OUT_OF_RANGE", 0]);
    await consumer.close();
  });

  test("a poll opens no more batches when those before take much memory", async () => {
    using broker = new LogBroker(3);
    const large = Buffer.alloc(20 * MiB);
    const batches = broker.log.map((_, offset) => {
      const builder = new BatchBuilder(large.length + 1000);
      builder.append(1000, null, 0, 0, large, 0, large.length);
      const batch = builder.finish({ codec: "zstd" });
      stampBatch(batch, 0, offset, 0);
      return batch;
    });
    broker.log[0] = Buffer.concat(batches);
    const consumer = await connect(broker);
    const counts: number[] = [];
    for (let poll = 0; poll < 3; poll += 1) counts.push((await consumer.poll(5000)).length);
    expect(counts).toEqual([1, 1, 1]);
    await consumer.close();
  });

  test("fetches nothing more while nobody polls", async () => {
    using broker = new LogBroker(50);
    const consumer = await connect(broker);
    expect(await read(consumer, 1)).toEqual(["0"]);
    await Bun.sleep(20);
    expect(broker.of("Fetch").length).toBeLessThanOrEqual(4);
    await consumer.close();
  });

  test("an end of the client ends a poll under way", async () => {
    using broker = new LogBroker(0);
    const consumer = await connect(broker);
    const polling = consumer.poll(60_000);
    await consumer.close();
    expect(await polling).toEqual([]);
    await expect(consumer.poll(1)).rejects.toThrow("the consumer is closed");
  });
});

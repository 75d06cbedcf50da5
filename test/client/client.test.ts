/** Producer, consumer and admin against the real server, in this process. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Admin } from "../../src/client/admin.ts";
import { Consumer, type ConsumerOptions } from "../../src/client/consumer.ts";
import type { ConsumerRecord } from "../../src/client/fetched-batches.ts";
import { Producer } from "../../src/client/producer.ts";
import { TIMESTAMP_EARLIEST, TIMESTAMP_LATEST } from "../../src/protocol/kafka/apis/list-offsets.ts";
import { CODECS } from "../../src/protocol/record/compression.ts";
import { startHere, type TestServer } from "../support/server.ts";

let server: TestServer;
let admin: Admin;
beforeAll(async () => {
  server = await startHere();
  admin = await Admin.connect({ brokers: server.kafka });
});
afterAll(async () => {
  await admin.close();
  await server.stop();
});

async function fill(topic: string, values: readonly string[], timestampMs = 1000): Promise<void> {
  const producer = await Producer.connect({ brokers: server.kafka, batchRecordsMax: 10 });
  await Promise.all(
    values.map((value, index) => producer.send(topic, { value, timestampMs: timestampMs + index })),
  );
  await producer.close();
}

async function withConsumer<Result>(
  options: Partial<ConsumerOptions>,
  work: (consumer: Consumer) => Promise<Result>,
): Promise<Result> {
  const consumer = await Consumer.connect({ brokers: server.kafka, group: "g", ...options });
  try {
    return await work(consumer);
  } finally {
    await consumer.close();
  }
}

async function read(consumer: Consumer, count: number): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = [];
  while (records.length < count) {
    const more = await consumer.poll(5000);
    if (more.length === 0) throw new Error(`only ${records.length} of ${count} records came`);
    records.push(...more);
  }
  return records;
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
const values = (records: readonly ConsumerRecord[]) => records.map(({ value }) => value!.toString());

describe("client", () => {
  test("what was sent comes out the same, with every codec", async () => {
    const sent = {
      key: Buffer.from([0, 255, 10]),
      headers: [
        { key: "h", value: Buffer.from([1]) },
        { key: "n", value: null },
      ],
    };
    for (const codec of CODECS) {
      const producer = await Producer.connect({ brokers: server.kafka, codec });
      const topic = `codec-${codec}`;
      await Promise.all(
        ["x".repeat(5000), ""].map((value) => producer.send(topic, { ...sent, value, timestampMs: 77 })),
      );
      await producer.send(topic, { value: null, timestampMs: 78 });
      await producer.close();
      const records = await withConsumer({}, async (consumer) => {
        await consumer.assign(await consumer.partitionsOf(topic), "earliest");
        return await read(consumer, 3);
      });
      const place = { topic, partition: 0 };
      expect(records).toEqual([
        { ...place, offset: 0, timestampMs: 77, ...sent, value: Buffer.from("x".repeat(5000)) },
        { ...place, offset: 1, timestampMs: 77, ...sent, value: Buffer.alloc(0) },
        { ...place, offset: 2, timestampMs: 78, key: null, value: null, headers: [] },
      ]);
    }
  });

  test("many records with short batches keep their order", async () => {
    await fill("many", numbers(5000));
    const got = await withConsumer({ fetchPartitionBytesMax: 4096 }, async (consumer) => {
      await consumer.assign(await consumer.partitionsOf("many"), "earliest");
      return values(await read(consumer, 5000));
    });
    expect(got).toEqual(numbers(5000));
  });

  test("every start point begins where it says", async () => {
    await fill("starts", numbers(25));
    const first = (from: Parameters<Consumer["assign"]>[1]) =>
      withConsumer({}, async (consumer) => {
        await consumer.assign([{ topic: "starts", partition: 0 }], from);
        return consumer.position("starts", 0);
      });
    expect([
      await first("earliest"),
      await first("latest"),
      await first("committed"),
      await first({ offset: 13 }),
      await first({ last: 5 }),
      await first({ last: 500 }),
      await first({ timestampMs: 1017 }),
      await first({ timestampMs: 99_999 }),
    ]).toEqual([0, 25, 0, 13, 20, 0, 17, 25]);
  });

  test("a position inside a batch is honoured, and a seek drops what was fetched ahead", async () => {
    await fill("seek", numbers(25));
    await withConsumer({}, async (consumer) => {
      await consumer.assign([{ topic: "seek", partition: 0 }], { offset: 7 });
      expect(values(await read(consumer, 18))).toEqual(numbers(25).slice(7));
      consumer.seek("seek", 0, 23);
      expect(values(await read(consumer, 2))).toEqual(["23", "24"]);
      expect(consumer.position("seek", 0)).toBe(25);
    });
  });

  test("commits belong to the group and survive the consumer", async () => {
    await fill("commits", numbers(3));
    await withConsumer({ group: "one" }, async (consumer) => {
      await consumer.assign(await consumer.partitionsOf("commits"));
      await read(consumer, 3);
      await consumer.commit([{ topic: "commits", partition: 0, offset: 2, metadata: "note" }]);
    });
    const position = (group: string) =>
      withConsumer({ group }, async (consumer) => {
        await consumer.assign(await consumer.partitionsOf("commits"));
        return consumer.position("commits", 0);
      });
    expect([await position("one"), await position("two")]).toEqual([2, 0]);
    expect(await admin.groupOffsets("one", null)).toEqual([
      { topic: "commits", partition: 0, offset: 2, leaderEpoch: -1, metadata: "note" },
    ]);
  });

  test("a poll waits for what comes, and gives nothing when its time is up", async () => {
    await admin.createTopic({ name: "waiting", partitions: 2 });
    await withConsumer({}, async (consumer) => {
      await consumer.assign(await consumer.partitionsOf("waiting"), "latest");
      expect(await consumer.poll(10)).toEqual([]);
      const waiting = consumer.poll(10_000);
      const producer = await Producer.connect({ brokers: server.kafka });
      await producer.send("waiting", { value: "late", partition: 1 });
      expect(values(await waiting)).toEqual(["late"]);
      await producer.close();
    });
  });

  test("an offset that is not there follows the policy", async () => {
    await fill("range", numbers(3));
    await withConsumer({ reset: "earliest" }, async (consumer) => {
      await consumer.assign([{ topic: "range", partition: 0 }], { offset: 99 });
      expect(values(await read(consumer, 3))).toEqual(numbers(3));
    });
    await withConsumer({ reset: "fail" }, async (consumer) => {
      await consumer.assign([{ topic: "range", partition: 0 }], { offset: 99 });
      await expect(consumer.poll(5000)).rejects.toThrow("(partition range-0, offset 99)");
    });
  });

  test("a commit does not wait for a fetch, and another assignment begins at once", async () => {
    await fill("quick", numbers(1));
    await withConsumer({ fetchWaitMsMax: 20_000 }, async (consumer) => {
      await consumer.assign([{ topic: "quick", partition: 0 }], "earliest");
      await read(consumer, 1);
      expect(await consumer.poll(20)).toEqual([]);
      const startedAtMs = performance.now();
      await consumer.commit();
      await consumer.assign([{ topic: "quick", partition: 0 }], "earliest");
      await read(consumer, 1);
      expect(performance.now() - startedAtMs).toBeLessThan(5000);
    });
  });

  test("topics are made, described, listed and deleted", async () => {
    await admin.createTopic({ name: "made", partitions: 3 });
    await expect(admin.createTopic({ name: "made" })).rejects.toThrow("exists already");
    await expect(admin.createTopic({ name: "no/good" })).rejects.toThrow("topic no/good");
    expect((await admin.describeTopic("made"))!.partitions.map(({ partition }) => partition)).toEqual([
      0, 1, 2,
    ]);
    expect((await admin.listTopics()).map(({ name }) => name)).toContain("made");
    await fill("made", numbers(1), 500);
    const found = await admin.listOffsets([
      { topic: "made", partition: 2, at: TIMESTAMP_EARLIEST },
      { topic: "made", partition: 0, at: TIMESTAMP_LATEST },
    ]);
    expect(found.map(({ partition }) => partition)).toEqual([2, 0]);
    await admin.deleteTopic("made");
    expect(await admin.describeTopic("made")).toBe(undefined);
    await expect(withConsumer({}, (consumer) => consumer.partitionsOf("made"))).rejects.toThrow(
      "no such topic",
    );
  });

  test("a record that the server finds too large is refused, and the next one is not", async () => {
    const producer = await Producer.connect({ brokers: server.kafka });
    const tooLarge = producer.send("large", { value: Buffer.alloc(12 * 1024 * 1024) });
    expect(await tooLarge.catch((error) => error.code)).toBe("MESSAGE_TOO_LARGE");
    expect((await producer.send("large", { value: Buffer.alloc(10 * 1024 * 1024) })).offset).toBe(0);
    await producer.close().catch((error) => expect(error.code).toBe("MESSAGE_TOO_LARGE"));
  });
});

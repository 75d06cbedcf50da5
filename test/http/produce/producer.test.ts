import { describe, expect, test } from "bun:test";
import { readWhole } from "../../../src/base/byte-source.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import type { Partition } from "../../../src/broker/partition.ts";
import { batchBytes } from "../../../src/protocol/record/batch.ts";
import { readRecords } from "../../../src/protocol/record/records.ts";
import { openBroker } from "../../support/broker.ts";
import { startHttp, type TestHttp } from "../../support/http.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

function post(body: string, headers: Record<string, string> = {}): RequestInit {
  return { method: "POST", body, headers: { "content-type": "application/json", ...headers } };
}

/** Everything that is readable, batch by batch, as KEY=VALUE. */
async function batchesIn(partition: Partition): Promise<string[][]> {
  const buffer = await readWhole(await partition.span(partition.startOffset, 64 * MiB, true));
  const batches: string[][] = [];
  for (let position = 0; position < buffer.length; position += batchBytes(buffer, position)) {
    const records = readRecords(buffer, position);
    batches.push(records.map(({ key, value }) => `${key?.toString() ?? "-"}=${value?.toString() ?? "-"}`));
  }
  return batches;
}

function partitionOf(http: TestHttp, topic: string, index = 0): Partition {
  return http.broker.topics.get(topic)!.partitions[index]!;
}

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    test("a message is stored, committed and readable when its place is told", async () => {
      await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
      const before = Date.now();
      const [status, place] = await http.ask("/topics/t/messages", post('{"key": "k", "value": "hello"}'));
      expect([status, place]).toEqual([
        200,
        { topic: "t", partition: 0, offset: 0, timestamp: expect.any(Number) },
      ]);
      expect((place as { timestamp: number }).timestamp).toBeGreaterThanOrEqual(before);
      expect(await batchesIn(partitionOf(http, "t"))).toEqual([["k=hello"]]);
      const [, second] = await http.ask("/topics/t/messages", post('{"value": null, "timestamp": 7}'));
      expect(second).toEqual({ topic: "t", partition: 0, offset: 1, timestamp: 7 });
    });

    test("a list is one batch for each partition, and every message has its place", async () => {
      await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
      await http.broker.topics.create("t", { partitions: 2, configs: {} });
      const body =
        '[{"value":"a","partition":1},{"value":"b","partition":0},{"value":"c","partition":1,"timestamp":9}]';
      const [status, answer] = await http.ask("/topics/t/messages", post(body));
      const now = expect.any(Number);
      expect([status, answer]).toEqual([
        200,
        {
          topic: "t",
          messages: [
            { partition: 1, offset: 0, timestamp: now },
            { partition: 0, offset: 0, timestamp: now },
            { partition: 1, offset: 1, timestamp: 9 },
          ],
        },
      ]);
      expect(await batchesIn(partitionOf(http, "t", 1))).toEqual([["-=a", "-=c"]]);
      expect(await http.ask("/topics/t/messages", post("[]"))).toEqual([200, { topic: "t", messages: [] }]);
    });

    test("a request with an Idempotency-Key is stored once, however often and however many at once", async () => {
      await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
      await http.broker.topics.create("t", { partitions: 3, configs: {} });
      const request = post('[{"value":"a"},{"key":"k","value":"b"}]', { "idempotency-key": "order-17" });
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => http.ask("/topics/t/messages", request)),
      );
      answers.push(await http.ask("/topics/t/messages", request));
      for (const answer of answers) expect(answer).toEqual(answers[0]!);
      expect(answers[0]![0]).toBe(200);
      const stored = await Promise.all([0, 1, 2].map((index) => batchesIn(partitionOf(http, "t", index))));
      expect(stored.flat(2).sort()).toEqual(["-=a", "k=b"]);
      // A single message too, and another key is another request.
      const one = post('{"value":"a"}', { "idempotency-key": "order-18" });
      const first = await http.ask("/topics/t/messages", one);
      expect(await http.ask("/topics/t/messages", one)).toEqual(first);
      expect(
        await http.ask("/topics/t/messages", post('{"value":"z"}', { "idempotency-key": "order-18" })),
      ).toMatchObject([422, { code: "IDEMPOTENCY_KEY_REUSED" }]);
    });
  });
}

test("an Idempotency-Key is still known after a restart", async () => {
  const { engine } = PARTITION_KINDS[0]!.create();
  const request = post('{"value":"a"}', { "idempotency-key": "k" });
  const places: unknown[] = [];
  for (let life = 0; life < 2; life += 1) {
    const broker = await openBroker({}, { engine });
    await using http = await startHttp({ broker });
    places.push(await http.ask("/topics/t/messages", request));
    await broker.close();
  }
  expect(places).toEqual([
    [200, { topic: "t", partition: 0, offset: 0 }],
    [200, { topic: "t", partition: 0, offset: 0 }],
  ]);
});

test("what curl -d sends of itself is JSON; other types are refused", async () => {
  await using http = await startHttp();
  const typed = (type: string) =>
    http.ask("/topics/t/messages", post('{"value":"a"}', { "content-type": type }));
  for (const type of [
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-8",
    "application/cloudevents+json",
  ])
    expect((await typed(type))[0]).toBe(200);
  expect(await typed("text/plain")).toMatchObject([
    415,
    {
      code: "UNSUPPORTED_MEDIA_TYPE",
      detail:
        "messages cannot be sent as text/plain; send application/json, or application/x-ndjson for a stream",
    },
  ]);
});

test("bad JSON is 400 with its position, a wrong message 422, and nothing is stored", async () => {
  await using http = await startHttp();
  await http.broker.topics.create("t", { partitions: 1, configs: {} });
  expect(await http.ask("/topics/t/messages", post('[{"value":"a"},\n {"value" "b"}]'))).toMatchObject([
    400,
    {
      code: "INVALID_JSON",
      position: 26,
      detail: 'no valid JSON: ":" is expected, line 2, column 11 (position 26)',
    },
  ]);
  expect(await http.ask("/topics/t/messages", post('[{"value":"a"},{"vlaue":"b"}]'))).toMatchObject([
    422,
    { code: "INVALID_RECORD", detail: 'message 2 of the list cannot be stored: there is no member "vlaue"' },
  ]);
  const bytes = new Uint8Array([...Buffer.from('{"value":"é'), 0xff, ...Buffer.from('"}')]);
  const response = await http.fetch("/topics/t/messages", { method: "POST", body: bytes });
  expect([response.status, await response.json()]).toMatchObject([400, { position: 12 }]);
  expect(await http.ask("/topics/t/messages", post(""))).toMatchObject([400, { position: 0 }]);
  expect(partitionOf(http, "t").highWatermark).toBe(0);
});

test("topics and partitions that are not there, keys that are none", async () => {
  await using http = await startHttp({}, { isAutoCreating: false });
  await http.broker.topics.create("t", { partitions: 2, configs: {} });
  expect(await http.ask("/topics/none/messages", post('{"value":1}'))).toMatchObject([
    404,
    { code: "UNKNOWN_TOPIC_OR_PARTITION", topic: "none" },
  ]);
  expect(await http.ask("/topics/t/messages", post('{"value":1,"partition":2}'))).toMatchObject([
    404,
    { code: "UNKNOWN_TOPIC_OR_PARTITION", partition: 2 },
  ]);
  const long = post('{"value":1}', { "idempotency-key": "x".repeat(256) });
  expect(await http.ask("/topics/t/messages", long)).toMatchObject([400, { code: "INVALID_REQUEST" }]);
});

test("a body above the limit is 413, whether its length is told or not", async () => {
  await using http = await startHttp({ bodyBytesMax: 100 * KiB });
  const body = JSON.stringify({ value: "x".repeat(100 * KiB) });
  expect(await http.ask("/topics/t/messages", post(body))).toMatchObject([
    413,
    { code: "BODY_TOO_LARGE", limit: 100 * KiB },
  ]);
  const chunked = new ReadableStream({
    start: (controller) => {
      for (let at = 0; at < body.length; at += 1000)
        controller.enqueue(Buffer.from(body.slice(at, at + 1000)));
      controller.close();
    },
  });
  const response = await http.fetch("/topics/t/messages", {
    method: "POST",
    body: chunked,
    headers: { "content-type": "application/json" },
  });
  expect([response.status, await response.json()]).toMatchObject([413, { code: "BODY_TOO_LARGE" }]);
  expect(http.broker.topics.get("t")).toBeUndefined();
});

test("a message that the topic does not take is refused, alone and in a list, and harms no other", async () => {
  await using http = await startHttp();
  await http.broker.topics.create("c", { partitions: 1, configs: { "cleanup.policy": "compact" } });
  await http.broker.topics.create("s", { partitions: 2, configs: { "max.message.bytes": "1000" } });
  const refused = {
    code: "INVALID_RECORD",
    detail: expect.stringContaining("a record of a compacted topic needs a key"),
  };
  const [keyed, keyless, list] = await Promise.all([
    http.ask("/topics/c/messages", post('{"key":"a","value":1}')),
    http.ask("/topics/c/messages", post('{"value":1}')),
    http.ask("/topics/c/messages", post('[{"value":1}]')),
  ]);
  expect([keyed![0], keyless, list]).toMatchObject([200, [422, refused], [422, refused]]);
  const value = "x".repeat(2000);
  for (const body of [{ value }, [{ value }], [{ value: "a" }, { value, partition: 1 }]])
    expect(await http.ask("/topics/s/messages", post(JSON.stringify(body)))).toMatchObject([
      413,
      { code: "MESSAGE_TOO_LARGE", limit: 1000 },
    ]);
  // What is more than one batch is several of them.
  const many = Array.from({ length: 40 }, (_, index) => ({
    value: `${index}`.padEnd(50, "."),
    partition: 0,
  }));
  expect((await http.ask("/topics/s/messages", post(JSON.stringify(many))))[0]).toBe(200);
  const batches = await batchesIn(partitionOf(http, "s"));
  expect([batches.length, batches.flat().length]).toEqual([3, 40]);
});

test("headers and bytes arrive as they were sent", async () => {
  await using http = await startHttp();
  const body =
    '{"key":"/w==","keyIsBase64":true,"value":"AP8=","valueIsBase64":true,"headers":{"trace":"1","none":null}}';
  for (const text of [body, `[${body}]`])
    expect((await http.ask("/topics/t/messages", post(text)))[0]).toBe(200);
  const buffer = await readWhole(await partitionOf(http, "t").span(0, MiB, true));
  const record = {
    key: Buffer.from([0xff]),
    value: Buffer.from([0, 0xff]),
    headers: [
      { key: "trace", value: Buffer.from("1") },
      { key: "none", value: null },
    ],
  };
  expect(readRecords(buffer, 0)[0]).toMatchObject(record);
  expect(readRecords(buffer, batchBytes(buffer, 0))[0]).toMatchObject(record);
});

test("one message is read by its place", async () => {
  await using http = await startHttp();
  await http.ask("/topics/t/messages", post('[{"value":"a"},{"key":"k","value":"b","timestamp":5}]'));
  expect(await http.ask("/topics/t/partitions/0/messages/1")).toEqual([
    200,
    { topic: "t", partition: 0, offset: 1, timestamp: 5, key: "k", value: "b" },
  ]);
  expect(await http.ask("/topics/t/partitions/0/messages/2")).toMatchObject([
    416,
    { code: "OFFSET_OUT_OF_RANGE" },
  ]);
  expect(await http.ask("/topics/t/partitions/1/messages/0")).toMatchObject([404, { partition: 1 }]);
  expect(await http.ask("/topics/t/partitions/x/messages/0")).toMatchObject([
    400,
    { code: "INVALID_REQUEST" },
  ]);
});

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { KiB } from "../../../src/base/units.ts";
import type { PartitionReader } from "../../../src/broker/partition.ts";
import { openBroker } from "../../support/broker.ts";
import { startHttp, type TestHttp } from "../../support/http.ts";
import { HttpStream } from "../../support/http-stream.ts";
import { until } from "../../support/kafka-until.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

/** Megabytes through sockets, on machines that are busy with more. */
setDefaultTimeout(60_000);

interface Message {
  partition: number;
  offset: number;
  timestamp: number;
  value: string;
}

interface Answer {
  messages: Message[];
  next: Record<string, number>;
}

const NDJSON = { headers: { accept: "application/x-ndjson" } };

/** Values "0", "1", ... whose time is their number, each in the partition of its number modulo `partitions`. */
async function filled(http: TestHttp, count: number, partitions = 1): Promise<void> {
  await http.broker.topics.create("t", { partitions, configs: {} });
  const messages = Array.from({ length: count }, (_, index) => ({
    value: `${index}`,
    timestamp: index,
    partition: index % partitions,
  }));
  const [status] = await http.ask("/topics/t/messages", { method: "POST", body: JSON.stringify(messages) });
  expect(status).toBe(200);
}

async function read(http: TestHttp, query: string): Promise<[string, Record<string, number>]> {
  const [status, answer] = (await http.ask(`/topics/t/messages${query}`)) as [number, Answer];
  expect(status).toBe(200);
  return [answer.messages.map(({ value }) => value).join(" "), answer.next];
}

function post(http: TestHttp, value: string, partition = 0): Promise<[number, unknown]> {
  const body = JSON.stringify({ value, partition });
  return http.ask("/topics/t/messages", { method: "POST", body });
}

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    test("a partition is read page by page, forwards and backwards", async () => {
      await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
      await filled(http, 8);
      expect(await read(http, "?limit=3")).toEqual(["0 1 2", { "0": 3 }]);
      expect(await read(http, "?limit=3&offset=3")).toEqual(["3 4 5", { "0": 6 }]);
      expect(await read(http, "?offset=6")).toEqual(["6 7", { "0": 8 }]);
      expect(await read(http, "?offset=8")).toEqual(["", { "0": 8 }]);
      expect(await read(http, "?offset=latest")).toEqual(["", { "0": 8 }]);
      expect(await read(http, "?offset=-2")).toEqual(["6 7", { "0": 8 }]);
      expect(await read(http, "?order=desc&limit=3")).toEqual(["7 6 5", { "0": 5 }]);
      expect(await read(http, "?order=desc&limit=3&offset=5")).toEqual(["4 3 2", { "0": 2 }]);
      expect(await read(http, "?order=desc&offset=2")).toEqual(["1 0", { "0": 0 }]);
      expect(await read(http, "?timestamp=5")).toEqual(["5 6 7", { "0": 8 }]);
      expect(await read(http, "?timestamp=1970-01-01T00:00:00.006Z")).toEqual(["6 7", { "0": 8 }]);
      expect(await read(http, "?timestamp=99")).toEqual(["", { "0": 8 }]);
    });

    test("several partitions are merged by time, and read on where each of them is", async () => {
      await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
      await filled(http, 9, 3);
      expect(await read(http, "?limit=4")).toEqual(["0 1 2 3", { "0": 2, "1": 1, "2": 1 }]);
      expect(await read(http, "?limit=4&offset=0:2,1:1,2:1")).toEqual([
        "4 5 6 7",
        { "0": 3, "1": 3, "2": 2 },
      ]);
      expect(await read(http, "?partition=0,2")).toEqual(["0 2 3 5 6 8", { "0": 3, "2": 3 }]);
      expect(await read(http, "?offset=-4")).toEqual(["5 6 7 8", { "0": 3, "1": 3, "2": 3 }]);
      expect(await read(http, "?order=desc&limit=4")).toEqual(["8 7 6 5", { "0": 2, "1": 2, "2": 1 }]);
      expect(await read(http, "?order=desc&limit=4&offset=0:2,1:2,2:1")).toEqual([
        "4 3 2 1",
        { "0": 1, "1": 0, "2": 0 },
      ]);
    });

    test("a filter leaves what matches, in both directions and of the last", async () => {
      await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
      await filled(http, 300);
      const filter = `filter=${encodeURIComponent("value in [7, 120, 290]")}`;
      expect(await read(http, `?${filter}&limit=2`)).toEqual(["7 120", { "0": 121 }]);
      expect(await read(http, `?${filter}&order=desc&limit=2`)).toEqual(["290 120", { "0": 8 }]);
      expect(await read(http, `?${filter}&offset=-2`)).toEqual(["120 290", { "0": 300 }]);
    });

    test("a long poll ends as soon as something comes, in whichever partition", async () => {
      await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
      await filled(http, 2, 2);
      const waiting = read(http, "?offset=latest&wait=60000");
      const answered = Promise.race([waiting.then(() => true), Bun.sleep(20).then(() => false)]);
      expect(await answered).toBe(false);
      await post(http, "new", 1);
      expect(await waiting).toEqual(["new", { "0": 1, "1": 2 }]);
      expect(await read(http, "?offset=latest&wait=10")).toEqual(["", { "0": 1, "1": 2 }]);
    });
  });
}

test("NDJSON is a line for each message, to the end of the log", async () => {
  await using http = await startHttp();
  await filled(http, 3000);
  const response = await http.fetch("/topics/t/messages", NDJSON);
  const lines = (await response.text()).trimEnd().split("\n");
  expect([response.status, response.headers.get("content-type"), lines.length]).toEqual([
    200,
    "application/x-ndjson",
    3000,
  ]);
  expect(JSON.parse(lines[2999]!)).toEqual({
    topic: "t",
    partition: 0,
    offset: 2999,
    timestamp: 2999,
    key: null,
    value: "2999",
  });
  const last = await http.fetch("/topics/t/messages?offset=-2&limit=1", NDJSON);
  expect(JSON.parse(await last.text())).toMatchObject({ offset: 2998 });
});

test("NDJSON with wait goes on with what comes, and leaves nothing behind when its reader leaves", async () => {
  await using http = await startHttp();
  await filled(http, 1);
  const partition = http.broker.topics.get("t")!.partitions[0]!;
  const readers = new Set<PartitionReader>();
  const { addReader, removeReader } = partition;
  partition.addReader = (reader) => {
    readers.add(reader);
    addReader.call(partition, reader);
  };
  partition.removeReader = (reader) => {
    readers.delete(reader);
    removeReader.call(partition, reader);
  };
  await using stream = await HttpStream.get(http.api.port, "/topics/t/messages?wait=60000", NDJSON.headers);
  expect(await stream.line()).toMatchObject({ value: "0" });
  await post(http, "later");
  expect(await stream.line()).toMatchObject({ offset: 1, value: "later" });
  await until(() => readers.size === 1);
  await stream[Symbol.asyncDispose]();
  await until(() => readers.size === 0);
});

test("NDJSON that is not taken is read no further than a piece or two", async () => {
  await using http = await startHttp();
  await http.broker.topics.create("t", { partitions: 1, configs: {} });
  const value = "x".repeat(100 * KiB);
  const body = JSON.stringify(Array.from({ length: 9 }, () => ({ value })));
  for (let round = 0; round < 40; round += 1) await http.ask("/topics/t/messages", { method: "POST", body });
  const partition = http.broker.topics.get("t")!.partitions[0]!;
  await using stream = await HttpStream.get(http.api.port, "/topics/t/messages", NDJSON.headers);
  stream.pause();
  let before = -1;
  await until(() => {
    const { recordsOut } = partition.traffic;
    const isStill = recordsOut > 0 && recordsOut === before;
    before = recordsOut;
    return isStill;
  });
  expect(partition.traffic.recordsOut).toBeLessThan(300);
  // One batch that was read, and the text of one piece.
  expect(http.parts.responseBudget.usedBytes).toBeLessThan(9 * 100 * KiB + 300 * KiB);
});

test("NDJSON that is not taken is cut, and its last line says why", async () => {
  await using http = await startHttp({ liveTimes: { heartbeatMs: 60_000, slowMs: 400 } });
  await http.broker.topics.create("t", { partitions: 1, configs: {} });
  const body = JSON.stringify(Array.from({ length: 90 }, () => ({ value: "x".repeat(100 * KiB) })));
  for (let round = 0; round < 4; round += 1) await http.ask("/topics/t/messages", { method: "POST", body });
  await using stream = await HttpStream.get(http.api.port, "/topics/t/messages", NDJSON.headers);
  stream.pause();
  await until(() => http.api.live.cutSlow === 1);
  stream.resume();
  let last: unknown = null;
  for (let line = await stream.line(); line !== null; line = await stream.line()) last = line;
  expect(last).toMatchObject({ error: { status: 408, code: "SLOW_READER" } });
  await until(() => http.parts.responseBudget.usedBytes === 0);
});

test("NDJSON that waits has a place among the live tails, and hears that the server stops", async () => {
  await using http = await startHttp();
  await filled(http, 1);
  await using stream = await HttpStream.get(http.api.port, "/topics/t/messages?wait=60000", NDJSON.headers);
  await stream.line();
  expect(http.api.live.count).toBe(1);
  http.api.endTails();
  expect(await stream.line()).toMatchObject({ error: { status: 503, code: "NOT_READY" } });
  expect(await stream.line()).toBe(null);
});

test("what cannot be read is refused", async () => {
  await using http = await startHttp();
  await filled(http, 4, 2);
  const refusals: [string, number, object][] = [
    [
      "?offset=1",
      400,
      {
        detail:
          "an offset is one of a partition, and 2 are read; name one with partition=N, or say offset=0:120,1:88",
      },
    ],
    ["?partition=0&offset=3", 416, { code: "OFFSET_OUT_OF_RANGE", offset: 3 }],
    ["?partition=2", 404, { partition: 2 }],
    ["?partition=x", 400, { detail: 'partition cannot be "x"' }],
    ["?partition=0&offset=soon", 400, { detail: 'offset cannot be "soon"' }],
    ["?timestamp=soon", 400, {}],
    ["?offset=latest&timestamp=1", 400, { detail: "offset and timestamp exclude each other" }],
    ["?limit=10001", 400, { limit: 10_000 }],
    ["?wait=400000", 400, {}],
    ["?filter=value%20%3D", 400, { code: "INVALID_FILTER" }],
    ["?order=desc&wait=1", 400, {}],
    ["?from=1", 400, { code: "INVALID_REQUEST" }],
  ];
  for (const [query, status, problem] of refusals)
    expect([query, await http.ask(`/topics/t/messages${query}`)]).toMatchObject([query, [status, problem]]);
  expect((await http.ask("/topics/none/messages"))[0]).toBe(404);
  await http.broker.topics.create("wide", { partitions: 101, configs: {} });
  expect(await http.ask("/topics/wide/messages")).toMatchObject([400, { limit: 100 }]);
});

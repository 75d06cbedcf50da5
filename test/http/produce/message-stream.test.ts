/** Streams of messages over a real socket, so that the test decides what comes together and when. */

import { expect, test } from "bun:test";
import { openBroker } from "../../support/broker.ts";
import { startHttp, type TestHttp } from "../../support/http.ts";
import { HttpStream } from "../../support/http-stream.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

const TYPE = { "content-type": "application/x-ndjson" };

function post(body: string, headers: Record<string, string> = {}): RequestInit {
  return { method: "POST", body, headers: { ...TYPE, ...headers } };
}

async function linesOf(response: Response): Promise<unknown[]> {
  return (await response.text())
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

function endOf(http: TestHttp, topic = "t"): number {
  return http.broker.topics.get(topic)?.partitions[0]?.highWatermark ?? 0;
}

test("empty lines are no messages, and the last line needs no end", async () => {
  await using http = await startHttp();
  const response = await http.fetch(
    "/topics/t/messages",
    post('{"value":1}\n\n{"value":2}\r\n  {"value":3}'),
  );
  expect([response.status, response.headers.get("content-type"), await linesOf(response)]).toEqual([
    200,
    "application/x-ndjson",
    [
      { lines: 3, partitions: [{ partition: 0, offset: 0, count: 2 }] },
      { lines: 4, partitions: [{ partition: 0, offset: 2, count: 1 }] },
    ],
  ]);
  expect(await linesOf(await http.fetch("/topics/t/messages", post("")))).toEqual([]);
});

test("each group is answered as soon as it is committed, while the stream goes on", async () => {
  await using http = await startHttp();
  await using stream = await HttpStream.post(http.api.port, "/topics/t/messages", TYPE);
  stream.send('{"value":"a"}\n{"value":"b"}\n{"val');
  expect(await stream.line()).toEqual({ lines: 2, partitions: [{ partition: 0, offset: 0, count: 2 }] });
  stream.send('ue":"c"}\n');
  expect(await stream.line()).toEqual({ lines: 3, partitions: [{ partition: 0, offset: 2, count: 1 }] });
  expect(endOf(http)).toBe(3);
  stream.send('{"value":"d"}');
  stream.end();
  expect(await stream.line()).toEqual({ lines: 4, partitions: [{ partition: 0, offset: 3, count: 1 }] });
  expect(await stream.line()).toBeNull();
});

test("a bad line ends the stream with its number; nothing of its group is stored", async () => {
  await using http = await startHttp();
  expect(await http.ask("/topics/t/messages", post('{"value":1}\n{"value":}\n'))).toMatchObject([
    400,
    { code: "INVALID_JSON", detail: expect.stringContaining("line 2: no valid JSON: a value is expected") },
  ]);
  expect(endOf(http)).toBe(0);
  await using stream = await HttpStream.post(http.api.port, "/topics/t/messages", TYPE);
  stream.send('{"value":"a"}\n');
  expect(await stream.line()).toMatchObject({ lines: 1 });
  stream.send('{"value":"b"}\n[{"value":"c"}]\n');
  expect(await stream.line()).toMatchObject({
    lines: 1,
    error: { code: "INVALID_RECORD", detail: "line 3: a line has one message" },
  });
  expect(await stream.line()).toBeNull();
  expect(endOf(http)).toBe(1);
});

test("a peer that goes away in the middle of a line leaves the lines before it", async () => {
  await using http = await startHttp();
  const stream = await HttpStream.post(http.api.port, "/topics/t/messages", TYPE);
  stream.send('{"value":"a"}\n{"value":"b"}');
  expect(await stream.line()).toMatchObject({ lines: 1 });
  await stream[Symbol.asyncDispose]();
  const [, place] = await http.ask("/topics/t/messages", { method: "POST", body: '{"value":"c"}' });
  expect(place).toMatchObject({ offset: 1 });
});

test("a line longer than the limit is refused before it is whole", async () => {
  await using http = await startHttp({ bodyBytesMax: 1000 });
  await using stream = await HttpStream.post(http.api.port, "/topics/t/messages", TYPE);
  stream.send(`{"value":"${"x".repeat(2000)}`);
  expect([await stream.status(), await stream.rest()]).toMatchObject([
    413,
    expect.stringContaining("line 1 of the body is longer than the limit"),
  ]);
});

for (const kind of PARTITION_KINDS) {
  test(`a long stream with an Idempotency-Key is stored once, wherever it broke: ${kind.name}`, async () => {
    await using http = await startHttp({ broker: await openBroker({}, kind.create()) });
    const lines = Array.from({ length: 2500 }, (_, index) => `{"value":"message ${index}"}\n`);
    const headers = { ...TYPE, "idempotency-key": "upload-1" };
    const broken = await HttpStream.post(http.api.port, "/topics/t/messages", headers);
    broken.send(lines.slice(0, 1700).join(""));
    expect(await broken.line()).toEqual({
      lines: 1000,
      partitions: [{ partition: 0, offset: 0, count: 1000 }],
    });
    await broken[Symbol.asyncDispose]();
    const again = await linesOf(await http.fetch("/topics/t/messages", post(lines.join(""), headers)));
    expect(again).toEqual([
      { lines: 1000, partitions: [{ partition: 0, offset: 0, count: 1000 }] },
      { lines: 2000, partitions: [{ partition: 0, offset: 1000, count: 1000 }] },
      { lines: 2500, partitions: [{ partition: 0, offset: 2000, count: 500 }] },
    ]);
    expect(endOf(http)).toBe(2500);
  });
}

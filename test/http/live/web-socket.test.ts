/** A topic over a WebSocket, with real sockets. What it says is in docs/http.md. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "../../../src/base/clock.ts";
import { MemoryBudget } from "../../../src/base/memory/memory-budget.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import type { Broker } from "../../../src/broker/broker.ts";
import { batchOf } from "../../support/batches.ts";
import { undecodableBatch } from "../../support/garbled-batches.ts";
import { startHttp, type TestHttp } from "../../support/http.ts";
import { LiveClient } from "../../support/live-client.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { appendTo } from "../../support/partitions.ts";
import { placesOf } from "../../support/places.ts";
import { RawWebSocket } from "../../support/raw-web-socket.ts";

/** Megabytes through sockets, on machines that are busy with more. */
setDefaultTimeout(60_000);

async function makeTopic(broker: Broker, partitions = 1) {
  await broker.topics.create("t", { partitions, configs: {} });
  return broker.topics.get("t")!;
}

async function append(broker: Broker, values: readonly string[], partition = 0): Promise<void> {
  const outcome = await appendTo(broker.topics.get("t")!.partitions[partition]!, batchOf(values)).done;
  expect(outcome.errorCode).toBe(0);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

const BATCH = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(10_000, "x"));

describe("reading over a WebSocket", () => {
  test("gives what comes from now on, with the position after it", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await append(http.broker, ["before"]);
    await using client = await LiveClient.open(http.origin);
    client.send({ type: "subscribe", id: 7 });
    await client.until(() => client.heard.length === 1);
    await append(http.broker, ["a", "b"]);
    await client.until(() => client.heard.length === 2);
    const mark = client.position.split("/")[0];
    const record = (offset: number, value: string) => ({
      topic: "t",
      partition: 0,
      offset,
      timestamp: 999 + offset,
      key: null,
      value,
    });
    expect(client.heard).toEqual([
      { type: "subscribed", id: 7, position: `${mark}/0:1`, offsets: { 0: 1 } },
      { type: "messages", messages: [record(1, "a"), record(2, "b")], position: `${mark}/0:3` },
    ]);
  });

  test("begins where it is told to, and ends at its limit", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await append(http.broker, ["a", "b", "c", "d"]);
    await using client = await LiveClient.open(http.origin);
    const read = async (place: object, limit: number) => {
      const from = client.records.length;
      const ends = client.of("end").length;
      client.send({ type: "subscribe", ...place, limit });
      await client.until(() => client.of("end").length > ends);
      return client.records
        .slice(from)
        .map((text) => text.at(-1))
        .join("");
    };
    expect(await read({ offset: "earliest" }, 4)).toBe("abcd");
    expect(await read({ partition: 0, offset: 1 }, 2)).toBe("bc");
    expect(await read({ offset: -2 }, 2)).toBe("cd");
    expect(await read({ offset: "0:2" }, 2)).toBe("cd");
    expect(await read({ timestamp: 1002 }, 2)).toBe("cd");
    expect(await read({ timestamp: "1970-01-01T00:00:01.003Z" }, 1)).toBe("d");
    expect(await read({ offset: "earliest", filter: 'value in ["b","d"]' }, 2)).toBe("bd");
    expect(client.of("end")[0]).toEqual({ type: "end", reason: "limit" });
  });

  for (const kind of PARTITION_KINDS) {
    test(`goes on at a position, in every partition, also in a new one: ${kind.name}`, async () => {
      await using http = await startHttp({}, {}, kind.create());
      await makeTopic(http.broker, 2);
      for (const partition of [0, 1]) await append(http.broker, ["a", "b", "c"], partition);
      const seen: string[] = [];
      let place: object = { offset: "earliest" };
      // One record at a time, each over a connection of its own.
      for (let count = 1; count <= 6; count += 1) {
        await using client = await LiveClient.open(http.origin);
        client.send({ type: "subscribe", ...place, limit: 1 });
        await client.until(() => client.of("end").length === 1);
        seen.push(...client.records);
        place = { position: client.position };
      }
      expect(seen.toSorted()).toEqual(["0:0=a", "0:1=b", "0:2=c", "1:0=a", "1:1=b", "1:2=c"]);
      await http.broker.topics.addPartitions("t", 3);
      await append(http.broker, ["new"], 2);
      await using client = await LiveClient.open(http.origin);
      client.send({ type: "subscribe", ...place });
      await client.until(() => client.records.length === 1);
      expect(client.records).toEqual(["2:0=new"]);
    });
  }

  test("pauses and resumes when its client says so", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await using client = await LiveClient.open(http.origin);
    client.send({ type: "pause" });
    client.send({ type: "subscribe" });
    await client.until(() => client.of("subscribed").length === 1);
    await append(http.broker, ["a"]);
    client.send({ type: "unsubscribe" });
    client.send({ type: "subscribe", offset: "earliest" });
    await client.until(() => client.of("subscribed").length === 2);
    expect(client.records).toEqual([]);
    client.send({ type: "resume", id: "go" });
    await client.until(() => client.records.length === 1);
    expect(client.heard.map(({ type, id }) => [type, id])).toEqual([
      ["paused", undefined],
      ["subscribed", undefined],
      ["unsubscribed", undefined],
      ["subscribed", undefined],
      ["resumed", "go"],
      ["messages", undefined],
    ]);
  });

  test("tells where it is when a filter passes over everything", async () => {
    await using http = await startHttp({ liveTimes: { heartbeatMs: 20, slowMs: 60_000 } });
    await makeTopic(http.broker);
    await using client = await LiveClient.open(http.origin);
    client.send({ type: "subscribe", filter: 'value == "x"' });
    await client.until(() => client.heard.length === 1);
    await append(http.broker, ["a", "b"]);
    await client.until(() => client.heard.length === 2);
    expect(client.heard[1]).toEqual({ type: "position", position: expect.stringMatching(/\/0:2$/) });
  });

  test("passes over a batch that cannot be read, and says so", async () => {
    await using http = await startHttp();
    const topic = await makeTopic(http.broker);
    expect((await appendTo(topic.partitions[0]!, undecodableBatch(3)).done).errorCode).toBe(0);
    await append(http.broker, ["a"]);
    await using client = await LiveClient.open(http.origin);
    client.send({ type: "subscribe", offset: "earliest" });
    await client.until(() => client.records.length === 1);
    expect(client.of("unreadable")).toMatchObject([{ partition: 0, firstOffset: 0, lastOffset: 2 }]);
  });

  test("splits a great many tiny records into messages of a bounded size", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await append(http.broker, new Array<string>(5000).fill(""));
    await using client = await LiveClient.open(http.origin);
    client.send({ type: "subscribe", offset: "earliest", limit: 5000 });
    await client.until(() => client.of("end").length === 1);
    const sizes = client.of("messages").map((message) => JSON.stringify(message).length);
    expect(client.records).toHaveLength(5000);
    expect(Math.max(...sizes)).toBeLessThan(128 * KiB);
  });
});

describe("writing over a WebSocket", () => {
  test("answers with the place, after the commit, in the order of what was sent", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker, 2);
    await using client = await LiveClient.open(http.origin);
    client.send({
      type: "produce",
      id: 1,
      message: { partition: 1, key: "k", value: "a", timestamp: 5, headers: { h: "x" } },
    });
    client.send({
      type: "produce",
      id: 2,
      messages: [
        { partition: 0, value: 1, timestamp: 6 },
        { partition: 1, value: null, timestamp: 7 },
      ],
    });
    client.send('{"type":"produce","message":{"partition":1,"value":12345678901234567890,"timestamp":8}}');
    await client.until(() => client.heard.length === 3);
    expect(client.heard).toEqual([
      { type: "produced", id: 1, partition: 1, offset: 0, timestamp: 5 },
      {
        type: "produced",
        id: 2,
        messages: [
          { partition: 0, offset: 0, timestamp: 6 },
          { partition: 1, offset: 1, timestamp: 7 },
        ],
      },
      { type: "produced", partition: 1, offset: 2, timestamp: 8 },
    ]);
    client.send({ type: "subscribe", partition: 1, offset: "earliest", limit: 3 });
    await client.until(() => client.of("end").length === 1);
    expect(client.of("messages").flatMap(({ messages }) => messages)).toMatchObject([
      { key: "k", value: "a", headers: [{ key: "h", value: "x" }] },
      { value: null },
      { value: "12345678901234567890" },
    ]);
  });

  test("a large message, which is scanned in pieces, is one message all the same", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await using client = await LiveClient.open(http.origin);
    const value = Array.from({ length: 40_000 }, (_, index) => index % 1000);
    client.send({ type: "produce", message: { value, timestamp: 5 } });
    await client.until(() => client.heard.length === 1);
    expect(client.heard).toEqual([{ type: "produced", partition: 0, offset: 0, timestamp: 5 }]);
  });

  test("stores a list of a thousand, and nothing of a longer one", async () => {
    await using http = await startHttp();
    const topic = await makeTopic(http.broker);
    await using client = await LiveClient.open(http.origin);
    const list = (count: number) => ({
      type: "produce",
      messages: Array.from({ length: count }, (_, value) => ({ value })),
    });
    client.send(list(1001));
    client.send(list(1000));
    await client.until(() => client.heard.length === 2);
    expect(client.problems).toMatchObject([{ code: "INVALID_REQUEST", limit: 1000 }]);
    expect(client.of("produced")[0]!["messages"]).toHaveLength(1000);
    expect(topic.partitions[0]!.highWatermark).toBe(1000);
  });

  test("takes a flood without waiting for answers, and loses nothing of it", async () => {
    await using http = await startHttp();
    const topic = await makeTopic(http.broker);
    await using client = await LiveClient.open(http.origin);
    const count = 20_000;
    for (let id = 0; id < count; id += 1) client.send({ type: "produce", id, message: { value: id } });
    await client.until(() => client.heard.length === count);
    expect(client.of("produced").map(({ id, offset }) => [id, offset])).toEqual(
      Array.from({ length: count }, (_, id) => [id, id]),
    );
    expect(topic.partitions[0]!.highWatermark).toBe(count);
  });

  test("what is wrong is refused with its place, and the socket stays", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await using client = await LiveClient.open(http.origin);
    const refusals: [string, string, string][] = [
      ["nonsense", "INVALID_JSON", '"{" is expected'],
      ["{", "INVALID_JSON", "position 1"],
      ["[]", "INVALID_JSON", '"{" is expected'],
      ["{}", "INVALID_REQUEST", "type must be"],
      ['{"type":"shout"}', "INVALID_REQUEST", "type must be"],
      ['{"type":"pause","type":"resume"}', "INVALID_REQUEST", "type comes twice"],
      ['{"type":"pause","limit":1}', "INVALID_REQUEST", "limit does not belong here"],
      ['{"type":"pause","__proto__":{}}', "INVALID_REQUEST", 'no member "__proto__"'],
      ['{"type":"pause","id":{}}', "INVALID_REQUEST", "id must be"],
      [`{"type":"pause","id":"${"x".repeat(300)}"}`, "INVALID_REQUEST", "id must be"],
      ['{"type":"subscribe","filter":"key =="}', "INVALID_FILTER", "position 6"],
      ['{"type":"subscribe","partition":5}', "UNKNOWN_TOPIC_OR_PARTITION", "partition t-5"],
      ['{"type":"subscribe","partition":0,"offset":9}', "OFFSET_OUT_OF_RANGE", "offset 9"],
      ['{"type":"subscribe","position":"nonsense"}', "INVALID_REQUEST", "position"],
      ['{"type":"subscribe","position":"00000000/0:0"}', "INCONSISTENT_TOPIC_ID", "earlier topic"],
      ['{"type":"subscribe","limit":0}', "INVALID_REQUEST", "limit must be"],
      ['{"type":"subscribe","offset":1,"timestamp":1}', "INVALID_REQUEST", "exclude each other"],
      ['{"type":"subscribe","message":{}}', "INVALID_REQUEST", "produce"],
      ['{"type":"produce"}', "INVALID_REQUEST", "takes a message"],
      ['{"type":"produce","message":[]}', "INVALID_REQUEST", "message is an object"],
      ['{"type":"produce","messages":{}}', "INVALID_REQUEST", "messages a list"],
      ['{"type":"produce","message":{"value":1},"messages":[]}', "INVALID_REQUEST", "takes a message"],
      ['{"type":"produce","message":{}}', "INVALID_RECORD", "value"],
      ['{"type":"produce","message":{"value":"a","partition":7}}', "UNKNOWN_TOPIC_OR_PARTITION", "partition"],
    ];
    for (const [index, [text]] of refusals.entries()) {
      client.send(text);
      await client.until(() => client.problems.length > index);
    }
    expect(client.problems.map(({ code, detail }) => [code, detail])).toEqual(
      refusals.map(([, code, part]) => [code, expect.stringContaining(part)]),
    );
    client.send({ type: "subscribe", offset: "latest" });
    await client.until(() => client.of("subscribed").length === 1);
    client.send({ type: "subscribe", id: 2 });
    await client.until(() => client.problems.length > refusals.length);
    expect(client.of("error").at(-1)).toMatchObject({ id: 2, problem: { code: "INVALID_REQUEST" } });
  });
});

describe("what cannot be opened is refused as any request", () => {
  const UPGRADE = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };

  const cases: [string, Record<string, string>, number, string][] = [
    ["/topics/none/live", UPGRADE, 404, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["/topics/t/live", {}, 426, "UPGRADE_REQUIRED"],
    ["/topics/t/live", { ...UPGRADE, origin: "https://evil.example" }, 403, "FOREIGN_ORIGIN"],
    ["/topics/t/live", { ...UPGRADE, origin: "null" }, 403, "FOREIGN_ORIGIN"],
  ];
  test.each(cases)("%s %j: %i %s", async (path, headers, status, code) => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    const [answered, problem] = await http.ask(path, { headers });
    expect([answered, problem]).toMatchObject([status, { code }]);
    expect(http.api.live.count).toBe(0);
  });

  test("a page of our own may connect, and one that the settings name", async () => {
    await using http = await startHttp({ corsOrigins: ["https://friend.example"] });
    await makeTopic(http.broker);
    for (const origin of [http.origin, "https://friend.example"]) {
      const response = await http.fetch("/topics/t/live", { headers: { ...UPGRADE, origin } });
      expect(response.status).toBe(101);
    }
  });

  test("one too many", async () => {
    await using http = await startHttp({ places: placesOf(4) });
    await makeTopic(http.broker);
    await using first = await LiveClient.open(http.origin);
    await using _second = await LiveClient.open(http.origin);
    const [status, problem] = await http.ask("/topics/t/live", { headers: UPGRADE });
    expect([status, problem]).toMatchObject([503, { code: "TOO_MANY_REQUESTS", limit: 2 }]);
    expect(first.closed).toBe(null);
  });
});

describe("a WebSocket is closed with a code and a reason", () => {
  async function opened(http: TestHttp) {
    await makeTopic(http.broker);
    const client = await LiveClient.open(http.origin);
    client.send({ type: "subscribe", id: 1 });
    await client.until(() => client.heard.length === 1);
    return client;
  }

  test("when the topic is deleted", async () => {
    await using http = await startHttp();
    await using client = await opened(http);
    await http.broker.topics.remove("t");
    expect(await client.end()).toEqual([4404, "UNKNOWN_TOPIC_OR_PARTITION: the topic is deleted"]);
    expect(client.of("error")).toMatchObject([{ id: 1, problem: { status: 404, topic: "t" } }]);
  });

  test("when the server stops", async () => {
    await using http = await startHttp();
    await using client = await opened(http);
    http.api.endTails();
    const [code, reason] = await client.end();
    expect([code, reason]).toEqual([1001, expect.stringMatching(/^NOT_READY: /)]);
    expect(client.problems).toMatchObject([{ status: 503, isRetriable: true }]);
  });

  test("when a message is no text", async () => {
    await using http = await startHttp();
    await using client = await opened(http);
    client.sendBytes(new Uint8Array([1, 2]));
    expect(await client.end()).toEqual([1003, "UNSUPPORTED_MEDIA_TYPE: messages are text"]);
  });

  test("when a message is larger than its limit", async () => {
    await using http = await startHttp();
    const topic = await makeTopic(http.broker);
    await using client = await LiveClient.open(http.origin);
    client.send({ type: "produce", message: { value: "x".repeat(300 * KiB) } });
    expect((await client.end())[0]).not.toBe(1000);
    expect([topic.partitions[0]!.highWatermark, http.api.live.count]).toEqual([0, 0]);
  });

  test("when it answers no ping", async () => {
    await using http = await startHttp({ liveTimes: { heartbeatMs: 20, slowMs: 60 } });
    await makeTopic(http.broker);
    using socket = new RawWebSocket(http.api.port); // answers none
    await socket.until(() => socket.closed !== null);
    expect(socket.pings).toBeGreaterThan(0);
    expect(socket.closed).toEqual([1008, expect.stringContaining("no ping is answered")]);
    await using client = await LiveClient.open(http.origin); // answers by itself
    const { cutSlow } = http.api.live;
    using other = new RawWebSocket(http.api.port);
    await other.until(() => other.closed !== null);
    expect([client.closed, http.api.live.cutSlow]).toEqual([null, cutSlow + 1]);
  });
});

describe("a peer that does not keep up", () => {
  test("stops the reading of the log for it, and is cut with the reason", async () => {
    await using http = await startHttp({ liveTimes: { heartbeatMs: 60_000, slowMs: 400 } });
    const topic = await makeTopic(http.broker);
    for (let count = 0; count < 40; count += 1) await append(http.broker, BATCH);
    const { traffic } = topic.partitions[0]!;
    using socket = new RawWebSocket(http.api.port);
    socket.pause();
    socket.send({ type: "subscribe", offset: "earliest" });
    await until(() => http.api.live.cutSlow > 0);
    // Everything that it has asked for would be 40 MB; what the system's buffers take is a few.
    expect(traffic.bytesOut).toBeLessThan(20 * MiB);
    expect(http.api.live.count).toBe(0);
    socket.resume();
    await socket.until(() => socket.closed !== null);
    expect(socket.closed).toEqual([1008, expect.stringMatching(/^SLOW_READER: /)]);
    expect(socket.texts.at(-1)).toMatchObject({ type: "error", problem: { code: "SLOW_READER" } });
  });

  test("gives its memory to others who need it", async () => {
    const responseBudget = new MemoryBudget(2 * MiB, systemClock);
    await using http = await startHttp({ responseBudget });
    await makeTopic(http.broker);
    for (let count = 0; count < 10; count += 1) await append(http.broker, BATCH);
    const sockets = Array.from({ length: 6 }, () => {
      const socket = new RawWebSocket(http.api.port);
      socket.pause();
      socket.send({ type: "subscribe", offset: "earliest" });
      return socket;
    });
    await until(() => {
      expect(responseBudget.usedBytes).toBeLessThan(responseBudget.ceilingBytes);
      return http.api.live.cutSlow > 0;
    });
    await using client = await LiveClient.open(http.origin);
    client.send({ type: "subscribe", offset: "earliest", limit: 1000 });
    await client.until(() => client.of("end").length === 1);
    expect(client.records).toHaveLength(1000);
    for (const socket of sockets) socket[Symbol.dispose]();
    await client[Symbol.asyncDispose]();
    await until(() => http.api.live.count === 0);
    expect(responseBudget.usedBytes).toBe(0);
  });

  test("is not read while it takes no answers", async () => {
    await using http = await startHttp({ liveTimes: { heartbeatMs: 60_000, slowMs: 60_000 } });
    const topic = await makeTopic(http.broker);
    using socket = new RawWebSocket(http.api.port);
    socket.pause();
    // The answers are as long as the ids: far more than the system's buffers take.
    const id = "i".repeat(250);
    const messages = Array.from({ length: 500 }, () => ({ type: "produce", id, message: { value: 1 } }));
    const rounds = 60;
    const sent = rounds * messages.length;
    for (let count = 0; count < rounds; count += 1) socket.send(...messages);
    let stored = -1;
    for (let looks = 0; looks < 50; looks += 1) {
      const { highWatermark } = topic.partitions[0]!;
      if (highWatermark !== stored) looks = 0;
      stored = highWatermark;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(stored).toBeLessThan(sent);
    expect(http.parts.requestBudget.usedBytes).toBeLessThan(4 * MiB);
    socket.resume();
    await until(() => topic.partitions[0]!.highWatermark === sent);
    await until(() => http.parts.requestBudget.usedBytes === 0);
  });
});

/** Live tails by server-sent events, read over real HTTP. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:net";
import { systemClock } from "../../../src/base/clock.ts";
import { MemoryBudget } from "../../../src/base/memory/memory-budget.ts";
import { MiB } from "../../../src/base/units.ts";
import type { Broker } from "../../../src/broker/broker.ts";
import { batchOf } from "../../support/batches.ts";
import { EventReader } from "../../support/event-reader.ts";
import { undecodableBatch } from "../../support/garbled-batches.ts";
import { startHttp, type TestHttp } from "../../support/http.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { appendTo } from "../../support/partitions.ts";
import { placesOf } from "../../support/places.ts";

/** Megabytes through sockets, on machines that are busy with more. */
setDefaultTimeout(60_000);

async function makeTopic(broker: Broker, partitions = 1, name = "t") {
  await broker.topics.create(name, { partitions, configs: {} });
  return broker.topics.get(name)!;
}

async function append(broker: Broker, values: readonly string[], partition = 0, name = "t"): Promise<void> {
  const outcome = await appendTo(broker.topics.get(name)!.partitions[partition]!, batchOf(values)).done;
  expect(outcome.errorCode).toBe(0);
}

const urlOf = ({ origin }: TestHttp, query = "", topic = "t") => `${origin}/topics/${topic}/messages${query}`;
const listOf = (records: EventReader["records"]) =>
  records.map(({ partition, offset, value }) => `${partition}:${offset}=${value}`);

describe("a live tail by server-sent events", () => {
  test("gives what comes from now on, as events with an id", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await append(http.broker, ["before"]);
    await using reader = await EventReader.open(urlOf(http));
    await reader.until(() => reader.events.length === 1);
    await append(http.broker, ["a", "b"]);
    await reader.until(() => reader.events.length === 3);
    const [mark] = reader.lastId.split("/");
    const record = (offset: number, value: string) =>
      `{"topic":"t","partition":0,"offset":${offset},"timestamp":${999 + offset},"key":null,"value":"${value}"}`;
    expect({ retryMs: reader.retryMs, events: reader.events }).toEqual({
      retryMs: 1000,
      events: [
        { kind: "position", id: `${mark}/0:1`, data: `{"0":1}` },
        { kind: "message", id: `${mark}/0:2`, data: record(1, "a") },
        { kind: "message", id: `${mark}/0:3`, data: record(2, "b") },
      ],
    });
    const { headers } = reader.response;
    expect([headers.get("content-type"), headers.get("cache-control")]).toEqual([
      "text/event-stream",
      "no-store",
    ]);
  });

  test("begins where it is told to", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await append(http.broker, ["a", "b", "c", "d"]);
    const read = async (query: string, count: number) => {
      await using reader = await EventReader.open(urlOf(http, `?${query}&limit=${count}`));
      await reader.end();
      expect(reader.of<object>("end")).toEqual([{ reason: "limit" }]);
      return reader.records.map(({ value }) => value).join("");
    };
    expect(await read("offset=earliest", 4)).toBe("abcd");
    expect(await read("offset=1", 2)).toBe("bc");
    expect(await read("offset=-2", 2)).toBe("cd");
    expect(await read("offset=-100", 1)).toBe("a");
    expect(await read("timestamp=1002", 2)).toBe("cd");
    expect(await read("timestamp=1970-01-01T00:00:01.003Z", 1)).toBe("d");
    expect(await read("offset=-4&filter=value%20in%20%5B%22b%22,%22d%22%5D", 2)).toBe("bd");
  });

  for (const kind of PARTITION_KINDS) {
    test(`goes on after the last event that came, in every partition: ${kind.name}`, async () => {
      await using http = await startHttp({}, {}, kind.create());
      await makeTopic(http.broker, 3);
      for (const partition of [0, 1, 2]) await append(http.broker, ["a", "b", "c"], partition);
      let id = "";
      const seen: string[] = [];
      // Each time one more record is believed, wherever in a chunk it lies.
      for (let count = 1; count <= 9; count += 1) {
        await using reader = await EventReader.open(urlOf(http, "?offset=earliest"), id);
        await reader.until(() => reader.records.length > 0);
        seen.push(...listOf(reader.records.slice(0, 1)));
        id = reader.events.find((event) => event.kind === "message")!.id;
      }
      const all = [0, 1, 2].flatMap((partition) => [
        `${partition}:0=a`,
        `${partition}:1=b`,
        `${partition}:2=c`,
      ]);
      expect(seen.toSorted()).toEqual(all);
      // A partition that was added meanwhile is read from its beginning.
      await http.broker.topics.addPartitions("t", 4);
      await append(http.broker, ["new"], 3);
      await using reader = await EventReader.open(urlOf(http), id);
      await reader.until(() => reader.records.length === 1);
      expect(listOf(reader.records)).toEqual(["3:0=new"]);
    });
  }

  test("reads partitions that the topic gets while it runs, and only those that are named", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker, 2);
    await using all = await EventReader.open(urlOf(http));
    await using named = await EventReader.open(urlOf(http, "?partition=1"));
    await http.broker.topics.addPartitions("t", 3);
    await append(http.broker, ["a"], 2);
    await append(http.broker, ["b"], 0);
    await append(http.broker, ["c"], 1);
    await Promise.all([
      all.until(() => all.records.length === 3),
      named.until(() => named.records.length === 1),
    ]);
    expect(listOf(all.records).toSorted()).toEqual(["0:0=b", "1:0=c", "2:0=a"]);
    expect(listOf(named.records)).toEqual(["1:0=c"]);
    expect(named.lastId).toEndWith("/1:1");
  });

  test("says that it is there when nothing comes, and how far it is when nothing matches", async () => {
    await using http = await startHttp({ liveTimes: { heartbeatMs: 20, slowMs: 60_000 } });
    await makeTopic(http.broker);
    await using reader = await EventReader.open(urlOf(http, "?filter=value==%22x%22"));
    await reader.until(() => reader.comments >= 2);
    expect(reader.events).toHaveLength(1);
    await append(http.broker, ["a", "b"]);
    await reader.until(() => reader.events.length === 2);
    expect(reader.of<object>("position")).toEqual([{ 0: 0 }, { 0: 2 }]);
    expect(reader.lastId).toEndWith("/0:2");
  });

  test("passes over a batch that cannot be read, and says so", async () => {
    await using http = await startHttp();
    const topic = await makeTopic(http.broker);
    expect((await appendTo(topic.partitions[0]!, undecodableBatch(3)).done).errorCode).toBe(0);
    await append(http.broker, ["a"]);
    await using reader = await EventReader.open(urlOf(http, "?offset=earliest"));
    await reader.until(() => reader.records.length === 1);
    expect(reader.of<{ firstOffset: number }>("unreadable").map(({ firstOffset }) => firstOffset)).toEqual([
      0,
    ]);
  });
});

describe("what cannot begin is refused", () => {
  test.each([
    ["/topics/none/messages", "", 404, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["/topics/t/messages?partition=2", "", 404, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["/topics/t/messages?partition=0&offset=5", "", 416, "OFFSET_OUT_OF_RANGE"],
    ["/topics/t/messages?offset=0", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?offset=1.5", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?timestamp=noon", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?limit=0", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?order=desc", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?wait=5", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?offset=earliest&timestamp=1", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?ofset=1", "", 400, "INVALID_REQUEST"],
    ["/topics/t/messages?filter=key==", "", 400, "INVALID_FILTER"],
    ["/topics/t/messages", "nonsense", 400, "INVALID_REQUEST"],
    ["/topics/t/messages", "00000000/0:1", 409, "INCONSISTENT_TOPIC_ID"],
  ])("%s, Last-Event-ID %j: %i %s", async (path, lastId, status, code) => {
    await using http = await startHttp();
    await makeTopic(http.broker, 2);
    const headers = { accept: "text/event-stream", ...(lastId === "" ? {} : { "last-event-id": lastId }) };
    const [answered, problem] = await http.ask(path, { headers });
    expect([answered, (problem as { code: string }).code]).toEqual([status, code]);
  });

  test("a position that lies before the log's start or after its end is out of range", async () => {
    await using http = await startHttp();
    const { partitions } = await makeTopic(http.broker);
    await append(http.broker, ["a", "b"]);
    const reader = await EventReader.open(urlOf(http, "?offset=earliest"));
    await reader.until(() => reader.events.length > 0);
    const start = reader.events[0]!.id;
    await reader[Symbol.asyncDispose]();
    await partitions[0]!.deleteBefore(1);
    const beyond = start.replace(/:0$/, ":3");
    for (const id of [start, beyond]) {
      const headers = { accept: "text/event-stream", "last-event-id": id };
      expect((await http.fetch("/topics/t/messages", { headers })).status).toBe(416);
    }
  });

  test("one tail too many", async () => {
    await using http = await startHttp({ places: placesOf(4) });
    await makeTopic(http.broker);
    await using first = await EventReader.open(urlOf(http));
    const second = await EventReader.open(urlOf(http));
    const headers = { accept: "text/event-stream" };
    const [status, problem] = await http.ask("/topics/t/messages", { headers });
    expect([status, problem]).toMatchObject([503, { code: "TOO_MANY_REQUESTS", limit: 2 }]);
    await second[Symbol.asyncDispose]();
    // The place is free when the server has heard of the end.
    let isIn = false;
    while (!isIn) isIn = (await http.fetch("/topics/t/messages", { headers })).status === 200;
    expect(first.isOver).toBe(false);
  });
});

describe("a tail ends with its reason", () => {
  test("when the topic is deleted", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await using reader = await EventReader.open(urlOf(http));
    await reader.until(() => reader.events.length === 1);
    await http.broker.topics.remove("t");
    await reader.end();
    expect(reader.problem).toMatchObject({ status: 404, code: "UNKNOWN_TOPIC_OR_PARTITION", topic: "t" });
  });

  test("when the server stops", async () => {
    await using http = await startHttp();
    await makeTopic(http.broker);
    await using reader = await EventReader.open(urlOf(http));
    await reader.until(() => reader.events.length === 1);
    http.api.endTails();
    await reader.end();
    expect(reader.problem).toMatchObject({ status: 503, code: "NOT_READY", isRetriable: true });
    const headers = { accept: "text/event-stream" };
    expect((await http.fetch("/topics/t/messages", { headers })).status).toBe(503);
  });
});

describe("a reader that takes nothing", () => {
  /** A connection that asks for a tail, and reads nothing of what comes until it is resumed. */
  function connectSlowly(http: TestHttp, query: string) {
    const socket = connect(http.api.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(
      `GET /topics/t/messages?${query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/event-stream\r\n\r\n`,
    );
    return socket;
  }

  const BATCH = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(10_000, "x"));

  test("stops the reading of the log for it, and is cut with the reason", async () => {
    await using http = await startHttp({ liveTimes: { heartbeatMs: 60_000, slowMs: 400 } });
    const topic = await makeTopic(http.broker);
    for (let count = 0; count < 40; count += 1) await append(http.broker, BATCH);
    const { traffic } = topic.partitions[0]!;
    const socket = connectSlowly(http, "offset=earliest");
    const ended = Promise.withResolvers<string>();
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("close", () => ended.resolve(text));
    // Everything that it has asked for would be 40 MB; what the system's buffers take is a few.
    while (http.api.live.cutSlow === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(traffic.bytesOut).toBeLessThan(20 * MiB);
    expect(http.api.live.count).toBe(0);
    socket.resume();
    expect(await ended.promise).toContain('"code":"SLOW_READER"');
  });

  test("gives its memory to others who need it", async () => {
    const responseBudget = new MemoryBudget(2 * MiB, systemClock);
    await using http = await startHttp({ responseBudget });
    await makeTopic(http.broker);
    for (let count = 0; count < 10; count += 1) await append(http.broker, BATCH);
    const sockets = Array.from({ length: 6 }, () => connectSlowly(http, "offset=earliest"));
    while (http.api.live.cutSlow === 0) {
      expect(responseBudget.usedBytes).toBeLessThan(responseBudget.ceilingBytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await using reader = await EventReader.open(urlOf(http, "?offset=earliest&limit=1000"));
    await reader.end();
    expect(reader.records).toHaveLength(1000);
    for (const socket of sockets) socket.destroy();
    while (http.api.live.count > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(responseBudget.usedBytes).toBe(0);
  });
});

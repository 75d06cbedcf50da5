/** The native protocol on real sockets: every response, their order, holds and limits. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { MessageBroker } from "../../../src/api/native/message-broker.ts";
import { NativeProtocol, OUTSTANDING_MAX } from "../../../src/api/native/native-protocol.ts";
import { silentLog } from "../../../src/base/log.ts";
import { HOUR_MS, MiB } from "../../../src/base/units.ts";
import type { ListenerOptions } from "../../../src/network/listener.ts";
import { encodeNativeFrame, NATIVE_MESSAGE_BYTES_MAX } from "../../../src/protocol/native/message.ts";
import { TOO_MANY_CONNECTIONS_LINE } from "../../../src/protocol/native/responses.ts";
import { readRecords } from "../../../src/protocol/record/records.ts";
import { Principal } from "../../../src/security/principal.ts";
import { listen, TestClient, until } from "../../network/support.ts";
import { bytesOf } from "../../support/batches.ts";
import { openBroker } from "../../support/broker.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { placesOf } from "../../support/places.ts";
import { REFUSED, StandInBroker } from "./stand-in.ts";

const NOW_MS = 1_700_000_000_000;

function serve<Place>(
  broker: MessageBroker<Place>,
  options: Partial<ListenerOptions<never>> = {},
  clock = new ManualClock(NOW_MS),
) {
  const api = new NativeProtocol(broker, { clock, log: silentLog });
  const listener = listen(api, {
    byteOrder: "little-endian",
    frameBytesMax: NATIVE_MESSAGE_BYTES_MAX,
    refusal: TOO_MANY_CONNECTIONS_LINE,
    ...(options as object),
  });
  return { api, listener, [Symbol.dispose]: () => listener.stopNow() };
}

function message(topic: string, value: string | Buffer, key = "", timestampMs = NOW_MS): Buffer {
  return encodeNativeFrame(timestampMs, Buffer.from(topic), Buffer.from(key), Buffer.from(value as string));
}

const EMPTY_FRAME = Buffer.alloc(4);
/** Ten bytes that are no message. */
const BAD_FRAME = Buffer.concat([Buffer.of(10, 0, 0, 0), Buffer.alloc(10, 1)]);
const HUGE_FRAME = Buffer.of(1, 0, 0xa0, 0);

test("a message is answered with OK when its batch is durable, and not before", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(message("orders", "hello", "k1"));
  await until(() => broker.messages.length === 1);
  expect([client.text, broker.messages]).toEqual(["", [`orders-0 ${NOW_MS} k1 hello`]]);
  broker.complete("orders-0");
  await client.receives("OK\n");
  expect(client.text).toBe("OK\n");
  expect(served.api.counters.responses).toEqual([1, 0, 0, 0, 0]);
});

test("a session's messages are sent by whoever its connection is known as, anonymous at first", async () => {
  using served = serve(new StandInBroker("orders"));
  await using _client = await TestClient.connect(served.listener.port);
  await until(() => served.listener.connections.size === 1);
  const connection = [...served.listener.connections][0]!;
  expect(String(connection.state.principal)).toBe("User:ANONYMOUS");
  connection.principal = new Principal("User", "alice");
  expect(String(connection.state.principal)).toBe("User:alice");
});

test("a batch that failed is answered with PUBLISH_FAILED, and the connection goes on", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(message("orders", "one"));
  await until(() => broker.messages.length === 1);
  broker.complete("orders-0", false);
  await client.receives("NACK:PUBLISH_FAILED\n");
  client.send(message("orders", "two"));
  await until(() => broker.messages.length === 2);
  broker.complete("orders-0");
  await client.receives("NACK:PUBLISH_FAILED\nOK\n");
  expect(client.text).toBe("NACK:PUBLISH_FAILED\nOK\n");
});

test("an empty frame and one that does not decode are refused, in order, and the connection goes on", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(EMPTY_FRAME);
  await client.receives("NACK:CORRUPTED\n");
  client.send(Buffer.concat([message("orders", "a"), EMPTY_FRAME, BAD_FRAME, message("orders", "b")]));
  await until(() => broker.messages.length === 2);
  expect(client.text).toBe("NACK:CORRUPTED\n");
  broker.complete("orders-0");
  const expected = "NACK:CORRUPTED\nOK\nNACK:CORRUPTED\nNACK:INVALID_FORMAT\nOK\n";
  await client.receives(expected);
  expect(client.text).toBe(expected);
});

test("a frame over 10 MiB is refused after the earlier responses, and the connection is closed", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(Buffer.concat([message("orders", "a"), HUGE_FRAME, message("orders", "never")]));
  client.send(Buffer.alloc(4 * MiB));
  await until(() => broker.messages.length === 1);
  expect([client.text, client.hasEnded]).toEqual(["", false]);
  broker.complete("orders-0");
  await client.ends();
  expect(client.text).toBe("OK\nNACK:PROTOCOL_ERROR\n");
  expect(broker.messages).toEqual([`orders-0 ${NOW_MS} - a`]);
});

test("a frame that the end of the stream cuts off is corrupted, after the earlier responses", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(Buffer.concat([message("orders", "a"), message("orders", "cut off").subarray(0, 30)]));
  client.halfClose();
  await until(() => broker.messages.length === 1);
  broker.complete("orders-0");
  await client.ends();
  expect(client.text).toBe("OK\nNACK:CORRUPTED\n");
});

test("a truncated prefix is corrupted too, and a clean end is answered with nothing", async () => {
  using served = serve(new StandInBroker("orders"));
  await using truncated = await TestClient.connect(served.listener.port);
  truncated.send(Buffer.of(9, 0));
  truncated.halfClose();
  await truncated.ends();
  expect(truncated.text).toBe("NACK:CORRUPTED\n");
  await using clean = await TestClient.connect(served.listener.port);
  clean.halfClose();
  await clean.ends();
  expect(clean.text).toBe("");
});

test("topic names that would leave the data directory are refused, and nothing is asked of the broker", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  const names = ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "a b", "größe", "t".repeat(250)];
  client.send(Buffer.concat(names.map((name) => message(name, "x"))));
  client.send(message("orders", "good"));
  await until(() => broker.messages.length === 1);
  broker.complete("orders-0");
  const expected = `${"NACK:PUBLISH_FAILED\n".repeat(names.length)}OK\n`;
  await client.receives(expected);
  expect([client.text, broker.creating.size]).toEqual([expected, 0]);
});

test("what the broker refuses to store is answered with PUBLISH_FAILED, and the connection goes on", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  broker.failure = REFUSED;
  client.send(message("orders", "a"));
  await client.receives("NACK:PUBLISH_FAILED\n");
  broker.failure = null;
  client.send(message("orders", "b"));
  await until(() => broker.messages.length === 1);
  broker.complete("orders-0");
  await client.receives("NACK:PUBLISH_FAILED\nOK\n");
});

test("a fault of ours costs the connection instead of a wrong response", async () => {
  const broker = new StandInBroker("orders");
  broker.failure = new TypeError("a mistake");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(message("orders", "a"));
  await client.ends();
  expect([client.text, served.listener.counters.faults]).toEqual(["", 1]);
});

test("responses keep the order of the messages although their batches complete in another", async () => {
  const broker = new StandInBroker("a", "b");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(Buffer.concat(["a", "b", "b", "a", "b"].map((topic) => message(topic, "x"))));
  await until(() => broker.messages.length === 5);
  broker.complete("b-0", false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(client.text).toBe("");
  broker.complete("a-0");
  const failed = "NACK:PUBLISH_FAILED\n";
  const expected = `OK\n${failed}${failed}OK\n${failed}`;
  await client.receives(expected);
  expect(client.text).toBe(expected);
});

test("random messages, chunks and completions: one right response each, in order", async () => {
  const step = fc.record({
    kind: fc.constantFrom("a", "b", "c", "empty", "bad", "name"),
    isSettling: fc.boolean(),
    isDurable: fc.boolean(),
    cut: fc.nat({ max: 60 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const broker = new StandInBroker("a", "b", "c");
      using served = serve(broker);
      await using client = await TestClient.connect(served.listener.port);
      const fixed = new Map([
        ["empty", "NACK:CORRUPTED\n"],
        ["bad", "NACK:INVALID_FORMAT\n"],
        ["name", "NACK:PUBLISH_FAILED\n"],
      ]);
      const due: string[] = [];
      const open = new Map<string, number[]>();
      let sent = 0;
      let carried: Buffer = Buffer.alloc(0);
      for (const { kind, isSettling, isDurable, cut } of steps) {
        const frame =
          kind === "empty"
            ? EMPTY_FRAME
            : kind === "bad"
              ? BAD_FRAME
              : message(kind === "name" ? "/" : kind, "v");
        const bytes = Buffer.concat([carried, frame]);
        client.send(bytes.subarray(0, bytes.length - Math.min(cut, frame.length - 1)));
        carried = bytes.subarray(bytes.length - Math.min(cut, frame.length - 1));
        const response = fixed.get(kind);
        if (response === undefined) open.set(kind, [...(open.get(kind) ?? []), due.length]);
        due.push(response ?? "");
        if (!isSettling || response !== undefined) continue;
        client.send(carried);
        carried = Buffer.alloc(0);
        sent = due.filter((_, index) => !fixed.has(steps[index]!.kind)).length;
        await until(() => broker.messages.length === sent);
        broker.complete(`${kind}-0`, isDurable);
        for (const index of open.get(kind)!) due[index] = isDurable ? "OK\n" : "NACK:PUBLISH_FAILED\n";
        open.delete(kind);
      }
      client.send(carried);
      sent = steps.filter(({ kind }) => !fixed.has(kind)).length;
      await until(() => broker.messages.length === sent);
      for (const [kind, indexes] of open) {
        broker.complete(`${kind}-0`);
        for (const index of indexes) due[index] = "OK\n";
      }
      client.halfClose();
      await client.ends();
      expect(client.text).toBe(due.join(""));
    }),
    { numRuns: 40 },
  );
});

test("a message for a new topic waits for the topic, and those after it wait in order", async () => {
  const broker = new StandInBroker("old");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(
    Buffer.concat([message("old", "1"), message("new", "2"), message("old", "3"), message("new", "4")]),
  );
  await until(() => broker.creating.has("new"));
  client.send(message("old", "5"));
  expect(broker.messages).toEqual([`old-0 ${NOW_MS} - 1`]);
  broker.complete("old-0");
  await client.receives("OK\n");
  broker.creating.get("new")!(null);
  await until(() => broker.messages.length === 5);
  expect(broker.messages.map((text) => text.split(" ").at(-1))).toEqual(["1", "2", "3", "4", "5"]);
  broker.complete("old-0");
  expect(client.text).toBe("OK\n");
  broker.complete("new-0");
  await client.receives("OK\n".repeat(5));
  expect(client.text).toBe("OK\n".repeat(5));
});

test("a topic that cannot be created is answered with PUBLISH_FAILED, and those after it go on", async () => {
  const broker = new StandInBroker("old");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(Buffer.concat([message("new", "1"), message("old", "2")]));
  await until(() => broker.creating.has("new"));
  broker.creating.get("new")!(REFUSED);
  await until(() => broker.messages.length === 1);
  broker.complete("old-0");
  await client.receives("NACK:PUBLISH_FAILED\nOK\n");
  expect(client.text).toBe("NACK:PUBLISH_FAILED\nOK\n");
});

test("a peer that vanishes while its topic is created gets its message stored, and nothing breaks", async () => {
  const broker = new StandInBroker();
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(message("new", "1"));
  await until(() => broker.creating.has("new"));
  client.abort();
  await until(() => served.listener.counters.open === 0);
  broker.creating.get("new")!(null);
  await until(() => broker.messages.length === 1);
  broker.complete("new-0");
  expect(served.listener.counters.faults).toBe(0);
});

test("a peer that vanishes with messages on their way leaves nothing", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(Buffer.concat([message("orders", "1"), message("orders", "2").subarray(0, 20)]));
  await until(() => broker.messages.length === 1);
  client.abort();
  await until(() => served.listener.counters.open === 0);
  broker.complete("orders-0");
  expect([served.listener.counters.faults, served.api.counters.responses]).toEqual([0, [0, 0, 0, 0, 0]]);
});

test("a topic that was removed and created again is found again, not the old one", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(message("orders", "1"));
  await until(() => broker.messages.length === 1);
  broker.known.delete("orders");
  client.send(message("orders", "2"));
  await until(() => broker.creating.has("orders"));
  broker.known.set("orders", { name: "orders", partitions: ["fresh"], nextPartition: () => "fresh" });
  broker.creating.get("orders")!(null);
  await until(() => broker.messages.length === 2);
});

test("keys choose the partition as Kafka's clients do, and messages without one share a partition for a turn", async () => {
  const broker = new StandInBroker();
  broker.add("wide", 3);
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(Buffer.concat([..."abc"].map((key) => message("wide", "v", key))));
  await until(() => broker.messages.length === 3);
  expect(broker.messages.map((text) => text.split(" ")[0])).toEqual(["wide-1", "wide-2", "wide-1"]);
  for (const value of ["1", "2", "3"]) {
    const before = broker.messages.length;
    client.send(Buffer.concat([message("wide", value), message("wide", value)]));
    await until(() => broker.messages.length === before + 2);
  }
  const places = broker.messages.slice(3).map((text) => text.split(" ")[0]!);
  for (const index of [0, 2, 4]) expect(places[index]).toBe(places[index + 1]!);
  expect(new Set(places)).toEqual(new Set(["wide-0", "wide-1", "wide-2"]));
});

test("timestamps that nobody can have meant become the time of arrival", async () => {
  const broker = new StandInBroker("t");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  const goZeroTime = message("t", "zero");
  goZeroTime.writeBigInt64LE(-6_795_364_578_871_345_152n, 4);
  const times = [0, 1, NOW_MS, NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + 1, -1];
  client.send(Buffer.concat([...times.map((time) => message("t", "x", "", time)), goZeroTime]));
  await until(() => broker.messages.length === 7);
  expect(broker.messages.map((text) => Number(text.split(" ")[1]))).toEqual([
    0,
    1,
    NOW_MS,
    NOW_MS + HOUR_MS,
    NOW_MS,
    NOW_MS,
    NOW_MS,
  ]);
});

test("the time of arrival is each message's own, after one that created a topic and after a fault of ours", async () => {
  const broker = new StandInBroker("orders");
  const clock = new ManualClock(NOW_MS);
  using served = serve(broker, {}, clock);
  await using first = await TestClient.connect(served.listener.port);
  first.send(message("new-topic", "a", "", -1));
  await until(() => broker.creating.has("new-topic"));
  broker.creating.get("new-topic")!(null);
  await until(() => broker.messages.length === 1);

  clock.advance(10_000);
  await using second = await TestClient.connect(served.listener.port);
  second.send(message("orders", "b", "", -1));
  await until(() => broker.messages.length === 2);

  clock.advance(10_000);
  broker.failure = new Error("a mistake");
  second.send(message("orders", "never", "", -1));
  await second.ends();
  broker.failure = null;
  clock.advance(10_000);
  await using third = await TestClient.connect(served.listener.port);
  third.send(message("orders", "c", "", -1));
  await until(() => broker.messages.length === 3);
  expect(broker.messages).toEqual([
    `new-topic-0 ${NOW_MS} - a`,
    `orders-0 ${NOW_MS + 10_000} - b`,
    `orders-0 ${NOW_MS + 30_000} - c`,
  ]);
});

test("a connection with too many unanswered messages is read no further until half are answered", async () => {
  const broker = new StandInBroker("t");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  const extra = 100;
  client.send(Buffer.concat(Array.from({ length: OUTSTANDING_MAX + extra }, () => message("t", "x"))));
  await until(() => broker.messages.length === OUTSTANDING_MAX);
  await new Promise((resolve) => setImmediate(resolve));
  expect(broker.messages.length).toBe(OUTSTANDING_MAX);
  broker.complete("t-0");
  await until(() => broker.messages.length === OUTSTANDING_MAX + extra);
  broker.complete("t-0");
  const expected = "OK\n".repeat(OUTSTANDING_MAX + extra);
  await client.receives(expected);
  expect(client.text === expected).toBe(true);
});

test("a connection over the limit is told so", async () => {
  using served = serve(new StandInBroker(), { places: placesOf(0) });
  await using client = await TestClient.connect(served.listener.port);
  await client.ends();
  expect(client.text).toBe("NACK:TOO_MANY_CONNECTIONS\n");
});

test("stopping answers what was received", async () => {
  const broker = new StandInBroker("t");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(message("t", "x"));
  await until(() => broker.messages.length === 1);
  const stopping = served.listener.stop(60_000);
  broker.complete("t-0");
  await client.ends();
  client.close();
  await stopping;
  expect(client.text).toBe("OK\n");
});

for (const kind of PARTITION_KINDS) {
  test(`with the real broker, ${kind.name}: new topics, many messages one byte at a time, and the records as they were sent`, async () => {
    const broker = await openBroker({}, kind.create());
    using served = serve(broker);
    await using client = await TestClient.connect(served.listener.port);
    const count = 30;
    const frames = Array.from({ length: count }, (_, index) =>
      message(`topic-${index % 3}`, `value ${index}`, index % 2 ? "k" : ""),
    );
    for (const byte of Buffer.concat(frames)) client.send(Buffer.of(byte));
    await client.receives("OK\n".repeat(count));
    expect(client.text).toBe("OK\n".repeat(count));
    const bytes = await bytesOf(broker.topics.get("topic-1")!.partitions[0]!.span(0, MiB, true));
    const values: string[] = [];
    for (let position = 0; position < bytes.length; ) {
      const end = position + 12 + bytes.readInt32BE(position + 8);
      for (const record of readRecords(bytes.subarray(position, end)))
        values.push(`${record.offset} ${record.value}`);
      position = end;
    }
    expect(values).toEqual(Array.from({ length: 10 }, (_, index) => `${index} value ${index * 3 + 1}`));
    await broker.close();
  });

  test(`with the real broker, ${kind.name}: a message just below 10 MiB is stored whole`, async () => {
    const broker = await openBroker({}, kind.create());
    using served = serve(broker);
    await using client = await TestClient.connect(served.listener.port);
    const value = Buffer.alloc(NATIVE_MESSAGE_BYTES_MAX - 20 - 3, "v");
    client.send(Buffer.concat([message("big", value), message("big", "after")]));
    await client.receives("OK\nOK\n");
    expect(client.text).toBe("OK\nOK\n");
    expect(broker.topics.get("big")!.partitions[0]!.highWatermark).toBe(2);
    await broker.close();
  });
}

test("a message whose topic cannot be is counted as failed", async () => {
  const broker = new StandInBroker("orders");
  using served = serve(broker);
  await using client = await TestClient.connect(served.listener.port);
  client.send(message("../orders", "lost"));
  await client.receives("NACK:PUBLISH_FAILED\n");
  expect(broker.counters).toEqual({ messagesReceived: 1, messagesFailed: 1 });
});

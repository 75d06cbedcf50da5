/** Listener and connection on real sockets; the handler is an echo that records its calls. */

import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { ObeliskError } from "../../src/base/errors.ts";
import { listenError } from "../../src/base/listen-error.ts";
import { MemoryBudget } from "../../src/base/memory/memory-budget.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import { type Connection, LINGER_MS, REST_LINGER_MS } from "../../src/network/connection.ts";
import type { FrameHandler, FrameViolation } from "../../src/network/frame-handler.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { placesOf } from "../support/places.ts";
import { bigEndianFrame, listen, TestClient, until } from "./support.ts";

type Journal = string[];

class Recorder implements FrameHandler<Journal> {
  readonly journals: Journal[] = [];
  connections: Connection<Journal>[] = [];

  open(connection: Connection<Journal>): Journal {
    const journal = ["open"];
    this.journals.push(journal);
    this.connections.push(connection);
    return journal;
  }

  frame(connection: Connection<Journal>, buffer: Buffer, position: number, end: number): void {
    const bytes = end - position;
    connection.state.push(bytes > 20 ? `frame of ${bytes}` : buffer.toString("utf8", position, end));
    connection.releaseFrame(bytes);
  }

  turnEnd(connection: Connection<Journal>): void {
    connection.state.push("turn end");
  }

  violation(connection: Connection<Journal>, kind: FrameViolation, lengthBytes: number): void {
    connection.state.push(`${kind} ${lengthBytes}`);
    connection.write(Buffer.from(`${kind}\n`));
  }

  end(connection: Connection<Journal>, incompleteBytes: number): void {
    connection.state.push(`end ${incompleteBytes}`);
  }

  written(): void {}

  isPeerWaiting(): boolean {
    return false;
  }

  close(connection: Connection<Journal>): void {
    connection.state.push("close");
  }
}

class Echo extends Recorder {
  override frame(connection: Connection<Journal>, buffer: Buffer, position: number, end: number): void {
    super.frame(connection, buffer, position, end);
    connection.write(buffer.subarray(position, end));
  }
}

test("frames of one chunk arrive in order within one turn, and the responses come back in order", async () => {
  const handler = new Echo();
  using listener = listen(handler);
  await using client = await TestClient.connect(listener.port);
  client.send(Buffer.concat(["a", "bb", "ccc"].map(bigEndianFrame)));
  await client.receives("abbccc");
  client.close();
  await until(() => listener.counters.open === 0);
  expect(client.text).toBe("abbccc");
  expect(handler.journals).toEqual([["open", "a", "bb", "ccc", "turn end", "end 0", "close"]]);
  expect({ ...listener.counters }).toEqual({
    accepted: 1,
    refused: { "connections-max": 0, descriptors: 0 },
    open: 0,
    bytesIn: 18,
    bytesOut: 6,
    frames: 3,
    violations: 0,
    cutIdle: 0,
    cutSlow: 0,
    cutForMemory: 0,
    faults: 0,
  });
});

test("a peer that shuts its side gets the responses that were still due", async () => {
  const handler = new Recorder();
  handler.frame = (connection) => connection.expectResponses(1);
  using listener = listen(handler);
  await using client = await TestClient.connect(listener.port);
  client.send(Buffer.concat([bigEndianFrame("x"), Buffer.of(0, 0, 0, 9, 1)]));
  client.halfClose();
  await until(() => handler.journals[0]?.includes("end 5") === true);
  expect(client.hasEnded).toBe(false);
  handler.connections[0]!.write(Buffer.from("late"));
  handler.connections[0]!.responded(1);
  await client.ends();
  expect(client.text).toBe("late");
  await until(() => listener.counters.open === 0);
});

test("an empty frame is reported and skipped, a negative length ends the connection after what was written", async () => {
  const handler = new Recorder();
  using listener = listen(handler);
  await using client = await TestClient.connect(listener.port);
  const hostile = Buffer.concat([
    bigEndianFrame(""),
    bigEndianFrame("ok"),
    Buffer.alloc(4, 0xff),
    bigEndianFrame("never"),
  ]);
  client.send(hostile);
  client.send(Buffer.alloc(2 * MiB));
  await client.ends();
  expect(client.text).toBe("empty\nnegative\n");
  expect(handler.journals[0]!.slice(0, 5)).toEqual(["open", "empty 0", "ok", "negative -1", "turn end"]);
  client.close();
  await until(() => listener.counters.open === 0);
});

test("held input waits in order, also what came in the same chunk", async () => {
  const handler = new Recorder();
  const plain = handler.frame.bind(handler);
  handler.frame = (connection, buffer, position, end) => {
    plain(connection, buffer, position, end);
    if (buffer.toString("utf8", position, end) === "hold") connection.pauseInput();
  };
  using listener = listen(handler);
  await using client = await TestClient.connect(listener.port);
  client.send(Buffer.concat(["hold", "one", "two"].map(bigEndianFrame)));
  await until(() => handler.journals[0]?.includes("turn end") === true);
  client.send(bigEndianFrame("three"));
  expect(handler.journals[0]).toEqual(["open", "hold", "turn end"]);
  handler.connections[0]!.resumeInput();
  await until(() => handler.journals[0]!.includes("three"));
  expect(handler.journals[0]!.filter((line) => line !== "turn end")).toEqual([
    "open",
    "hold",
    "one",
    "two",
    "three",
  ]);
});

test("a connection over the limit gets the refusal and is closed", async () => {
  const handler = new Recorder();
  using listener = listen(handler, { places: placesOf(1), refusal: "no room\n" });
  await using first = await TestClient.connect(listener.port);
  await until(() => listener.counters.open === 1);
  await using second = await TestClient.connect(listener.port);
  await second.ends();
  expect([second.text, listener.counters.refused, first.hasEnded]).toEqual([
    "no room\n",
    { "connections-max": 1, descriptors: 0 },
    false,
  ]);
  first.close();
  await until(() => listener.counters.open === 0);
  await using third = await TestClient.connect(listener.port);
  await until(() => listener.counters.accepted === 2);
  expect(third.hasEnded).toBe(false);
});

test("without a refusal text a connection over the limit is only closed", async () => {
  using listener = listen(new Recorder(), { places: placesOf(0) });
  await using client = await TestClient.connect(listener.port);
  await client.ends();
  expect(client.text).toBe("");
});

test("a still connection is closed at the idle timeout, one that completes frames is not", async () => {
  const clock = new ManualClock();
  const handler = new Echo();
  using listener = listen(handler, { clock, idleTimeoutMs: 8000 });
  await using still = await TestClient.connect(listener.port);
  await using busy = await TestClient.connect(listener.port);
  await until(() => listener.counters.open === 2);
  for (let round = 1; round <= 10; round += 1) {
    busy.send(bigEndianFrame("x"));
    await until(() => busy.text.length === round);
    clock.advance(1000);
  }
  await still.ends();
  expect([busy.hasEnded, listener.counters.cutIdle]).toEqual([false, 1]);
  await busy.close();
});

test("bytes that trickle do not keep an incomplete frame alive, and its memory is given back", async () => {
  const clock = new ManualClock();
  const budget = new MemoryBudget(MiB, clock);
  using listener = listen(new Recorder(), { clock, budget, idleTimeoutMs: 8000 });
  await using client = await TestClient.connect(listener.port);
  client.send(Buffer.of(0, 0x0f, 0, 0));
  await until(() => listener.counters.bytesIn === 4);
  expect(budget.usedBytes).toBe(0);
  for (let sent = 1; sent <= 9; sent += 1) {
    client.send(Buffer.of(1));
    await until(() => listener.counters.bytesIn === 4 + sent);
    expect(budget.usedBytes).toBe(16 * KiB);
    clock.advance(1000);
  }
  await client.ends();
  expect([listener.counters.cutIdle, budget.usedBytes]).toEqual([1, 0]);
});

test("a connection that waits for our response is not idle", async () => {
  const clock = new ManualClock();
  const handler = new Recorder();
  handler.frame = (connection) => connection.expectResponses(1);
  using listener = listen(handler, { clock, idleTimeoutMs: 8000 });
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame("slow"));
  await until(() => handler.connections[0]?.outstanding === 1);
  clock.advance(60_000);
  expect([listener.counters.cutIdle, listener.counters.open]).toEqual([0, 1]);
  handler.connections[0]!.responded(1);
  clock.advance(9000);
  await client.ends();
  expect(listener.counters.cutIdle).toBe(1);
});

test("a connection that finishes waits for our response however long, whatever it left incomplete", async () => {
  const clock = new ManualClock();
  const handler = new Recorder();
  handler.frame = (connection) => connection.expectResponses(1);
  using listener = listen(handler, { clock, idleTimeoutMs: 8000 });
  await using client = await TestClient.connect(listener.port);
  client.send(Buffer.concat([bigEndianFrame("x"), bigEndianFrame(Buffer.alloc(100_000)).subarray(0, 5000)]));
  await until(() => listener.counters.bytesIn === 5005);
  const stopping = listener.stop(1_000_000);
  clock.advance(60_000);
  expect([listener.counters.cutIdle, listener.counters.open]).toEqual([0, 1]);
  handler.connections[0]!.write(Buffer.from("response"));
  handler.connections[0]!.responded(1);
  await client.ends();
  client.close();
  await stopping;
  expect(client.text).toBe("response");
});

test("a peer that does not close its side after the last response is cut off after the linger time", async () => {
  const clock = new ManualClock();
  const handler = new Recorder();
  handler.frame = (connection) => connection.expectResponses(1);
  using listener = listen(handler, { clock });
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame("x"));
  await until(() => handler.connections[0]?.outstanding === 1);
  const stopping = listener.stop(1_000_000);
  handler.connections[0]!.write(Buffer.from("response"));
  handler.connections[0]!.responded(1);
  await client.ends();
  clock.advance(LINGER_MS - 1);
  expect(listener.counters.open).toBe(1);
  clock.advance(1);
  await stopping;
  expect([listener.counters.open, client.text]).toEqual([0, "response"]);
});

test("a stop does not wait for a peer with nothing under way, and what it was sent still reaches it", async () => {
  const clock = new ManualClock();
  const handler = new Recorder();
  const response = Buffer.alloc(128 * KiB, "a");
  handler.frame = (connection) => connection.write(response);
  using listener = listen(handler, { clock });
  await using client = await TestClient.connect(listener.port);
  client.pause();
  client.send(bigEndianFrame("x"));
  await until(() => listener.counters.bytesOut === response.length);
  const stopping = listener.stop(1_000_000);
  await until(() => clock.pending === 3, "the linger time");
  clock.advance(REST_LINGER_MS);
  await stopping;
  expect(listener.counters.open).toBe(0);
  client.resume();
  await client.ends();
  expect(client.text).toBe(response.toString());
});

test("a stop gives a peer that is in the middle of a frame its time to see the end", async () => {
  const clock = new ManualClock();
  using listener = listen(new Recorder(), { clock });
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame("half a frame").subarray(0, 6));
  await until(() => listener.counters.bytesIn === 6);
  const stopping = listener.stop(1_000_000);
  await client.ends();
  clock.advance(REST_LINGER_MS);
  expect(listener.counters.open).toBe(1);
  clock.advance(LINGER_MS);
  await stopping;
});

test("large frames of many connections never hold more than the budget, and all get through", async () => {
  const budget = new MemoryBudget(32 * MiB, new ManualClock());
  const handler = new Recorder();
  let usedMax = 0;
  const plain = handler.frame.bind(handler);
  handler.frame = (connection, buffer, position, end) => {
    usedMax = Math.max(usedMax, budget.usedBytes);
    plain(connection, buffer, position, end);
    connection.write(Buffer.from("."));
  };
  using listener = listen(handler, { budget });
  const clients = await Promise.all(Array.from({ length: 8 }, () => TestClient.connect(listener.port)));
  for (const client of clients) client.send(bigEndianFrame(Buffer.alloc(8 * MiB)));
  await until(() => clients.every((client) => client.text === "."), "every frame to be read");
  expect([budget.usedBytes, budget.waitingCount, budget.evictedCount]).toEqual([0, 0, 0]);
  expect(usedMax).toBeGreaterThanOrEqual(8 * MiB);
  expect(usedMax).toBeLessThanOrEqual(budget.limitBytes);
  for (const client of clients) client.close();
  await until(() => listener.counters.open === 0);
});

test("a frame larger than the whole budget is too large, whatever the frame limit says", async () => {
  const handler = new Recorder();
  using listener = listen(handler, { budget: new MemoryBudget(100 * KiB, systemClock) });
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame(Buffer.alloc(101 * KiB)));
  await client.ends();
  expect(client.text).toBe("too-large\n");
});

test("a peer that vanishes in the middle of a frame leaves no memory held or waited for", async () => {
  const budget = new MemoryBudget(MiB, new ManualClock());
  const handler = new Recorder();
  using listener = listen(handler, { budget });
  await using holder = await TestClient.connect(listener.port);
  holder.send(bigEndianFrame(Buffer.alloc(800 * KiB)).subarray(0, 700 * KiB));
  await until(() => budget.usedBytes === MiB, "the large part of the frame");
  await using waiter = await TestClient.connect(listener.port);
  waiter.send(bigEndianFrame(Buffer.alloc(900 * KiB)).subarray(0, 1000));
  await until(() => budget.waitingCount === 1);
  waiter.abort();
  await until(() => budget.waitingCount === 0);
  holder.abort();
  await until(() => listener.counters.open === 0);
  expect(budget.usedBytes).toBe(0);
  expect(handler.journals.map((journal) => journal.at(-1))).toEqual(["close", "close"]);
});

test("a peer that does not read may not request more, and gets everything when it reads again", async () => {
  const handler = new Recorder();
  const response = Buffer.alloc(MiB, 5);
  handler.frame = (connection) => connection.write(response);
  using listener = listen(handler, { outputSoftBytes: MiB });
  await using client = await TestClient.connect(listener.port);
  client.pause();
  const requested = 24;
  for (let count = 0; count < requested; count += 1) client.send(bigEndianFrame("more"));
  await until(() => (handler.connections[0]?.outputBytes ?? 0) > MiB);
  expect(handler.connections[0]!.outputBytes).toBeLessThan(4 * MiB);
  expect(handler.connections[0]!.frames).toBeLessThan(requested);
  client.resume();
  await until(() => handler.connections[0]!.bytesOut === requested * MiB);
  await until(() => client.received.length === requested * MiB);
});

test("a peer whose unsent output passes the hard limit is cut off", async () => {
  const handler = new Recorder();
  handler.frame = (connection) => connection.write(Buffer.alloc(32 * MiB));
  using listener = listen(handler, { outputSoftBytes: MiB, outputHardBytes: 8 * MiB });
  await using client = await TestClient.connect(listener.port);
  client.pause();
  client.send(bigEndianFrame("much"));
  await until(() => listener.counters.cutSlow === 1);
  expect(listener.counters.open).toBe(0);
});

test("many small responses and large ones come out in the order in which they were written", async () => {
  const handler = new Recorder();
  const parts = Array.from({ length: 3000 }, (_, index) =>
    Buffer.alloc(index % 50 === 0 ? 40_000 : index % 90, index),
  );
  handler.frame = (connection) => {
    for (const part of parts) connection.write(part);
  };
  using listener = listen(handler);
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame("go"));
  const expected = Buffer.concat(parts);
  await until(() => client.received.length >= expected.length);
  expect(client.received.equals(expected)).toBe(true);
});

test("stopping completes outstanding requests, refuses what comes later, and then ends", async () => {
  const handler = new Recorder();
  handler.frame = (connection) => connection.expectResponses(1);
  using listener = listen(handler);
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame("x"));
  await until(() => handler.connections[0]?.outstanding === 1);
  let isStopped = false;
  const stopping = listener.stop(60_000).then(() => {
    isStopped = true;
  });
  await expect(TestClient.connect(listener.port)).rejects.toThrow();
  expect(isStopped).toBe(false);
  handler.connections[0]!.write(Buffer.from("response"));
  handler.connections[0]!.responded(1);
  await client.ends();
  client.close();
  await stopping;
  expect(client.text).toBe("response");
});

test("stopping cuts off after the grace time what does not end", async () => {
  const clock = new ManualClock();
  const handler = new Recorder();
  handler.frame = (connection) => connection.expectResponses(1);
  using listener = listen(handler, { clock });
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame("x"));
  await until(() => handler.connections[0]?.outstanding === 1);
  const stopping = listener.stop(5000);
  clock.advance(5000);
  await stopping;
  await client.ends();
});

test("a handler that throws loses its connection and no other", async () => {
  const handler = new Echo();
  const plain = handler.frame.bind(handler);
  handler.frame = (connection, buffer, position, end) => {
    if (buffer.toString("utf8", position, end) === "bad") throw new Error("a bug");
    plain(connection, buffer, position, end);
  };
  using listener = listen(handler);
  await using bad = await TestClient.connect(listener.port);
  await using good = await TestClient.connect(listener.port);
  bad.send(bigEndianFrame("bad"));
  await bad.ends();
  good.send(bigEndianFrame("good"));
  await good.receives("good");
  expect([listener.counters.faults, listener.counters.open]).toEqual([1, 1]);
});

test("localhost is bound for both address families on the same port", async () => {
  const handler = new Echo();
  using listener = listen(handler, { hostname: "localhost" });
  for (const { hostname, port } of listener.addresses) {
    expect(port).toBe(listener.port);
    await using client = await TestClient.connect(port, hostname);
    client.send(bigEndianFrame(hostname));
    await client.receives(hostname);
  }
  expect(listener.addresses.map(({ hostname }) => hostname)).toContain("127.0.0.1");
});

test("a port in use is an error with its remedy", () => {
  using listener = listen(new Recorder());
  try {
    listen(new Recorder(), { port: listener.port });
    throw new Error("two listeners got one port");
  } catch (error) {
    expect(error).toBeInstanceOf(ObeliskError);
    expect((error as ObeliskError).message).toBe(
      `the port is in use (address 127.0.0.1:${listener.port}); stop the other program, or choose another port (0 takes a free one)`,
    );
  }
});

test("every failure to bind names its remedy", () => {
  const codes = ["EADDRINUSE", "EACCES", "EADDRNOTAVAIL"].map((code) => {
    const { code: name, exitCode, facts } = listenError(Object.assign(new Error("no"), { code }), "h", 80);
    return [name, exitCode, facts.remedy !== undefined, facts.address];
  });
  expect(codes).toEqual([
    ["PORT_IN_USE", 2, true, "h:80"],
    ["INVALID_SETTING", 64, true, "h:80"],
    ["INVALID_SETTING", 64, true, "h:80"],
  ]);
  expect(() => listen(new Recorder(), { hostname: "192.0.2.1" })).toThrow(
    "this machine cannot listen on that address",
  );
});

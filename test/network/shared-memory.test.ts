/** What peers can hold of the memory for requests, on real sockets. The budget's clock stands still unless a test advances it, or names another. */

import { beforeEach, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Facts, Log } from "../../src/base/log.ts";
import { MemoryBudget } from "../../src/base/memory/memory-budget.ts";
import { GRACE_MS } from "../../src/base/memory/memory-pressure.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import { COMEBACK_MS_MAX } from "../../src/network/cut-hosts.ts";
import type { FrameConnection, FrameHandler } from "../../src/network/frame-handler.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { bigEndianFrame, listen, TestClient, until } from "./support.ts";

let clock: ManualClock;
let budget: MemoryBudget;

beforeEach(() => {
  clock = new ManualClock();
  budget = new MemoryBudget(8 * MiB, clock);
});

/** Responds to each frame with a dot, unless it holds the input for a frame of four bytes: `poll` waits for records, `work` for us. */
class Dots implements FrameHandler<{ kind: string }> {
  open(): { kind: string } {
    return { kind: "" };
  }
  frame(connection: FrameConnection<{ kind: string }>, buffer: Buffer, position: number, end: number): void {
    if (end - position === 4) {
      connection.state.kind = buffer.toString("latin1", position, end);
      connection.pauseInput();
      return;
    }
    connection.releaseFrame(end - position);
    connection.write(Buffer.from("."));
  }
  isPeerWaiting(connection: FrameConnection<{ kind: string }>): boolean {
    return connection.state.kind === "poll";
  }
  turnEnd(): void {}
  written(): void {}
  violation(): void {}
  end(): void {}
  close(): void {}
}

/** Long enough that who has not moved is still, and that it was looked at. */
async function graceGoesBy(): Promise<void> {
  for (let step = 0; step < 4; step += 1) {
    clock.advance(GRACE_MS / 2);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function connectMany(count: number, port: number): Promise<TestClient[]> {
  return Promise.all(Array.from({ length: count }, () => TestClient.connect(port)));
}

const whole = (bytes: number): Buffer => bigEndianFrame(Buffer.alloc(bytes));
const allBut = (bytes: number, missing: number): Buffer => whole(bytes).subarray(0, 4 + bytes - missing);

test("announced lengths and a few bytes of each hold almost nothing, and no small request waits for them", async () => {
  using listener = listen(new Dots(), { budget });
  const slow = await connectMany(20, listener.port);
  for (const client of slow) client.send(whole(6 * MiB).subarray(0, 5));
  await until(() => budget.usedBytes === 20 * 16 * KiB, "what has come to be counted");
  expect([listener.counters.bytesIn, budget.waitingCount]).toEqual([20 * 5, 0]);
  await using honest = await TestClient.connect(listener.port);
  for (let sent = 1; sent <= 5; sent += 1) {
    honest.send(whole(MiB));
    await honest.receives(".".repeat(sent));
  }
  expect([budget.usedBytes, budget.waitedCount, listener.counters.open]).toEqual([20 * 16 * KiB, 0, 21]);
});

test("who stops before the end of a large frame is cut when another large one waits, and only then", async () => {
  const lines: [string, Facts | undefined][] = [];
  const log = {
    warn: (message: string, facts?: Facts) => void lines.push([message, facts]),
  } as unknown as Log;
  using listener = listen(new Dots(), { budget, log });
  await using stopped = await TestClient.connect(listener.port);
  stopped.send(allBut(5 * MiB, 1));
  await until(() => listener.counters.bytesIn === 4 + 5 * MiB - 1 && budget.usedBytes === 5 * MiB);
  await graceGoesBy();
  expect(stopped.isClosed).toBe(false);
  await using honest = await TestClient.connect(listener.port);
  honest.send(whole(5 * MiB));
  await honest.receives(".");
  await until(() => stopped.isClosed || stopped.hasEnded);
  expect([listener.counters.cutForMemory, budget.evictedCount, budget.usedBytes]).toEqual([1, 1, 0]);
  // Who comes from where one was cut is read a little later; who is there already does not notice.
  await using again = await TestClient.connect(listener.port);
  again.send(whole(10));
  honest.send(whole(10));
  await honest.receives("..");
  await graceGoesBy();
  clock.advance(COMEBACK_MS_MAX);
  await again.receives(".");
  const { address, ...facts } = lines[0]![1]!;
  expect([lines.length, lines[0]![0], facts, typeof address]).toEqual([
    1,
    "a connection is closed: it holds memory that others wait for, and neither sends nor reads",
    { bytes: 5 * MiB },
    "string",
  ]);
});

test("who sends on while another waits is not cut, and both come through", async () => {
  using listener = listen(new Dots(), { budget });
  await using first = await TestClient.connect(listener.port);
  const frame = whole(5 * MiB);
  first.send(frame.subarray(0, 3 * MiB));
  await until(() => listener.counters.bytesIn === 3 * MiB);
  await using second = await TestClient.connect(listener.port);
  second.send(frame);
  await until(() => budget.waitingCount === 1);
  for (let start = 3 * MiB; start < frame.length; start += 256 * KiB) {
    clock.advance(GRACE_MS / 2);
    const before = listener.connections.values().next().value!.bytesIn;
    first.send(frame.subarray(start, start + 256 * KiB));
    await until(() => listener.connections.values().next().value!.bytesIn > before);
  }
  await first.receives(".");
  await second.receives(".");
  expect([budget.evictedCount, budget.usedBytes]).toEqual([0, 0]);
});

test("small frames that are not whole are counted while they are not, idle connections hold nothing", async () => {
  using listener = listen(new Dots(), { budget });
  const clients = await connectMany(10, listener.port);
  for (const client of clients) client.send(whole(40 * KiB).subarray(0, 5));
  await until(() => budget.usedBytes === 10 * 16 * KiB, "what has come to be counted");
  for (const client of clients) client.send(whole(40 * KiB).subarray(5));
  for (const client of clients) await client.receives(".");
  expect(budget.usedBytes).toBe(0);
});

test("what a peer sends after its own long poll is counted, and the peer is cut when others wait for the memory", async () => {
  budget = new MemoryBudget(1.25 * MiB, clock);
  using listener = listen(new Dots(), { budget });
  const after = 30 * KiB;
  const pollers = await connectMany(32, listener.port);
  const workers = await connectMany(4, listener.port);
  for (const client of pollers) client.send(Buffer.concat([bigEndianFrame("poll"), whole(after)]));
  for (const client of workers) client.send(Buffer.concat([bigEndianFrame("work"), whole(after)]));
  await until(() => budget.usedBytes === 36 * (4 + after), "what comes after to be counted");
  await graceGoesBy();
  expect(listener.counters.open).toBe(36);
  await using honest = await TestClient.connect(listener.port);
  const before = listener.counters.bytesIn;
  honest.send(whole(300 * KiB).subarray(0, 70 * KiB));
  await until(() => listener.counters.bytesIn === before + 70 * KiB);
  honest.send(whole(300 * KiB).subarray(70 * KiB));
  await honest.receives(".");
  // The others and the 512 KiB that gather the frame fit beside each other.
  const needed = 11;
  expect([listener.counters.cutForMemory, budget.usedBytes]).toEqual([needed, (36 - needed) * (4 + after)]);
  await until(() => pollers.filter(({ isClosed, hasEnded }) => isClosed || hasEnded).length === needed);
});

test("a frame of 256 KiB or less never waits: who stands still with small ones makes room at once", async () => {
  budget = new MemoryBudget(2 * MiB, clock);
  using listener = listen(new Dots(), { budget });
  const stopped = await connectMany(8, listener.port);
  for (const client of stopped) client.send(allBut(250 * KiB, 1));
  await until(() => listener.counters.bytesIn === 8 * (250 * KiB + 3) && budget.usedBytes === 2 * MiB);
  await graceGoesBy();
  await using honest = await TestClient.connect(listener.port);
  for (let sent = 1; sent <= 3; sent += 1) {
    honest.send(whole(200 * KiB));
    await honest.receives(".".repeat(sent));
  }
  expect(budget.waitedCount).toBe(0);
  for (const client of await connectMany(2, listener.port)) client.send(allBut(250 * KiB, 1));
  await until(() => listener.counters.cutForMemory > 0);
  expect([honest.isClosed || honest.hasEnded, budget.usedBytes <= budget.ceilingBytes]).toEqual([
    false,
    true,
  ]);
});

test("two listeners share the memory, and peers of one cannot block the other", async () => {
  budget = new MemoryBudget(8 * MiB, systemClock);
  using one = listen(new Dots(), { budget, byteOrder: "little-endian" });
  using other = listen(new Dots(), { budget });
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(2 * MiB);
  const stopped = await connectMany(5, one.port);
  for (const client of stopped) client.send(Buffer.concat([prefix, Buffer.alloc(1500 * KiB)]));
  await until(() => budget.waitingCount > 0);
  await using honest = await TestClient.connect(other.port);
  for (let sent = 1; sent <= 3; sent += 1) {
    honest.send(whole(200 * KiB));
    await honest.receives(".".repeat(sent));
  }
  honest.send(whole(3 * MiB));
  await honest.receives("....");
  expect([other.counters.cutForMemory, one.counters.cutForMemory > 0]).toEqual([0, true]);
});

/** Frames of many connections that come together are spread over turns of the loop; nothing is lost, and each connection keeps its order. */

import { expect, test } from "bun:test";
import { loopTurns } from "../../src/base/loop/loop-turns.ts";
import type { FrameConnection, FrameHandler } from "../../src/network/frame-handler.ts";
import { FrameTurns, frameTurns, type TurnWaiter } from "../../src/network/frame-turns.ts";
import { bigEndianFrame, listen, TestClient, until } from "./support.ts";

const CLIENTS = 12;
const FRAMES = 10;
const FRAME_MS = 5;

test("a turn takes no further frame when it has taken long, and the others follow in later turns", async () => {
  const delivered = new Map<number, string[]>();
  let inTurn = 0;
  let most = 0;
  const handler: FrameHandler<null> = {
    open: () => null,
    frame: ({ id }: FrameConnection<null>, buffer, position, end) => {
      loopTurns.enter("test");
      if (inTurn === 0) setImmediate(() => (inTurn = 0));
      inTurn += 1;
      most = Math.max(most, inTurn);
      const frames = delivered.get(id) ?? [];
      delivered.set(id, frames);
      frames.push(buffer.toString("utf8", position, end));
      for (const startedMs = performance.now(); performance.now() - startedMs < FRAME_MS; );
    },
    turnEnd: () => {},
    violation: () => {},
    end: () => {},
    written: () => {},
    isPeerWaiting: () => false,
    close: () => {},
  };
  using listener = listen(handler);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => TestClient.connect(listener.port)));
  const names = Array.from({ length: FRAMES }, (_, index) => `${index}`);
  for (const client of clients) client.send(Buffer.concat(names.map(bigEndianFrame)));
  await until(() => [...delivered.values()].filter(({ length }) => length === FRAMES).length === CLIENTS);
  for (const client of clients) client.close();
  expect([...delivered.values()]).toEqual(clients.map(() => names));
  // Two take 10 ms; the third has begun before that is known.
  expect(most).toBeLessThanOrEqual(4);
});

class Waiter implements TurnWaiter {
  constructor(
    readonly name: string,
    readonly journal: string[],
    readonly canWait = true,
    readonly isLong = false,
  ) {}
  turnCame(): void {
    this.journal.push(`${this.name} goes on`);
  }
  turnSpent(): boolean {
    this.journal.push(`${this.name} ${this.canWait ? "is not read" : "is held already"}`);
    return this.canWait;
  }
}

test("the first who waits ends the turn for those in the middle of long frames, once, and they come after it", async () => {
  const journal: string[] = [];
  const long = new Waiter("long", journal);
  const held = new Waiter("held", journal, false);
  const gone = new Waiter("gone", journal);
  for (const waiter of [long, held, gone]) frameTurns.addLong(waiter);
  frameTurns.remove(gone);
  frameTurns.wait(new Waiter("first", journal));
  frameTurns.wait(new Waiter("second", journal));
  await until(() => journal.includes("second goes on"));
  for (const waiter of [long, held]) frameTurns.remove(waiter);
  expect(journal).toEqual([
    "long is not read",
    "held is held already",
    "first goes on",
    "second goes on",
    "long goes on",
  ]);
});

test("who needs little goes first, and of the long ones one goes on in each turn however much waits", async () => {
  const journal: string[] = [];
  class Busy extends Waiter {
    override turnCame(): void {
      super.turnCame();
      loopTurns.enter("test");
      for (const startedMs = performance.now(); performance.now() - startedMs < 21; );
      loopTurns.enter("test");
    }
  }
  for (const name of ["long 1", "long 2"]) frameTurns.wait(new Busy(name, journal, true, true));
  for (const name of ["short 1", "short 2", "short 3"]) frameTurns.wait(new Busy(name, journal));
  await until(() => journal.length === 5);
  expect(journal.map((line) => line.replace(" goes on", ""))).toEqual([
    "short 1",
    "long 1",
    "short 2",
    "long 2",
    "short 3",
  ]);
});

test("long frames have less of a turn than what needs little", () => {
  const turn = { spentMs: 0 };
  const turns = new FrameTurns(turn);
  const spent = (spentMs: number) => {
    turn.spentMs = spentMs;
    return [turns.isSpent(new Waiter("long", [], true, true)), turns.isSpent(new Waiter("short", []))];
  };
  expect([3.9, 4, 9.9, 10].map(spent)).toEqual([
    [false, false],
    [true, false],
    [true, false],
    [true, true],
  ]);
});

test("of the long ones that wait sixteen are read in a turn, and of the others all", async () => {
  const turns = new FrameTurns({ spentMs: 0 });
  const served: string[] = [];
  let inTurn = 0;
  class Counted extends Waiter {
    override turnCame(): void {
      if (inTurn === 0) setImmediate(() => served.push(`${(inTurn = 0)}`));
      inTurn += 1;
      served.push(this.name);
    }
  }
  for (let count = 0; count < 40; count += 1) turns.wait(new Counted("long", [], true, true));
  for (let count = 0; count < 40; count += 1) turns.wait(new Counted("short", []));
  await until(() => served.length === 83);
  const sizes = served
    .join(" ")
    .split(" 0")
    .map((turn) => [turn.split("short").length - 1, turn.split("long").length - 1]);
  expect(sizes).toEqual([
    [40, 16],
    [0, 16],
    [0, 8],
    [0, 0],
  ]);
});

test("a turn that is spent ends for long frames although some wait since the turn before", async () => {
  const turn = { spentMs: 10 };
  const turns = new FrameTurns(turn);
  const journal: string[] = [];
  class Followed extends Waiter {
    override turnCame(): void {
      super.turnCame();
      // After the turn of those that wait: as a socket whose frames find the next one spent.
      queueMicrotask(() => turns.wait(new Waiter("late", journal)));
    }
  }
  turns.addLong(new Waiter("long", journal));
  turns.wait(new Followed("first", journal));
  turns.wait(new Waiter("second", journal));
  await until(() => journal.includes("late goes on"));
  expect(journal.filter((line) => line !== "long goes on")).toEqual([
    "long is not read",
    "first goes on",
    "long is not read",
    "second goes on",
    "late goes on",
  ]);
});

test("the last thousand who have sent no frame yet are not read in a turn that is spent", async () => {
  const turns = new FrameTurns({ spentMs: 0 });
  const journal: string[] = [];
  const newcomers = Array.from({ length: 1002 }, (_, index) => new Waiter(`${index}`, journal, false, true));
  for (const newcomer of newcomers) turns.addNewcomer(newcomer);
  turns.addLong(newcomers[1001]!);
  turns.remove(newcomers[5]!);
  turns.wait(new Waiter("late", []));
  expect([journal.length, journal.slice(0, 5).map((line) => line.split(" ")[0])]).toEqual([
    999,
    ["1001", "2", "3", "4", "6"],
  ]);
});

test("a connection counts as long until its first frame, and in the middle of one above 64 KiB", async () => {
  using listener = listen({
    open: () => null,
    frame: () => {},
    turnEnd: () => {},
    violation: () => {},
    end: () => {},
    written: () => {},
    isPeerWaiting: () => false,
    close: () => {},
  });
  const client = await TestClient.connect(listener.port);
  await until(() => listener.connections.size === 1);
  const [connection] = [...listener.connections];
  const stages = [connection!.isLong];
  client.send(bigEndianFrame("short"));
  await until(() => connection!.frames === 1);
  stages.push(connection!.isLong);
  const long = bigEndianFrame("x".repeat(70_000));
  client.send(long.subarray(0, 50_000));
  await until(() => connection!.bytesIn > 40_000);
  stages.push(connection!.isLong);
  client.send(long.subarray(50_000));
  await until(() => connection!.frames === 2);
  stages.push(connection!.isLong);
  client.close();
  expect(stages).toEqual([true, false, true, false]);
});

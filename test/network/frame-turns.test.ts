/** Frames of many connections that come together are spread over turns of the loop; nothing is lost, and each connection keeps its order. */

import { expect, test } from "bun:test";
import { loopTurns } from "../../src/base/loop/loop-turns.ts";
import type { FrameConnection, FrameHandler } from "../../src/network/frame-handler.ts";
import { frameTurns, type TurnWaiter } from "../../src/network/frame-turns.ts";
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

test("the first who waits ends the turn for those in the middle of long frames, once, and they come behind it", async () => {
  const journal: string[] = [];
  const long = new Waiter("long", journal);
  const held = new Waiter("held", journal, false);
  const gone = new Waiter("gone", journal);
  for (const waiter of [long, held, gone]) frameTurns.add(waiter);
  frameTurns.evict(gone);
  frameTurns.wait(new Waiter("first", journal));
  frameTurns.wait(new Waiter("second", journal));
  await until(() => journal.includes("second goes on"));
  for (const waiter of [long, held]) frameTurns.evict(waiter);
  expect(journal).toEqual([
    "long is not read",
    "held is held already",
    "first goes on",
    "second goes on",
    "long goes on",
  ]);
});

test("who asks for little goes first, and of the long ones one goes on in each turn however much waits", async () => {
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

/** Turns on a clock that the test advances: who took them, and how long. `round` is the loop that comes round. */

import { expect, test } from "bun:test";
import { type LongTurnListener, LoopTurns, loopTurns } from "../../../src/base/loop/loop-turns.ts";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import { MINUTE_MS } from "../../../src/base/units.ts";
import { ManualClock } from "../../support/manual-clock.ts";

function watched() {
  const clock = new ManualClock();
  let ending: (() => void) | null = null;
  const turns = new LoopTurns(clock, (callback) => {
    ending = callback;
  });
  const round = () => {
    ending?.();
    ending = null;
  };
  /** One turn of these pieces. */
  const turn = (...pieces: (readonly [work: string, ms: number])[]) => {
    for (const [work, ms] of pieces) {
      turns.enter(work);
      clock.advance(ms);
    }
    round();
  };
  const told = () =>
    Array.from(turns.works, ({ work, longestMs, longestPieceMs, longCount }) => [
      work,
      longestMs,
      longestPieceMs,
      longCount,
    ]);
  return { clock, turns, round, turn, told };
}

test("a turn is recorded under the work that took most of it, with all its time", () => {
  const { turn, told } = watched();
  turn(["Produce", 3], ["Metadata", 40], ["commit", 10]);
  turn(["Produce", 20], ["Metadata", 5]);
  expect(told()).toEqual([
    ["Produce", 25, 20, 0],
    ["Metadata", 53, 40, 1],
    ["commit", 0, 10, 0],
  ]);
});

test("many small pieces make a long turn of which no piece is long", () => {
  const { turn, told } = watched();
  turn(...Array.from({ length: 30 }, () => ["Produce", 2] as const));
  expect(told()).toEqual([["Produce", 60, 2, 1]]);
});

test("time between turns counts for nobody", () => {
  const { clock, turn, told } = watched();
  turn(["Fetch", 2]);
  clock.advance(10_000);
  turn(["Fetch", 3]);
  expect(told()).toEqual([["Fetch", 3, 3, 0]]);
});

test("turns of up to a millisecond are not recorded, and their time is added up all the same", () => {
  const { turn, turns, told } = watched();
  turn(["Fetch", 0.5], ["Produce", 0.25], ["Fetch", 0.125]);
  expect(told()).toEqual([
    ["Fetch", 0, 0, 0],
    ["Produce", 0, 0, 0],
  ]);
  expect(Array.from(turns.works, ({ totalMs }) => totalMs)).toEqual([0.625, 0.25]);
});

test("work within work is a piece of its own, and the outer work goes on after it, also when it throws", () => {
  const { clock, turns, round, told } = watched();
  turns.enter("ListOffsets");
  clock.advance(2);
  expect(turns.during("index rebuild", () => clock.advance(30))).toBeUndefined();
  clock.advance(4);
  const broken = () =>
    turns.during("index rebuild", () => {
      clock.advance(31);
      throw new Error("broken");
    });
  expect(broken).toThrow("broken");
  expect(turns.work).toBe("ListOffsets");
  clock.advance(3);
  round();
  expect(told()).toEqual([
    ["ListOffsets", 0, 4, 0],
    ["index rebuild", 70, 31, 1],
  ]);
});

test("a piece gets its better name without a look at the clock", () => {
  const { clock, turns, round, told } = watched();
  turns.enter("socket");
  turns.rename("native");
  clock.advance(7);
  round();
  expect([told(), turns.work]).toEqual([[["native", 7, 7, 0]], "other"]);
});

test("the longest recent turn expires after two minutes, that since the start is not", () => {
  const { clock, turns, turn } = watched();
  const recent = () => Array.from(turns.works, (each) => [each.longestMs, each.recentMs(turns.nowMs)]);
  turn(["Produce", 80]);
  turn(["Produce", 30]);
  expect(recent()).toEqual([[80, 80]]);
  clock.advance(MINUTE_MS);
  turn(["Produce", 20]);
  expect(recent()).toEqual([[80, 80]]);
  clock.advance(MINUTE_MS);
  expect(recent()).toEqual([[80, 20]]);
  clock.advance(10 * MINUTE_MS);
  expect(recent()).toEqual([[80, 0]]);
});

test("listeners are told of turns above 50 ms, until they are removed", () => {
  const { turns, turn } = watched();
  const heard: Parameters<LongTurnListener>[] = [];
  const unsubscribe = turns.onLong((...turnTold) => heard.push(turnTold));
  turn(["Produce", 50]);
  turn(["Produce", 51]);
  turn(["Fetch", 40], ["commit", 45]);
  unsubscribe();
  turn(["Produce", 500]);
  expect(heard).toEqual([
    ["Produce", 51, 51],
    ["commit", 85, 45],
  ]);
});

test("work that goes on in the loop's next turn is named again by itself", async () => {
  loopTurns.enter("work of this test");
  await nextTurn();
  expect([loopTurns.isOpen, loopTurns.work]).toEqual([true, "work of this test"]);
});

test("the real loop ends a turn when it comes round", async () => {
  loopTurns.enter("work of this test");
  await new Promise((resolve) => setImmediate(resolve));
  expect(loopTurns.isOpen).toBe(false);
});

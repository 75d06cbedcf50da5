/** A loop that is blocked, as the log and the metrics see it. `held` is time in which no timer fires. */

import { expect, test } from "bun:test";
import type { Clock, Timer } from "../../../src/base/clock.ts";
import type { Facts, Log } from "../../../src/base/log.ts";
import { LoopTurns } from "../../../src/base/loop/loop-turns.ts";
import { LOOK_MS, LoopWatch } from "../../../src/base/loop/loop-watch.ts";

/** A clock whose timer fires when the test lets it, as late as that is. */
class HeldClock implements Clock {
  ms = 0;
  due: (() => void) | null = null;
  nowMs = () => this.ms;
  monotonicMs = () => this.ms;
  steadyMs = () => this.ms;

  after(_delayMs: number, callback: () => void): Timer {
    this.due = callback;
    return {
      cancel: () => {
        this.due = null;
      },
    };
  }

  /** The timer fires, `lateMs` after its time. */
  look(lateMs: number): void {
    this.ms += LOOK_MS + lateMs;
    const { due } = this;
    this.due = null;
    due?.();
  }
}

function watching() {
  const clock = new HeldClock();
  const lines: [level: string, message: string, facts: Facts | undefined][] = [];
  const line = (level: string) => (message: string, facts?: Facts) =>
    void lines.push([level, message, facts]);
  const log: Log = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  let end = () => {};
  const turns = new LoopTurns(clock, (callback) => {
    end = callback;
  });
  const watch = new LoopWatch(turns, clock, log);
  const turn = (work: string, ms: number) => {
    turns.enter(work);
    clock.ms += ms;
    end();
  };
  const told = () => Array.from(turns.works, ({ work, longestMs }) => [work, longestMs]);
  return { clock, turns, watch, turn, lines, told };
}

test("a turn that nobody named is noticed by the timer that fires late", () => {
  const { clock, told } = watching();
  clock.look(0);
  clock.look(20);
  expect(told()).toEqual([]);
  clock.look(180);
  clock.look(3);
  expect(told()).toEqual([["other", 180]]);
});

test("a turn that was reported is not reported again when the timer fires late after it", () => {
  const { clock, turn, told } = watching();
  turn("Metadata", LOOK_MS + 200);
  clock.ms -= LOOK_MS;
  clock.look(2);
  expect(told()).toEqual([["Metadata", LOOK_MS + 200]]);
});

test("a timer that fires in an open turn leaves it to that turn", () => {
  const { clock, turns, told } = watching();
  turns.enter("Produce");
  clock.look(90);
  expect(told()).toEqual([]);
});

test("a turn above 100 ms has its line with its work, one of a second a warning", () => {
  const { turn, lines } = watching();
  turn("Produce", 99);
  turn("Fetch", 100.6);
  turn("Metadata", 1200);
  expect(lines).toEqual([
    ["debug", "a turn of the event loop was long", { work: "Fetch", ms: 101, pieceMs: 101 }],
    [
      "warn",
      "the event loop was blocked: all clients have waited",
      { work: "Metadata", ms: 1200, pieceMs: 1200 },
    ],
  ]);
});

test("a watch that was stopped looks no more and logs nothing", () => {
  const { clock, watch, turn, lines } = watching();
  watch.stop();
  turn("Metadata", 1200);
  expect([clock.due, lines]).toEqual([null, []]);
});

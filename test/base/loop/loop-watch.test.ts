/** A loop that is blocked, as the log and the metrics see it. `held` is time in which no timer fires. */

import { expect, test } from "bun:test";
import type { Clock, Timer } from "../../../src/base/clock.ts";
import type { Facts, Log } from "../../../src/base/log.ts";
import { LoopTurns } from "../../../src/base/loop/loop-turns.ts";
import { LOOK_MS, LoopWatch, STALL_AGE_MS } from "../../../src/base/loop/loop-watch.ts";

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

test("a pause after which others were served before the timer is noticed all the same", () => {
  const { clock, turns, turn, told } = watching();
  clock.ms += LOOK_MS + 1300;
  turn("http", 4);
  clock.ms -= LOOK_MS + 1304;
  clock.look(1304);
  expect(told()).toEqual([
    ["http", 4],
    ["other", 1300],
  ]);
  clock.ms += LOOK_MS + 1400;
  turns.enter("Produce");
  clock.ms -= LOOK_MS + 1400;
  clock.look(1400);
  expect(told()[1]).toEqual(["other", 1400]);
});

test("a stall of more than a second is recent for ten seconds, and the last one counts", () => {
  const { clock, watch, turn } = watching();
  expect(watch.recentStall).toBe(null);
  turn("Produce", 1000);
  expect(watch.recentStall).toBe(null);
  turn("Produce", 3000);
  turn("Fetch", 1001);
  expect(watch.recentStall).toEqual({ work: "Fetch", ms: 1001, atMs: clock.ms });
  clock.ms += STALL_AGE_MS;
  expect(watch.recentStall?.work).toBe("Fetch");
  clock.ms += 1;
  expect(watch.recentStall).toBe(null);
});

test("how late the timer comes is counted", () => {
  const { clock, watch } = watching();
  clock.look(0);
  clock.look(1500);
  const { count, sum } = watch.delaySeconds;
  expect([count, sum]).toEqual([2, 1.5]);
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

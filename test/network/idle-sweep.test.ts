import { expect, test } from "bun:test";
import { IDLE_TICKS, IdleSweep } from "../../src/network/idle-sweep.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("one timer serves all, runs only while something is watched, and ticks eight times in a timeout", () => {
  const clock = new ManualClock();
  const sweep = new IdleSweep(clock, 8000);
  const ticks: string[] = [];
  const watched = ["a", "b"].map((name) => ({ tick: (tick: number) => void ticks.push(`${name}${tick}`) }));
  expect(clock.pending).toBe(0);
  for (const one of watched) sweep.watch(one);
  expect(clock.pending).toBe(1);
  clock.advance(2000);
  expect(ticks).toEqual(["a1", "b1", "a2", "b2"]);
  sweep.unwatch(watched[0]!);
  clock.advance(1000);
  sweep.unwatch(watched[1]!);
  clock.advance(8000);
  expect([ticks.slice(4), clock.pending, sweep.now, IDLE_TICKS]).toEqual([["b3"], 0, 3, 8]);
});

test("what is watched may leave during a tick, the last one stops the timer", () => {
  const clock = new ManualClock();
  const sweep = new IdleSweep(clock, 80);
  const leaving = { tick: () => sweep.unwatch(leaving) };
  sweep.watch(leaving);
  clock.advance(1000);
  expect([sweep.now, clock.pending]).toEqual([1, 0]);
});

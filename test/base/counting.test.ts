import { expect, test } from "bun:test";
import { Histogram } from "../../src/base/histogram.ts";
import { OUTCOME_AGE_MS_MAX, OutcomeWindow } from "../../src/base/outcome-window.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("a histogram counts each value at the first bound that holds it", () => {
  const histogram = new Histogram([1, 10, 100]);
  for (const value of [0, 1, 2, 10, 99, 101]) histogram.observe(value);
  expect([histogram.counts, histogram.sum, histogram.count]).toEqual([[2, 2, 1, 1], 213, 6]);
});

test("a window knows the success rate of its last operations only", () => {
  const window = new OutcomeWindow(4, new ManualClock());
  expect([window.successRate, window.operationCount, window.lastSuccessAtMs]).toEqual([1, 0, 0]);
  for (const [index, isSuccess] of [true, false, false, true, true].entries())
    window.record(isSuccess, 100 + index);
  expect([window.successRate, window.operationCount, window.lastSuccessAtMs]).toEqual([0.5, 5, 104]);
});

test("outcomes age out by the clock, also when nothing more comes", () => {
  const clock = new ManualClock();
  const window = new OutcomeWindow(4, clock);
  for (let count = 0; count < 6; count += 1) window.record(false, clock.nowMs());
  clock.advance(OUTCOME_AGE_MS_MAX - 1);
  window.record(true, clock.nowMs());
  expect(window.successRate).toBe(0.25);
  clock.advance(2);
  expect(window.successRate).toBe(1);
  clock.advance(OUTCOME_AGE_MS_MAX);
  expect([window.successRate, window.operationCount]).toEqual([1, 7]);
});

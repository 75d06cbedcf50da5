import { expect, test } from "bun:test";
import { Histogram } from "../../src/base/histogram.ts";
import { OutcomeWindow } from "../../src/base/outcome-window.ts";

test("a histogram counts each value at the first bound that holds it", () => {
  const histogram = new Histogram([1, 10, 100]);
  for (const value of [0, 1, 2, 10, 99, 101]) histogram.observe(value);
  expect([histogram.counts, histogram.sum, histogram.count]).toEqual([[2, 2, 1, 1], 213, 6]);
});

test("a window knows the success rate of its last operations only", () => {
  const window = new OutcomeWindow(4);
  expect([window.successRate, window.operationCount, window.lastSuccessAtMs]).toEqual([1, 0, 0]);
  for (const [index, isSuccess] of [true, false, false, true, true].entries())
    window.record(isSuccess, 100 + index);
  expect([window.successRate, window.operationCount, window.lastSuccessAtMs]).toEqual([0.5, 5, 104]);
});

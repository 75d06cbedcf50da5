import { expect, test } from "bun:test";
import {
  rateNow,
  ratesOf,
  type Sample,
  samplesOf,
  withSample,
} from "../../../../../src/http/dashboard/app/overview/samples.ts";

const MINUTE = 60_000;

test("totals become rates between neighbours; a total that falls, or is not known, leaves a gap", () => {
  const samples: Sample[] = [
    { at: 0, bytes: 100 },
    { at: 5000, bytes: 1100 },
    { at: 10_000, bytes: null },
    { at: 15_000, bytes: 5000 },
    { at: 20_000, bytes: 10 },
    { at: 20_000, bytes: 20 },
  ];
  expect(ratesOf(samples, "bytes")).toEqual([null, 200, null, null, null, null]);
});

test("the rate of the moment is taken over some seconds", () => {
  const samples = Array.from({ length: 20 }, (_, second) => ({
    at: second * 1000,
    n: second < 15 ? 0 : (second - 14) * 10,
  }));
  expect(rateNow(samples, "n")).toBe(10);
  expect(rateNow(samples, "n", 10_000)).toBe(5);
  expect([rateNow([], "n"), rateNow(samples.slice(0, 1), "n")]).toEqual([null, null]);
});

test("what is older than a quarter of an hour goes, and nothing stands twice", () => {
  const history = samplesOf({
    stepMs: 5000,
    series: { at: [0, MINUTE, 14 * MINUTE], lag: [1, null, 3] },
    lagByGroup: {},
  });
  expect(history).toEqual([
    { at: 0, lag: 1 },
    { at: MINUTE, lag: null },
    { at: 14 * MINUTE, lag: 3 },
  ]);
  expect(withSample(history, { at: 15.5 * MINUTE, lag: 4 })).toEqual([
    { at: MINUTE, lag: null },
    { at: 14 * MINUTE, lag: 3 },
    { at: 15.5 * MINUTE, lag: 4 },
  ]);
  expect(withSample(history, { at: MINUTE, lag: 5 })).toEqual([
    { at: 0, lag: 1 },
    { at: MINUTE, lag: 5 },
  ]);
});

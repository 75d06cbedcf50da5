import { expect, test } from "bun:test";
import {
  HISTORY_GROUPS_MAX,
  HISTORY_SAMPLES,
  HISTORY_SERIES,
  History,
  type HistorySample,
} from "../../../src/http/metrics/history.ts";

function sampleOf(at: number): HistorySample {
  const sample = Object.fromEntries(HISTORY_SERIES.map((name) => [name, null]));
  return { ...(sample as HistorySample), at };
}

test("samples come out in order, the oldest first, and what is not known is null", () => {
  const history = new History();
  expect(history.read().series.at).toEqual([]);
  history.add({ ...sampleOf(1), lag: 0 }, []);
  history.add(sampleOf(2), []);
  const { series } = history.read();
  expect([series.at, series.lag, series.bytesIn]).toEqual([
    [1, 2],
    [0, null],
    [null, null],
  ]);
});

test("a full ring keeps the latest", () => {
  const history = new History();
  for (let at = 0; at < HISTORY_SAMPLES + 7; at += 1) history.add(sampleOf(at), []);
  const { at } = history.read().series;
  expect([at.length, at[0], at.at(-1)]).toEqual([HISTORY_SAMPLES, 7, HISTORY_SAMPLES + 6]);
});

test("a group's lag is null where it was not told, and is forgotten with its last sample", () => {
  const history = new History();
  history.add(sampleOf(0), [
    ["billing", 3],
    ["unknown", null],
  ]);
  history.add(sampleOf(1), [["audit", 5]]);
  expect(history.read().lagByGroup).toEqual({ billing: [3, null], audit: [null, 5] });
  for (let at = 2; at <= HISTORY_SAMPLES; at += 1) history.add(sampleOf(at), [["audit", at]]);
  expect(Object.keys(history.read().lagByGroup)).toEqual(["audit"]);
});

test("of too many groups the first are kept, and none of those makes room for another one", () => {
  const history = new History();
  const named = (from: number) =>
    Array.from({ length: HISTORY_GROUPS_MAX + 10 }, (_, index) => [`g${from + index}`, 1] as const);
  history.add(sampleOf(0), named(0));
  expect(Object.keys(history.read().lagByGroup).length).toBe(HISTORY_GROUPS_MAX);
  history.add(sampleOf(1), [["new", 9], ...named(0)]);
  const { lagByGroup } = history.read();
  expect(lagByGroup["new"]).toEqual([null, 9]);
  expect(lagByGroup["g0"]).toEqual([1, 1]);
  expect(lagByGroup[`g${HISTORY_GROUPS_MAX - 1}`]).toBeUndefined();
  expect(Object.keys(lagByGroup).length).toBe(HISTORY_GROUPS_MAX);
});

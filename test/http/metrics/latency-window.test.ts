import { expect, test } from "bun:test";
import { Histogram } from "../../../src/base/histogram.ts";
import { LatencyWindow } from "../../../src/http/metrics/latency-window.ts";

function watched(ticks: number) {
  const histogram = new Histogram([0.001, 0.01, 0.1]);
  const window = new LatencyWindow(() => [histogram], ticks);
  const observe = (seconds: number, times: number) => {
    for (let time = 0; time < times; time += 1) histogram.observe(seconds);
  };
  return { window, observe };
}

test("what was not counted yet, or not lately, has no latencies", () => {
  expect(new LatencyWindow(() => [], 5).read()).toBe(null);
  const { window, observe } = watched(1);
  observe(0.005, 10);
  window.tick();
  expect(window.read()).toBe(null);
});

test("quantiles lie within their bucket, as if its values were spread evenly", () => {
  const { window, observe } = watched(2);
  observe(0.005, 100);
  expect(window.read()).toEqual({ count: 100, p50Ms: 5.5, p95Ms: 9.55, p99Ms: 9.91 });
});

test("several histograms count together, also one that comes later", () => {
  const first = new Histogram([0.001, 0.01]);
  const second = new Histogram([0.001, 0.01]);
  const sources = [first];
  const window = new LatencyWindow(() => sources, 1);
  first.observe(0.005);
  window.tick();
  sources.push(second);
  first.observe(0.005);
  second.observe(0.0005);
  expect(window.read()).toEqual({ count: 2, p50Ms: 1, p95Ms: 9.1, p99Ms: 9.82 });
});

test("what lies above the last bound is told as that bound", () => {
  const { window, observe } = watched(2);
  observe(7, 4);
  expect(window.read()).toEqual({ count: 4, p50Ms: 100, p95Ms: 100, p99Ms: 100 });
});

test("only what came within the last ticks counts", () => {
  const { window, observe } = watched(3);
  const counted = () => window.read()?.count ?? 0;
  observe(0.005, 1);
  const seen: number[] = [];
  for (let tick = 0; tick < 5; tick += 1) {
    seen.push(counted());
    window.tick();
  }
  observe(0.05, 2);
  seen.push(counted());
  expect(seen).toEqual([1, 1, 1, 0, 0, 2]);
});

import { expect, test } from "bun:test";
import { percentile, scenarioMessages } from "../../commands/produce-scenarios.ts";

test("size sends 150 messages at once, 50 to each of three topics", () => {
  const messages = scenarioMessages("size");
  const counts = Object.groupBy(messages, ({ topic }) => topic);
  expect(Object.entries(counts).map(([topic, list]) => [topic, list!.length])).toEqual([
    ["topic-0", 50],
    ["topic-1", 50],
    ["topic-2", 50],
  ]);
  expect(messages.every(({ delayMs }) => delayMs === 0)).toBe(true);
});

test("time sends 5 messages two seconds apart, realistic 50 with growing delays", () => {
  expect(scenarioMessages("time").map(({ delayMs }) => delayMs)).toEqual([0, 2000, 2000, 2000, 2000]);
  const delays = scenarioMessages("realistic").map(({ delayMs }) => delayMs);
  expect([delays.length, delays[0], delays[1], delays.at(-1)]).toEqual([50, 50, 60, 540]);
});

test("a percentile is a value that was measured", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([0.5, 0.99, 1].map((part) => percentile(hundred, part))).toEqual([50, 99, 100]);
  expect([percentile([7], 0.5), percentile([], 0.5)]).toEqual([7, 0]);
});

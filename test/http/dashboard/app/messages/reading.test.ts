import { expect, test } from "bun:test";
import {
  downloadPath,
  filterOf,
  filterShift,
  followPath,
  isEnd,
  pagePath,
  queryOf,
  type Reading,
  readingOf,
} from "../../../../../src/http/dashboard/app/messages/reading.ts";

function reading(query: string): Reading {
  return readingOf(new URLSearchParams(query));
}

test("a reading comes back from its address as it was", () => {
  for (const query of [
    "topic=a&partition=3&from=offset&offset=12&filter=value.a+%3D%3D+1&key=k",
    "topic=a&from=time&time=2026-03-04T05%3A06",
    "topic=a&latest=1",
    "topic=a",
  ]) {
    const told = Object.entries(queryOf(reading(query))).filter(
      ([, value]) => value !== null && value !== "",
    );
    expect(new URLSearchParams(told as [string, string][]).toString()).toBe(query);
  }
});

test("the newest of each key are known only from behind", () => {
  expect(reading("topic=a&from=oldest&latest=1").from).toBe("newest");
  expect(reading("topic=a&from=nonsense").from).toBe("newest");
});

test("a key that is looked for joins the filter, quoted, and a fault is shown where it was typed", () => {
  const both = reading('topic=a&filter=value.a or value.b&key="quoted"');
  expect(filterOf(both)).toBe('(value.a or value.b) and key == "\\"quoted\\""');
  expect(filterOf(both)!.slice(filterShift(both))).toStartWith("value.a or");
  expect([
    filterOf(reading("topic=a&key=k")),
    filterOf(reading("topic=a")),
    filterOf(reading("topic=a&filter= ")),
  ]).toEqual(['key == "k"', undefined, undefined]);
});

test("a page begins where the reading says, and the next one where the last one ended", () => {
  expect(pagePath(reading("topic=a%2Fb"), null, 100)).toBe("/topics/a%2Fb/messages?limit=100&order=desc");
  expect(pagePath(reading("topic=a"), { 0: 12, 3: 4 }, 7)).toBe(
    "/topics/a/messages?offset=0%3A12%2C3%3A4&limit=7&order=desc",
  );
  expect(pagePath(reading("topic=a&from=offset&partition=1"), null, 5)).toBe(
    "/topics/a/messages?offset=0&partition=1&limit=5",
  );
  expect(followPath(reading("topic=a"), "")).toBe("/topics/a/messages?offset=latest");
  expect(followPath(reading("topic=a"), "5f3a9c01/0:12,1:4")).toBe(
    "/topics/a/messages?offset=0%3A12%2C1%3A4",
  );
  expect(downloadPath(reading("topic=a"), 10)).toBe("/topics/a/messages?offset=-10");
  expect(downloadPath(reading("topic=a&from=oldest"), 10)).toBe(
    "/topics/a/messages?offset=earliest&limit=10",
  );
});

test("nothing comes after the bounds of every partition", () => {
  const partitions = [0, 1].map((partition) => ({
    ...{ partition, startOffset: 5, highWatermark: 9, bytes: 0, leader: 1, isUnavailable: false },
  }));
  const topic = { name: "a", id: "", partitions, configs: [] };
  expect(isEnd(reading("topic=a"), { 0: 5, 1: 5 }, topic)).toBe(true);
  expect(isEnd(reading("topic=a"), { 0: 5, 1: 6 }, topic)).toBe(false);
  expect(isEnd(reading("topic=a&from=oldest"), { 0: 9, 1: 9 }, topic)).toBe(true);
  expect(isEnd(reading("topic=a&from=oldest"), { 0: 9, 1: 8 }, topic)).toBe(false);
  expect(isEnd(reading("topic=a"), null, topic)).toBe(false);
});

import { expect, test } from "bun:test";
import { type Facts, silentLog } from "../../src/base/log.ts";
import { DiskNews, LINES_MAX } from "../../src/broker/disk-news.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("of thousands of partitions whose disk changes its mind some are told, and then how many were not", () => {
  const clock = new ManualClock();
  const lines: unknown[] = [];
  const note = (message: string, facts?: Facts) => void lines.push([message, facts]);
  const news = new DiskNews({ ...silentLog, error: note, info: note }, clock);
  for (let partition = 0; partition < 1000; partition += 1) {
    news.refuses({ partition });
    news.takesAgain({ partition });
  }
  expect(lines.length).toBe(LINES_MAX);
  expect(lines.slice(0, 2)).toEqual([
    ["append failed; produce requests get KAFKA_STORAGE_ERROR", { partition: 0 }],
    ["appends succeed again", { partition: 0 }],
  ]);
  lines.length = 0;
  clock.advance(10_000);
  news.refuses({ partition: 7 });
  news.takesAgain({ partition: 7 });
  expect(lines).toEqual([
    ["append failed; produce requests get KAFKA_STORAGE_ERROR", { partition: 7, keptBack: 2000 - LINES_MAX }],
    ["appends succeed again", { partition: 7 }],
  ]);
});

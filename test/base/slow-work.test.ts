import { expect, test } from "bun:test";
import { type Facts, silentLog } from "../../src/base/log.ts";
import { SlowWork, TOLD_EACH_MS } from "../../src/base/slow-work.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("work that takes long logs the step that it is in, and work that is over logs nothing more", () => {
  const clock = new ManualClock();
  const lines: [string, Facts | undefined][] = [];
  const log = { ...silentLog, info: (message: string, facts?: Facts) => void lines.push([message, facts]) };
  const work = new SlowWork(log, clock, "still at it");
  work.step("the first");
  clock.advance(TOLD_EACH_MS - 1);
  expect(lines).toEqual([]);
  clock.advance(1);
  let files = 7;
  work.step("the second", () => ({ files }));
  files = 5;
  clock.advance(TOLD_EACH_MS);
  work.end();
  clock.advance(10 * TOLD_EACH_MS);
  expect(lines).toEqual([
    ["still at it", { step: "the first", ms: TOLD_EACH_MS }],
    ["still at it", { step: "the second", ms: 2 * TOLD_EACH_MS, files: 5 }],
  ]);
});

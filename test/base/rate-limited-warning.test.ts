import { expect, test } from "bun:test";
import { type Facts, silentLog } from "../../src/base/log.ts";
import { RateLimitedWarning } from "../../src/base/rate-limited-warning.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("one line in ten seconds, and it says how many were suppressed", () => {
  const clock = new ManualClock();
  const lines: (Facts | undefined)[] = [];
  const log = { ...silentLog, warn: (_message: string, facts?: Facts) => void lines.push(facts) };
  const warning = new RateLimitedWarning(log, clock, "the peer is hostile");
  for (const n of [1, 2, 3]) warning.tell({ n });
  clock.advance(9_999);
  warning.tell({ n: 4 });
  clock.advance(1);
  warning.tell({ n: 5 });
  clock.advance(10_000);
  warning.tell({ n: 6 });
  expect(lines).toEqual([{ n: 1 }, { n: 5, keptBack: 3 }, { n: 6 }]);
});

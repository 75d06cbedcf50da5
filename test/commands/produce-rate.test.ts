import { expect, test } from "bun:test";
import { Pacer } from "../../commands/produce-rate.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("records go out at the rate on average, and a late moment is made up for", async () => {
  const clock = new ManualClock();
  const pacer = new Pacer(100, clock);
  const sentAtMs: number[] = [];
  for (let index = 0; index < 8; index += 1) {
    if (index === 3) clock.advance(35);
    const pause = pacer.next();
    if (pause !== undefined) {
      clock.advance(10);
      await pause;
    }
    sentAtMs.push(clock.monotonicMs());
  }
  expect(sentAtMs).toEqual([0, 10, 20, 55, 55, 55, 65, 75]);
});

test("no rate means no wait", () => {
  expect(new Pacer(0, new ManualClock()).next()).toBe(undefined);
});

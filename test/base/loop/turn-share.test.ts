/** Long work gives the loop back, and only one of those that rest goes on in a turn. */

import { expect, test } from "bun:test";
import { TurnShare } from "../../../src/base/loop/turn-share.ts";
import { ManualClock } from "../../support/manual-clock.ts";

test("a share is used up after some milliseconds, and another begins after a rest", async () => {
  const clock = new ManualClock();
  const share = new TurnShare(clock);
  expect(share.isUsedUp).toBe(false);
  clock.advance(2);
  expect(share.isUsedUp).toBe(false);
  clock.advance(1);
  expect(share.isUsedUp).toBe(true);
  await share.rest();
  expect(share.isUsedUp).toBe(false);
});

test("of all that rest one goes on in each turn, in order, and what came meanwhile is served between", async () => {
  const clock = new ManualClock();
  const order: string[] = [];
  const work = async (name: string) => {
    const share = new TurnShare(clock);
    for (let count = 0; count < 3; count += 1) {
      await share.rest();
      order.push(name);
    }
  };
  let turn = 0;
  let isDone = false;
  const count = () => {
    turn += 1;
    order.push(`turn ${turn}`);
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all([work("a"), work("b")]);
  isDone = true;
  const expected = ["a", "b", "a", "b", "a", "b"].flatMap((name, index) => [`turn ${index + 1}`, name]);
  expect(order.slice(0, expected.length)).toEqual(expected);
});

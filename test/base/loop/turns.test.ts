/** Work in turns: few pieces at a time, in the order in which they came, and a place is free again whatever became of the work. */

import { expect, test } from "bun:test";
import { nextTurn, Slices, Turnstile } from "../../../src/base/loop/turns.ts";

test("as many pieces of work as there are places are under way, and the others follow in their order", async () => {
  const turnstile = new Turnstile(3);
  const begun: number[] = [];
  let underWay = 0;
  let most = 0;
  const work = async (index: number) => {
    begun.push(index);
    underWay += 1;
    most = Math.max(most, underWay);
    for (let turn = 0; turn <= index % 4; turn += 1) await nextTurn();
    underWay -= 1;
    if (index % 5 === 0) throw new Error(`work ${index}`);
    return index;
  };
  const indices = Array.from({ length: 40 }, (_, index) => index);
  const outcomes = await Promise.allSettled(indices.map((index) => turnstile.run(() => work(index))));
  expect([begun, most, underWay]).toEqual([indices, 3, 0]);
  expect(outcomes.map(({ status }) => status)).toEqual(
    indices.map((index) => (index % 5 === 0 ? "rejected" : "fulfilled")),
  );
});

test("a place that somebody waits for is not taken by a newcomer", async () => {
  const turnstile = new Turnstile(1);
  const order: string[] = [];
  const first = turnstile.run(async () => void order.push("first"));
  const second = turnstile.run(async () => void order.push("second"));
  const third = first.then(() => turnstile.run(async () => void order.push("third")));
  await Promise.all([first, second, third]);
  expect(order).toEqual(["first", "second", "third"]);
});

test("a turn lets what is ready run first", async () => {
  const order: string[] = [];
  setImmediate(() => order.push("waited already"));
  await nextTurn();
  order.push("next");
  expect(order).toEqual(["waited already", "next"]);
});

test("slices let so many pieces be done in a turn, whoever does them, and the others follow in their order", async () => {
  const turns: (() => void)[] = [];
  const slices = new Slices(3, () => new Promise((resolve) => turns.push(resolve)));
  const done: string[] = [];
  const work = async (name: string, pieces: number) => {
    for (let piece = 0; piece < pieces; piece += 1) {
      await slices.next();
      done.push(`${name}${piece}`);
    }
  };
  const all = Promise.all([work("a", 4), work("b", 3)]);
  const seen: string[][] = [];
  for (;;) {
    await nextTurn();
    seen.push(done.splice(0));
    const turn = turns.shift();
    if (turn === undefined) break;
    turn();
  }
  await all;
  expect(seen).toEqual([["a0", "b0", "a1"], ["b1", "a2", "b2"], ["a3"]]);
});

/** What all together may move in a turn of the loop. */

import { expect, test } from "bun:test";
import { TurnBytes } from "../../../src/base/loop/turn-bytes.ts";
import { MiB } from "../../../src/base/units.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("what does not fit in a turn waits for the next ones, in order, and nobody overtakes who waits", async () => {
  const shared = new TurnBytes(100);
  const done: string[] = [];
  const work = (name: string, bytes: number) => () => {
    expect(shared.hasRoom(1)).toBe(true);
    shared.spend(bytes);
    done.push(name);
  };
  expect(shared.hasRoom(1)).toBe(true);
  shared.spend(100);
  expect(shared.hasRoom(1)).toBe(false);
  for (const [name, bytes] of [
    ["a", 60],
    ["b", 60],
    ["c", 10],
  ] as const)
    shared.wait(1, work(name, bytes));
  await turn();
  expect(done).toEqual(["a", "b"]);
  expect(shared.hasRoom(1)).toBe(false);
  await turn();
  expect(done).toEqual(["a", "b", "c"]);
  await turn();
  expect(shared.hasRoom(1)).toBe(true);
});

test("who waits again comes after those who wait already", async () => {
  const shared = new TurnBytes(10);
  const done: string[] = [];
  const duplicates = (name: string) => () => {
    shared.spend(10);
    done.push(name);
    shared.wait(1, () => void done.push(`${name} again`));
  };
  shared.spend(10);
  shared.wait(1, duplicates("a"));
  shared.wait(1, duplicates("b"));
  for (let turns = 0; turns < 6; turns += 1) await turn();
  expect(done).toEqual(["a", "b", "a again", "b again"]);
});

test("work that runs later gives its result or its error", async () => {
  const shared = new TurnBytes(10);
  expect(await shared.run(1, () => 7)).toBe(7);
  const failing = shared.run(1, () => {
    throw new Error("no");
  });
  expect(failing).rejects.toThrow("no");
});

test("small work waits only for other small work, and one large piece goes on in every turn", async () => {
  const shared = new TurnBytes(100);
  const large = 10 * MiB;
  const done: string[] = [];
  const work = (name: string, bytes: number) => () => {
    shared.spend(bytes);
    done.push(name);
  };
  shared.spend(75);
  expect([shared.hasRoom(1), shared.hasRoom(large)]).toEqual([true, false]);
  for (const name of ["A", "B", "C", "D"]) shared.wait(large, work(name, 40));
  expect([shared.hasRoom(1), shared.hasRoom(large)]).toEqual([true, false]);
  for (const name of ["a", "b", "c"]) shared.wait(1, work(name, 30));
  expect(shared.hasRoom(1)).toBe(false);
  await turn();
  expect(done).toEqual(["A", "a", "b"]);
  await turn();
  expect(done).toEqual(["A", "a", "b", "B", "c", "C"]);
});

/** Memory on its way back to the system: in slices, a turn each, in order. */

import { expect, test } from "bun:test";
import { PageReturn } from "../../../src/base/memory/page-return.ts";
import { KiB, MiB } from "../../../src/base/units.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Gives back buffers of so many MiB: what of the memory went in each turn, and which buffers were empty after it. */
async function given(...sizes: number[]) {
  const buffers = sizes.map((size) => Buffer.allocUnsafeSlow(size * MiB));
  let dropped: number[] = [];
  const pages = new PageReturn((memory) => dropped.push(memory.length));
  for (const buffer of buffers) pages.give(buffer);
  const turns: [dropped: number[], empty: number[]][] = [];
  while (buffers.some(({ length }) => length > 0)) {
    await turn();
    const empty = [...buffers.keys()].filter((index) => buffers[index]!.length === 0);
    turns.push([dropped, empty]);
    dropped = [];
  }
  return turns;
}

test("a turn gives 8 MiB back, the first buffer first, and one is empty when all of it has gone", async () => {
  const overlap = 64 * KiB;
  expect(await given(10, 3, 5)).toEqual([
    [[8 * MiB + overlap], []],
    [
      [2 * MiB, 3 * MiB, 3 * MiB + overlap],
      [0, 1],
    ],
    [[2 * MiB], [0, 1, 2]],
  ]);
});

test("where much waits a turn gives more back", async () => {
  const [first, second] = await given(480);
  expect([first, second]).toEqual([
    [[20 * MiB + 64 * KiB], []],
    [[Math.ceil((460 * MiB) / 24) + 64 * KiB], []],
  ]);
});

import { expect, test } from "bun:test";
import { BufferPool, dispose, sizeFor } from "../../../src/base/memory/buffer-pool.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import { printedAlone } from "../../support/own-process.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("what is disposed of is empty for whoever still has a view, and a part of something larger is left alone", () => {
  const whole = Buffer.allocUnsafeSlow(64 * KiB);
  const view = whole.subarray(10, 20);
  const part = Buffer.allocUnsafeSlow(128 * KiB).subarray(0, 64 * KiB);
  dispose(whole);
  dispose(part);
  expect([whole.length, view.length, part.length]).toEqual([0, 0, 64 * KiB]);
});

test("a buffer that comes back is lent again to who asks for its size", () => {
  const pool = new BufferPool(MiB);
  const first = pool.take(70_000);
  expect([first.length, pool.keptBytes]).toEqual([128 * KiB, 0]);
  pool.give(first);
  expect([pool.keptBytes, pool.take(10) === first, pool.take(100_000) === first, pool.keptBytes]).toEqual([
    128 * KiB,
    false,
    true,
    0,
  ]);
});

test("a pool keeps no more than its limit, and nothing of a size that is rare", async () => {
  const pool = new BufferPool(192 * KiB);
  const [first, second, large] = [pool.take(33 * KiB), pool.take(128 * KiB), pool.take(3 * MiB)];
  const third = pool.take(33 * KiB);
  for (const each of [first, second, third, large]) pool.give(each);
  await turn();
  expect([first.length, second.length, third.length, large.length, pool.keptBytes]).toEqual([
    64 * KiB,
    128 * KiB,
    0,
    0,
    192 * KiB,
  ]);
});

test("sizes are powers of two up to a MiB, and exact above", () => {
  expect([1, 64 * KiB, 64 * KiB + 1, MiB, MiB + 1].map(sizeFor)).toEqual([
    16 * KiB,
    64 * KiB,
    128 * KiB,
    MiB,
    MiB + 1,
  ]);
});

const DISPOSE = `
  import { dispose } from "SRC/base/memory/buffer-pool.ts";
  const buffer = Buffer.allocUnsafeSlow(128 << 20);
  buffer.fill(1);
  const filled = process.memoryUsage.rss();
  dispose(buffer);
  while (buffer.length > 0) await new Promise((resolve) => setImmediate(resolve));
  console.log(filled - process.memoryUsage.rss() > 100 << 20);
`;

test.skipIf(process.platform !== "linux")(
  "the pages of a large buffer are the system's again when it is empty",
  () => {
    expect(printedAlone(DISPOSE)).toBe("true\n");
  },
);

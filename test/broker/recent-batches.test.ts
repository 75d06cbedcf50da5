import { expect, test } from "bun:test";
import fc from "fast-check";
import { RecentBatches } from "../../src/broker/recent-batches.ts";

const BATCH_BYTES = 100;

/** Ten batches of three offsets each: batch n has base offset 3n and is filled with n. */
function filled(bytesMax: number) {
  const recent = new RecentBatches(bytesMax);
  const row = recent.row();
  for (let n = 0; n < 10; n += 1) {
    const bytes = new Uint8Array(BATCH_BYTES).fill(n);
    row.add(Buffer.from(bytes.buffer), 0, BATCH_BYTES, 3 * n, 3 * n + 3);
  }
  return { recent, row };
}

function numbers(bytes: Buffer | null): number[] | null {
  if (bytes === null) return null;
  const found: number[] = [];
  for (let position = 0; position < bytes.length; position += BATCH_BYTES) found.push(bytes[position]!);
  return found;
}

test("an offset in the middle of a batch gives the whole batch and those behind it", () => {
  const { row } = filled(10_000);
  expect(numbers(row.read(22, 100, 10_000, true))).toEqual([7, 8, 9]);
  expect(numbers(row.read(0, 100, 250, true))).toEqual([0, 1]);
});

test("batches at or behind the limit offset are not given", () => {
  const { row } = filled(10_000);
  expect(numbers(row.read(0, 6, 10_000, true))).toEqual([0, 1]);
  expect(numbers(row.read(0, 7, 10_000, true))).toEqual([0, 1]);
  expect(numbers(row.read(0, 2, 10_000, true))).toEqual([]);
});

test("the first batch comes even if it is larger than the budget, if asked for", () => {
  const { row } = filled(10_000);
  expect(numbers(row.read(0, 100, 10, true))).toEqual([0]);
  expect(numbers(row.read(0, 100, 10, false))).toEqual([]);
});

test("the oldest batches of all rows go first when the budget is spent", () => {
  const { recent, row } = filled(5 * BATCH_BYTES);
  expect(recent.bytes).toBe(5 * BATCH_BYTES);
  expect([row.startOffset, row.read(14, 100, 1000, true)]).toEqual([15, null]);
  const other = recent.row();
  other.add(Buffer.from(new Uint8Array(BATCH_BYTES).buffer), 0, BATCH_BYTES, 0, 1);
  expect([row.startOffset, other.startOffset, recent.count]).toEqual([18, 0, 5]);
});

test("a budget of nothing keeps nothing", () => {
  const { recent, row } = filled(0);
  expect([recent.bytes, row.startOffset, row.read(0, 100, 1000, true)]).toEqual([0, -1, null]);
});

test("batches are copies in one memory: neighbours are given where they lie, others are joined", () => {
  const recent = new RecentBatches(10_000);
  const [row, other] = [recent.row(), recent.row()];
  const given = Buffer.alloc(1000, 1);
  row.add(given, 10, 20, 0, 1);
  row.add(given, 100, 900, 1, 2);
  given.fill(9);
  const both = row.read(0, 2, 1000, true)!;
  expect([both.equals(Buffer.alloc(810, 1)), both.buffer === row.read(1, 2, 1000, true)!.buffer]).toEqual([
    true,
    true,
  ]);
  other.add(given, 0, 10, 0, 1);
  row.add(given, 0, 10, 2, 3);
  const joined = row.read(1, 3, 1000, true)!;
  expect(joined.equals(Buffer.concat([Buffer.alloc(800, 1), Buffer.alloc(10, 9)]))).toBe(true);
  expect(joined.buffer === both.buffer).toBe(false);
});

test("a batch that is larger than everything is not kept, and its row begins anew behind it", () => {
  const recent = new RecentBatches(1000);
  const row = recent.row();
  row.add(Buffer.alloc(100, 1), 0, 100, 0, 1);
  row.add(Buffer.alloc(1001, 2), 0, 1001, 1, 2);
  expect([row.startOffset, row.read(0, 9, 1000, true), row.read(1, 9, 1000, true)]).toEqual([-1, null, null]);
  row.add(Buffer.alloc(1000, 3), 0, 1000, 2, 3);
  expect([row.startOffset, recent.bytes, recent.count]).toEqual([2, 1000, 1]);
});

test("the memory grows with what comes, and everything stays where readers find it", () => {
  const recent = new RecentBatches(20_000_000);
  const row = recent.row();
  const batches = Array.from({ length: 30 }, (_, n) => Buffer.alloc(900_000, n));
  for (const [n, batch] of batches.entries()) row.add(batch, 0, batch.length, n, n + 1);
  const kept = batches.slice(row.startOffset);
  expect([row.startOffset, recent.memory.length]).toEqual([8, 20_000_000]);
  for (const [index, batch] of kept.entries()) {
    const offset = row.startOffset + index;
    expect(row.read(offset, offset + 1, batch.length, true)!.equals(batch)).toBe(true);
  }
});

test("whatever comes in whatever order, each row gives the end of what it was given", () => {
  const step = fc.record({ row: fc.nat(2), bytes: fc.integer({ min: 1, max: 120 }), clears: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 500 }), (steps, bytesMax) => {
      const recent = new RecentBatches(bytesMax);
      const rows = [0, 1, 2].map(() => ({ row: recent.row(), given: [] as Buffer[] }));
      steps.forEach(({ row: index, bytes, clears }, number) => {
        const { row, given } = rows[index]!;
        if (clears === 0) row.clear();
        row.add(Buffer.alloc(bytes, number), 0, bytes, given.length, given.length + 1);
        given.push(Buffer.alloc(bytes, number));
        expect(recent.bytes).toBeLessThanOrEqual(bytesMax);
        for (const each of rows) {
          if (each.row.startOffset < 0) continue;
          const rest = Buffer.concat(each.given.slice(each.row.startOffset));
          expect(each.row.read(each.row.startOffset, each.given.length, bytesMax, true)).toEqual(rest);
        }
      });
    }),
  );
});

test("a row that nobody asks for is not kept once the memory was used twice, and begins anew when somebody asks", () => {
  const recent = new RecentBatches(5 * BATCH_BYTES);
  const row = recent.row();
  const add = (n: number) => row.add(Buffer.alloc(BATCH_BYTES, n), 0, BATCH_BYTES, n, n + 1);
  for (let n = 0; n <= 10; n += 1) add(n);
  expect([row.startOffset, recent.addedBytes]).toEqual([6, 11 * BATCH_BYTES]);
  for (let n = 11; n < 20; n += 1) add(n);
  expect([row.startOffset, recent.addedBytes]).toEqual([-1, 11 * BATCH_BYTES]);
  expect([row.measure(19, 20, 1000, true), row.startOffset]).toEqual([null, -1]);
  for (let n = 20; n < 23; n += 1) add(n);
  expect([row.startOffset, numbers(row.read(20, 23, 1000, true))]).toEqual([20, [20, 21, 22]]);
});

test("a row that is asked for now and then is kept for ever, beside one that nobody asks for", () => {
  const recent = new RecentBatches(6 * BATCH_BYTES);
  const [asked, unasked] = [recent.row(), recent.row()];
  for (let n = 0; n < 50; n += 1) {
    asked.add(Buffer.alloc(BATCH_BYTES, n), 0, BATCH_BYTES, n, n + 1);
    unasked.add(Buffer.alloc(BATCH_BYTES, n), 0, BATCH_BYTES, n, n + 1);
    if (n % 10 === 0) asked.want();
  }
  expect([asked.startOffset, unasked.startOffset, recent.bytes]).toEqual([44, -1, 6 * BATCH_BYTES]);
});

test("a cleared row gives nothing and does not disturb the eviction of others", () => {
  const { recent, row } = filled(10 * BATCH_BYTES);
  row.clear();
  const other = recent.row();
  for (let n = 0; n < 12; n += 1) {
    other.add(Buffer.from(new Uint8Array(BATCH_BYTES).fill(n).buffer), 0, BATCH_BYTES, n, n + 1);
  }
  expect([row.startOffset, other.startOffset, recent.bytes]).toEqual([-1, 2, 10 * BATCH_BYTES]);
});

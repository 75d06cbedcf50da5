import { expect, test } from "bun:test";
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

test("a small batch in a large buffer is copied, a large one is kept as it is", () => {
  const recent = new RecentBatches(10_000);
  const row = recent.row();
  const chunk = Buffer.alloc(1000);
  row.add(chunk, 10, 20, 0, 1);
  row.add(chunk, 100, 900, 1, 2);
  expect(row.read(0, 1, 1000, true)!.buffer).not.toBe(chunk.buffer);
  expect(row.read(1, 2, 1000, true)!.buffer).toBe(chunk.buffer);
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

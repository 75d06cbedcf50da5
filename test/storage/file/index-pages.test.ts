/** The cache of index pages against its bound. */

import { expect, test } from "bun:test";
import { IndexPages } from "../../../src/storage/file/index-pages.ts";

const BYTES_MAX = 10_000;

test("pages stay within the bound, the smallest too, and those that are used stay longest", () => {
  for (const bytes of [0, 12, 1000, 4096]) {
    const pages = new IndexPages(BYTES_MAX);
    const used = pages.keysFor();
    pages.add(used, Buffer.alloc(bytes));
    for (let round = 0; round < 1000; round += 1) {
      pages.add(pages.keysFor(), Buffer.alloc(bytes));
      expect(pages.bytes).toBeLessThanOrEqual(BYTES_MAX);
      expect(pages.get(used)?.length).toBe(bytes);
    }
  }
});

test("pages of different openings and numbers are told apart", () => {
  const pages = new IndexPages(BYTES_MAX);
  const [first, second] = [pages.keysFor(), pages.keysFor()];
  const names = new Map([
    [first, "a"],
    [first + 1, "b"],
    [second, "c"],
  ]);
  for (const [key, name] of names) pages.add(key, Buffer.from(name));
  for (const [key, name] of names) expect(pages.get(key)?.toString()).toBe(name);
  expect(pages.get(second + 1)).toBeUndefined();
});

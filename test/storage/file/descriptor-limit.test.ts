import { expect, test } from "bun:test";
import type { Files } from "../../../src/base/files.ts";
import { sharesOfDescriptors } from "../../../src/storage/file/descriptor-limit.ts";
import { DescriptorPool, PooledFile } from "../../../src/storage/file/pool.ts";

/** A system that tells `text` as its limits, or nothing, and opens whatever is asked for. */
function system(text: string | null): Files {
  let descriptor = 100;
  const files = {
    exists: () => text !== null,
    readFile: () => Buffer.from(text ?? ""),
    open: () => (descriptor += 1),
    close: () => undefined,
  };
  return files as unknown as Files;
}

const limits = (soft: string) =>
  `Limit  Soft Limit  Hard Limit\nMax open files            ${soft}    4096    files\n`;

test("segments take a part of the descriptors that the system allows", () => {
  expect(sharesOfDescriptors(system(limits("64")), 1000)).toEqual({ openMax: 16, pinnedMax: 48 });
  expect(sharesOfDescriptors(system(limits("20000")), 1000)).toEqual({ openMax: 1000, pinnedMax: 15_000 });
});

test("a system that has no limit, or does not tell it, takes nothing off", () => {
  const unlimited = { openMax: 1000, pinnedMax: Number.POSITIVE_INFINITY };
  expect(sharesOfDescriptors(system(null), 1000)).toEqual(unlimited);
  expect(sharesOfDescriptors(system(limits("unlimited")), 1000)).toEqual(unlimited);
});

test("files that wait for a sync pass the first bound, and are refused at the second", () => {
  const pool = new DescriptorPool(system(null), 2, 4);
  const files = Array.from({ length: 5 }, (_, index) => new PooledFile(`${index}`, "update"));
  for (const file of files.slice(0, 4)) {
    pool.use(file);
    file.pins = 1;
  }
  expect(() => pool.use(files[4]!)).toThrow("too many files wait for a sync");
  files[0]!.pins = 0;
  pool.use(files[4]!);
  expect([pool.openCount, files[0]!.descriptor]).toEqual([4, -1]);
});

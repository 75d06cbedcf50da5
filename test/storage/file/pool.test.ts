import { expect, test } from "bun:test";
import type { Files } from "../../../src/base/files.ts";
import { boundsOf, DescriptorPool, PooledFile } from "../../../src/storage/file/pool.ts";

function system(): Files {
  let descriptor = 100;
  const files = { open: () => (descriptor += 1), close: () => undefined };
  return files as unknown as Files;
}

const filesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => new PooledFile(`${index}`, "update"));

test("files that wait for a sync pass the first bound, and are refused at the second", () => {
  const pool = new DescriptorPool(system(), { ...boundsOf(2), pinnedMax: 4 });
  const files = filesOf(5);
  for (const file of files.slice(0, 4)) {
    pool.use(file);
    file.pins = 1;
  }
  expect(() => pool.use(files[4]!)).toThrow("too many files wait for a sync");
  files[0]!.pins = 0;
  pool.use(files[4]!);
  expect([pool.openCount, files[0]!.descriptor]).toEqual([4, -1]);
});

test("a bound that becomes narrower closes what is beyond it when the next file is opened", () => {
  const bounds = { ...boundsOf(10) };
  const pool = new DescriptorPool(system(), bounds);
  const files = filesOf(11);
  for (const file of files.slice(0, 10)) pool.use(file);
  bounds.openMax = 3;
  pool.use(files[10]!);
  expect(files.filter((file) => file.descriptor >= 0).map(({ path }) => path)).toEqual(["8", "9", "10"]);
});

test("where the limit was lowered, only files whose numbers are below it are closed for others", () => {
  const bounds = { ...boundsOf(10) };
  let isRefusing = false;
  const open = () => {
    if (isRefusing) throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
    return (descriptor += 1);
  };
  let descriptor = 100;
  const closed: number[] = [];
  const close = (number: number) => {
    closed.push(number);
    isRefusing = closed.length < 2;
  };
  const pool = new DescriptorPool({ open, close } as unknown as Files, bounds);
  const files = filesOf(5);
  for (const file of files.slice(0, 4)) pool.use(file);
  isRefusing = true;
  bounds.limit = 103;
  pool.use(files[4]!);
  expect(closed).toEqual([101, 102]);
  isRefusing = true;
  closed.length = 0;
  bounds.limit = 50;
  expect(() => pool.use(files[0]!)).toThrow("too many open files");
  expect([closed, pool.openCount]).toEqual([[], 3]);
});

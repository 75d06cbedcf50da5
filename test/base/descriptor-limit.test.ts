import { expect, test } from "bun:test";
import { descriptorLimit, openDescriptors } from "../../src/base/descriptor-limit.ts";
import { createDisk } from "../../src/base/disk.ts";

const tells = (limit: string) => ({
  exists: () => true,
  readFile: () =>
    Buffer.from(`Limit  Soft Limit  Hard Limit\nMax open files            ${limit}    4096    files\n`),
});

test("the limit is what the system says, none where it has none or does not tell", () => {
  const silent = { exists: () => false, readFile: () => Buffer.alloc(0), list: () => [] };
  expect([tells("64"), tells("20000"), tells("unlimited"), silent].map(descriptorLimit)).toEqual([
    64,
    20_000,
    null,
    null,
  ]);
  expect(openDescriptors(silent)).toBe(null);
});

test.skipIf(process.platform !== "linux")("this system tells how many are open (Linux alone does)", () => {
  const disk = createDisk();
  const before = openDescriptors(disk)!;
  const opened = disk.open("/dev/null", "read");
  expect(openDescriptors(disk)).toBe(before + 1);
  disk.close(opened);
});

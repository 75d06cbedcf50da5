/**
 * Small files of many partitions at once: the limit on descriptors, the order, and that every name leads to the old or to the new
 * content whatever fails and whenever the power goes.
 */

import { expect, test } from "bun:test";
import type { Files } from "../../../src/base/files.ts";
import { DescriptorPool } from "../../../src/storage/file/pool.ts";
import { FileReplacer, GROUP_MIN, SINGLY_AT_ONCE_MAX } from "../../../src/storage/file/replacer.ts";
import { CountedFiles } from "../../support/counted-files.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";

const MANY = 3 * GROUP_MIN;
const OLD = "old and whole";
const NEW = "new and whole, and longer";

function pathOf(slot: number): string {
  return `/data/${slot}/small`;
}

/** A disk with an old file in each of `count` directories, all of it durable; half of them are other file systems when `isMixed`. */
function diskWithOld(count: number, seed = 1, hasSyncAll = true, isMixed = false): SimulatedFiles {
  const files = new SimulatedFiles(seed, hasSyncAll);
  for (let slot = 0; slot < count; slot += 1) {
    files.makeDirectory(`/data/${slot}`);
    if (isMixed && slot % 2 === 0) files.mount(`/data/${slot}`);
    files.replace(pathOf(slot), Buffer.from(OLD));
    files.syncDirectory(`/data/${slot}`);
  }
  files.syncDirectory("/data");
  files.syncDirectory("/");
  return files;
}

/** Replaces all of them; returns the outcome of each. */
function replaceAll(replacer: FileReplacer, count: number): Promise<string[]> {
  const ends = Array.from({ length: count }, async (_, slot) => {
    try {
      await replacer.replace(pathOf(slot), () => Buffer.from(NEW));
      return "replaced";
    } catch (thrown) {
      return (thrown as Error).message;
    }
  });
  return Promise.all(ends);
}

function replacerOn(files: Files): FileReplacer {
  return new FileReplacer(files, new DescriptorPool(files));
}

function contents(files: Files, count: number): string[] {
  return Array.from({ length: count }, (_, slot) => files.readFile(pathOf(slot)).toString());
}

function names(files: Files, count: number): string[] {
  return Array.from({ length: count }, (_, slot) => files.list(`/data/${slot}`)).flat();
}

function all<Value>(count: number, value: Value): Value[] {
  return Array.from({ length: count }, () => value);
}

for (const [way, hasSyncAll, peak] of [
  ["by one sync of all, with two descriptors", true, 2],
  ["one by one, some side by side", false, SINGLY_AT_ONCE_MAX],
] as const) {
  test(`many files are replaced ${way}`, async () => {
    const files = new CountedFiles(diskWithOld(MANY, 1, hasSyncAll));
    const replacer = replacerOn(files);
    const ended = replaceAll(replacer, MANY);
    expect(replacer.count).toBe(MANY);
    expect(await ended).toEqual(all(MANY, "replaced"));
    expect([files.openPeak, files.openCount, replacer.count]).toEqual([peak, 0, 0]);
    expect(contents(files, MANY)).toEqual(all(MANY, NEW));
    expect(names(files, MANY)).toEqual(all(MANY, "small"));
  });
}

test("files are written in the order of the requests, with the content of that moment", async () => {
  const files = diskWithOld(MANY);
  const replacer = replacerOn(files);
  const order: number[] = [];
  const requested = Array.from({ length: MANY }, (_, slot) =>
    replacer.replace(pathOf(slot), () => {
      order.push(slot);
      return Buffer.from(NEW);
    }),
  );
  expect(order).toEqual([]);
  await Promise.all(requested);
  expect(order).toEqual(Array.from({ length: MANY }, (_, slot) => slot));
});

test("a file that is not wanted any more when its turn comes stays as it is", async () => {
  for (const count of [1, MANY]) {
    const files = diskWithOld(count);
    const replacer = replacerOn(files);
    const requested = all(count, 0).map((_, slot) => replacer.replace(pathOf(slot), () => null));
    await Promise.all(requested);
    expect(contents(files, count)).toEqual(all(count, OLD));
    expect(names(files, count)).toEqual(all(count, "small"));
  }
});

for (const [way, count] of [
  ["a few", SINGLY_AT_ONCE_MAX],
  ["many", GROUP_MIN + 3],
] as const) {
  test(`the power may go at any operation while ${way} files are replaced: each is the old or the new one, whole`, async () => {
    const found = new Set<string>();
    for (let nth = 1, isCut = true; isCut; nth += 1) {
      const disk = diskWithOld(count, nth);
      const files = new CountedFiles(disk);
      const replacer = replacerOn(files);
      files.setFault({ nth, more: Number.POSITIVE_INFINITY, errno: "EIO" });
      const ends = await replaceAll(replacer, count);
      let areNamesSynced = true;
      await replacer.syncNames().catch(() => {
        areNamesSynced = false;
      });
      isCut = files.failed > 0;
      const after = disk.crash();
      const values = contents(after, count);
      for (const [slot, value] of values.entries()) {
        found.add(value);
        if (areNamesSynced && ends[slot] === "replaced") expect([nth, value]).toEqual([nth, NEW]);
      }
      if (!isCut) expect(values).toEqual(all(count, NEW));
    }
    expect([...found].sort()).toEqual([NEW, OLD]);
  });
}

test("a syncfs that fails is never retried: each file is written anew and synced by itself", async () => {
  const disk = diskWithOld(MANY);
  const files = new CountedFiles(disk);
  const replacer = replacerOn(files);
  files.setFault({ operations: ["syncAll"], nth: 1, errno: "EIO" });
  expect(await replaceAll(replacer, MANY)).toEqual(all(MANY, "replaced"));
  await replacer.syncNames();
  expect(contents(disk.crash(), MANY)).toEqual(all(MANY, NEW));
});

test("when the syncs of the files fail too, all old files are there", async () => {
  const disk = diskWithOld(MANY);
  const files = new CountedFiles(disk);
  files.setFault({
    operations: ["syncAll", "sync"],
    nth: 1,
    more: Number.POSITIVE_INFINITY,
    errno: "EIO",
  });
  expect(await replaceAll(replacerOn(files), MANY)).toEqual(all(MANY, "EIO: sync failed"));
  expect(names(files, MANY)).toEqual(all(MANY, "small"));
  expect(contents(disk.crash(), MANY)).toEqual(all(MANY, OLD));
});

test("a failed sync of directory entries is never retried", async () => {
  const files = new CountedFiles(diskWithOld(1));
  const replacer = replacerOn(files);
  await replaceAll(replacer, 1);
  files.setFault({ operations: ["syncDirectory"], nth: 1, errno: "EIO" });
  for (let time = 0; time < 2; time += 1) {
    await expect(replacer.syncNames()).rejects.toThrow("EIO: syncDirectory failed");
  }
});

for (const hasSyncAll of [true, false]) {
  test(`with two descriptors left every file is replaced (${hasSyncAll ? "syncfs" : "fdatasync"})`, async () => {
    const files = new CountedFiles(diskWithOld(MANY, 1, hasSyncAll));
    const replacer = replacerOn(files);
    for (const openMax of [2, 1]) {
      files.openMax = openMax;
      expect(await replaceAll(replacer, MANY)).toEqual(all(MANY, "replaced"));
      await replacer.syncNames();
    }
    files.openMax = 0;
    const refused = "too many open files";
    for (const end of await replaceAll(replacer, MANY)) expect(end).toContain(refused);
    expect(contents(files, MANY)).toEqual(all(MANY, NEW));
  });
}

test("on a full disk each file is refused by itself, and leaves nothing", async () => {
  const files = new CountedFiles(diskWithOld(MANY));
  files.bytesLeft = 10 * NEW.length;
  const ends = await replaceAll(replacerOn(files), MANY);
  expect(ends.filter((end) => end === "replaced").length).toBe(10);
  expect(ends.filter((end) => end === "ENOSPC: write failed").length).toBe(MANY - 10);
  expect(names(files, MANY)).toEqual(all(MANY, "small"));
});

test("what an earlier refusal has left in the way is replaced", async () => {
  const files = diskWithOld(1);
  files.close(files.open(`${pathOf(0)}.tmp`, "create"));
  expect(await replaceAll(replacerOn(files), 1)).toEqual(["replaced"]);
  expect([contents(files, 1), names(files, 1)]).toEqual([[NEW], ["small"]]);
});

test("files on another file system are synced there", async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const files = diskWithOld(MANY, seed, true, true);
    const replacer = replacerOn(files);
    expect(await replaceAll(replacer, MANY)).toEqual(all(MANY, "replaced"));
    await replacer.syncNames();
    expect(contents(files.crash(), MANY)).toEqual(all(MANY, NEW));
  }
});

test("names in a directory that was removed meanwhile are nobody's loss", async () => {
  const files = diskWithOld(2);
  const replacer = replacerOn(files);
  expect(await replaceAll(replacer, 2)).toEqual(["replaced", "replaced"]);
  files.removeFile(pathOf(0));
  files.removeDirectory("/data/0");
  await replacer.syncNames();
  expect(files.crash().readFile(pathOf(1)).toString()).toBe(NEW);
});

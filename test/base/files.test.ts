/** What every `Files` does and refuses: this machine's disk and the simulated one run the same suite. */

import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import { errnoOf } from "../../src/base/errors.ts";
import type { Files } from "../../src/base/files.ts";
import { FaultyFiles } from "../support/faulty-files.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

interface Fixture {
  files: Files;
  /** A directory that is there, with nothing in it. */
  root: string;
}

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

describe("this machine's disk", () => suite(real));
describe("the simulated disk", () => suite(simulated));
describe("a disk that could fail", () =>
  suite(() => {
    const { files, root } = simulated();
    return { files: new FaultyFiles(files), root };
  }));

function suite(make: () => Fixture): void {
  test("opens what is there, and creates what is not", () => {
    const { files, root } = make();
    files.close(files.open(`${root}/a`, "create"));
    for (const mode of ["read", "update"] as const) files.close(files.open(`${root}/a`, mode));
    files.close(files.open(root, "read"));
    expect(codeOf(() => files.open(`${root}/a`, "create"))).toBe("EEXIST");
    expect(codeOf(() => files.open(`${root}/b`, "read"))).toBe("ENOENT");
    expect(codeOf(() => files.open(`${root}/none/b`, "create"))).toBe("ENOENT");
    expect(codeOf(() => files.open(`${root}/a/b`, "create"))).toBe("ENOTDIR");
    expect(codeOf(() => files.open(root, "update"))).toBe("EISDIR");
    expect(codeOf(() => files.open(root, "create"))).toBe("EEXIST");
  });

  test("does nothing through a descriptor that is closed", async () => {
    const { files, root } = make();
    const descriptor = files.open(`${root}/a`, "create");
    // Its thread opens files of its own, which could get the number.
    await files.syncAll?.(descriptor);
    files.close(descriptor);
    const bytes = Buffer.alloc(1);
    const codes = [
      codeOf(() => files.close(descriptor)),
      codeOf(() => files.size(descriptor)),
      codeOf(() => files.truncate(descriptor, 0)),
      codeOf(() => files.read(descriptor, bytes, 0, 1, 0)),
      codeOf(() => files.write(descriptor, bytes, 0, 1, 0)),
      codeOf(() => files.syncNow(descriptor)),
      codeOf(() => files.identityOf(descriptor)),
      codeOf(() => files.lock(descriptor)),
      await laterCodeOf(files.readLater(descriptor, bytes, 0, 1, 0)),
      await laterCodeOf(files.sync(descriptor)),
      await laterCodeOf(files.syncAll?.(descriptor) ?? files.sync(descriptor)),
    ];
    expect(codes).toEqual(codes.map(() => "EBADF"));
  });

  test("writes nothing through a descriptor that is for reading", async () => {
    const { files, root } = make();
    files.close(files.open(`${root}/a`, "create"));
    const descriptor = files.open(`${root}/a`, "read");
    expect(codeOf(() => files.write(descriptor, Buffer.alloc(1), 0, 1, 0))).toBe("EBADF");
    expect(codeOf(() => files.truncate(descriptor, 0))).toBe("EINVAL");
    files.syncNow(descriptor);
    await files.sync(descriptor);
    await files.syncAll?.(descriptor);
    files.close(descriptor);
  });

  test("gives back what was written, zeros between, and less at the end", async () => {
    const { files, root } = make();
    const descriptor = files.open(`${root}/a`, "create");
    files.write(descriptor, Buffer.from("--xyz--"), 2, 5, 4);
    files.truncate(descriptor, 9);
    const target = Buffer.alloc(6, ".");
    const counts = [
      files.read(descriptor, target, 1, 5, 3),
      files.read(descriptor, target, 0, 5, 9),
      files.read(descriptor, target, 0, 5, 100),
      await files.readLater(descriptor, Buffer.alloc(20), 0, 20, 2),
    ];
    expect([counts, target.toString(), files.size(descriptor), files.fileSize(`${root}/a`)]).toEqual([
      [5, 0, 0, 7],
      ".\0xyz\0",
      9,
      9,
    ]);
    files.truncate(descriptor, 6);
    files.truncate(descriptor, 8);
    const content = "\0\0\0\0xy\0\0";
    expect(files.readFile(`${root}/a`).toString()).toBe(content);
    files.close(descriptor);
  });

  test("evicts nothing that is still to be written, and what is on disk is read again", async () => {
    const { files, root } = make();
    const descriptor = files.open(`${root}/a`, "create");
    files.write(descriptor, Buffer.from("on disk, "), 0, 9, 0);
    await files.sync(descriptor);
    files.write(descriptor, Buffer.from("not yet"), 0, 7, 9);
    files.evict(descriptor);
    expect(files.readFile(`${root}/a`).toString()).toBe("on disk, not yet");
    files.close(descriptor);
  });

  test("creates and removes directories, and refuses what is none", () => {
    const { files, root } = make();
    files.makeDirectory(`${root}/one/two`);
    files.makeDirectory(`${root}/one/two`);
    files.close(files.open(`${root}/file`, "create"));
    expect(files.list(root)).toEqual(["file", "one/"]);
    expect(codeOf(() => files.makeDirectory(`${root}/file`))).toBe("EEXIST");
    expect(codeOf(() => files.makeDirectory(`${root}/file/inside`))).toBe("ENOTDIR");
    expect(codeOf(() => files.list(`${root}/none`))).toBe("ENOENT");
    expect(codeOf(() => files.list(`${root}/file`))).toBe("ENOTDIR");
    expect(codeOf(() => files.syncDirectory(`${root}/none`))).toBe("ENOENT");
    expect(codeOf(() => files.removeDirectory(`${root}/none`))).toBe("ENOENT");
    expect(codeOf(() => files.removeDirectory(`${root}/file`))).toBe("ENOTDIR");
    expect(codeOf(() => files.removeDirectory(`${root}/one`))).toBe("ENOTEMPTY");
    files.removeDirectory(`${root}/one/two`);
    files.removeDirectory(`${root}/one`);
    files.syncDirectory(root);
    expect(files.list(root)).toEqual(["file"]);
  });

  test("removes files, whose content stays with who has them open", () => {
    const { files, root } = make();
    files.makeDirectory(`${root}/directory`);
    const descriptor = files.open(`${root}/a`, "create");
    files.write(descriptor, Buffer.from("x"), 0, 1, 0);
    const identity = files.identity(`${root}/a`);
    expect([identity === null, files.identityOf(descriptor)]).toEqual([false, identity]);
    files.removeFile(`${root}/a`);
    expect([files.exists(`${root}/a`), files.size(descriptor)]).toEqual([false, 1]);
    expect([files.identity(`${root}/a`), files.identityOf(descriptor)]).toEqual([null, null]);
    files.close(descriptor);
    expect(codeOf(() => files.removeFile(`${root}/a`))).toBe("ENOENT");
    expect(codeOf(() => files.removeFile(`${root}/directory`))).toBe("EISDIR");
  });

  test("renames onto files and empty directories, and refuses what would lose something", () => {
    const { files, root } = make();
    const write = (name: string) => files.replace(`${root}/${name}`, Buffer.from(name));
    const rename = (source: string, target: string) =>
      codeOf(() => files.rename(`${root}/${source}`, `${root}/${target}`));
    for (const name of ["empty", "full", "moving"]) files.makeDirectory(`${root}/${name}`);
    for (const name of ["a", "b", "full/x", "moving/y"]) write(name);
    expect([
      rename("none", "c"),
      rename("a", "none/c"),
      rename("a", "empty"),
      rename("moving", "a"),
      rename("moving", "full"),
      rename("moving", "moving/inside"),
    ]).toEqual(["ENOENT", "ENOENT", "EISDIR", "ENOTDIR", "ENOTEMPTY", "EINVAL"]);
    expect([rename("a", "b"), rename("moving", "empty")]).toEqual([undefined, undefined]);
    expect([files.list(root), files.list(`${root}/empty`), files.readFile(`${root}/b`).toString()]).toEqual([
      ["b", "empty/", "full/"],
      ["y"],
      "a",
    ]);
  });

  test("replaces a file as a whole, where there is a directory for it", () => {
    const { files, root } = make();
    files.replace(`${root}/a`, Buffer.from("one"));
    files.replace(`${root}/a`, Buffer.from("two"));
    files.makeDirectory(`${root}/directory`);
    expect(codeOf(() => files.replace(`${root}/none/a`, Buffer.from("x")))).toBe("ENOENT");
    expect(codeOf(() => files.replace(`${root}/directory`, Buffer.from("x")))).toBe("EISDIR");
    expect([files.list(root), files.readFile(`${root}/a`).toString()]).toEqual([["a", "directory/"], "two"]);
  });

  test("tells what a name leads to", () => {
    const { files, root } = make();
    files.replace(`${root}/a`, Buffer.alloc(0));
    const told = ["", "/a", "/none"].map((name) => [
      files.exists(root + name),
      files.isDirectory(root + name),
      files.isLink(root + name),
    ]);
    expect(told).toEqual([
      [true, true, false],
      [true, false, false],
      [false, false, false],
    ]);
    for (const ask of ["readFile", "fileSize", "device", "space"] as const)
      expect(codeOf(() => files[ask](`${root}/none`))).toBe("ENOENT");
    expect(codeOf(() => files.readFile(root))).toBe("EISDIR");
  });

  test("gives a lock to one descriptor at a time", () => {
    const { files, root } = make();
    const first = files.open(`${root}/a`, "create");
    const second = files.open(`${root}/a`, "update");
    expect([files.lock(first), files.lock(second), files.lock(first)]).toEqual([true, false, true]);
    files.close(first);
    expect(files.lock(second)).toBe(true);
    files.close(second);
  });
}

function real(): Fixture {
  const root = mkdtempSync(join(tmpdir(), "obelisk-files-"));
  undo.push(() => rmSync(root, { recursive: true }));
  return { files: createDisk(), root };
}

function simulated(): Fixture {
  const files = new SimulatedFiles(1);
  files.makeDirectory("/root");
  return { files, root: "/root" };
}

function codeOf(step: () => unknown): string | undefined {
  try {
    step();
    return undefined;
  } catch (thrown) {
    return errnoOf(thrown) ?? String(thrown);
  }
}

function laterCodeOf(step: Promise<unknown>): Promise<string | undefined> {
  return step.then(
    () => undefined,
    (thrown) => errnoOf(thrown) ?? String(thrown),
  );
}

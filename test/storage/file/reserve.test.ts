import { expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../../src/base/disk.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import { Reserve } from "../../../src/storage/file/reserve.ts";
import { FaultyFiles } from "../../support/faulty-files.ts";
import { temporaryDirectory } from "./support.ts";

/** A disk that says how much room it has, as the test wants; pieces of the reserve take theirs. */
class RoomyFiles extends FaultyFiles {
  freeBytes = 100 * MiB;
  freeFiles = 1000;

  constructor() {
    super(createDisk());
  }

  override space() {
    return { freeBytes: this.freeBytes, totalBytes: 100 * MiB, freeFiles: this.freeFiles };
  }

  override write(descriptor: number, source: Buffer, start: number, end: number, position: number): void {
    super.write(descriptor, source, start, end, position);
    this.freeBytes -= end - start;
  }
}

function fixture() {
  const folder = temporaryDirectory();
  const files = new RoomyFiles();
  const pieces = () => {
    const path = join(folder.path, "reserve");
    return readdirSync(path).map((name) => statSync(join(path, name)).size);
  };
  return {
    files,
    reserve: new Reserve(files, folder.path),
    pieces,
    [Symbol.dispose]: folder[Symbol.dispose],
  };
}

test("sixteen files of 64 KiB are made once, and kept while there is room", () => {
  using made = fixture();
  const { files, reserve, pieces } = made;
  reserve.fill();
  expect(pieces()).toEqual(new Array(16).fill(64 * KiB));
  files.setFault({ nth: 1, more: Number.POSITIVE_INFINITY, errno: "EIO" });
  reserve.fill();
  expect(files.count).toBe(0);
  files.setFault(null);
  reserve.release();
  expect(pieces().length).toBe(16);
});

test("they go when there is hardly any room, of bytes or of names", () => {
  for (const scarce of [{ freeBytes: MiB - 1 }, { freeFiles: 15 }]) {
    using made = fixture();
    const { files, reserve, pieces } = made;
    reserve.fill();
    Object.assign(files, scarce);
    reserve.release();
    expect(pieces()).toEqual([]);
  }
});

test("as many are made as leave room for other things, and the rest later", () => {
  using made = fixture();
  const { files, reserve, pieces } = made;
  files.freeBytes = 3 * 64 * KiB + 16 * KiB;
  reserve.fill();
  expect(pieces().length).toBe(3);
  files.freeBytes = 100 * MiB;
  files.freeFiles = 2;
  reserve.fill();
  expect(pieces().length).toBe(3);
  files.freeFiles = 3;
  reserve.fill();
  expect(pieces().length).toBe(16);
});

test("a disk that refuses leaves no half piece and stops nobody", () => {
  using made = fixture();
  const { files, reserve, pieces } = made;
  files.setFault({ operations: ["write"], nth: 5, errno: "ENOSPC" });
  reserve.fill();
  expect(pieces()).toEqual(new Array(4).fill(64 * KiB));
  files.setFault({ operations: ["removeFile"], nth: 1, errno: "EACCES" });
  files.freeBytes = 0;
  reserve.release();
  expect(pieces().length).toBe(4);
});

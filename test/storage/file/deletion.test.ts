/** Deletions off the event loop, on real files: what goes, what is left where the disk refuses, and what a close leaves. */

import { afterEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../../src/base/disk.ts";
import type { ListedName } from "../../../src/base/files.ts";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import { Deletions, deleteNow } from "../../../src/storage/file/deletion.ts";
import { FaultyFiles } from "../../support/faulty-files.ts";
import { temporaryDirectory } from "./support.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function folder(): string {
  const made = temporaryDirectory();
  cleanups.push(() => made[Symbol.dispose]());
  return made.path;
}

/** A disk that counts the operations that run off the loop at once, and all of them. */
class WatchedFiles extends FaultyFiles {
  removed = 0;
  most = 0;
  #underWay = 0;

  override async listLater(directory: string): Promise<ListedName[]> {
    return await this.#watch(() => super.listLater(directory));
  }

  override async removeFileLater(path: string): Promise<void> {
    this.removed += 1;
    await this.#watch(() => super.removeFileLater(path));
  }

  async #watch<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#underWay += 1;
    this.most = Math.max(this.most, this.#underWay);
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }
}

/** A topic of some partitions with some segments each. */
function topic(path: string, partitions: number, segments: number): string {
  for (let partition = 0; partition < partitions; partition += 1) {
    mkdirSync(join(path, `${partition}`), { recursive: true });
    for (let segment = 0; segment < segments; segment += 1)
      for (const suffix of ["log", "index", "timeindex"])
        writeFileSync(join(path, `${partition}/${`${segment}`.padStart(20, "0")}.${suffix}`), "x");
  }
  return path;
}

test("a topic goes name by name off the loop, one at a time over all that are deleted, and others have the loop between", async () => {
  const path = folder();
  const files = new WatchedFiles(createDisk());
  const deletions = new Deletions(files);
  const topics = ["a", "b"].map((name) => topic(join(path, name), 3, 50));
  const deleting = Promise.all(topics.map((each) => deletions.delete(each)));
  let isDone = false;
  let turns = 0;
  const end = deleting.then(() => (isDone = true));
  for (; !isDone; turns += 1) await nextTurn();
  await end;
  expect([readdirSync(path), files.removed, files.most, turns > 100]).toEqual([[], 900, 1, true]);
});

test("a refusal ends the deletion of one thing, and what else is in the folder goes", async () => {
  const path = topic(join(folder(), "t"), 3, 2);
  const files = new FaultyFiles(createDisk());
  files.setFault({
    operations: ["removeFile"],
    path: "/1/",
    nth: 2,
    more: Number.POSITIVE_INFINITY,
    errno: "EPERM",
  });
  await new Deletions(files).empty(path);
  expect([readdirSync(path), readdirSync(join(path, "1")).length]).toEqual([["1"], 5]);
});

test("in the target of a link only our own files are deleted, at once and off the loop", async () => {
  for (const isNow of [true, false]) {
    const elsewhere = topic(join(folder(), "elsewhere"), 2, 2);
    writeFileSync(join(elsewhere, "0/notes.txt"), "an operator's");
    const link = join(folder(), "t");
    symlinkSync(elsewhere, link);
    if (isNow) deleteNow(createDisk(), link);
    else await new Deletions(createDisk()).delete(link);
    expect([isNow, readdirSync(elsewhere), readdirSync(join(elsewhere, "0"))]).toEqual([
      isNow,
      ["0"],
      ["notes.txt"],
    ]);
  }
});

test("a close lets what is in flight end, and nothing more begins", async () => {
  const path = topic(join(folder(), "t"), 2, 100);
  const files = new WatchedFiles(createDisk());
  const deletions = new Deletions(files);
  const deleting = deletions.delete(path);
  while (files.removed < 5) await nextTurn();
  const [outcome] = await Promise.allSettled([deleting, deletions.close()]);
  const { removed } = files;
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  expect([outcome.status, files.removed - removed, readdirSync(join(path, "1")).length]).toEqual([
    "rejected",
    0,
    300,
  ]);
});

/** How the write-ahead log of the state is checkpointed into its file: on real files, whose syncs the test observes, delays and fails. */

import { expect, test } from "bun:test";
import { cpSync, statSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../../../src/base/disk.ts";
import type { OpenMode } from "../../../../src/base/files.ts";
import { nextTurn } from "../../../../src/base/loop/turns.ts";
import { MiB } from "../../../../src/base/units.ts";
import type { StateStore } from "../../../../src/storage/contract.ts";
import { openStateFile } from "../../../../src/storage/file/state/state-file.ts";
import { FaultyFiles } from "../../../support/faulty-files.ts";
import { temporaryDirectory } from "../support.ts";

/** Reports each sync of a file before it begins, by the file's name. */
class WatchedFiles extends FaultyFiles {
  onSync: (file: string) => Promise<void> | void = () => {};
  readonly #names = new Map<number, string>();

  override open(path: string, mode: OpenMode): number {
    const descriptor = super.open(path, mode);
    this.#names.set(descriptor, path.slice(path.lastIndexOf("/") + 1));
    return descriptor;
  }

  override async sync(descriptor: number): Promise<void> {
    await this.onSync(this.#names.get(descriptor)!);
    await super.sync(descriptor);
  }
}

async function opened(path: string) {
  const files = new WatchedFiles(createDisk());
  const { state } = await openStateFile(files, path);
  return { files, state };
}

async function changeMany(state: StateStore, count: number, value: string): Promise<void> {
  await state.change(Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value })));
}

async function entriesOf(path: string): Promise<[string, string][]> {
  const { state, findings } = await openStateFile(createDisk(), path);
  const entries = await state.list("");
  await state.close();
  expect(findings).toEqual([]);
  return entries.map(({ key, value }) => [key, value]);
}

test("the log is moved into the file, which is synced before the next change is written, and stays short", async () => {
  using folder = temporaryDirectory();
  const { files, state } = await opened(folder.path);
  const synced: string[] = [];
  files.onSync = (file) => void synced.push(file);
  for (let round = 0; round < 20; round += 1) await changeMany(state, 1024, `${round}`.padEnd(500, "."));
  await state.change([{ key: "last", value: "1" }]);
  expect(synced.filter((file) => file === "meta.db").length).toBe(20);
  expect(synced.slice(0, 3)).toEqual(["meta.db-wal", "meta.db", "meta.db-wal"]);
  expect(statSync(join(folder.path, "meta.db-wal")).size).toBeLessThan(4 * MiB);
  await state.close();
  expect((await entriesOf(folder.path)).length).toBe(1025);
});

test("nothing is written to the log while the file is synced, and what was acknowledged before is there in any case", async () => {
  using folder = temporaryDirectory();
  const { files, state } = await opened(folder.path);
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    files.onSync = (file) => {
      if (file !== "meta.db") return;
      resolve();
      return new Promise((release) => (letGo = release));
    };
  });
  await changeMany(state, 2000, "acknowledged");
  await held;
  let isDone = false;
  const later = state.change([{ key: "later", value: "1" }]).then(() => (isDone = true));
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  expect(isDone).toBe(false);
  using copy = temporaryDirectory();
  cpSync(folder.path, copy.path, { recursive: true });
  letGo();
  await later;
  await state.close();
  expect([(await entriesOf(copy.path)).length, (await entriesOf(folder.path)).length]).toEqual([2000, 2001]);
});

test("when the file cannot be synced no more changes are accepted, and the log stays for the next start", async () => {
  using folder = temporaryDirectory();
  const { files, state } = await opened(folder.path);
  const failed = new Promise<void>((resolve) => {
    files.onSync = (file) => {
      if (file !== "meta.db") return;
      resolve();
      throw Object.assign(new Error("EIO"), { code: "EIO" });
    };
  });
  await changeMany(state, 2000, "acknowledged");
  await failed;
  await expect(state.change([{ key: "a", value: "1" }])).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  expect(state.refusal).toContain("the state file could not be synced");
  await state.close();
  expect(statSync(join(folder.path, "meta.db-wal")).size).toBeGreaterThan(50_000);
  using copy = temporaryDirectory();
  for (const file of ["meta.db", "meta.db-wal"]) cpSync(join(folder.path, file), join(copy.path, file));
  expect((await entriesOf(copy.path)).length).toBe(2000);
});

test("a large change lets others have the loop, and a read waits for all of it", async () => {
  using folder = temporaryDirectory();
  const { state } = await opened(folder.path);
  let turns = 0;
  let isDone = false;
  const count = async () => {
    for (; !isDone; turns += 1) await nextTurn();
  };
  const counting = count();
  const changing = changeMany(state, 10_000, "x").then(() => (isDone = true));
  while (turns < 5) await nextTurn();
  const listed = await state.list("");
  await changing;
  await counting;
  expect([listed.length, turns >= Math.floor(10_000 / 512)]).toEqual([10_000, true]);
});

test("what waits for the disk is bounded in bytes, and what was refused takes no room", async () => {
  using folder = temporaryDirectory();
  const { state } = await opened(folder.path);
  const value = "x".repeat(129 * MiB);
  const outcomes = await Promise.allSettled([
    state.change([{ key: "a", value: "1" }]),
    state.change([{ key: "b", value }]),
    state.change([{ key: "c", value: "1" }]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await state.close();
});

/** When watchers of the state file are told of a change: on real files, whose sync the test delays and fails. */

import { expect, test } from "bun:test";
import { createDisk } from "../../../../src/base/disk.ts";
import { nextTurn } from "../../../../src/base/loop/turns.ts";
import type { StateUpdate } from "../../../../src/storage/contract.ts";
import { openStateFile } from "../../../../src/storage/file/state/state-file.ts";
import { FaultyFiles } from "../../../support/faulty-files.ts";
import { temporaryDirectory } from "../support.ts";

class HeldFiles extends FaultyFiles {
  held: Promise<void> | null = null;

  override async sync(descriptor: number): Promise<void> {
    await this.held;
    await super.sync(descriptor);
  }
}

async function watched(path: string) {
  const files = new HeldFiles(createDisk());
  const { state } = await openStateFile(files, path);
  const told: string[] = [];
  const listener = {
    changed: (updates: readonly StateUpdate[]) => void told.push(...updates.map(({ key }) => key)),
    listAgain: () => void told.push("list again"),
  };
  state.watch("", listener);
  return { files, state, told };
}

test("no watcher is told of a change before it is durable, and its caller not before the watchers", async () => {
  using folder = temporaryDirectory();
  const { files, state, told } = await watched(folder.path);
  let letGo: () => void = () => {};
  files.held = new Promise((resolve) => (letGo = resolve));
  const done = state.change([{ key: "a", value: "1" }]).then(() => [...told]);
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  expect(told).toEqual([]);
  letGo();
  expect(await done).toEqual(["a"]);
  await state.close();
});

test("no watcher is told of a change whose sync failed", async () => {
  using folder = temporaryDirectory();
  const { files, state, told } = await watched(folder.path);
  files.setFault({ operations: ["sync"], path: "meta.db-wal", nth: 1, errno: "EIO" });
  await expect(state.change([{ key: "a", value: "1" }])).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  await expect(state.change([{ key: "b", value: "1" }])).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  await state.close();
  expect(told).toEqual([]);
});

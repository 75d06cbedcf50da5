/** What is reported of a state file that fails while it is in use: clients only get a retriable error. */

import { expect, test } from "bun:test";
import { createDisk } from "../../../../src/base/disk.ts";
import { ObeliskError } from "../../../../src/base/errors.ts";
import type { StateUpdate } from "../../../../src/storage/contract.ts";
import { OwnedState } from "../../../../src/storage/file/state/owned-state.ts";
import { openStateFile } from "../../../../src/storage/file/state/state-file.ts";
import { MemoryState } from "../../../../src/storage/memory/state.ts";
import { FaultyFiles } from "../../../support/faulty-files.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../support.ts";

test("a state file whose sync failed is reported once, as a finding, and a close afterwards is not reported", async () => {
  using folder = temporaryDirectory();
  const files = new FaultyFiles(createDisk());
  const { state } = await openStateFile(files, folder.path);
  const engine = openEngine(new TestDirectory(folder.path), { files, state });
  await engine.state.change([{ key: "a", value: "1" }]);
  files.setFault({ operations: ["sync"], path: "meta.db-wal", nth: 1, errno: "EIO" });
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(engine.state.change([{ key: "a", value: "2" }])).rejects.toMatchObject({
      code: "STATE_UNUSABLE",
    });
  }
  await expect(engine.state.get("a")).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  const told = [
    {
      file: "meta.db",
      position: 0,
      bytes: 0,
      kind: "damaged-state",
      detail: "the state file could not be synced; check the disk, then restart",
    },
  ];
  expect(engine.findings).toEqual(told as typeof engine.findings);
  await engine.close();
  await expect(engine.state.get("a")).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  expect(engine.findings.length).toBe(1);
});

test("watchers are not told of what is written to a directory that is gone", async () => {
  const under = new MemoryState();
  let loss: ObeliskError | null = null;
  const state = new OwnedState(
    under,
    () => loss,
    () => {},
  );
  const told: string[] = [];
  const listener = {
    changed: (updates: readonly StateUpdate[]) => void told.push(...updates.map(({ key }) => key)),
    listAgain: () => {},
  };
  state.watch("", listener);
  await state.change([{ key: "a", value: "1" }]);
  loss = new ObeliskError("KAFKA_STORAGE_ERROR");
  await under.change([{ key: "b", value: "1" }]);
  expect(told).toEqual(["a"]);
});

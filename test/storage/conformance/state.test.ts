import { createDisk } from "../../../src/base/disk.ts";
import type { StateStore } from "../../../src/storage/contract.ts";
import { openStateFile } from "../../../src/storage/file/state/state-file.ts";
import { MemoryState } from "../../../src/storage/memory/state.ts";
import { LookAgainState } from "../../support/look-again-state.ts";
import { temporaryDirectory } from "../file/support.ts";
import { type StateUnderTest, testState } from "./state-suite.ts";

testState({
  name: "memory",
  cannotReopen: "its entries die with it",
  cannotTellEach: null,
  create: async () => inMemory(new MemoryState()),
});

testState({
  name: "look-again",
  cannotReopen: "its entries die with it",
  cannotTellEach: "it only says that something has changed",
  create: async () => inMemory(new LookAgainState()),
});

testState({
  name: "SQLite",
  cannotReopen: null,
  cannotTellEach: null,
  create: async () => {
    const folder = temporaryDirectory();
    const files = createDisk();
    let store: StateStore = (await openStateFile(files, folder.path)).state;
    return {
      store,
      reopen: async () => {
        await store.close();
        store = (await openStateFile(files, folder.path)).state;
        return store;
      },
      dispose: async () => {
        await store.close();
        folder[Symbol.dispose]();
      },
    };
  },
});

function inMemory(store: StateStore): StateUnderTest {
  return {
    store,
    reopen: () => Promise.reject(new Error("a memory store cannot be opened again")),
    dispose: () => store.close(),
  };
}

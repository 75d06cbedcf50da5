import { createDisk } from "../../../src/base/disk.ts";
import type { StateStore } from "../../../src/storage/contract.ts";
import { openStateFile } from "../../../src/storage/file/state/state-file.ts";
import { MemoryState } from "../../../src/storage/memory/state.ts";
import { temporaryDirectory } from "../file/support.ts";
import { testState } from "./state-suite.ts";

testState({
  name: "memory",
  cannotReopen: "its entries die with it",
  create: async () => {
    const store = new MemoryState();
    return {
      store,
      reopen: () => Promise.reject(new Error("a memory store cannot be opened again")),
      dispose: () => store.close(),
    };
  },
});

testState({
  name: "SQLite",
  cannotReopen: null,
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

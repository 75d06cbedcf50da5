/** The import of a Go Obelisk's data as a step of the start: with a storage engine of its own, before the broker's. */

import type { Files } from "../../../base/files.ts";
import type { Log } from "../../../base/log.ts";
import type { StateStore } from "../../contract.ts";
import { FileEngine, type OwnedDirectory } from "../engine.ts";
import { hasGoData, type ImportOptions, type ImportReport, importGoData } from "./go-import.ts";

/**
 * Imports what is there; null when there is nothing. The directory stays owned and marked dirty and the state open: the engine
 * that comes after recovers every partition, the new ones too.
 * @throws as `importGoData`
 */
export async function importGoDirectory(
  files: Files,
  directory: OwnedDirectory,
  state: StateStore,
  log: Log,
  options: ImportOptions,
): Promise<ImportReport | null> {
  const isInterrupted = (await state.list("import/")).length > 0;
  if (!isInterrupted && !hasGoData(files, directory.path)) return null;
  const engine = new FileEngine({
    files,
    clock: options.clock,
    directory: {
      path: directory.path,
      isClean: directory.isClean,
      markDirty: () => directory.markDirty(),
      // The other partitions have not been recovered yet, and the owner is still at work.
      markClean: () => undefined,
      lossReason: () => directory.lossReason(),
      close: () => undefined,
    },
    state: {
      refusal: state.refusal,
      get: (key) => state.get(key),
      page: (prefix: string, after: string, countMax: number) => state.page(prefix, after, countMax),
      list: (prefix) => state.list(prefix),
      change: (changes) => state.change(changes),
      watch: (prefix, listener) => state.watch(prefix, listener),
      close: async () => undefined,
    },
  });
  try {
    return await importGoData(files, directory.path, engine, log, options);
  } finally {
    await engine.close();
  }
}

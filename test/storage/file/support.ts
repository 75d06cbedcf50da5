/** File engines on temporary directories. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDisk } from "../../../src/base/disk.ts";
import type { Files } from "../../../src/base/files.ts";
import { FileEngine, type FileEngineOptions, type OwnedDirectory } from "../../../src/storage/file/engine.ts";
import { MemoryState } from "../../../src/storage/memory/state.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** Segments of a few dozen small batches, so that tests meet their borders. */
export const SMALL_SEGMENT_BYTES = 4000;

/** A directory's clean-shutdown flag, without the directory's file. */
export class TestDirectory implements OwnedDirectory {
  readonly path: string;
  isClean = true;
  loss: string | null = null;

  constructor(path: string) {
    this.path = path;
  }

  markDirty(): void {
    this.isClean = false;
  }

  markClean(): void {
    this.isClean = true;
  }

  lossReason(): string | null {
    return this.loss;
  }

  close(): void {}
}

export function temporaryDirectory(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "obelisk-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function openEngine(
  directory: OwnedDirectory,
  options: Partial<FileEngineOptions> & { files?: Files } = {},
): FileEngine {
  return new FileEngine({
    files: createDisk(),
    clock: new ManualClock(),
    state: new MemoryState(),
    segmentBytesMax: SMALL_SEGMENT_BYTES,
    ...options,
    directory,
  });
}

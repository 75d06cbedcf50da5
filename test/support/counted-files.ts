/** A disk on which no more than so many descriptors are open at once, as under `ulimit -n`; and it remembers how many there were. */

import type { Files, OpenMode } from "../../src/base/files.ts";
import { FaultyFiles } from "./faulty-files.ts";
import { systemError } from "./system-error.ts";

export class CountedFiles extends FaultyFiles {
  /** Opening one more fails with EMFILE. */
  openMax = Number.POSITIVE_INFINITY;
  openPeak = 0;
  /** How many were opened since the test set it back. */
  opened = 0;
  readonly #open = new Set<number>();

  constructor(under: Files, options: { hasSyncAll?: boolean } = {}) {
    super(under, options);
  }

  get openCount(): number {
    return this.#open.size;
  }

  override open(path: string, mode: OpenMode): number {
    if (this.#open.size >= this.openMax) throw systemError("EMFILE", "open");
    const descriptor = super.open(path, mode);
    this.#open.add(descriptor);
    this.opened += 1;
    this.openPeak = Math.max(this.openPeak, this.#open.size);
    return descriptor;
  }

  override close(descriptor: number): void {
    super.close(descriptor);
    this.#open.delete(descriptor);
  }

  override syncDirectory(directory: string): void {
    if (this.#open.size >= this.openMax) throw systemError("EMFILE", "open");
    super.syncDirectory(directory);
  }

  override async createLater(path: string): Promise<void> {
    if (this.#open.size >= this.openMax) throw systemError("EMFILE", "open");
    await super.createLater(path);
  }

  override async syncDirectoryLater(directory: string): Promise<void> {
    if (this.#open.size >= this.openMax) throw systemError("EMFILE", "open");
    await super.syncDirectoryLater(directory);
  }
}

/** A disk that refuses to read stretches of some files, as one with bad sectors does; everything else goes through. */

import type { OpenMode } from "../../src/base/files.ts";
import { FaultyFiles } from "./faulty-files.ts";
import { systemError } from "./system-error.ts";

export interface RefusedStretch {
  /** The end of the file's path. */
  file: string;
  start: number;
  end: number;
}

export class RefusingFiles extends FaultyFiles {
  refused: readonly RefusedStretch[] = [];
  /** How many reads were refused. */
  refusals = 0;
  readonly #opened = new Map<number, string>();

  override open(path: string, mode: OpenMode): number {
    const descriptor = super.open(path, mode);
    this.#opened.set(descriptor, path);
    return descriptor;
  }

  override read(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): number {
    this.#refuse(this.#opened.get(descriptor) ?? "", position, position + bytes);
    return super.read(descriptor, target, targetPosition, bytes, position);
  }

  override readCached(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): number {
    this.#refuse(this.#opened.get(descriptor) ?? "", position, position + bytes);
    return super.readCached(descriptor, target, targetPosition, bytes, position);
  }

  override async readLater(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): Promise<number> {
    this.#refuse(this.#opened.get(descriptor) ?? "", position, position + bytes);
    return await super.readLater(descriptor, target, targetPosition, bytes, position);
  }

  override readFile(path: string): Buffer {
    this.#refuse(path, 0, Number.POSITIVE_INFINITY);
    return super.readFile(path);
  }

  #refuse(path: string, start: number, end: number): void {
    const isHit = (stretch: RefusedStretch) =>
      path.endsWith(stretch.file) && start < stretch.end && end > stretch.start;
    if (!this.refused.some(isHit)) return;
    this.refusals += 1;
    throw systemError("EIO", "read");
  }
}

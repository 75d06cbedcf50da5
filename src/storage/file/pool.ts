/**
 * Open files within a bound. Every segment has a `PooledFile`; its descriptor is opened when it is used and closed when
 * it has idled, or when room is needed and it was used longest ago.
 *
 *   - A pinned file keeps its descriptor: it has bytes that wait for a sync (which reports a write error only to the
 *     descriptors that were open when it happened), or a read is under way.
 *   - At the bound the file used longest ago is closed. When all are pinned the bound is exceeded: refusing an append
 *     because of a number that we chose would be worse. Only what the system allows for connections and files together
 *     (descriptor-budget.ts) is never exceeded: a process without any descriptor left cannot work.
 *   - When the system itself has none left (EMFILE, ENFILE), idle files are closed and the open is tried again; with
 *     nothing left to close the caller gets KAFKA_STORAGE_ERROR, which clients retry. After the limit was lowered only descriptors
 *     below it can be reused: closing files with higher ones would not help.
 */

import { fail } from "../../base/assert.ts";
import type { FileBounds } from "../../base/descriptors/descriptor-budget.ts";
import { isOutOfDescriptors } from "../../base/descriptors/spare-descriptors.ts";
import { ObeliskError } from "../../base/errors.ts";
import type { Files, OpenMode } from "../../base/files.ts";

/** Well below the usual limit of a service (4096 and more), and enough that a busy server seldom opens a file again. */
const OPEN_FILES_MAX = 1024;
/** How many are closed at once on EMFILE: room for the next few, without emptying the pool. */
const CLOSED_AT_ONCE = 16;

export class PooledFile {
  readonly path: string;
  readonly mode: OpenMode;
  descriptor = -1;
  pins = 0;
  usedAt = 0;

  constructor(path: string, mode: OpenMode) {
    this.path = path;
    this.mode = mode;
  }
}

/** So many files stay open, and any number that waits for a sync. */
export function boundsOf(openMax: number): FileBounds {
  return { openMax, pinnedMax: Number.POSITIVE_INFINITY, limit: Number.POSITIVE_INFINITY };
}

export class DescriptorPool {
  readonly #files: Files;
  readonly #bounds: FileBounds;
  readonly #open = new Set<PooledFile>();
  #turn = 0;
  #idleTurn = 0;

  /** `bounds` are read at each opening: they follow what the system allows. */
  constructor(files: Files, bounds = boundsOf(OPEN_FILES_MAX)) {
    this.#files = files;
    this.#bounds = bounds;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** How many files may be pinned while others still come and go. */
  get pinnedComfortably(): number {
    return Math.floor(this.#bounds.openMax / 2);
  }

  /** Whether more files are open than should stay open: the others are pinned. */
  get isCrowded(): boolean {
    return this.#open.size > this.#bounds.openMax;
  }

  /** The file's descriptor, opened if need be; valid until the caller returns to the event loop, longer only when pinned. */
  use(file: PooledFile): number {
    this.#turn += 1;
    file.usedAt = this.#turn;
    if (file.descriptor >= 0) return file.descriptor;
    return this.#openFile(file, file.mode);
  }

  /** Makes a new file and opens it. @throws ObeliskError KAFKA_STORAGE_ERROR; system errors */
  create(path: string): PooledFile {
    const file = new PooledFile(path, "update");
    this.#turn += 1;
    file.usedAt = this.#turn;
    this.#openFile(file, "create");
    return file;
  }

  close(file: PooledFile): void {
    const descriptor = this.#letGo(file);
    if (descriptor >= 0) this.#files.close(descriptor);
  }

  /** For the file of a segment that is gone: its name may be, too. */
  closeLater(file: PooledFile): void {
    const descriptor = this.#letGo(file);
    if (descriptor >= 0) this.#files.closeLater(descriptor);
  }

  /** Closes what nobody has used since the last call. Call it once for each idle time. */
  closeIdle(): void {
    for (const file of this.#open) {
      if (file.pins === 0 && file.usedAt <= this.#idleTurn) this.close(file);
    }
    this.#idleTurn = this.#turn;
  }

  /** A file that is still read or synced is closed by whoever returns the last pin. */
  closeAll(): void {
    for (const file of [...this.#open]) if (file.pins === 0) this.close(file);
  }

  /** Runs `work`, which needs a descriptor of its own; makes room and tries again when the system has none left. */
  withRoom<T>(path: string, work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (thrown) {
        if (!isOutOfDescriptors(thrown)) throw thrown;
        if (this.#closeOldest(CLOSED_AT_ONCE, this.#bounds.limit) > 0) continue;
        const remedy = "allow the process more open files (ulimit -n)";
        throw new ObeliskError(
          "KAFKA_STORAGE_ERROR",
          { detail: "too many open files", remedy, file: path },
          thrown,
        );
      }
    }
  }

  /** The descriptor that is to be closed, -1 when there is none. */
  #letGo(file: PooledFile): number {
    if (file.pins > 0) fail("a pinned file is closed");
    const { descriptor } = file;
    if (descriptor < 0) return -1;
    this.#open.delete(file);
    file.descriptor = -1;
    return descriptor;
  }

  #openFile(file: PooledFile, mode: OpenMode): number {
    const { openMax, pinnedMax, limit } = this.#bounds;
    if (this.#open.size >= openMax) this.#closeOldest(this.#open.size - openMax + 1, limit);
    if (this.#open.size >= pinnedMax && this.#pinnedCount() >= pinnedMax)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", {
        detail: "too many files wait for a sync",
        remedy: "allow the process more open files (ulimit -n)",
        file: file.path,
        limit: pinnedMax,
      });
    file.descriptor = this.withRoom(file.path, () => this.#files.open(file.path, mode));
    this.#open.add(file);
    return file.descriptor;
  }

  #pinnedCount(): number {
    let count = 0;
    for (const file of this.#open) if (file.pins > 0) count += 1;
    return count;
  }

  /** Closes up to `count` files that are not pinned and have a number below `limit`, the longest unused first; returns how many. */
  #closeOldest(count: number, limit: number): number {
    let closed = 0;
    while (closed < count) {
      let oldest: PooledFile | undefined;
      for (const file of this.#open) {
        if (file.pins > 0 || file.descriptor >= limit) continue;
        if (oldest === undefined || file.usedAt < oldest.usedAt) oldest = file;
      }
      if (oldest === undefined) break;
      this.close(oldest);
      closed += 1;
    }
    return closed;
  }
}

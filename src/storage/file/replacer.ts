/**
 * Replaces small files whole (snapshots, sealed indexes), for all partitions of a data directory: the one limit on how many
 * are in flight.
 *
 *     few files     temporary file, fdatasync in the thread pool, rename; up to `SINGLY_AT_ONCE_MAX` side by side
 *     many files    all temporary files of a group, one syncfs, all renames. Costs two descriptors
 *     the names     directory entries, at the end, by `syncNames`: until then a power cut may bring an old file back
 *
 *   - In the order of the requests. What is requested while a group is in flight goes with the next.
 *   - An old file stays whole until the new one is synced: at every moment, also of a group, each name leads to the old or to
 *     the new content.
 *   - A syncfs that fails is never retried: its temporary files are deleted, and each file is written anew and synced by itself,
 *     which tells for each whether it is on disk.
 *   - Where the system has no descriptor left, fewer files are written side by side; down to one.
 *   - What an error leaves of a new file is deleted: on a full disk it would keep the last bytes.
 *
 * Costs and rejected options: docs/decisions/group-replacement.md.
 */

import { isOutOfDescriptors } from "../../base/descriptors/spare-descriptors.ts";
import { TEMPORARY_SUFFIX } from "../../base/disk.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { DescriptorPool } from "./pool.ts";

/** As many descriptors at most, and enough to keep the thread pool busy. */
export const SINGLY_AT_ONCE_MAX = 16;
/** From here on one syncfs is faster than the files one by one, though it waits for what others wrote (disk-pace.ts). */
export const GROUP_MIN = 17;
/** A request that comes while a group is in flight waits for it: about 0.3 s. */
export const GROUP_MAX = 4096;
/** Directories whose entries wait for `syncNames`; beyond that they are synced in between. As many as there are partitions. */
export const NAMES_UNSYNCED_MAX = 10_000;
/** Up to as many directories are synced one by one. */
const NAMES_SYNCED_SINGLY_MAX = 4;

interface Replacement {
  readonly path: string;
  readonly content: () => Buffer | null;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

interface Renamed {
  readonly path: string;
  /** The file system on which it lies, where that is known. */
  readonly device: string | null;
}

export class FileReplacer {
  readonly #files: Files;
  readonly #pool: DescriptorPool;
  #queue: Replacement[] = [];
  /** Of the group in flight. */
  #unfinished = 0;
  #running: Promise<void> | null = null;
  /** By directory: a file that was renamed in it, whose directory entry may not be durable. */
  readonly #unsynced = new Map<string, Renamed>();
  #namesFailure: unknown = null;

  constructor(files: Files, pool: DescriptorPool) {
    this.#files = files;
    this.#pool = pool;
  }

  /** Files that wait to be written, or are being written. */
  get count(): number {
    return this.#queue.length + this.#unfinished;
  }

  /**
   * Replaces a file in its turn. `content` is called when the write begins, maybe more than once; null: the file is not wanted any
   * more. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR; the old file is there then
   */
  replace(path: string, content: () => Buffer | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ path, content, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Makes the directory entries durable, so that no power cut brings back an old file. Call it when nothing is in flight. @throws system errors */
  async syncNames(): Promise<void> {
    while (this.#running !== null) await this.#running;
    await this.#syncNames();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // requests of the same turn come along
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, GROUP_MAX);
      this.#unfinished = group.length;
      if (group.length >= GROUP_MIN && this.#files.syncAll !== undefined) await this.#replaceTogether(group);
      else await this.#replaceSingly(group);
      if (this.#unsynced.size > NAMES_UNSYNCED_MAX) await this.#syncNamesUnderWay();
    }
    this.#running = null;
  }

  async #replaceSingly(group: Replacement[]): Promise<void> {
    let atWork = 0;
    const work = async (): Promise<void> => {
      atWork += 1;
      for (let file = group.shift(); file !== undefined; file = group.shift()) {
        try {
          await this.#replaceOne(file);
        } catch (thrown) {
          if (!foundNoRoom(thrown) || atWork === 1) {
            this.#complete(file, thrown);
            continue;
          }
          group.unshift(file); // for those that have a descriptor
          break;
        }
        this.#complete(file);
      }
      atWork -= 1;
    };
    await Promise.all(Array.from({ length: Math.min(group.length, SINGLY_AT_ONCE_MAX) }, work));
  }

  async #replaceOne({ path, content }: Replacement): Promise<void> {
    const bytes = content();
    if (bytes === null) return;
    const descriptor = this.#create(path);
    try {
      this.#files.write(descriptor, bytes, 0, bytes.length, 0);
      await this.#files.sync(descriptor);
      this.#rename(path, null);
    } catch (thrown) {
      this.#removeTemporary(path);
      throw thrown;
    } finally {
      this.#files.close(descriptor);
    }
  }

  async #replaceTogether(group: readonly Replacement[]): Promise<void> {
    const written = new Map<Replacement, string>();
    const again: Replacement[] = [];
    // One open file for each file system: a syncfs tells of the failures since its descriptor was opened.
    const anchors = new Map<string, number>();
    // By time: a new name waits for the file system's journal, on a busy disk for milliseconds.
    const share = new TurnShare();
    for (const file of group) {
      if (share.isUsedUp) await share.rest();
      try {
        const device = this.#files.device(directoryOf(file.path));
        if (!this.#canGoTogether(device, file.path, anchors)) again.push(file);
        else if (this.#writeTemporary(file, device, anchors)) written.set(file, device);
        else this.#complete(file);
      } catch (thrown) {
        if (foundNoRoom(thrown)) again.push(file);
        else this.#complete(file, thrown);
      }
    }
    const synced = await this.#syncAnchors(anchors);
    for (const [file, device] of written) {
      if (share.isUsedUp) await share.rest();
      if (synced.has(device)) this.#finish(file, device);
      else {
        this.#removeTemporary(file.path);
        again.push(file);
      }
    }
    await this.#replaceSingly(again);
  }

  #canGoTogether(device: string, path: string, anchors: ReadonlyMap<string, number>): boolean {
    return anchors.has(device) || this.#files.tellsFailures(directoryOf(path));
  }

  /** The first file of a file system stays open, as its anchor. False when the file is not wanted any more. */
  #writeTemporary({ path, content }: Replacement, device: string, anchors: Map<string, number>): boolean {
    const bytes = content();
    if (bytes === null) return false;
    const descriptor = this.#create(path);
    let isAnchor = false;
    try {
      this.#files.write(descriptor, bytes, 0, bytes.length, 0);
      isAnchor = !anchors.has(device);
      if (isAnchor) anchors.set(device, descriptor);
      return true;
    } catch (thrown) {
      this.#removeTemporary(path);
      throw thrown;
    } finally {
      if (!isAnchor) this.#files.close(descriptor);
    }
  }

  /** Returns the file systems that are synced. */
  async #syncAnchors(anchors: ReadonlyMap<string, number>): Promise<Set<string>> {
    const synced = new Set<string>();
    for (const [device, descriptor] of anchors) {
      try {
        await this.#files.syncAll!(descriptor);
        synced.add(device);
      } catch (thrown) {
        if (errnoOf(thrown) === undefined) throw thrown;
      } finally {
        this.#files.close(descriptor);
      }
    }
    return synced;
  }

  #finish(file: Replacement, device: string): void {
    try {
      this.#rename(file.path, device);
      this.#complete(file);
    } catch (thrown) {
      this.#removeTemporary(file.path);
      this.#complete(file, thrown);
    }
  }

  #complete(file: Replacement, thrown?: unknown): void {
    this.#unfinished -= 1;
    if (thrown === undefined) file.resolve();
    else file.reject(thrown);
  }

  #create(path: string): number {
    const temporary = path + TEMPORARY_SUFFIX;
    const create = () => this.#pool.withRoom(temporary, () => this.#files.open(temporary, "create"));
    try {
      return create();
    } catch (thrown) {
      if (errnoOf(thrown) !== "EEXIST") throw thrown;
      this.#files.removeFile(temporary); // left over from an attempt that failed
      return create();
    }
  }

  #rename(path: string, device: string | null): void {
    this.#files.rename(path + TEMPORARY_SUFFIX, path);
    this.#unsynced.set(directoryOf(path), { path, device });
  }

  /** The next start deletes what could not be removed. */
  #removeTemporary(path: string): void {
    try {
      this.#files.removeFile(path + TEMPORARY_SUFFIX);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
    }
  }

  /** No caller waits for it: a failure is reported by `syncNames`. */
  async #syncNamesUnderWay(): Promise<void> {
    try {
      await this.#syncNames();
    } catch (thrown) {
      if (errnoOf(thrown) === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    }
  }

  /** A sync that failed once is never retried: every later call fails too. */
  async #syncNames(): Promise<void> {
    if (this.#namesFailure !== null) throw this.#namesFailure;
    const renamed = [...this.#unsynced.values()];
    this.#unsynced.clear();
    try {
      for (const paths of this.#byDevice(renamed).values()) {
        if (paths.length <= NAMES_SYNCED_SINGLY_MAX || !(await this.#syncAllNames(paths))) {
          for (const path of paths) this.#syncName(path);
        }
      }
    } catch (thrown) {
      this.#namesFailure = thrown;
      throw thrown;
    }
  }

  #byDevice(renamed: readonly Renamed[]): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const { path, device } of renamed) {
      const place = device ?? this.#deviceIfThere(directoryOf(path));
      const others = found.get(place);
      if (others === undefined) found.set(place, [path]);
      else others.push(path);
    }
    return found;
  }

  /** A directory whose topic was removed needs no sync: any device will do. */
  #deviceIfThere(directory: string): string {
    return this.#files.exists(directory) ? this.#files.device(directory) : "";
  }

  /** False when it could not be tried. */
  async #syncAllNames(paths: readonly string[]): Promise<boolean> {
    const { syncAll } = this.#files;
    const path = paths.find((candidate) => this.#files.exists(candidate));
    if (path === undefined) return true;
    if (syncAll === undefined || !this.#files.tellsFailures(directoryOf(path))) return false;
    const descriptor = this.#pool.withRoom(path, () => this.#files.open(path, "read"));
    try {
      await syncAll.call(this.#files, descriptor);
      return true;
    } catch (thrown) {
      if (errnoOf(thrown) === "ENOSYS") return false;
      throw thrown;
    } finally {
      this.#files.close(descriptor);
    }
  }

  #syncName(path: string): void {
    const directory = directoryOf(path);
    if (!this.#files.exists(directory)) return;
    this.#pool.withRoom(directory, () => this.#files.syncDirectory(directory));
  }
}

/** `withRoom` found no descriptor that could be closed. */
function foundNoRoom(thrown: unknown): boolean {
  return isOutOfDescriptors(thrown instanceof ObeliskError ? thrown.cause : thrown);
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/**
 * The real disk: `Files` over the system's calls.
 *
 *   operation   call
 *   read, write pread and pwrite on this thread
 *   readCached  preadv2 that does not wait (RWF_NOWAIT): 256 KiB into memory that is used again take 0.03 ms, 0.05 ms into fresh memory
 *   readLater   pread in the thread pool: 0.04 ms from the page cache
 *   sync        fdatasync in the thread pool
 *   syncAll     syncfs on a thread of its own (file-system-sync.ts)
 *   evict       posix_fadvise: what is written and cached is dropped
 *   lock        flock: the kernel releases it when the process dies, however it dies
 *
 * What opens a file, for long or for the moment of a call, takes a spare descriptor where the system has none left.
 * Failures carry the system's name in `code`.
 */

import {
  close as closeInPool,
  closeSync,
  constants,
  type Dirent,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync as fsyncInPool,
  fsyncSync,
  ftruncateSync,
  lstat as linkStatInPool,
  lstatSync,
  mkdir as makeDirectoryInPool,
  mkdirSync,
  open as openInPool,
  openSync,
  readdir as readDirectoryInPool,
  readdirSync,
  readFileSync,
  read as readInPool,
  readSync,
  rmdir as removeDirectoryInPool,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
  truncate as truncateInPool,
  unlink as unlinkInPool,
  unlinkSync,
  writeSync,
} from "node:fs";
import { constants as systemConstants } from "node:os";
import { dirname } from "node:path";
import { cLibrary } from "./c-library.ts";
import { canOpen } from "./descriptors/descriptor-limit.ts";
import { SpareDescriptors } from "./descriptors/spare-descriptors.ts";
import { errnoOf } from "./errors.ts";
import { canSyncFileSystem, FileSystemSyncer } from "./file-system-sync.ts";
import type { Files, ListedName, OpenMode, SyncThread } from "./files.ts";
import { WorkerSyncThread } from "./sync-thread.ts";
import { systemError } from "./system-error.ts";
import { KiB, MiB } from "./units.ts";

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};
const FILE_MODE = 0o644;
/** What one step of a removal frees. */
const FREED_BYTES_MAX = 16 * MiB;
/** Linux's magic of an overlay of several file systems: its syncfs reports nothing of the failures below it. */
const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
/**
 * Where the system cannot tell what is cached (tmpfs, overlays): what is sent was read a moment ago, and is read in pieces of this
 * size (read-pieces.ts). A cold disk must not stop the loop for longer.
 */
const READ_NOW_BYTES_MAX = 256 * KiB;
const { EAGAIN, EINVAL, ENOSYS, EOPNOTSUPP } = systemConstants.errno;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** What means that a name leads to nothing, for us. Anything else (EIO) says nothing of it, and is thrown. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EACCES", "EPERM"]);
/** The suffix of files that `replace` has not finished. Whoever owns the directory may delete them at start. */
export const TEMPORARY_SUFFIX = ".tmp";

/** The disk of this machine. Its threads start when they are needed, or before that. */
export interface Disk extends Files {
  /** Starts the threads of `syncAll` and, when `isBusy`, of `openSyncThread`: later there may be no descriptors for them. */
  startThreads(isBusy: boolean): void;
  /** Ends those that are at rest. */
  endThreads(): void;
}

/** `spares`: taken where the system has no descriptor left. */
export function createDisk(spares?: SpareDescriptors): Disk {
  return new RealDisk(spares);
}

class RealDisk implements Disk {
  readonly syncAll: ((descriptor: number) => Promise<void>) | undefined;
  readonly openSyncThread: (() => SyncThread) | undefined;
  /** No private name: what is derived from this disk (Object.create) has it too. */
  protected readonly spares: SpareDescriptors;
  readonly #syncer: FileSystemSyncer | undefined;
  /** Started, and not taken yet. */
  #syncThread: WorkerSyncThread | undefined;

  constructor(spares = new SpareDescriptors({ open: (path) => openSync(path, "r"), close: closeSync })) {
    this.spares = spares;
    const hasSyncThread = process.platform === "linux" && cLibrary() !== undefined;
    this.openSyncThread = hasSyncThread ? () => this.#takeSyncThread() : undefined;
    this.#syncer = canSyncFileSystem() ? new FileSystemSyncer(canOpen) : undefined;
    const syncer = this.#syncer;
    this.syncAll = syncer && ((descriptor) => syncer.sync(descriptor));
  }

  startThreads(isBusy: boolean): void {
    this.#syncer?.start();
    if (!isBusy || this.openSyncThread === undefined) return;
    this.#syncThread ??= new WorkerSyncThread(canOpen);
    this.#syncThread.start();
  }

  endThreads(): void {
    this.#syncer?.end();
    this.#syncThread?.close();
    this.#syncThread = undefined;
  }

  open(path: string, mode: OpenMode): number {
    return this.spares.use(() => openSync(path, OPEN_FLAGS[mode], FILE_MODE));
  }

  close(descriptor: number): void {
    closeSync(descriptor);
    if (this.spares.isLent) this.spares.refill();
  }

  closeLater(descriptor: number): void {
    closeInPool(descriptor, ignore);
  }

  size(descriptor: number): number {
    return fstatSync(descriptor).size;
  }

  truncate(descriptor: number, bytes: number): void {
    ftruncateSync(descriptor, bytes);
  }

  read(descriptor: number, target: Buffer, targetPosition: number, bytes: number, position: number): number {
    let count = 0;
    while (count < bytes) {
      const step = readSync(descriptor, target, targetPosition + count, bytes - count, position + count);
      if (step === 0) break;
      count += step;
    }
    return count;
  }

  readCached(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): number {
    const got = cLibrary()?.readCached?.(descriptor, target, targetPosition, bytes, position) ?? -EOPNOTSUPP;
    if (got >= 0) return got;
    if (got === -EAGAIN) return 0;
    if (got !== -EOPNOTSUPP && got !== -ENOSYS && got !== -EINVAL) throw systemError("preadv2", -got);
    // Nobody can tell what is cached: what is short is read, the rest is for the thread pool.
    return bytes > READ_NOW_BYTES_MAX ? 0 : this.read(descriptor, target, targetPosition, bytes, position);
  }

  async readLater(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): Promise<number> {
    let count = 0;
    while (count < bytes) {
      const step = await readOnce(
        descriptor,
        target,
        targetPosition + count,
        bytes - count,
        position + count,
      );
      if (step === 0) break;
      count += step;
    }
    return count;
  }

  write(descriptor: number, source: Buffer, start: number, end: number, position: number): void {
    let done = start;
    while (done < end) {
      const step = writeSync(descriptor, source, done, end - done, position + done - start);
      if (step === 0) throw systemError("write", systemConstants.errno.EIO);
      done += step;
    }
  }

  syncNow(descriptor: number): void {
    fdatasyncSync(descriptor);
  }

  sync(descriptor: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  evict(descriptor: number): void {
    cLibrary()?.dropCached?.(descriptor);
  }

  readFile(path: string): Buffer {
    return this.spares.use(() => readFileSync(path));
  }

  replace(path: string, content: Buffer): void {
    const temporary = path + TEMPORARY_SUFFIX;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
    const descriptor = this.spares.use(() => openSync(temporary, flags, FILE_MODE));
    try {
      this.write(descriptor, content, 0, content.length, 0);
      fsyncSync(descriptor);
      renameSync(temporary, path);
    } catch (thrown) {
      rmSync(temporary, { force: true });
      throw thrown;
    } finally {
      closeSync(descriptor);
    }
    this.syncDirectory(dirname(path));
  }

  exists(path: string): boolean {
    try {
      return statSync(path, { throwIfNoEntry: false }) !== undefined;
    } catch (thrown) {
      if (ABSENT.has(errnoOf(thrown) ?? "")) return false;
      throw thrown;
    }
  }

  isDirectory(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  isLink(path: string): boolean {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  }

  identity(path: string): string | null {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
  }

  identityOf(descriptor: number): string | null {
    const { dev, ino, nlink } = fstatSync(descriptor);
    return nlink === 0 ? null : `${dev}:${ino}`;
  }

  device(directory: string): string {
    return `${statSync(directory).dev}`;
  }

  tellsFailures(directory: string): boolean {
    return statfsSync(directory).type !== OVERLAYFS_SUPER_MAGIC;
  }

  fileSize(path: string): number {
    return statSync(path).size;
  }

  list(directory: string): string[] {
    const entries = this.spares.use(() => readdirSync(directory, { withFileTypes: true }));
    return entries.map((entry) => (leadsToDirectory(entry) ? `${entry.name}/` : entry.name)).sort();
  }

  async listLater(directory: string): Promise<ListedName[]> {
    const entries = await this.spares.useLater(() =>
      inPool<Dirent[]>((done) => readDirectoryInPool(directory, { withFileTypes: true }, done)),
    );
    return entries.map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
      isLink: entry.isSymbolicLink(),
    }));
  }

  makeDirectory(directory: string): void {
    mkdirSync(directory, { recursive: true });
  }

  async makeDirectoryLater(directory: string): Promise<void> {
    await inPool<string | undefined>((done) => makeDirectoryInPool(directory, { recursive: true }, done));
  }

  async createLater(path: string): Promise<void> {
    this.close(await this.openLater(path, OPEN_FLAGS.create));
  }

  rename(source: string, target: string): void {
    renameSync(source, target);
  }

  removeFile(path: string): void {
    unlinkSync(path);
  }

  async removeFileLater(path: string): Promise<void> {
    await truncateInSteps(path).catch(ignore); // unlinked as it is then
    await inPool<void>((done) => unlinkInPool(path, done));
  }

  removeDirectory(directory: string): void {
    rmdirSync(directory);
  }

  removeDirectoryLater(directory: string): Promise<void> {
    return inPool<void>((done) => removeDirectoryInPool(directory, done));
  }

  syncDirectory(directory: string): void {
    const descriptor = this.spares.use(() => openSync(directory, constants.O_RDONLY));
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  async syncDirectoryLater(directory: string): Promise<void> {
    const descriptor = await this.openLater(directory, constants.O_RDONLY);
    try {
      await inPool<void>((done) => fsyncInPool(descriptor, done));
    } finally {
      this.close(descriptor);
    }
  }

  space(path: string): { freeBytes: number; totalBytes: number; freeFiles: number } {
    const { bavail, blocks, bsize, files, ffree } = statfsSync(path);
    // Some file systems have no such bound, and say 0 of 0.
    const freeFiles = files === 0 ? Number.POSITIVE_INFINITY : ffree;
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeFiles };
  }

  lock(descriptor: number): boolean {
    const library = cLibrary();
    if (library === undefined) throw systemError("flock", systemConstants.errno.ENOSYS);
    if (library.flock(descriptor, LOCK_EX | LOCK_NB) === 0) return true;
    const errno = library.errno();
    if (errno === systemConstants.errno.EWOULDBLOCK || errno === systemConstants.errno.EAGAIN) return false;
    throw systemError("flock", errno);
  }

  #takeSyncThread(): WorkerSyncThread {
    const thread = this.#syncThread ?? new WorkerSyncThread(canOpen);
    this.#syncThread = undefined;
    return thread;
  }

  protected openLater(path: string, flags: number): Promise<number> {
    return this.spares.useLater(() => inPool<number>((done) => openInPool(path, flags, FILE_MODE, done)));
  }
}

/** A link that leads nowhere, or in a circle, is no directory. */
function leadsToDirectory(entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  try {
    return statSync(`${entry.parentPath}/${entry.name}`).isDirectory();
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return false;
  }
}

function readOnce(
  descriptor: number,
  target: Buffer,
  targetPosition: number,
  bytes: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    readInPool(descriptor, target, targetPosition, bytes, position, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}

/**
 * Truncates a large file step by step: whoever syncs meanwhile waits for one step (3 ms), not for all of it (17 ms for 256 MiB on ext4). What
 * has another name too, or is no file, stays as it is.
 */
async function truncateInSteps(path: string): Promise<void> {
  const stat = await inPool<Stats>((done) => linkStatInPool(path, done));
  const { size } = stat;
  if (!stat.isFile() || stat.nlink > 1) return;
  for (let left = size - FREED_BYTES_MAX; left > 0; left -= FREED_BYTES_MAX)
    await inPool<void>((done) => truncateInPool(path, left, done));
}

/** What a call of the thread pool returns. */
function inPool<Result>(
  call: (done: (error: Error | null, result?: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result as Result)));
  });
}

function ignore(): void {}

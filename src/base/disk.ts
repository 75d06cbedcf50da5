/**
 * The real disk: `Files` over the system's calls.
 *
 *   operation   call
 *   read, write pread and pwrite on this thread (a 1 MiB read from the page cache takes 0.04 ms, 0.11 ms through the pool)
 *   sync        fdatasync in the thread pool
 *   syncAll     syncfs on a thread of its own, because it blocks for as long as the disk takes. It is started by the
 *               first call, does not keep the process alive while it idles, and carries its code as text, so that the
 *               compiled executable needs no second file. Linux 5.8 and later only: older ones hide write errors.
 *   lock        flock: the kernel lets go of it when the process dies, however it dies
 *
 * The C library is opened by the first call that needs it. Failures carry the system's name in `code`.
 */

import { dlopen, read as readMemory } from "bun:ffi";
import {
  closeSync,
  constants,
  type Dirent,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  read as readInPool,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { release, constants as systemConstants } from "node:os";
import { dirname } from "node:path";
import { errnoOf } from "./errors.ts";
import type { Files, OpenMode, SyncThread } from "./files.ts";
import { WorkerSyncThread } from "./sync-thread.ts";
import { systemError } from "./system-error.ts";

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};
const FILE_MODE = 0o644;
/** How Linux names an overlay of several file systems: its syncfs says nothing of the failures below it. */
const OVERLAY_TYPE = 0x794c7630;
/** Linux's O_CLOEXEC, as /proc shows it. */
const CLOSE_ON_EXEC = 0o2000000;
const LOCK_EXCLUSIVE = 2;
const LOCK_NO_WAIT = 4;
/** The suffix of files that `replace` has not finished. Whoever owns the directory may delete them at start. */
export const TEMPORARY_SUFFIX = ".tmp";

/** The disk of this machine. */
export function createDisk(): Files {
  return new Disk();
}

class Disk implements Files {
  readonly syncAll: ((descriptor: number) => Promise<void>) | undefined;
  readonly openSyncThread: (() => SyncThread) | undefined;

  constructor() {
    this.openSyncThread =
      process.platform === "linux" && cLibrary() !== undefined
        ? () => new WorkerSyncThread(LINUX_LIBRARY_NAMES)
        : undefined;
    if (!canSyncFileSystem()) {
      this.syncAll = undefined;
      return;
    }
    const syncer = new FileSystemSyncer();
    this.syncAll = (descriptor) => syncer.sync(descriptor);
  }

  open(path: string, mode: OpenMode): number {
    return openSync(path, OPEN_FLAGS[mode], FILE_MODE);
  }

  close(descriptor: number): void {
    closeSync(descriptor);
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

  map(path: string): Buffer {
    if (statSync(path).size === 0) return Buffer.alloc(0);
    const bytes = Bun.mmap(path, { shared: true });
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  readFile(path: string): Buffer {
    return readFileSync(path);
  }

  replace(path: string, content: Buffer): void {
    const temporary = path + TEMPORARY_SUFFIX;
    const descriptor = openSync(
      temporary,
      constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
      FILE_MODE,
    );
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
    return existsSync(path);
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
    return statfsSync(directory).type !== OVERLAY_TYPE;
  }

  fileSize(path: string): number {
    return statSync(path).size;
  }

  list(directory: string): string[] {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.map((entry) => (leadsToDirectory(entry) ? `${entry.name}/` : entry.name)).sort();
  }

  makeDirectory(directory: string): void {
    mkdirSync(directory, { recursive: true });
  }

  rename(source: string, target: string): void {
    renameSync(source, target);
  }

  removeFile(path: string): void {
    unlinkSync(path);
  }

  removeDirectory(directory: string): void {
    rmdirSync(directory);
  }

  syncDirectory(directory: string): void {
    const descriptor = openSync(directory, constants.O_RDONLY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
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
    if (library.flock(descriptor, LOCK_EXCLUSIVE | LOCK_NO_WAIT) === 0) return true;
    const errno = library.errno();
    if (errno === systemConstants.errno.EWOULDBLOCK || errno === systemConstants.errno.EAGAIN) return false;
    throw systemError("flock", errno);
  }
}

/**
 * Whether a standard descriptor was open when the process began. Bun puts /dev/null in the place of one that was closed, marked to
 * be closed on exec, as nothing that was inherited can be. True where the system does not tell.
 */
export function wasInherited(descriptor: 0 | 1 | 2): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"));
    return flags === null || (Number.parseInt(flags[1]!, 8) & CLOSE_ON_EXEC) === 0;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return true;
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

interface CLibrary {
  flock(descriptor: number, operation: number): number;
  /** The number of the last failure on this thread. */
  errno(): number;
}

let openedLibrary: CLibrary | undefined;
let hasTriedLibrary = false;

/** The few functions that node:fs lacks, or undefined where the C library cannot be opened. */
function cLibrary(): CLibrary | undefined {
  if (hasTriedLibrary) return openedLibrary;
  hasTriedLibrary = true;
  for (const name of libraryNames()) {
    openedLibrary = openLibrary(name);
    if (openedLibrary !== undefined) break;
  }
  return openedLibrary;
}

function libraryNames(): string[] {
  if (process.platform === "darwin") return ["libSystem.B.dylib"];
  if (process.platform === "linux") return LINUX_LIBRARY_NAMES;
  return [];
}

/** glibc first, then musl by processor. */
const LINUX_LIBRARY_NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

function openLibrary(name: string): CLibrary | undefined {
  const errnoSymbol = process.platform === "darwin" ? "__error" : "__errno_location";
  try {
    const { symbols } = dlopen(name, {
      flock: { args: ["i32", "i32"], returns: "i32" },
      [errnoSymbol]: { args: [], returns: "ptr" },
    });
    const errnoPlace = symbols[errnoSymbol] as () => Parameters<typeof readMemory.i32>[0];
    return {
      flock: symbols["flock"] as (descriptor: number, operation: number) => number,
      errno: () => readMemory.i32(errnoPlace(), 0),
    };
  } catch (thrown) {
    // A library of this name is not on the machine: the caller tries the next name.
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

function canSyncFileSystem(): boolean {
  if (process.platform !== "linux") return false;
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}

/** The code of the thread: one answer (0 or the errno) for each descriptor that it is sent, in order; -1 when there is no syncfs. */
const SYNCER_CODE = `
import { dlopen, read } from "bun:ffi";
let symbols;
for (const name of ${JSON.stringify(LINUX_LIBRARY_NAMES)}) {
  try {
    symbols = dlopen(name, {
      syncfs: { args: ["i32"], returns: "i32" },
      __errno_location: { args: [], returns: "ptr" },
    }).symbols;
    break;
  } catch {}
}
self.onmessage = (event) => {
  if (symbols === undefined) postMessage(-1);
  else postMessage(symbols.syncfs(event.data) === 0 ? 0 : read.i32(symbols.__errno_location(), 0) || ${systemConstants.errno.EIO});
};
`;

interface Waiter {
  descriptor: number;
  resolve: () => void;
  reject: (reason: Error) => void;
}

/** DOM's type of a worker lacks what Bun's workers have. */
type Thread = Worker & Pick<Bun.Worker, "ref" | "unref">;

/** Runs syncfs on a thread of its own. Where the thread cannot start or finds no syncfs, a sync fails with ENOSYS: nothing was tried. */
class FileSystemSyncer {
  #thread: Thread | undefined;
  readonly #waiters: Waiter[] = [];

  sync(descriptor: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#thread ??= this.#start();
      this.#waiters.push({ descriptor, resolve, reject });
      if (this.#waiters.length === 1) this.#thread.ref();
      this.#thread.postMessage(descriptor);
    });
  }

  #start(): Thread {
    const address = URL.createObjectURL(new Blob([SYNCER_CODE], { type: "application/javascript" }));
    const thread = new Worker(address) as Thread;
    thread.onmessage = (event: MessageEvent<number>) => this.#settle(event.data);
    thread.onerror = (event) => {
      event.preventDefault();
      while (this.#waiters.length > 0) this.#settle(-1);
    };
    return thread;
  }

  #settle(errno: number): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return;
    if (this.#waiters.length === 0) this.#thread?.unref();
    if (errno === 0) waiter.resolve();
    else waiter.reject(systemError("syncfs", errno === -1 ? systemConstants.errno.ENOSYS : errno));
  }
}

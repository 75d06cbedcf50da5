/**
 * The only way to the disk. Everything below `storage` reads and writes through a `Files`, so that tests can fail
 * the nth operation, fill the disk, or take away what was never synced (test/support).
 *
 * Promises
 *   - `write` writes everything or throws; a short write is continued, never reported.
 *   - `sync` (fdatasync, in the thread pool) and `syncAll` (syncfs, in a worker) resolve only when the bytes that were
 *     written before the call are on the disk. A failure is the caller's to act on: it must never be retried.
 *   - `replace` leaves the old or the new content, whole, whatever happens: temporary file, sync, rename, sync of the directory.
 *   - Errors are the system's own (`code` is ENOSPC, EMFILE, EACCES, ...); callers turn them into `ObeliskError`.
 *
 * It holds no state: descriptors are plain numbers, and whoever opened one closes it.
 */

export type OpenMode =
  /** Existing file, reading. */
  | "read"
  /** Existing file, reading and writing. */
  | "update"
  /** New file, reading and writing; EEXIST when it is there. */
  | "create";

export interface ListedName {
  readonly name: string;
  readonly isDirectory: boolean;
  /** The name itself is a symbolic link, whatever it points to: `isDirectory` is false then. */
  readonly isLink: boolean;
}

export interface Files {
  open(path: string, mode: OpenMode): number;
  close(descriptor: number): void;
  /** For a file whose name is gone: its last `close` frees its blocks and pages, which takes time and is done off the event loop. */
  closeLater(descriptor: number): void;
  size(descriptor: number): number;
  truncate(descriptor: number, bytes: number): void;
  /** Reads up to `bytes` bytes into `target` at `targetPosition`; returns how many (fewer only at the end of the file). */
  read(descriptor: number, target: Buffer, targetPosition: number, bytes: number, position: number): number;
  /**
   * As `read`, but only what can be read without waiting for the disk: fewer bytes than requested, or 0, say nothing about those
   * after them.
   */
  readCached(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): number;
  /** As `read`, off the event loop's thread. `target` belongs to the call until it resolves. */
  readLater(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): Promise<number>;
  /** Writes all of `source[start, end)` at `position`. */
  write(descriptor: number, source: Buffer, start: number, end: number, position: number): void;
  /** Blocks until the file's data is on disk. For recovery, sealing and small files; the hot path uses `sync`. */
  syncNow(descriptor: number): void;
  sync(descriptor: number): Promise<void>;
  /**
   * Evicts a file's clean pages from the page cache. After a sync that failed reads then return what the disk holds, in this process and
   * the next: pages whose write-back failed look clean, and on ext4 stay so even when they are written again and synced. Dirty pages
   * stay. Does nothing where the system has no such call, and never fails.
   */
  evict(descriptor: number): void;
  /**
   * One syncfs for the whole file system that holds the descriptor, or undefined where the system has none. A failure
   * with ENOSYS means that it could not be tried, and nothing is lost by syncing file by file instead. `device` identifies
   * the file system.
   */
  syncAll: ((descriptor: number) => Promise<void>) | undefined;
  /** Starts a thread for one busy file, or undefined where the system has none. */
  openSyncThread: (() => SyncThread) | undefined;

  readFile(path: string): Buffer;
  /** Atomic and durable replacement of a small file. */
  replace(path: string, content: Buffer): void;
  /** Follows links, as everything here does that does not say otherwise. A read error (EIO) throws: then it is unknown. */
  exists(path: string): boolean;
  /** Whether a directory is there. Follows links. */
  isDirectory(path: string): boolean;
  /** Whether the name itself is a symbolic link, whatever it points to. */
  isLink(path: string): boolean;
  /** Identifies the file that a name leads to, among all files at this time; null when there is none. Follows links. */
  identity(path: string): string | null;
  /** The same of an open file; null when it was unlinked: what is written to it is gone with the process. About 1 us. */
  identityOf(descriptor: number): string | null;
  /**
   * Identifies the file system of a directory, among all at this time. Follows links. About 2 us. Directories only: for a file an
   * overlay of several disks may name the one on which it lies.
   */
  device(directory: string): string;
  /** Whether `syncAll` on the file system of a directory reports failed write-backs: an overlay does not. */
  tellsFailures(directory: string): boolean;
  fileSize(path: string): number;
  /** Names in a directory, sorted; directories, and links to directories, end in "/". */
  list(directory: string): string[];
  /** As `list`, in any order, off the event loop's thread: of 180,000 names a turn has 10 ms. */
  listLater(directory: string): Promise<ListedName[]>;
  makeDirectory(directory: string): void;
  /** As `makeDirectory`, off the event loop's thread: a new name waits for the file system's journal, on a busy disk for milliseconds. */
  makeDirectoryLater(directory: string): Promise<void>;
  /** Makes a new, empty file off the event loop's thread; EEXIST when it is there. */
  createLater(path: string): Promise<void>;
  rename(source: string, target: string): void;
  removeFile(path: string): void;
  /** As `removeFile`, off the event loop's thread: freeing a file's blocks and pages takes 0.2 s for each GB. */
  removeFileLater(path: string): Promise<void>;
  removeDirectory(directory: string): void;
  removeDirectoryLater(directory: string): Promise<void>;
  /** Makes the entries of a directory durable: names that were created, renamed or removed. */
  syncDirectory(directory: string): void;
  /** As `syncDirectory`, off the event loop's thread. */
  syncDirectoryLater(directory: string): Promise<void>;
  /** Bytes free for us, and in all, and how many more files there may be, on the file system that holds `path`. */
  space(path: string): { freeBytes: number; totalBytes: number; freeFiles: number };
  /** Takes the exclusive lock on a file that dies with the process; false when another process holds it. */
  lock(descriptor: number): boolean;
}

/**
 * A thread that syncs one file again and again while more is written to it, without waiting for the event loop in between.
 *
 *     setWritten(5) wake()   setWritten(6) setWritten(8)     setWritten(9)
 *     thread         [ sync: covers 5 ][ sync: covers 8 .....][ sync: covers 9 ]
 *     listener                         synced(5)              synced(8)         synced(9)
 *
 * A written position says how much has been written: whoever sets it has written everything up to it. It never goes back, and is
 * at most `WRITTEN_MAX`. One file at a time. After a failure the thread lets the file go: the bytes may be lost. A listener is called
 * only after the call that led to it has returned. A thread that died is replaced when the next file is attached.
 */
export interface SyncThread {
  /** Takes on a file that is synced up to `written`. Only while it has none, and is not closed. */
  attach(descriptor: number, written: number, listener: SyncListener): void;
  /** Everything up to `written` is written. Does not wake a thread that sleeps, and does nothing once the file is let go. */
  setWritten(written: number): void;
  wake(): void;
  /**
   * Resolves when the thread no longer touches the file; the sync that runs is finished and reported first. Any number of calls
   * may wait for it.
   */
  detach(): Promise<void>;
  /** For good. A sync that runs is finished, but the listener hears no more; pending `detach` calls resolve then. */
  close(): void;
}

export interface SyncListener {
  synced(written: number): void;
  /**
   * The file is let go. A system error; ENOSYS means that no sync has begun since the last report, and nothing is lost by
   * syncing in another way.
   */
  failed(error: Error): void;
}

/** An int32: it is shared with the thread. */
export const WRITTEN_MAX = 2 ** 31 - 1;

export function isWrittenPosition(written: number): boolean {
  return Number.isInteger(written) && written >= 0 && written <= WRITTEN_MAX;
}

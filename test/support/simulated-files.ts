/**
 * A disk in memory that can fail and lose its power, and promises what Linux promises and no more.
 *
 *   crash()   a power cut: what was synced survives, everything else is up to chance (simulated-inode.ts, simulated-names.ts)
 *   kill()    the process is gone: what it has written is still there, synced or not
 *
 *   - A sync covers what was written before it was called, and reports each failed write-back once (error-sequence.ts): fdatasync
 *     of its file, syncfs of any file at all. A failure drops what was to be written, and the next sync succeeds.
 *   - What takes a while (syncs, syncfs, reads off the loop) takes as long as the `Weather` says, and ends in any order.
 *   - A file keeps its content through names: what an inode is to a real file system.
 *   - It is one file system, until `mount` puts others in it: a syncfs covers one of them, and nothing moves between them.
 *
 * The seed and the weather decide everything, so a run can be repeated.
 */

import type { Files, ListedName, OpenMode, SyncThread } from "../../src/base/files.ts";
import { ErrorSequence } from "./error-sequence.ts";
import { parentOf } from "./paths.ts";
import { randomOf } from "./random.ts";
import { SimulatedInode } from "./simulated-inode.ts";
import { type Entry, SimulatedNames } from "./simulated-names.ts";
import { type Errno, errnoName, errnoNumber, systemError } from "./system-error.ts";

/** What happens to the disk. The one below is for tests that have enough of power cuts. */
export interface Weather {
  /** Before each operation. @throws system errors: it is refused, and nothing has happened */
  before(operation: keyof Files, path: string): void;
  /** Resolves when an operation that does not block the event loop may end. */
  delay(operation: keyof Files, path: string): Promise<void>;
  /** How many of so many bytes of a file are in the page cache. */
  cachedOf(bytes: number): number;
  /** Called when dirty bytes of a file, or names in a directory, go to the disk: null, or why they do not arrive. */
  writeBack(path: string, kind: "file" | "directory"): Errno | null;
}

const CALM: Weather = {
  before: () => {},
  delay: () => Promise.resolve(),
  cachedOf: (bytes) => bytes,
  writeBack: () => null,
};

interface Descriptor {
  readonly path: string;
  readonly mode: OpenMode;
  isLocked: boolean;
  readonly inode: SimulatedInode;
  /** Which failed write-backs it has been told of: of its file, and of any. */
  fileErrors: number;
  anyErrors: number;
}

export class SimulatedFiles implements Files {
  openSyncThread: (() => SyncThread) | undefined = undefined;
  readonly syncAll: ((descriptor: number) => Promise<void>) | undefined;
  weather: Weather;
  #names = new SimulatedNames();
  /** Of each file system as a whole. */
  readonly #errors = new Map<string, ErrorSequence>();
  readonly #open = new Map<number, Descriptor>();
  readonly #dirty = new Map<SimulatedInode, string>();
  readonly #numbers = new Map<SimulatedInode, string>();
  #nextDescriptor = 3;
  readonly #random: () => number;

  constructor(seed: number, hasSyncAll = true, weather = CALM) {
    this.#random = randomOf(seed);
    this.weather = weather;
    if (hasSyncAll) this.syncAll = (descriptor) => this.#syncAll(descriptor);
  }

  /** Cuts the power. Returns the disk as it is found afterwards, in calm weather; what this one does from now on has no effect. */
  crash(): SimulatedFiles {
    const after = this.#next();
    after.#names = this.#names.afterPowerCut(this.#random);
    after.#names.replaceInodes((inode) => inode.afterPowerCut(this.#random));
    return after;
  }

  /** Ends the process. Returns the disk as the next one finds it. The system may have evicted files that were not dirty. */
  kill(): SimulatedFiles {
    const after = this.#next();
    after.#names = this.#names.afterKill();
    for (const [device, errors] of this.#errors) after.#errors.set(device, errors.copy());
    after.#names.replaceInodes((inode) => {
      const next = inode.afterKill();
      if (this.#random() < 0.3) next.dropCache();
      const path = this.#dirty.get(inode);
      if (path !== undefined && next.isDirty) after.#dirty.set(next, path);
      return next;
    });
    return after;
  }

  /** Makes a directory that nothing is in yet another file system, as a link to another disk does. */
  mount(directory: string): void {
    this.#names.mount(directory);
  }

  /** How many descriptors are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Paths of what is open. */
  get openPaths(): string[] {
    return [...this.#open.values()].map(({ path }) => path);
  }

  /** Whether a file in the directory holds `bytes` after a power cut for sure. */
  isDurable(directory: string, bytes: Buffer): boolean {
    for (const inode of this.#names.durableIn(directory)) if (inode.holds(bytes)) return true;
    return false;
  }

  /** Files with bytes that wait to be written back, under the path that they were opened by. */
  get dirtyPaths(): string[] {
    return [...this.#dirty.values()];
  }

  /** The system writes some of a file back by itself, well or badly. `slot` is a place in `dirtyPaths`, `share` how much of it. */
  writeSomeBack(slot: number, share: number): void {
    const found = [...this.#dirty.entries()][slot];
    if (found === undefined) return;
    const [inode, path] = found;
    const dirty = inode.dirty();
    this.#writeBack(inode, path, dirty.slice(0, Math.ceil(dirty.length * share)));
  }

  open(path: string, mode: OpenMode): number {
    this.weather.before("open", path);
    const entry = this.#names.get(path);
    const made = new SimulatedInode(this.#names.deviceOf(path));
    if (mode === "create") {
      if (entry !== undefined) throw systemError("EEXIST", "open");
      this.#names.checkDirectory(parentOf(path), "open");
      this.#names.set(path, made);
      return this.#describe(made, path, mode);
    }
    const isDirectoryRead = entry === "directory" && mode === "read";
    return this.#describe(isDirectoryRead ? made : this.#names.findFile(path, "open"), path, mode);
  }

  close(descriptor: number): void {
    this.weather.before("close", this.#opened(descriptor).path);
    this.#open.delete(descriptor);
  }

  closeLater(descriptor: number): void {
    this.close(descriptor);
  }

  size(descriptor: number): number {
    const { inode, path } = this.#opened(descriptor);
    this.weather.before("size", path);
    return inode.size;
  }

  truncate(descriptor: number, bytes: number): void {
    const { inode, path, mode } = this.#opened(descriptor);
    this.weather.before("truncate", path);
    if (mode === "read") throw systemError("EINVAL", "ftruncate");
    inode.truncate(bytes);
    this.#dirty.set(inode, path);
  }

  read(descriptor: number, target: Buffer, targetPosition: number, bytes: number, position: number): number {
    const { inode, path } = this.#opened(descriptor);
    this.weather.before("read", path);
    return inode.read(target, targetPosition, bytes, position);
  }

  readCached(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): number {
    const { inode, path } = this.#opened(descriptor);
    this.weather.before("readCached", path);
    return inode.read(target, targetPosition, this.weather.cachedOf(bytes), position);
  }

  async readLater(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): Promise<number> {
    const { inode, path } = this.#opened(descriptor);
    await this.weather.delay("readLater", path);
    this.weather.before("readLater", path);
    return inode.read(target, targetPosition, bytes, position);
  }

  write(descriptor: number, source: Buffer, start: number, end: number, position: number): void {
    const { inode, path, mode } = this.#opened(descriptor);
    if (mode === "read") throw systemError("EBADF", "write");
    try {
      this.weather.before("write", path);
    } catch (thrown) {
      // A real write may fail half way.
      const half = start + ((end - start) >> 1);
      inode.write(source.subarray(start, half), position);
      this.#dirty.set(inode, path);
      throw thrown;
    }
    inode.write(source.subarray(start, end), position);
    this.#dirty.set(inode, path);
  }

  syncNow(descriptor: number): void {
    const opened = this.#opened(descriptor);
    this.weather.before("syncNow", opened.path);
    this.#writeBack(opened.inode, opened.path, opened.inode.dirty());
    this.#checkErrors(opened, "fdatasync");
  }

  async sync(descriptor: number): Promise<void> {
    const opened = this.#opened(descriptor);
    this.weather.before("sync", opened.path);
    const dirty = opened.inode.dirty();
    await this.weather.delay("sync", opened.path);
    this.#writeBack(opened.inode, opened.path, dirty);
    this.#checkErrors(opened, "fdatasync");
  }

  readFile(path: string): Buffer {
    this.weather.before("readFile", path);
    return this.#names.findFile(path, "read").content();
  }

  evict(descriptor: number): void {
    this.#opened(descriptor).inode.evict();
  }

  /** The file is synced under another name before it takes this one. */
  replace(path: string, content: Buffer): void {
    this.weather.before("replace", path);
    this.#names.checkDirectory(parentOf(path), "open");
    if (this.isDirectory(path)) throw systemError("EISDIR", "rename");
    const errno = this.weather.writeBack(path, "file");
    if (errno !== null) throw systemError(errno, "fdatasync");
    this.#names.set(path, SimulatedInode.of(this.#names.deviceOf(path), content));
    this.syncDirectory(parentOf(path));
  }

  exists(path: string): boolean {
    return this.#names.get(path) !== undefined;
  }

  isDirectory(path: string): boolean {
    return this.#names.get(path) === "directory";
  }

  /** It has none. */
  isLink(_path: string): boolean {
    return false;
  }

  identity(path: string): string | null {
    const entry = this.#names.get(path);
    return entry === undefined ? null : this.#numberOf(entry);
  }

  identityOf(descriptor: number): string | null {
    const { inode } = this.#opened(descriptor);
    for (const named of this.#names.entries()) if (named === inode) return this.#numberOf(inode);
    return null;
  }

  tellsFailures(): boolean {
    return true;
  }

  device(directory: string): string {
    this.weather.before("device", directory);
    this.#names.checkDirectory(directory, "stat");
    return this.#names.deviceOf(directory);
  }

  fileSize(path: string): number {
    this.weather.before("fileSize", path);
    return this.#names.findFile(path, "stat").size;
  }

  list(directory: string): string[] {
    this.weather.before("list", directory);
    this.#names.checkDirectory(directory, "list");
    return this.#names.list(directory);
  }

  async listLater(directory: string): Promise<ListedName[]> {
    await this.weather.delay("listLater", directory);
    return this.list(directory).map((entry) => {
      const isDirectory = entry.endsWith("/");
      return { name: isDirectory ? entry.slice(0, -1) : entry, isDirectory, isLink: false };
    });
  }

  makeDirectory(directory: string): void {
    this.weather.before("makeDirectory", directory);
    this.#names.makeDirectory(directory);
  }

  async makeDirectoryLater(directory: string): Promise<void> {
    await this.weather.delay("makeDirectoryLater", directory);
    this.makeDirectory(directory);
  }

  async createLater(path: string): Promise<void> {
    await this.weather.delay("createLater", path);
    this.close(this.open(path, "create"));
  }

  rename(source: string, target: string): void {
    this.weather.before("rename", source);
    this.#names.rename(source, target);
  }

  removeFile(path: string): void {
    this.weather.before("removeFile", path);
    this.#names.findFile(path, "unlink");
    this.#names.set(path, undefined);
  }

  async removeFileLater(path: string): Promise<void> {
    await this.weather.delay("removeFileLater", path);
    this.removeFile(path);
  }

  async removeDirectoryLater(directory: string): Promise<void> {
    await this.weather.delay("removeDirectoryLater", directory);
    this.removeDirectory(directory);
  }

  removeDirectory(directory: string): void {
    this.weather.before("removeDirectory", directory);
    this.#names.checkDirectory(directory, "rmdir");
    if (this.#names.list(directory).length > 0) throw systemError("ENOTEMPTY", "rmdir");
    this.#names.set(directory, undefined);
  }

  syncDirectory(directory: string): void {
    this.weather.before("syncDirectory", directory);
    this.#names.checkDirectory(directory, "open");
    this.#writeNamesBack(directory, this.#names.changesIn(directory));
  }

  async syncDirectoryLater(directory: string): Promise<void> {
    this.weather.before("syncDirectory", directory);
    this.#names.checkDirectory(directory, "open");
    const changes = this.#names.changesIn(directory);
    await this.weather.delay("syncDirectoryLater", directory);
    this.#writeNamesBack(directory, changes);
  }

  space(path: string): { freeBytes: number; totalBytes: number; freeFiles: number } {
    this.#names.find(path, "statfs");
    return { freeBytes: 2 ** 40, totalBytes: 2 ** 40, freeFiles: Number.POSITIVE_INFINITY };
  }

  lock(descriptor: number): boolean {
    const opened = this.#opened(descriptor);
    for (const other of this.#open.values())
      if (other !== opened && other.inode === opened.inode && other.isLocked) return false;
    opened.isLocked = true;
    return true;
  }

  #writeNamesBack(directory: string, changes: ReturnType<SimulatedNames["changesIn"]>): void {
    const errno = this.weather.writeBack(directory, "directory");
    if (errno === null) {
      this.#names.complete(changes);
      return;
    }
    this.#names.drop(changes);
    throw systemError(errno, "fsync");
  }

  async #syncAll(descriptor: number): Promise<void> {
    const opened = this.#opened(descriptor);
    this.weather.before("syncAll", opened.path);
    const { device } = opened.inode;
    const dirty = [...this.#dirty]
      .filter(([inode]) => inode.device === device)
      .map(([inode, path]) => ({ inode, path, writes: inode.dirty() }));
    const changes = this.#names.changesOn(device);
    await this.weather.delay("syncAll", opened.path);
    for (const { inode, path, writes } of dirty) this.#writeBack(inode, path, writes);
    this.#names.complete(changes);
    const { errno, since } = this.#errorsOf(device).check(opened.anyErrors);
    opened.anyErrors = since;
    if (errno !== 0) throw systemError(errnoName(errno), "syncfs");
  }

  #writeBack(inode: SimulatedInode, path: string, writes: ReturnType<SimulatedInode["dirty"]>): void {
    if (writes.length === 0) return;
    const errno = this.weather.writeBack(path, "file");
    if (errno === null) inode.written(writes);
    else {
      inode.dropped(writes, errnoNumber(errno));
      this.#errorsOf(inode.device).set(errnoNumber(errno));
    }
    if (!inode.isDirty) this.#dirty.delete(inode);
  }

  #checkErrors(opened: Descriptor, call: string): void {
    const { errno, since } = opened.inode.errors.check(opened.fileErrors);
    opened.fileErrors = since;
    if (errno !== 0) throw systemError(errnoName(errno), call);
  }

  #errorsOf(device: string): ErrorSequence {
    let errors = this.#errors.get(device);
    if (errors === undefined) {
      errors = new ErrorSequence();
      this.#errors.set(device, errors);
    }
    return errors;
  }

  #next(): SimulatedFiles {
    return new SimulatedFiles(Math.floor(this.#random() * 2 ** 31), this.syncAll !== undefined);
  }

  #numberOf(entry: Entry): string {
    if (entry === "directory") return "directory";
    let number = this.#numbers.get(entry);
    if (number === undefined) {
      number = `${this.#numbers.size}`;
      this.#numbers.set(entry, number);
    }
    return number;
  }

  #describe(inode: SimulatedInode, path: string, mode: OpenMode): number {
    const descriptor = this.#nextDescriptor;
    this.#nextDescriptor += 1;
    const fileErrors = inode.errors.sample();
    const anyErrors = this.#errorsOf(inode.device).sample();
    this.#open.set(descriptor, { path, mode, isLocked: false, inode, fileErrors, anyErrors });
    return descriptor;
  }

  #opened(descriptor: number): Descriptor {
    const opened = this.#open.get(descriptor);
    if (opened === undefined) throw systemError("EBADF", "descriptor");
    return opened;
  }
}

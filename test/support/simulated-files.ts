/**
 * A disk in memory that can lose its power. What was synced survives `crash()`; everything else is up to chance.
 *
 *   bytes    each write since the file's last sync is kept, lost or garbled, by pages of 512 bytes; the size may fall back
 *   names    a file or directory that was created, renamed or removed since the last sync of its directory (or syncAll) may
 *            be there or not, each change by itself; a directory moves as a whole
 *
 * A file keeps its content through names: what an inode is to a real file system. After a crash all descriptors are gone.
 * It is one file system, until `mount` puts others in it: a `syncAll` covers one of them, and nothing moves between them.
 * The seed decides everything, so a run can be repeated.
 */

import type { Files, OpenMode, SyncThread } from "../../src/base/files.ts";
import { systemError } from "./faulty-files.ts";
import { moved, moveNames, parentOf } from "./paths.ts";
import { randomOf } from "./random.ts";

const PAGE_BYTES = 512;

interface Inode {
  readonly device: string;
  content: Buffer;
  size: number;
  /** What survives a crash for sure. */
  durable: Buffer;
  writes: { position: number; bytes: Buffer }[];
}

/** `target`: a directory was moved there with all that is in it, which happens or does not as a whole. */
type NameChange = { path: string; after: Inode | "directory" | undefined; target?: string };

export class SimulatedFiles implements Files {
  openSyncThread: (() => SyncThread) | undefined = undefined;
  readonly syncAll: ((descriptor: number) => Promise<void>) | undefined;
  /** Names to files and directories, as a running process sees them. */
  #names = new Map<string, Inode | "directory">();
  #durableNames = new Map<string, Inode | "directory">();
  #nameChanges: NameChange[] = [];
  /** Directories that are other file systems. */
  #mounts: { path: string; device: string }[] = [];
  readonly #open = new Map<number, Inode>();
  readonly #numbers = new Map<Inode, string>();
  #nextDescriptor = 3;
  readonly #random: () => number;

  constructor(seed: number, hasSyncAll = true) {
    this.#random = randomOf(seed);
    this.#names.set("/", "directory");
    this.#durableNames.set("/", "directory");
    if (hasSyncAll) {
      this.syncAll = async (descriptor) => this.#syncDevice(this.#inode(descriptor).device);
    }
  }

  /** Makes a directory that nothing is in yet another file system, as a link to another disk does. */
  mount(directory: string): void {
    for (const path of this.#names.keys()) {
      if (path.startsWith(`${directory}/`)) throw new Error(`${directory} is not empty: ${path}`);
    }
    this.#mounts.push({ path: directory, device: directory });
  }

  /** Takes the power away. Answers the disk as it is found afterwards; this one is dead, whatever still uses it. */
  crash(): SimulatedFiles {
    const names = new Map(this.#durableNames);
    const unmoved: { path: string; target: string }[] = [];
    const placeOf = (path: string) =>
      unmoved.reduce((found, move) => moved(found, move.target, move.path), path);
    for (const { path, after, target } of this.#nameChanges) {
      const isKept = this.#random() >= 0.5;
      if (target !== undefined && isKept) moveNames(names, path, target);
      else if (target !== undefined) unmoved.unshift({ path, target });
      if (target !== undefined || !isKept) continue;
      // What was changed in a directory that did not move after all was changed where it still is.
      const place = placeOf(path);
      if (after === undefined) names.delete(place);
      else names.set(place, after);
    }
    for (const path of [...names.keys()]) if (!this.#hasParents(names, path)) names.delete(path);
    const after = new SimulatedFiles(Math.floor(this.#random() * 2 ** 31), this.syncAll !== undefined);
    const nodes = new Map<Inode, Inode>();
    for (const [path, node] of names) {
      if (node !== "directory" && !nodes.has(node)) nodes.set(node, this.#crashFile(node));
      after.#names.set(path, node === "directory" ? node : nodes.get(node)!);
    }
    after.#durableNames = new Map(after.#names);
    after.#mounts = this.#mounts.map(({ path, device }) => ({ path: placeOf(path), device }));
    this.#open.clear();
    this.#names.clear();
    this.#durableNames.clear();
    return after;
  }

  open(path: string, mode: OpenMode): number {
    const node = this.#names.get(path);
    if (mode === "create") {
      if (node !== undefined) throw systemError("EEXIST", "open");
      this.#parent(path);
      const made: Inode = {
        device: this.#deviceOf(path),
        content: Buffer.alloc(0),
        size: 0,
        durable: Buffer.alloc(0),
        writes: [],
      };
      this.#setName(path, made);
      return this.#descriptor(made);
    }
    if (node === undefined) throw systemError("ENOENT", "open");
    if (node === "directory") throw systemError("EISDIR", "open");
    return this.#descriptor(node);
  }

  close(descriptor: number): void {
    if (!this.#open.delete(descriptor)) throw systemError("EBADF", "close");
  }

  size(descriptor: number): number {
    return this.#inode(descriptor).size;
  }

  truncate(descriptor: number, bytes: number): void {
    const node = this.#inode(descriptor);
    resize(node, bytes);
    node.content.fill(0, bytes);
    node.size = bytes;
    node.writes.push({ position: bytes, bytes: Buffer.alloc(0) });
  }

  read(descriptor: number, target: Buffer, targetPosition: number, bytes: number, position: number): number {
    const node = this.#inode(descriptor);
    const end = Math.min(node.size, position + bytes);
    return end <= position ? 0 : node.content.copy(target, targetPosition, position, end);
  }

  async readLater(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): Promise<number> {
    await Promise.resolve();
    return this.read(descriptor, target, targetPosition, bytes, position);
  }

  write(descriptor: number, source: Buffer, start: number, end: number, position: number): void {
    const node = this.#inode(descriptor);
    resize(node, position + end - start);
    source.copy(node.content, position, start, end);
    node.size = Math.max(node.size, position + end - start);
    node.writes.push({ position, bytes: Buffer.from(source.subarray(start, end)) });
  }

  syncNow(descriptor: number): void {
    settle(this.#inode(descriptor));
  }

  async sync(descriptor: number): Promise<void> {
    const node = this.#inode(descriptor);
    const durable = Buffer.from(node.content.subarray(0, node.size));
    const { length } = node.writes;
    await Promise.resolve();
    node.durable = durable;
    node.writes.splice(0, length);
  }

  map(path: string): Buffer {
    return this.readFile(path);
  }

  readFile(path: string): Buffer {
    const node = this.#file(path);
    return Buffer.from(node.content.subarray(0, node.size));
  }

  replace(path: string, content: Buffer): void {
    const node: Inode = {
      device: this.#deviceOf(path),
      content: Buffer.from(content),
      size: content.length,
      durable: Buffer.from(content),
      writes: [],
    };
    this.#parent(path);
    this.#setName(path, node);
    this.syncDirectory(parentOf(path));
  }

  exists(path: string): boolean {
    return this.#names.has(path);
  }

  isDirectory(path: string): boolean {
    return this.#names.get(path) === "directory";
  }

  /** It has none. */
  isLink(_path: string): boolean {
    return false;
  }

  identity(path: string): string | null {
    const node = this.#names.get(path);
    return node === undefined ? null : this.#numberOf(node);
  }

  identityOf(descriptor: number): string | null {
    const node = this.#inode(descriptor);
    for (const named of this.#names.values()) if (named === node) return this.#numberOf(node);
    return null;
  }

  #numberOf(node: Inode | "directory"): string {
    if (node === "directory") return "directory";
    let number = this.#numbers.get(node);
    if (number === undefined) {
      number = `${this.#numbers.size}`;
      this.#numbers.set(node, number);
    }
    return number;
  }

  device(directory: string): string {
    if (this.#names.get(directory) !== "directory") throw systemError("ENOENT", "stat");
    return this.#deviceOf(directory);
  }

  fileSize(path: string): number {
    return this.#file(path).size;
  }

  list(directory: string): string[] {
    if (this.#names.get(directory) !== "directory") throw systemError("ENOENT", "list");
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const found: string[] = [];
    for (const [path, node] of this.#names) {
      const rest = path.slice(prefix.length);
      if (!path.startsWith(prefix) || rest === "" || rest.includes("/")) continue;
      found.push(node === "directory" ? `${rest}/` : rest);
    }
    return found.sort();
  }

  makeDirectory(directory: string): void {
    const parts = directory.split("/").filter((part) => part !== "");
    for (let count = 1; count <= parts.length; count += 1) {
      const path = `/${parts.slice(0, count).join("/")}`;
      if (!this.#names.has(path)) this.#setName(path, "directory");
    }
  }

  rename(source: string, target: string): void {
    const node = this.#names.get(source);
    if (node === undefined) throw systemError("ENOENT", "rename");
    if (this.#deviceOf(parentOf(source)) !== this.#deviceOf(parentOf(target)))
      throw systemError("EXDEV", "rename");
    if (node === "directory") {
      moveNames(this.#names, source, target);
      this.#mounts = this.#mounts.map((mount) => ({ ...mount, path: moved(mount.path, source, target) }));
      this.#nameChanges.push({ path: source, after: "directory", target });
      return;
    }
    this.#setName(source, undefined);
    this.#setName(target, node);
  }

  removeFile(path: string): void {
    this.#file(path);
    this.#setName(path, undefined);
  }

  removeDirectory(directory: string): void {
    if (this.list(directory).length > 0) throw systemError("ENOTEMPTY", "rmdir");
    this.#setName(directory, undefined);
  }

  syncDirectory(directory: string): void {
    const isIn = (path: string) => parentOf(path) === directory;
    for (const { path, target } of this.#nameChanges.filter((change) => isIn(change.path))) {
      if (target === undefined) continue;
      moveNames(this.#durableNames, path, target);
      for (const change of this.#nameChanges) change.path = moved(change.path, path, target);
    }
    for (const path of [...this.#durableNames.keys()]) {
      if (isIn(path) && !this.#names.has(path)) this.#durableNames.delete(path);
    }
    for (const [path, node] of this.#names) if (isIn(path)) this.#durableNames.set(path, node);
    this.#nameChanges = this.#nameChanges.filter((change) => !isIn(change.path));
  }

  space(): { freeBytes: number; totalBytes: number; freeFiles: number } {
    return { freeBytes: 2 ** 40, totalBytes: 2 ** 40, freeFiles: Number.POSITIVE_INFINITY };
  }

  lock(): boolean {
    return true;
  }

  /** The file system that is mounted nearest above a path. */
  #deviceOf(path: string): string {
    let nearest = { path: "", device: "/" };
    for (const mount of this.#mounts) {
      const isAbove = path === mount.path || path.startsWith(`${mount.path}/`);
      if (isAbove && mount.path.length > nearest.path.length) nearest = mount;
    }
    return nearest.device;
  }

  /** A name belongs to the file system of the directory that it is in. */
  #syncDevice(device: string): void {
    const isCovered = (path: string) => this.#deviceOf(parentOf(path)) === device;
    for (const node of this.#names.values()) if (node !== "directory" && node.device === device) settle(node);
    for (const path of [...this.#durableNames.keys()]) if (isCovered(path)) this.#durableNames.delete(path);
    for (const [path, node] of this.#names) if (isCovered(path)) this.#durableNames.set(path, node);
    this.#nameChanges = this.#nameChanges.filter(({ path }) => !isCovered(path));
  }

  #setName(path: string, after: Inode | "directory" | undefined): void {
    this.#nameChanges.push({ path, after });
    if (after === undefined) this.#names.delete(path);
    else this.#names.set(path, after);
  }

  #parent(path: string): void {
    if (this.#names.get(parentOf(path)) !== "directory") throw systemError("ENOENT", "open");
  }

  #hasParents(names: ReadonlyMap<string, unknown>, path: string): boolean {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      if (names.get(path.slice(0, end)) !== "directory") return false;
    }
    return true;
  }

  #file(path: string): Inode {
    const node = this.#names.get(path);
    if (node === undefined) throw systemError("ENOENT", "open");
    if (node === "directory") throw systemError("EISDIR", "open");
    return node;
  }

  #descriptor(node: Inode): number {
    const descriptor = this.#nextDescriptor;
    this.#nextDescriptor += 1;
    this.#open.set(descriptor, node);
    return descriptor;
  }

  #inode(descriptor: number): Inode {
    const node = this.#open.get(descriptor);
    if (node === undefined) throw systemError("EBADF", "descriptor");
    return node;
  }

  /** Plays the unsynced writes again over what was durable, each page kept, lost or garbled. */
  #crashFile(node: Inode): Inode {
    const after: Inode = {
      device: node.device,
      content: Buffer.from(node.durable),
      size: node.durable.length,
      durable: Buffer.alloc(0),
      writes: [],
    };
    for (const { position, bytes } of node.writes) {
      if (bytes.length === 0) {
        // A truncation that never arrived leaves the old bytes.
        if (this.#random() < 0.5 && position < after.size) after.size = position;
        continue;
      }
      for (let start = 0; start < bytes.length; start += PAGE_BYTES) {
        const page = Buffer.from(bytes.subarray(start, start + PAGE_BYTES));
        const chance = this.#random();
        if (chance < 0.3) continue;
        if (chance < 0.45) page.fill(chance < 0.4 ? 0 : Math.floor(this.#random() * 256));
        resize(after, position + start + page.length);
        page.copy(after.content, position + start);
        after.size = Math.max(after.size, position + start + page.length);
      }
    }
    settle(after);
    return after;
  }
}

function resize(node: Inode, bytes: number): void {
  if (bytes <= node.content.length) return;
  const larger = Buffer.alloc(Math.max(bytes, node.content.length * 2));
  node.content.copy(larger, 0, 0, node.size);
  node.content = larger;
}

function settle(node: Inode): void {
  node.durable = Buffer.from(node.content.subarray(0, node.size));
  node.writes = [];
}

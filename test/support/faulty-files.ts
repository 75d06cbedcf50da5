/**
 * A disk that fails on demand: the nth operation of some kinds, with a given error; or every write once so many bytes
 * were written. Everything else goes through to the disk beneath.
 */

import type { Files, ListedName, OpenMode } from "../../src/base/files.ts";
import { type Errno, systemError } from "./system-error.ts";

export type Operation =
  | Exclude<
      keyof Files,
      | "syncAll"
      | "readCached"
      | "exists"
      | "isDirectory"
      | "isLink"
      | "identity"
      | "identityOf"
      | "evict"
      | "tellsFailures"
      | "lock"
      | "closeLater"
      | "listLater"
      | "makeDirectoryLater"
      | "createLater"
      | "removeFileLater"
      | "removeDirectoryLater"
      | "syncDirectoryLater"
    >
  | "syncAll";

export interface Fault {
  /** Which operations count and may fail; all when left out. */
  operations?: readonly Operation[];
  /** Fails the nth of them (1 is the first) ... */
  nth: number;
  /** ... and this many after it too; Infinity: all. */
  more?: number;
  /** ENOSPC, EIO, EACCES, EMFILE, ... */
  errno: Errno;
  /** Counts only operations on paths or descriptors of paths that contain this. */
  path?: string;
}

export class FaultyFiles implements Files {
  readonly openSyncThread = undefined;
  readonly syncAll: ((descriptor: number) => Promise<void>) | undefined;
  /** How many operations were counted since the fault was set. */
  count = 0;
  /** How many were made to fail. */
  failed = 0;
  /** What failed last, for messages. */
  lastFailed = "";
  fault: Fault | null = null;
  /** Writes fail with ENOSPC (after writing what still fits) once so many more bytes were written. */
  bytesLeft = Number.POSITIVE_INFINITY;
  readonly #under: Files;
  readonly #paths = new Map<number, string>();

  constructor(under: Files, options: { hasSyncAll?: boolean } = {}) {
    this.#under = under;
    if (under.syncAll === undefined || options.hasSyncAll === false) return;
    this.syncAll = async (descriptor) => {
      this.#check("syncAll", this.#paths.get(descriptor) ?? "");
      await under.syncAll!(descriptor);
    };
  }

  setFault(fault: Fault | null): void {
    this.fault = fault;
    this.count = 0;
    this.failed = 0;
  }

  open(path: string, mode: OpenMode): number {
    this.#check("open", path);
    const descriptor = this.#under.open(path, mode);
    this.#paths.set(descriptor, path);
    return descriptor;
  }

  close(descriptor: number): void {
    this.#paths.delete(descriptor);
    this.#under.close(descriptor);
  }

  closeLater(descriptor: number): void {
    this.close(descriptor);
  }

  size(descriptor: number): number {
    this.#checkDescriptor("size", descriptor);
    return this.#under.size(descriptor);
  }

  truncate(descriptor: number, bytes: number): void {
    this.#checkDescriptor("truncate", descriptor);
    this.#under.truncate(descriptor, bytes);
  }

  read(descriptor: number, target: Buffer, targetPosition: number, bytes: number, position: number): number {
    this.#checkDescriptor("read", descriptor);
    return this.#under.read(descriptor, target, targetPosition, bytes, position);
  }

  /** A read as any other, for faults. */
  readCached(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): number {
    this.#checkDescriptor("read", descriptor);
    return this.#under.readCached(descriptor, target, targetPosition, bytes, position);
  }

  async readLater(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): Promise<number> {
    this.#checkDescriptor("readLater", descriptor);
    return await this.#under.readLater(descriptor, target, targetPosition, bytes, position);
  }

  write(descriptor: number, source: Buffer, start: number, end: number, position: number): void {
    try {
      this.#checkDescriptor("write", descriptor);
    } catch (thrown) {
      // A real write may fail half way.
      this.#under.write(descriptor, source, start, start + ((end - start) >> 1), position);
      throw thrown;
    }
    if (end - start > this.bytesLeft) {
      this.#under.write(descriptor, source, start, start + this.bytesLeft, position);
      this.bytesLeft = 0;
      throw systemError("ENOSPC", "write");
    }
    this.bytesLeft -= end - start;
    this.#under.write(descriptor, source, start, end, position);
  }

  syncNow(descriptor: number): void {
    this.#checkDescriptor("syncNow", descriptor);
    this.#under.syncNow(descriptor);
  }

  async sync(descriptor: number): Promise<void> {
    this.#checkDescriptor("sync", descriptor);
    await this.#under.sync(descriptor);
  }

  readFile(path: string): Buffer {
    this.#check("readFile", path);
    return this.#under.readFile(path);
  }

  replace(path: string, content: Buffer): void {
    this.#check("replace", path);
    if (content.length > this.bytesLeft) throw systemError("ENOSPC", "replace");
    this.bytesLeft -= content.length;
    this.#under.replace(path, content);
  }

  exists(path: string): boolean {
    return this.#under.exists(path);
  }

  identity(path: string): string | null {
    return this.#under.identity(path);
  }

  evict(descriptor: number): void {
    this.#under.evict(descriptor);
  }

  identityOf(descriptor: number): string | null {
    return this.#under.identityOf(descriptor);
  }

  tellsFailures(directory: string): boolean {
    return this.#under.tellsFailures(directory);
  }

  isDirectory(path: string): boolean {
    return this.#under.isDirectory(path);
  }

  isLink(path: string): boolean {
    return this.#under.isLink(path);
  }

  device(directory: string): string {
    this.#check("device", directory);
    return this.#under.device(directory);
  }

  fileSize(path: string): number {
    this.#check("fileSize", path);
    return this.#under.fileSize(path);
  }

  list(directory: string): string[] {
    this.#check("list", directory);
    return this.#under.list(directory);
  }

  async listLater(directory: string): Promise<ListedName[]> {
    this.#check("list", directory);
    return await this.#under.listLater(directory);
  }

  makeDirectory(directory: string): void {
    this.#check("makeDirectory", directory);
    this.#under.makeDirectory(directory);
  }

  async makeDirectoryLater(directory: string): Promise<void> {
    this.#check("makeDirectory", directory);
    await this.#under.makeDirectoryLater(directory);
  }

  async createLater(path: string): Promise<void> {
    this.#check("open", path);
    await this.#under.createLater(path);
  }

  rename(source: string, target: string): void {
    this.#check("rename", source);
    this.#under.rename(source, target);
  }

  removeFile(path: string): void {
    this.#check("removeFile", path);
    this.#under.removeFile(path);
  }

  async removeFileLater(path: string): Promise<void> {
    this.#check("removeFile", path);
    await this.#under.removeFileLater(path);
  }

  async removeDirectoryLater(directory: string): Promise<void> {
    this.#check("removeDirectory", directory);
    await this.#under.removeDirectoryLater(directory);
  }

  removeDirectory(directory: string): void {
    this.#check("removeDirectory", directory);
    this.#under.removeDirectory(directory);
  }

  syncDirectory(directory: string): void {
    this.#check("syncDirectory", directory);
    this.#under.syncDirectory(directory);
  }

  async syncDirectoryLater(directory: string): Promise<void> {
    this.#check("syncDirectory", directory);
    await this.#under.syncDirectoryLater(directory);
  }

  space(path: string): { freeBytes: number; totalBytes: number; freeFiles: number } {
    this.#check("space", path);
    return this.#under.space(path);
  }

  lock(descriptor: number): boolean {
    return this.#under.lock(descriptor);
  }

  #checkDescriptor(operation: Operation, descriptor: number): void {
    this.#check(operation, this.#paths.get(descriptor) ?? "");
  }

  #check(operation: Operation, path: string): void {
    const { fault } = this;
    if (fault === null) return;
    if (fault.operations !== undefined && !fault.operations.includes(operation)) return;
    if (fault.path !== undefined && !path.includes(fault.path)) return;
    this.count += 1;
    if (this.count < fault.nth || this.count > fault.nth + (fault.more ?? 0)) return;
    this.failed += 1;
    this.lastFailed = `${operation} ${path}`;
    throw systemError(fault.errno, operation);
  }
}

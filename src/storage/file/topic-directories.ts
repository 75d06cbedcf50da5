/**
 * The folders under `topics/`: how a topic is created as a whole, and how it is removed.
 *
 *     topics/<topic>/<partition>/    a topic that exists
 *     topics/~~<topic>/              a topic that was removed, until all that belongs to it is deleted
 *     topics/~removed-<n>/           what could not be deleted; the next start tries again
 *
 *   - `create` makes all folders and first segments of a topic, or of partitions that are added to one, or nothing.
 *   - `detach` is one rename, and with it the removal is committed: no crash brings the topic back. It comes before everything
 *     else because it needs no space, and `discard` frees space that the rest of the removal needs: on a full disk this is
 *     the only order that works.
 *   - `~` is in no topic's name, so only names of our own are ever deleted.
 *   - Files are created and deleted one by one in the thread pool, however many partitions, segments or bytes a topic has. Both are atomic
 *     for others: a topic that is being created is no topic yet, and one that is detached is none any more.
 *   - A topic or a partition may be a link to a folder elsewhere: deletion.ts.
 */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { Turnstile } from "../../base/loop/turns.ts";
import { isTopicName } from "../names.ts";
import { Deletions, deleteNow } from "./deletion.ts";
import { logPathOf } from "./segment.ts";
import { storageError } from "./store.ts";

export const DETACHED_PREFIX = "~~";
const REMOVED_PREFIX = "~removed-";

/** Called for a folder that cannot be deleted, with the reason. */
type RefusalListener = (path: string, reason: string) => void;

export class TopicDirectories {
  readonly #files: Files;
  /** The folder that holds one folder for each topic. */
  readonly path: string;
  /** One partition at a time, over all topics that are being created: the thread pool has few threads, and they sync records too. */
  readonly #creations = new Turnstile(1);
  readonly #deletions: Deletions;
  #removedCount = 0;
  /** The sync that runs, or ran last; never rejects. */
  #lastSync: Promise<void> = Promise.resolve();
  /** The one that has not begun. */
  #nextSync: Promise<void> | null = null;
  #isClosed = false;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.path = path;
    this.#deletions = new Deletions(files);
  }

  /**
   * Makes the folder, and deletes what is left of removals that are complete. `refused` is called for what cannot be deleted.
   * @throws system errors
   */
  prepare(dataDirectory: string, refused: RefusalListener): void {
    const files = this.#files;
    if (!files.exists(this.path)) files.makeDirectory(this.path);
    files.syncDirectory(dataDirectory); // it may be there since a start whose sync of it failed
    for (const name of this.#names()) {
      const path = `${this.path}/${name}`;
      const isStale = name.startsWith(DETACHED_PREFIX) && files.exists(this.#of(topicOf(name)));
      if (!isStale && !name.startsWith(REMOVED_PREFIX)) continue;
      try {
        deleteNow(files, path);
      } catch (thrown) {
        refused(path, reasonOf(thrown));
      }
    }
  }

  /**
   * Topics on disk, with the number of partitions in their folders. `refused` is called for a folder that cannot be read: it is left
   * out. @throws system errors
   */
  stored(refused: RefusalListener): { topic: string; partitions: number }[] {
    const found: { topic: string; partitions: number }[] = [];
    for (const name of this.#files.list(this.path)) {
      const topic = name.slice(0, -1);
      if (!name.endsWith("/") || !isTopicName(topic)) continue;
      try {
        const partitions = this.#countPartitions(topic);
        if (partitions > 0) found.push({ topic, partitions });
      } catch (thrown) {
        if (errnoOf(thrown) === undefined || !(thrown instanceof Error)) throw thrown;
        refused(this.#of(topic), thrown.message);
      }
    }
    return found;
  }

  /** Partitions that are there stay as they are. @throws ObeliskError DISK_FULL, KAFKA_STORAGE_ERROR; then nothing is left of it */
  async create(topic: string, partitions: number): Promise<void> {
    const files = this.#files;
    const path = this.#of(topic);
    const wasThere = files.exists(path);
    const made: string[] = [];
    try {
      for (let index = 0; index < partitions; index += 1) {
        const directory = `${path}/${index}`;
        if (files.exists(directory)) continue;
        made.push(directory);
        await this.#creations.run(() => this.#createPartition(directory));
      }
    } catch (thrown) {
      if (!wasThere && files.exists(path)) await this.#tryToDelete(path);
      else if (wasThere) await this.#deleteMade(made);
      throw storageError(thrown, { topic, file: path });
    }
  }

  /** False when there is no such folder (any more). `sync` must follow in any case. @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL; then it is still there */
  detach(topic: string): boolean {
    const files = this.#files;
    const source = this.#of(topic);
    const target = this.#ofDetached(topic);
    if (!files.exists(source) && !files.isLink(source)) return false;
    try {
      if (files.exists(target) || files.isLink(target)) this.#quarantine(target);
      files.rename(source, target);
      return true;
    } catch (thrown) {
      throw storageError(thrown, { topic, file: source });
    }
  }

  /** Makes all detachments before it durable, with one sync for all that wait. @throws system errors */
  sync(): Promise<void> {
    this.#nextSync ??= this.#syncNext();
    return this.#nextSync;
  }

  /** Reverts a detachment that could not be made durable: after a power cut either name may be there. */
  attach(topic: string): void {
    try {
      this.#files.rename(this.#ofDetached(topic), this.#of(topic));
    } catch (thrown) {
      reasonOf(thrown);
    }
  }

  /** Topics that were detached and not released: removals that a crash has interrupted. @throws system errors */
  detached(): string[] {
    const names = this.#names().filter((name) => name.startsWith(DETACHED_PREFIX));
    return names.map(topicOf).filter(isTopicName);
  }

  /** Deletes what a detached topic holds, as far as the disk allows. @throws ObeliskError KAFKA_STORAGE_ERROR when it is closed meanwhile */
  async discard(topic: string): Promise<void> {
    const path = this.#ofDetached(topic);
    if (this.#files.isLink(path) || this.#files.exists(path)) await this.#deletions.empty(path);
  }

  /** The topic's name may be used again. `refused` as for `prepare`. @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL */
  async release(topic: string, refused: RefusalListener): Promise<void> {
    const files = this.#files;
    const path = this.#ofDetached(topic);
    try {
      if (!files.exists(path) && !files.isLink(path)) return;
      const reason = await this.#tryToDelete(path);
      if (reason !== null) refused(this.#quarantine(path), reason);
      await this.sync();
    } catch (thrown) {
      throw storageError(thrown, { topic, file: path });
    }
  }

  /** Creates and deletes nothing more. What is in flight has ended when it resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#creations.run(async () => {});
    await this.#deletions.close();
  }

  async #syncNext(): Promise<void> {
    await this.#lastSync;
    this.#nextSync = null; // later renames are not covered by it
    const sync = this.#files.syncDirectoryLater(this.path);
    this.#lastSync = sync.catch(ignore);
    await sync;
  }

  async #createPartition(directory: string): Promise<void> {
    const files = this.#files;
    if (this.#isClosed)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the server is shutting down" });
    await files.makeDirectoryLater(directory);
    await files.createLater(logPathOf(directory, 0));
  }

  async #deleteMade(directories: readonly string[]): Promise<void> {
    for (const directory of directories)
      if (this.#files.exists(directory)) await this.#tryToDelete(directory);
  }

  /** Why it could not be deleted, or null. @throws ObeliskError KAFKA_STORAGE_ERROR when it is closed meanwhile */
  async #tryToDelete(path: string): Promise<string | null> {
    try {
      await this.#deletions.delete(path);
      return null;
    } catch (thrown) {
      return reasonOf(thrown);
    }
  }

  /** Renames it, for the next start to delete; returns its new path. @throws system errors */
  #quarantine(path: string): string {
    const target = `${this.path}/${this.#removedName()}`;
    this.#files.rename(path, target);
    return target;
  }

  #countPartitions(topic: string): number {
    let count = 0;
    for (const name of this.#files.list(this.#of(topic))) {
      if (/^\d{1,9}\/$/.test(name)) count = Math.max(count, Number(name.slice(0, -1)) + 1);
    }
    return count;
  }

  #of(topic: string): string {
    return `${this.path}/${topic}`;
  }

  #ofDetached(topic: string): string {
    return `${this.path}/${DETACHED_PREFIX}${topic}`;
  }

  #names(): string[] {
    return this.#files.list(this.path).map(trimmed);
  }

  #removedName(): string {
    for (;;) {
      const name = `${REMOVED_PREFIX}${this.#removedCount}`;
      this.#removedCount += 1;
      if (!this.#files.exists(`${this.path}/${name}`)) return name;
    }
  }
}

function topicOf(detachedName: string): string {
  return detachedName.slice(DETACHED_PREFIX.length);
}

/** The reason of a system error. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof ObeliskError || errnoOf(thrown) === undefined) throw thrown;
  return (thrown as Error).message;
}

function ignore(): void {}

/** A directory's name without its slash. */
function trimmed(name: string): string {
  return name.endsWith("/") ? name.slice(0, -1) : name;
}

/**
 * The folders under `topics/`: how a topic comes into being as a whole, and how it goes.
 *
 *     topics/<topic>/<partition>/    a topic that is there
 *     topics/~~<topic>/              a topic that was removed, until everybody who keeps something of it has let it go
 *     topics/~removed-<n>/           what could not be deleted; the next start tries again
 *
 *   - `create` makes all folders and first segments of a topic, or nothing.
 *   - `detach` is one rename, and with it the removal is decided: no crash brings the topic back. It comes before everything
 *     else because it needs no room, and `discard` gives back room that the rest of the removal needs: on a full disk this is
 *     the only order that works.
 *   - `~` is in no topic's name, so only names that we gave ourselves are ever deleted.
 *   - Names are made and deleted one by one in the thread pool, however many partitions, segments or bytes a topic has. What others
 *     see is whole meanwhile: a topic that is being made is no topic yet, and one that is detached is none any more.
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

/** Told of a folder that cannot be deleted, and why. */
type RefusalListener = (path: string, reason: string) => void;

export class TopicDirectories {
  readonly #files: Files;
  readonly #path: string;
  /** One partition at a time, over all topics that are being made: the thread pool has few threads, and records are synced by them. */
  readonly #creations = new Turnstile(1);
  readonly #deletions: Deletions;
  #removedCount = 0;
  /** The sync that runs, or ran last; never rejects. */
  #lastSync: Promise<void> = Promise.resolve();
  /** The one that has not begun. */
  #nextSync: Promise<void> | null = null;
  #isClosed = false;

  /** `path`: the folder that holds one folder for each topic. */
  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
    this.#deletions = new Deletions(files);
  }

  /**
   * Makes the folder, and deletes what is left of removals that were finished otherwise. `refused` is told what cannot be deleted.
   * @throws system errors
   */
  prepare(dataDirectory: string, refused: RefusalListener): void {
    const files = this.#files;
    if (!files.exists(this.#path)) files.makeDirectory(this.#path);
    files.syncDirectory(dataDirectory); // it may be there since a start whose sync of it failed
    for (const name of this.#names()) {
      const path = `${this.#path}/${name}`;
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
   * Topics on disk, with how many partitions their folders speak of. `refused` is told of a folder that cannot be read: it is left
   * out. @throws system errors
   */
  stored(refused: RefusalListener): { topic: string; partitions: number }[] {
    const found: { topic: string; partitions: number }[] = [];
    for (const name of this.#files.list(this.#path)) {
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

  /** @throws ObeliskError DISK_FULL, KAFKA_STORAGE_ERROR; then nothing is left of it */
  async create(topic: string, partitions: number): Promise<void> {
    const files = this.#files;
    const path = this.#of(topic);
    const wasThere = files.exists(path);
    try {
      for (let index = 0; index < partitions; index += 1) {
        await this.#creations.run(() => this.#createPartition(`${path}/${index}`));
      }
    } catch (thrown) {
      if (!wasThere && files.exists(path)) await this.#tryToDelete(path);
      throw storageError(thrown, { topic, file: path });
    }
  }

  /** False when there is no such folder (any more). `sync` is to follow in any case. @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL; then it is still there */
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

  /** Makes detachments durable: all that came before, with one sync for those who wait for it together. @throws system errors */
  sync(): Promise<void> {
    this.#nextSync ??= this.#syncNext();
    return this.#nextSync;
  }

  /** Takes a detachment back that could not be made durable: a power cut may show either name. */
  attach(topic: string): void {
    try {
      this.#files.rename(this.#ofDetached(topic), this.#of(topic));
    } catch (thrown) {
      reasonOf(thrown);
    }
  }

  /** Topics that were detached and not released: what a crash has interrupted. @throws system errors */
  detached(): string[] {
    const names = this.#names().filter((name) => name.startsWith(DETACHED_PREFIX));
    return names.map(topicOf).filter(isTopicName);
  }

  /** Deletes what a detached topic holds, as far as the disk allows it. @throws ObeliskError KAFKA_STORAGE_ERROR when it is closed under way */
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

  /** Creates and deletes nothing more. What is under way has ended when it resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#creations.run(async () => {});
    await this.#deletions.close();
  }

  async #syncNext(): Promise<void> {
    await this.#lastSync;
    this.#nextSync = null; // who comes from now on renames after its beginning
    const sync = this.#files.syncDirectoryLater(this.#path);
    this.#lastSync = sync.catch(ignore);
    await sync;
  }

  async #createPartition(directory: string): Promise<void> {
    const files = this.#files;
    if (this.#isClosed) throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the server stops" });
    if (files.exists(directory)) return;
    await files.makeDirectoryLater(directory);
    await files.createLater(logPathOf(directory, 0));
  }

  /** Why it could not be deleted, or null. @throws ObeliskError KAFKA_STORAGE_ERROR when it is closed under way */
  async #tryToDelete(path: string): Promise<string | null> {
    try {
      await this.#deletions.delete(path);
      return null;
    } catch (thrown) {
      return reasonOf(thrown);
    }
  }

  /** Out of the way, for the next start. The path that it has now. @throws system errors */
  #quarantine(path: string): string {
    const target = `${this.#path}/${this.#removedName()}`;
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
    return `${this.#path}/${topic}`;
  }

  #ofDetached(topic: string): string {
    return `${this.#path}/${DETACHED_PREFIX}${topic}`;
  }

  #names(): string[] {
    return this.#files.list(this.#path).map(trimmed);
  }

  #removedName(): string {
    for (;;) {
      const name = `${REMOVED_PREFIX}${this.#removedCount}`;
      this.#removedCount += 1;
      if (!this.#files.exists(`${this.#path}/${name}`)) return name;
    }
  }
}

function topicOf(detachedName: string): string {
  return detachedName.slice(DETACHED_PREFIX.length);
}

/** Why the disk refused. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof ObeliskError || errnoOf(thrown) === undefined) throw thrown;
  return (thrown as Error).message;
}

function ignore(): void {}

/** A directory's name without its slash. */
function trimmed(name: string): string {
  return name.endsWith("/") ? name.slice(0, -1) : name;
}

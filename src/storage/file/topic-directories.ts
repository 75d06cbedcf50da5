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
 *   - Links. A topic or a partition may be a link to a folder elsewhere. Behind a link only what is ours is deleted (segments,
 *     indexes, snapshots in numbered folders), then the link goes; the folder behind it stays, because somebody else made it.
 */

import { TEMPORARY_SUFFIX } from "../../base/disk.ts";
import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { isTopicName } from "../names.ts";
import { logPathOf, parseSegmentName } from "./segment.ts";
import { SNAPSHOT_FILE } from "./snapshot.ts";
import { storageError } from "./store.ts";

export const DETACHED_PREFIX = "~~";
const REMOVED_PREFIX = "~removed-";
const PARTITION_PATTERN = /^\d{1,9}\/?$/;

/** Told of a folder that cannot be deleted, and why. */
type RefusalListener = (path: string, reason: string) => void;

export class TopicDirectories {
  readonly #files: Files;
  readonly #path: string;
  #removedCount = 0;

  /** `path`: the folder that holds one folder for each topic. */
  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
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
      const reason = this.#tryToDelete(path);
      if (reason !== null) refused(path, reason);
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
  create(topic: string, partitions: number): void {
    const files = this.#files;
    const path = this.#of(topic);
    const wasThere = files.exists(path);
    try {
      for (let index = 0; index < partitions; index += 1) this.#createPartition(`${path}/${index}`);
    } catch (thrown) {
      if (!wasThere && files.exists(path)) this.#tryToDelete(path);
      throw storageError(thrown, { topic, file: path });
    }
  }

  /** False when there is no such folder (any more). `sync` is to follow in any case. @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL; then it is still there */
  detach(topic: string, refused: RefusalListener): boolean {
    const files = this.#files;
    const source = this.#of(topic);
    const target = this.#ofDetached(topic);
    if (!files.exists(source) && !files.isLink(source)) return false;
    try {
      this.release(topic, refused);
      files.rename(source, target);
      return true;
    } catch (thrown) {
      throw storageError(thrown, { topic, file: source });
    }
  }

  /** Makes a detachment durable. @throws system errors */
  sync(): void {
    this.#files.syncDirectory(this.#path);
  }

  /** Takes a detachment back that could not be made durable: a power cut may show either name. */
  attach(topic: string): void {
    this.#quietly(() => this.#files.rename(this.#ofDetached(topic), this.#of(topic)));
  }

  /** Topics that were detached and not released: what a crash has interrupted. @throws system errors */
  detached(): string[] {
    const names = this.#names().filter((name) => name.startsWith(DETACHED_PREFIX));
    return names.map(topicOf).filter(isTopicName);
  }

  /** Deletes what a detached topic holds, as far as the disk allows it. */
  discard(topic: string): void {
    const files = this.#files;
    const path = this.#ofDetached(topic);
    this.#quietly(() => {
      if (files.isLink(path)) deleteBehindLink(files, path);
      else if (files.isDirectory(path))
        for (const name of files.list(path)) this.#tryToDelete(`${path}/${trimmed(name)}`);
    });
  }

  /** The topic's name may be used again. `refused` as for `prepare`. @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL */
  release(topic: string, refused: RefusalListener): void {
    const files = this.#files;
    const path = this.#ofDetached(topic);
    try {
      if (!files.exists(path) && !files.isLink(path)) return;
      const reason = this.#tryToDelete(path);
      if (reason !== null) {
        const target = `${this.#path}/${this.#removedName()}`;
        files.rename(path, target);
        refused(target, reason);
      }
      files.syncDirectory(this.#path);
    } catch (thrown) {
      throw storageError(thrown, { topic, file: path });
    }
  }

  #createPartition(directory: string): void {
    const files = this.#files;
    if (files.exists(directory)) return;
    files.makeDirectory(directory);
    files.close(files.open(logPathOf(directory, 0), "create"));
  }

  /** Why it could not be deleted, or null. */
  #tryToDelete(path: string): string | null {
    return this.#quietly(() => deleteEntry(this.#files, path));
  }

  /** Why the disk refused, or null. */
  #quietly(work: () => void): string | null {
    try {
      work();
      return null;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined || !(thrown instanceof Error)) throw thrown;
      return thrown.message;
    }
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

/** A directory's name without its slash. */
function trimmed(name: string): string {
  return name.endsWith("/") ? name.slice(0, -1) : name;
}

/** Deletes a file, a folder with all that is in it, or a link with what is ours behind it. */
function deleteEntry(files: Files, path: string): void {
  if (files.isLink(path)) {
    deleteBehindLink(files, path);
    files.removeFile(path);
  } else if (files.isDirectory(path)) {
    for (const name of files.list(path)) deleteEntry(files, `${path}/${trimmed(name)}`);
    files.removeDirectory(path);
  } else files.removeFile(path);
}

/** `path` is a link to a topic, to a partition, or to one of a partition's files. */
function deleteBehindLink(files: Files, path: string): void {
  if (!files.exists(path)) return;
  if (!files.isDirectory(path)) emptyFile(files, path);
  else {
    for (const name of files.list(path)) {
      const inner = `${path}/${trimmed(name)}`;
      if (isPartitionFile(name)) deleteEntry(files, inner);
      else if (PARTITION_PATTERN.test(name) && files.isDirectory(inner)) deletePartition(files, inner);
    }
  }
}

function deletePartition(files: Files, path: string): void {
  for (const name of files.list(path)) if (isPartitionFile(name)) deleteEntry(files, `${path}/${name}`);
  if (files.isLink(path)) files.removeFile(path);
  else if (files.list(path).length === 0) files.removeDirectory(path);
}

function isPartitionFile(name: string): boolean {
  const plain = name.endsWith(TEMPORARY_SUFFIX) ? name.slice(0, -TEMPORARY_SUFFIX.length) : name;
  return plain === SNAPSHOT_FILE || parseSegmentName(plain) !== null;
}

/** The records go; the file itself is where only its owner knows. */
function emptyFile(files: Files, path: string): void {
  if (!isPartitionFile(path.slice(path.lastIndexOf("/") + 1))) return;
  const descriptor = files.open(path, "update");
  try {
    files.truncate(descriptor, 0);
  } finally {
    files.close(descriptor);
  }
}

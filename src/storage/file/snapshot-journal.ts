/**
 * Stores snapshots of many partitions with one sync, in one file that is written in advance: a log start that moves costs neither a new
 * file nor a name, and its sync need not wait for the journal of the file system.
 *
 *     store ---> a group at the end ---> fdatasync ---> durable
 *     full  ---> a new file: what counts of the old one, the group, zeros up to its length ---> fdatasync, rename, sync of the name
 *
 *   - What is stored stays here until its partition is forgotten: it counts before the partition's own file. So whoever writes that
 *     file for a partition that the journal holds stores null here, after it.
 *   - One write at a time. A group that failed was never stored; after a failed sync nothing more is written to that file: the
 *     next group goes to a new one, which is made of what was stored.
 *   - The first start after a crash may find groups that nobody was told of: they hold what was true, too.
 */

import { TEMPORARY_SUFFIX } from "../../base/disk.ts";
import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { KiB, MiB } from "../../base/units.ts";
import type { DescriptorPool, PooledFile } from "./pool.ts";
import { encodeGroup, type JournalEntry, SNAPSHOT_JOURNAL, scanJournal } from "./snapshot-journal-format.ts";

/** Room for groups beside what counts, in the first file and at most: each file has four times the room of the one before. */
export const ROOM_BYTES_MIN = 256 * KiB;
const ROOM_BYTES_MAX = 16 * MiB;
const ROOM_FACTOR = 4;
/** Entries of one group when a file is made anew; written in one piece. */
const RENEWED_BYTES = 512 * KiB;
const ZEROS = Buffer.alloc(512 * KiB);

export class SnapshotJournal {
  readonly path: string;
  readonly #root: string;
  readonly #files: Files;
  readonly #pool: DescriptorPool;
  /** By TOPIC/PARTITION. */
  readonly #stored = new Map<string, Buffer>();
  /** Their names by topic. */
  readonly #topics = new Map<string, Set<string>>();
  /** Bytes of what counts. */
  bytes = 0;
  /** Pinned while it is written to; null before the first group, and after a failure. */
  #file: PooledFile | null = null;
  #end = 0;
  #length = 0;
  #roomBytes = ROOM_BYTES_MIN / ROOM_FACTOR;
  #last: Promise<unknown> = Promise.resolve();

  constructor(files: Files, pool: DescriptorPool, root: string) {
    this.#files = files;
    this.#pool = pool;
    this.#root = root;
    this.path = `${root}/${SNAPSHOT_JOURNAL}`;
  }

  /**
   * Reads what the last owner has stored, as the disk holds it: segments leave because of it. Returns where there is damage between
   * groups, or -1. @throws system errors
   */
  load(): number {
    if (!this.#files.exists(this.path)) return -1;
    const descriptor = this.#files.open(this.path, "update");
    try {
      this.#files.syncNow(descriptor);
      this.#files.evict(descriptor);
    } finally {
      this.#files.close(descriptor);
    }
    const found = new Map<string, Buffer>();
    const { damagedAt } = scanJournal(this.#files.readFile(this.path), found);
    for (const [name, content] of found) this.#count({ name, content: Buffer.from(content) });
    return damagedAt;
  }

  /** What counts for a partition before its own file; undefined when the file does. */
  snapshotOf(name: string): Buffer | undefined {
    return this.#stored.get(name);
  }

  holds(name: string): boolean {
    return this.#stored.has(name);
  }

  /** Resolves when they are durable. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR: then none of them counts */
  store(entries: readonly JournalEntry[]): Promise<void> {
    const stored = this.#last.then(() => this.#store(entries));
    this.#last = stored.catch(() => {});
    return stored;
  }

  /** Nothing of a topic counts any more, before another one of its name is made. @throws as `store` */
  async forgetTopic(topic: string): Promise<void> {
    await this.#last;
    const held = this.#topics.get(topic);
    if (held !== undefined) await this.store([...held].map((name) => ({ name, content: null })));
  }

  async close(): Promise<void> {
    await this.#last;
    this.#abandon();
  }

  async #store(entries: readonly JournalEntry[]): Promise<void> {
    const group = encodeGroup(entries);
    if (this.#file === null || this.#end + group.length > this.#length) await this.#renew(entries);
    else {
      try {
        this.#files.write(this.#file.descriptor, group, 0, group.length, this.#end);
        await this.#files.sync(this.#file.descriptor);
      } catch (thrown) {
        this.#abandon();
        throw thrown;
      }
      this.#end += group.length;
    }
    for (const entry of entries) this.#count(entry);
  }

  #count({ name, content }: JournalEntry): void {
    this.bytes += (content?.length ?? 0) - (this.#stored.get(name)?.length ?? 0);
    const topic = name.slice(0, name.lastIndexOf("/"));
    const others = this.#topics.get(topic) ?? new Set();
    if (content === null) {
      this.#stored.delete(name);
      others.delete(name);
    } else {
      this.#stored.set(name, content);
      others.add(name);
    }
    if (others.size === 0) this.#topics.delete(topic);
    else this.#topics.set(topic, others);
  }

  /** A new file, with `entries` and all that they do not replace. The old one counts until its name leads to the new one. */
  async #renew(entries: readonly JournalEntry[]): Promise<void> {
    const counted = new Map(this.#stored);
    for (const { name, content } of entries) {
      if (content === null) counted.delete(name);
      else counted.set(name, content);
    }
    const temporary = this.path + TEMPORARY_SUFFIX;
    if (this.#files.exists(temporary)) this.#files.removeFile(temporary);
    const file = this.#pool.create(temporary);
    file.pins += 1;
    try {
      const end = await this.#write(file.descriptor, counted);
      const roomBytes = Math.min(this.#roomBytes * ROOM_FACTOR, ROOM_BYTES_MAX);
      const length = await this.#fill(file.descriptor, end, end + roomBytes);
      await this.#files.sync(file.descriptor);
      this.#files.rename(temporary, this.path);
      this.#abandon();
      this.#file = file;
      this.#end = end;
      this.#length = length;
      this.#roomBytes = roomBytes;
    } catch (thrown) {
      this.#closeFile(file);
      if (this.#files.exists(temporary)) this.#files.removeFile(temporary);
      throw thrown;
    }
    try {
      await this.#files.syncDirectoryLater(this.#root);
    } catch (thrown) {
      this.#abandon();
      throw thrown;
    }
  }

  /** Returns where they end. */
  async #write(descriptor: number, counted: ReadonlyMap<string, Buffer>): Promise<number> {
    const share = new TurnShare();
    let end = 0;
    let entries: JournalEntry[] = [];
    let bytes = 0;
    const writeGroup = () => {
      const group = encodeGroup(entries);
      this.#files.write(descriptor, group, 0, group.length, end);
      end += group.length;
      entries = [];
      bytes = 0;
    };
    for (const [name, content] of counted) {
      entries.push({ name, content });
      bytes += content.length;
      if (bytes < RENEWED_BYTES) continue;
      writeGroup();
      if (share.isUsedUp) await share.rest();
    }
    if (entries.length > 0) writeGroup();
    return end;
  }

  /** On a full disk the file has no room, or less. Returns its length. */
  async #fill(descriptor: number, start: number, length: number): Promise<number> {
    const share = new TurnShare();
    for (let at = start; at < length; at += ZEROS.length) {
      try {
        this.#files.write(descriptor, ZEROS, 0, Math.min(ZEROS.length, length - at), at);
      } catch (thrown) {
        const errno = errnoOf(thrown);
        if (errno !== "ENOSPC" && errno !== "EDQUOT") throw thrown;
        this.#files.truncate(descriptor, at);
        return at;
      }
      if (share.isUsedUp) await share.rest();
    }
    return length;
  }

  #abandon(): void {
    if (this.#file !== null) this.#closeFile(this.#file);
    this.#file = null;
  }

  #closeFile(file: PooledFile): void {
    file.pins -= 1;
    this.#pool.close(file);
  }
}

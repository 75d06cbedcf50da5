/**
 * What of one log is written and not yet durable: the segments to sync, the directories with new entries, and the offset up to which
 * all is durable.
 *
 *     segments   [ sealed ][ sealed ][ rolled, dirty ][ active, dirty ]
 *                                   ^durableOffset                   ^endOffset
 *
 *   - A dirty segment holds a pin on its file from before its first write, because the system reports a failed write-back only to
 *     the descriptors that were open then. `begin` hands these pins to a task, and the end of the task returns them: whatever
 *     happens to the log meanwhile, no file is closed while it is synced.
 *   - One task at a time. What is written while it runs makes its segment dirty again, for the next one.
 *   - A thread may sync the active segment instead (continuous-sync.ts). It has a pin of its own, and while it has the segment no task begins.
 */

import { fail } from "../../../base/assert.ts";
import type { SyncThread } from "../../../base/files.ts";
import type { DescriptorPool } from "../pool.ts";
import type { Segment } from "../segment.ts";

/** What one sync has to make durable. Followed by exactly one `end` or `drop`. */
export interface SyncTask {
  readonly segments: readonly Segment[];
  /** Directories whose entries must be durable with it. */
  readonly directories: readonly string[];
  /** The log's end when it began: `durableOffset` when it has ended. */
  readonly target: number;
}

export class Unsynced {
  durableOffset: number;
  readonly #pool: DescriptorPool;
  /** Rolled and not sealed yet, oldest first. */
  #rolled: Segment[];
  /** Directories with new entries, for the next task that has bytes to sync. */
  #directories: string[];
  #task: SyncTask | null = null;
  #continuous: Segment | null = null;
  #thread: SyncThread | null = null;

  /** `rolled`: dirty segments before the active one. `directories`: those whose entries may not be durable. */
  constructor(
    pool: DescriptorPool,
    durableOffset: number,
    rolled: readonly Segment[],
    directories: readonly string[],
  ) {
    this.#pool = pool;
    this.durableOffset = durableOffset;
    this.#rolled = [...rolled];
    this.#directories = [...directories];
  }

  /** Whether a task or the thread is at work. */
  get isBusy(): boolean {
    return this.#task !== null || this.#continuous !== null;
  }

  /** Whether `active` is all that there is to sync, and no directory with it. */
  isAlone(active: Segment): boolean {
    return active.isDirty && this.#rolled.length === 0 && this.#directories.length === 0;
  }

  /** Whether the segment was rolled and is not sealed. */
  hasRolled(segment: Segment): boolean {
    return this.#rolled.includes(segment);
  }

  /** `segment` has been written up to its `endOffset`. */
  written(segment: Segment): void {
    if (segment !== this.#continuous) return;
    this.#thread!.setWritten(segment.endOffset - segment.baseOffset);
    this.#thread!.wake();
  }

  /** `segment` takes no more, and the next one has a new entry in `directory`. */
  roll(segment: Segment, directory: string): void {
    this.#rolled.push(segment);
    if (!this.#directories.includes(directory)) this.#directories.push(directory);
  }

  /** The segment was removed from the log. */
  remove(segment: Segment): void {
    this.#rolled = this.#rolled.filter((rolled) => rolled !== segment);
  }

  /** All directories whose entries may not be durable, those of the running task among them. */
  get directories(): readonly string[] {
    return this.#task === null ? this.#directories : [...this.#task.directories, ...this.#directories];
  }

  /** All of them were synced by other means. */
  directoriesSynced(): void {
    this.#directories = [];
  }

  /** Takes everything that is dirty; `active` is written up to `endOffset`. */
  begin(active: Segment, endOffset: number): SyncTask {
    if (this.isBusy) fail("a log is synced once at a time");
    if (!(endOffset >= this.durableOffset)) fail("a log is durable beyond its end");
    const segments = [...this.#rolled, active].filter((segment) => segment.isDirty);
    for (const segment of segments) segment.startSync();
    const directories = segments.length === 0 ? [] : this.#directories;
    if (segments.length > 0) this.#directories = [];
    const task = { segments, directories, target: endOffset };
    this.#task = task;
    return task;
  }

  /** All of the task is durable. */
  end(task: SyncTask): void {
    this.#release(task);
    this.#move(task.target);
  }

  /** The outcome of the task is unknown: its log is offline. */
  drop(task: SyncTask): void {
    this.#release(task);
  }

  /** Rolled segments that are durable as a whole; the caller takes them over. */
  takeSealable(): Segment[] {
    const inTask = this.#task?.segments ?? [];
    const isSealable = (segment: Segment) => !segment.isDirty && !inTask.includes(segment);
    const sealable = this.#rolled.filter(isSealable);
    if (sealable.length > 0) this.#rolled = this.#rolled.filter((segment) => !isSealable(segment));
    return sealable;
  }

  /** The thread syncs the segment from now on, whenever its written position moves. */
  startContinuous(segment: Segment, thread: SyncThread): void {
    if (this.isBusy) fail("a log is synced once at a time");
    segment.pin();
    this.#continuous = segment;
    this.#thread = thread;
    thread.setWritten(segment.endOffset - segment.baseOffset);
  }

  /** The thread has made everything below `offset` durable; true when `durableOffset` has moved. */
  syncedTo(offset: number): boolean {
    const segment = this.#continuous ?? fail("a report from a thread that has no segment");
    if (!(offset <= segment.endOffset)) fail("the thread has synced more than was written");
    if (offset <= this.durableOffset) return false;
    this.#move(offset);
    return true;
  }

  /** The thread has let go: the segment is clean if all of it was covered. */
  endContinuous(): void {
    const segment = this.#continuous ?? fail("the thread has no segment to let go");
    this.#continuous = null;
    this.#thread = null;
    if (segment.isDirty && this.durableOffset >= segment.endOffset) segment.markClean(this.#pool);
    segment.unpin(this.#pool);
  }

  /** The log was cut: nothing after `offset` is there any more. */
  cutTo(offset: number): void {
    if (this.isBusy) fail("a log cannot be cut while it is being synced");
    this.durableOffset = Math.min(this.durableOffset, offset);
  }

  #move(offset: number): void {
    if (!(offset >= this.durableOffset)) fail("the durable offset never goes back");
    this.durableOffset = offset;
  }

  #release(task: SyncTask): void {
    if (this.#task !== task) fail("a sync ends once");
    this.#task = null;
    for (const segment of task.segments) segment.unpin(this.#pool);
  }
}

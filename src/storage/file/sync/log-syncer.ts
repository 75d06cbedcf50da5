/**
 * How and when logs are made durable, and who is told. Every sync of the engine comes through `sync`: `#choose` decides on a
 * `SyncPlan`, `#perform` carries it out, and each log ends as durable (`FileLog.endSync`) or offline (`FileLog.failSync`).
 *
 *   plan        for                                                   how
 *   in-place    one file, little in it, on a disk that is fast        fdatasync at once, the event loop stands still
 *   thread      one file that is written to all the time              a thread that syncs without pause (continuous-sync.ts)
 *   files       everything else: each file is synced
 *                 singly     up to `FILES_SINGLY_MAX` files           fdatasync in the thread pool, side by side; directories singly too
 *                 together   more files, or many new entries          one syncfs for all that lie on its file system
 *
 * Measured with 4 KiB in each file (ms): 2 files 0.6 singly and 1.0 by syncfs, 4 files 1.0 and 1.0, 16 files 3.2 and 1.0. In place:
 * ping 0.18 ms instead of 0.25. The thread: docs/decisions/sync-thread.md.
 *
 * What the system promises, and this code relies on
 *
 *   - A failed write-back is reported once to each descriptor that was open then, and the bytes are gone: a second sync would report
 *     success. So a failed sync is never retried, and its log is offline, which is checked after every wait.
 *   - syncfs reports failures anywhere on its file system, once to each descriptor that it is called through. Only one is ever used,
 *     the witness, opened before anything is written. It does not say which file has failed: every file that waits for a sync must
 *     then be synced through its own descriptor (`Segment.isSuspect`), and only those that fail are offline.
 *   - Files elsewhere (a folder may be a link to another disk), and any on a file system that hides failures, are synced singly.
 *   - Two syncs of one file at once could hide a failure from each other: the thread lets go first.
 *
 * One sync at a time; the next one waits for its turn.
 */

import type { Clock } from "../../../base/clock.ts";
import { errnoOf, type ObeliskError } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import type { FileLog } from "../log.ts";
import type { Segment } from "../segment.ts";
import { type Store, storageError } from "../store.ts";
import { ContinuousSync, LET_GO } from "./continuous-sync.ts";
import { DiskPace } from "./disk-pace.ts";
import { evictLogs } from "./evict-logs.ts";
import type { SyncTask } from "./unsynced.ts";

export const FILES_SINGLY_MAX = 3;
/** A new topic of one partition has new entries in three. */
export const DIRECTORIES_SINGLY_MAX = 4;

type SyncPlan =
  | { way: "nothing" }
  | { way: "in-place"; log: FileLog; segment: Segment }
  | { way: "thread"; log: FileLog; segment: Segment }
  | { way: "files"; logs: readonly FileLog[] };

interface Job {
  readonly log: FileLog;
  readonly task: SyncTask;
}

export interface LogSyncerOptions {
  /** Where the partitions are. */
  directory: string;
  canSyncInPlace: boolean;
  canSyncContinuously: boolean;
  /** All open logs. */
  logs: () => Iterable<FileLog>;
  /** Why no sync counts any more, or null. */
  loss: () => ObeliskError | null;
}

export class LogSyncer {
  readonly #store: Store;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #options: LogSyncerOptions;
  readonly #pace = new DiskPace();
  readonly #continuous: ContinuousSync | null;
  /** The one descriptor that syncfs is called through; -1 where it cannot be used. */
  #witness: number;
  readonly #device: string;
  /** The last sync that was requested; never rejects. */
  #turn: Promise<unknown> | null = null;
  syncsInPlace = 0;
  syncsInPool = 0;
  syncsOfAll = 0;

  /** @throws system errors */
  constructor(store: Store, options: LogSyncerOptions) {
    const { files } = store;
    this.#store = store;
    this.#files = files;
    this.#clock = store.clock;
    this.#options = options;
    const hasThread = files.openSyncThread !== undefined && options.canSyncContinuously;
    this.#continuous = hasThread
      ? new ContinuousSync(files.openSyncThread!, this.#continuousListener())
      : null;
    this.#device = files.device(options.directory);
    const canSyncAll = files.syncAll !== undefined && files.tellsFailures(options.directory);
    this.#witness = canSyncAll ? files.open(options.directory, "read") : -1;
  }

  /**
   * For a start after an unclean shutdown: whether the page cache may show bytes whose write-back failed when the last owner was gone,
   * or had not been told yet. The first syncfs through a new descriptor reports that; without syncfs nothing does.
   */
  async mayHideLosses(): Promise<boolean> {
    if (this.#witness < 0) return true;
    try {
      await this.#files.syncAll!(this.#witness);
      return false;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      evictLogs(this.#files, this.#options.directory);
      return true;
    }
  }

  /** The file system of a directory; null when that is unknown. */
  deviceOf(directory: string): string | null {
    try {
      return this.#files.device(directory);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return null;
    }
  }

  /** Whether the witness reports failures of a file system. */
  isWitnessed(device: string | null): boolean {
    return this.#witness >= 0 && device === this.#device;
  }

  /** Makes everything appended so far to these logs durable; returns those that failed. They are offline. */
  sync(logs: readonly FileLog[]): Promise<readonly FileLog[]> {
    const turn = this.#turn === null ? this.#sync(logs) : this.#turn.then(() => this.#sync(logs));
    const ended = turn.then(ignore, ignore).then(() => {
      if (this.#turn === ended) this.#turn = null;
    });
    this.#turn = ended;
    return turn;
  }

  /** Afterwards the thread does not touch the log's files. */
  async letGo(log: FileLog): Promise<void> {
    if (this.#continuous?.holds(log)) await this.#continuous.release();
  }

  /** Called at each tick: an idle segment must not stay pinned and dirty, for it could be neither closed nor sealed. */
  tick(): void {
    if (this.#continuous?.isResting) void this.#continuous.release();
  }

  /** Ends the thread. Later syncs do without it. */
  async closeThread(): Promise<void> {
    await this.#continuous?.close();
  }

  close(): void {
    if (this.#witness >= 0) this.#files.close(this.#witness);
    this.#witness = -1;
  }

  async #sync(logs: readonly FileLog[]): Promise<readonly FileLog[]> {
    const failed = new Set<FileLog>();
    for (let isDone = false; !isDone; ) {
      for (const log of logs) if (log.isOffline) failed.add(log);
      const healthy = logs.filter((log) => !failed.has(log));
      isDone = await this.#perform(this.#choose(healthy), failed);
    }
    return [...failed];
  }

  #choose(logs: readonly FileLog[]): SyncPlan {
    const log = logs[0];
    if (log === undefined) return { way: "nothing" };
    const segment = logs.length === 1 ? log.onlyDirtySegment : null;
    if (segment === null) return { way: "files", logs };
    const isHeld = this.#continuous?.holds(log) ?? false;
    const canStandStill = this.#options.canSyncInPlace && !isHeld;
    if (canStandStill && this.#pace.isFast(segment.bytes - segment.syncedBytes)) {
      return { way: "in-place", log, segment };
    }
    if (this.#continuous?.wants(log, segment)) return { way: "thread", log, segment };
    return { way: "files", logs };
  }

  /** False when another plan must be chosen. */
  #perform(plan: SyncPlan, failed: Set<FileLog>): boolean | Promise<boolean> {
    switch (plan.way) {
      case "nothing":
        return true;
      case "in-place":
        this.#syncInPlace(plan, failed);
        return true;
      case "thread":
        return this.#syncByThread(plan, failed);
      case "files":
        return this.#syncFiles(plan.logs, failed);
    }
  }

  #syncInPlace({ log, segment }: { log: FileLog; segment: Segment }, failed: Set<FileLog>): void {
    const job = { log, task: log.beginSync() };
    const startedAtMs = this.#clock.monotonicMs();
    try {
      this.#files.syncNow(segment.file.descriptor);
    } catch (thrown) {
      this.#fail(job, thrown, failed);
      return;
    }
    this.syncsInPlace += 1;
    this.#pace.recordOne(segment.unsyncedBytes, this.#clock.monotonicMs() - startedAtMs);
    this.#end(job, this.#options.loss(), failed);
  }

  async #syncByThread(
    { log, segment }: { log: FileLog; segment: Segment },
    failed: Set<FileLog>,
  ): Promise<boolean> {
    const outcome = await this.#continuous!.sync(log, segment);
    if (outcome === LET_GO) return false;
    if (outcome === null) return true;
    log.failSync(outcome);
    failed.add(log);
    return true;
  }

  async #syncFiles(logs: readonly FileLog[], failed: Set<FileLog>): Promise<boolean> {
    for (const log of logs) {
      if (!this.#continuous?.holds(log)) continue;
      await this.#continuous.release();
      return false;
    }
    const jobs = logs.map((log) => ({ log, task: log.beginSync() }));
    const together = this.#takeTogether(jobs);
    const inOne = new Set(together);
    const singly = jobs.filter((job) => !inOne.has(job));
    await Promise.all([this.#syncTogether(together, failed), this.#syncEach(singly, failed)]);
    return true;
  }

  /** The jobs that are to share one syncfs. */
  #takeTogether(jobs: readonly Job[]): readonly Job[] {
    if (this.#witness < 0) return NOBODY;
    const possible = jobs.filter(({ task }) => task.segments.every((segment) => this.#isTold(segment)));
    const [files, directories] = [filesOf(possible), directoriesOf(possible)];
    const isWorthIt = files > FILES_SINGLY_MAX || directories > DIRECTORIES_SINGLY_MAX;
    return isWorthIt && this.#pace.isAllFast(files + directories) ? possible : NOBODY;
  }

  /** Whether the witness reports failures of it. Where that is unknown, its own descriptor does. */
  #isTold(segment: Segment): boolean {
    if (segment.isSuspect) return false;
    segment.device ??= this.deviceOf(segment.directory);
    return this.isWitnessed(segment.device);
  }

  async #syncTogether(jobs: readonly Job[], failed: Set<FileLog>): Promise<void> {
    if (jobs.length === 0) return;
    if (await this.#syncAll(filesOf(jobs) + directoriesOf(jobs))) {
      const loss = this.#options.loss();
      for (const job of jobs) this.#end(job, loss, failed);
      return;
    }
    await this.#syncEach(jobs, failed);
  }

  /** One syncfs; false when it could not be tried, or reports a failure, which may be of any file. */
  async #syncAll(count: number): Promise<boolean> {
    const startedAtMs = this.#clock.monotonicMs();
    try {
      await this.#files.syncAll!(this.#witness);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined) throw thrown;
      if (errno !== "ENOSYS") this.#suspectAll();
      return false;
    }
    this.syncsOfAll += 1;
    this.#pace.recordAll(count, this.#clock.monotonicMs() - startedAtMs);
    return true;
  }

  #suspectAll(): void {
    for (const log of this.#options.logs()) log.suspect();
  }

  async #syncEach(jobs: readonly Job[], failed: Set<FileLog>): Promise<void> {
    const directories = new SyncedDirectories(this.#store);
    await Promise.all(jobs.map((job) => this.#syncSingly(job, directories, failed)));
  }

  async #syncSingly(job: Job, directories: SyncedDirectories, failed: Set<FileLog>): Promise<void> {
    try {
      await this.#syncSegments(job.task.segments);
      for (const path of job.task.directories) directories.sync(path);
    } catch (thrown) {
      this.#fail(job, thrown, failed);
      return;
    }
    this.#end(job, this.#options.loss(), failed);
  }

  /** All are synced, also when one has failed: an error that this process does not collect would be reported to the next one, wrongly. */
  async #syncSegments(segments: readonly Segment[]): Promise<void> {
    const outcomes = await Promise.allSettled(segments.map((segment) => this.#syncSegment(segment)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async #syncSegment(segment: Segment): Promise<void> {
    const startedAtMs = this.#clock.monotonicMs();
    // A failure that makes it suspect while this sync runs needs another one.
    segment.isSuspect = false;
    const { descriptor } = segment.file;
    try {
      await this.#files.sync(descriptor);
    } catch (thrown) {
      // At once, and not when the others have ended: if the process is killed meanwhile, the next one reads what the disk holds.
      this.#files.evict(descriptor);
      throw thrown;
    }
    this.syncsInPool += 1;
    this.#pace.recordOne(segment.unsyncedBytes, this.#clock.monotonicMs() - startedAtMs);
  }

  #end(job: Job, loss: ObeliskError | null, failed: Set<FileLog>): void {
    if (loss !== null) {
      this.#fail(job, loss, failed);
      return;
    }
    try {
      job.log.checkSynced(job.task);
    } catch (thrown) {
      this.#fail(job, thrown, failed);
      return;
    }
    job.log.endSync(job.task);
  }

  /** An error that is not of the disk is a bug of ours, and is thrown on. */
  #fail({ log, task }: Job, thrown: unknown, failed: Set<FileLog>): void {
    log.dropSync(task);
    log.failSync(storageError(thrown, { topic: log.topic, partition: log.partition }));
    failed.add(log);
  }

  #continuousListener() {
    return {
      failed: (log: FileLog, error: Error) => log.failSync(error),
      /** After a sync by the thread: why it does not count, or null. */
      doubt: (log: FileLog, segment: Segment): Error | null => {
        try {
          return this.#options.loss() ?? log.whyRemoved(segment);
        } catch (thrown) {
          return storageError(thrown, { topic: log.topic, partition: log.partition });
        }
      },
    };
  }
}

/** Directories that several logs have new entries in: each is synced once for all of them, since a second sync would hide that the first failed. */
class SyncedDirectories {
  readonly #store: Store;
  readonly #failures = new Map<string, unknown>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** @throws system errors, ObeliskError KAFKA_STORAGE_ERROR: the same for every log */
  sync(path: string): void {
    if (!this.#failures.has(path)) this.#failures.set(path, this.#failureOf(path));
    const failure = this.#failures.get(path);
    if (failure !== null) throw failure;
  }

  #failureOf(path: string): unknown {
    const { files, pool } = this.#store;
    try {
      pool.withRoom(path, () => files.syncDirectory(path));
      return null;
    } catch (thrown) {
      return thrown;
    }
  }
}

const NOBODY: readonly Job[] = [];

function filesOf(jobs: readonly Job[]): number {
  return jobs.reduce((count, { task }) => count + task.segments.length, 0);
}

function directoriesOf(jobs: readonly Job[]): number {
  return jobs.reduce((count, { task }) => count + task.directories.length, 0);
}

function ignore(): void {}

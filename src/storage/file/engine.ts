/**
 * The storage engine on a data directory: one folder for each partition under `topics/`, Kafka's segment files in it.
 *
 *     topics/<topic>/<partition>/...     a partition
 *
 * How such a folder comes into being and goes is topic-directories.ts.
 *
 *   - The directory is marked dirty before the first partition opens and clean by `close`, when everything is synced.
 *   - It is handed a directory that it owns (data-directory.ts holds the lock) and the state store beside it.
 */

import { fail } from "../../base/assert.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, MiB, SECOND_MS } from "../../base/units.ts";
import type {
  Finding,
  FindingListener,
  PartitionLog,
  RecoveryListener,
  StateStore,
  StorageEngine,
} from "../contract.ts";
import { checkPartitionName } from "../names.ts";
import { sharesOfDescriptors } from "./descriptor-limit.ts";
import { IndexFiles } from "./index-files.ts";
import { FileLog, REMOVED_DETAIL } from "./log.ts";
import { OwnedState } from "./owned-state.ts";
import { DescriptorPool, OPEN_FILES_MAX } from "./pool.ts";
import { recoverPartition } from "./recovery.ts";
import type { Reserve } from "./reserve.ts";
import { SEGMENT_BYTES_LIMIT, type Segment } from "./segment.ts";
import { INDEX_INTERVAL_BYTES } from "./segment-index.ts";
import { Store, storageError } from "./store.ts";
import { RETRY, SyncStream } from "./sync-stream.ts";
import { Syncer } from "./syncer.ts";
import { TopicDirectories } from "./topic-directories.ts";
import { FileWatch } from "./watch.ts";

export const TOPICS_DIRECTORY = "topics";
/** Large enough that a busy partition rolls seldom, small enough that retention and recovery deal in small pieces. */
export const SEGMENT_BYTES_MAX = 256 * MiB;
export const SEGMENT_AGE_MS_MAX = 7 * DAY_MS;
export const FILE_IDLE_MS = HOUR_MS;
/** How often old segments and idle files are looked for. */
export const TICK_MS = 30 * SECOND_MS;
/** Bytes that were checked are checked again after this, so that damage that comes up later is met as well. */
export const VERIFIED_MS = 10 * MINUTE_MS;

/** What the engine needs of `DataDirectory`. */
export interface OwnedDirectory {
  readonly path: string;
  /** How the last owner left it. */
  readonly isClean: boolean;
  markDirty(): void;
  markClean(): void;
  /** Why it is not ours any more, or null. */
  lossReason(): string | null;
  /** Gives up the ownership. */
  close(): void;
}

export interface FileEngineOptions {
  files: Files;
  clock: Clock;
  directory: OwnedDirectory;
  state: StateStore;
  segmentBytesMax?: number;
  segmentAgeMsMax?: number;
  indexIntervalBytes?: number;
  openFilesMax?: number;
  fileIdleMs?: number;
  /** Syncs little data in place on a disk that has shown to be fast (syncer.ts). */
  canSyncInPlace?: boolean;
  /** Lets a thread sync a busy segment without pause. Not for who wants to sync seldom. */
  canSyncContinuously?: boolean;
  onFinding?: FindingListener;
  /** Made whole again every now and then. */
  reserve?: Reserve;
}

export class FileEngine implements StorageEngine {
  readonly state: StateStore;
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #syncer: Syncer;
  #stream: SyncStream | null;
  readonly #directory: OwnedDirectory;
  readonly #topics: string;
  readonly #directories: TopicDirectories;
  readonly #wasClean: boolean;
  /** By `topic/partition`. */
  readonly #logs = new Map<string, FileLog>();
  /** Logs of detached topics, until their files are let go. */
  readonly #abandoned = new Map<string, FileLog[]>();
  #idleAtMs: number;
  #forgetAtMs: number;
  readonly #reserve: Reserve | undefined;
  #tick: Timer;
  readonly #watch: FileWatch;
  /** The directory is not ours any more. */
  #loss: ObeliskError | null = null;

  /** @throws ObeliskError DATA_DIRECTORY_UNUSABLE, DISK_FULL */
  constructor(options: FileEngineOptions) {
    const { files, clock, directory } = options;
    const shares = sharesOfDescriptors(files, options.openFilesMax ?? OPEN_FILES_MAX);
    const pool = new DescriptorPool(files, shares.openMax, shares.pinnedMax);
    const limits = {
      segmentBytesMax: Math.min(options.segmentBytesMax ?? SEGMENT_BYTES_MAX, SEGMENT_BYTES_LIMIT),
      segmentAgeMsMax: options.segmentAgeMsMax ?? SEGMENT_AGE_MS_MAX,
      indexIntervalBytes: options.indexIntervalBytes ?? INDEX_INTERVAL_BYTES,
      fileIdleMs: options.fileIdleMs ?? FILE_IDLE_MS,
    };
    this.#store = new Store(files, pool, clock, directory.path, limits, options.onFinding);
    this.#indexes = new IndexFiles(this.#store);
    this.#syncer = new Syncer(files, clock, options.canSyncInPlace ?? true);
    const { openSyncThread } = files;
    this.#stream =
      openSyncThread === undefined || options.canSyncContinuously === false
        ? null
        : new SyncStream(
            openSyncThread,
            (log, error) => this.#failed(log, error, []),
            (log, segment) => this.#lossOf(log, segment),
          );
    this.#directory = directory;
    this.#topics = `${directory.path}/${TOPICS_DIRECTORY}`;
    this.#directories = new TopicDirectories(files, this.#topics);
    this.#wasClean = directory.isClean;
    this.state = new OwnedState(options.state, () => this.#lookAtDirectory());
    this.#reserve = options.reserve;
    directory.markDirty();
    this.#prepare();
    this.#idleAtMs = clock.monotonicMs() + this.#store.limits.fileIdleMs;
    this.#forgetAtMs = clock.monotonicMs() + VERIFIED_MS;
    this.#tick = clock.after(TICK_MS, () => this.#onTick());
    this.#watch = new FileWatch(clock, {
      isDirectoryLost: () => this.#lookAtDirectory() !== null,
      logs: () => this.#logs.values(),
      logLost: (log, reason) => this.#logLost(log, reason),
    });
  }

  get loss(): string | null {
    return this.#loss?.message ?? null;
  }

  get findings(): readonly Finding[] {
    return this.#store.findings;
  }

  get findingCount(): number {
    return this.#store.findings.length + this.#store.findingsDropped;
  }

  /** Counts for metrics; read when asked for. */
  get counters(): { openFiles: number; syncsInPlace: number; syncsInPool: number; syncsOfAll: number } {
    const { syncsInPlace, syncsInPool, syncsOfAll } = this.#syncer;
    return { openFiles: this.#store.pool.openCount, syncsInPlace, syncsInPool, syncsOfAll };
  }

  async open(
    topic: string,
    partition: number,
    listener: RecoveryListener,
    mustExist = false,
  ): Promise<PartitionLog> {
    checkPartitionName(topic, partition);
    const name = `${topic}/${partition}`;
    if (this.#logs.has(name)) fail(`partition ${name} is open already: it has one writer`);
    const directory = `${this.#topics}/${name}`;
    const condition = { wasClean: this.#wasClean, mustExist };
    const recovered = recoverPartition(this.#store, this.#indexes, directory, condition, listener);
    const log = new FileLog(this.#store, this.#indexes, topic, partition, recovered);
    this.#logs.set(name, log);
    return log;
  }

  stored(): { topic: string; partitions: number }[] {
    return this.#directories.stored((path, reason) => {
      const detail = `the topic's folder cannot be read: its partitions are offline: ${reason}`;
      this.#store.report(path, 0, 0, "unreadable", detail);
    });
  }

  async sync(logs: readonly PartitionLog[]): Promise<readonly PartitionLog[]> {
    const failed: FileLog[] = [];
    const healthy: FileLog[] = [];
    for (const log of logs as readonly FileLog[]) (log.isOffline ? failed : healthy).push(log);
    const only = healthy.length === 1 ? healthy[0]! : undefined;
    if (only !== undefined && (this.#syncInPlace(only, failed) || (await this.#syncByStream(only, failed)))) {
      return failed;
    }
    if (only?.isOffline) return [...failed, only];
    for (const log of healthy) if (this.#stream?.holds(log)) await this.#stream.release();
    const dirty: Segment[][] = healthy.map((log) => startSync(log));
    if (await this.#syncTogether(healthy, dirty, failed)) return failed;
    await Promise.all(healthy.map((log, slot) => this.#syncOne(log, dirty[slot]!, failed)));
    return failed;
  }

  create(topic: string, partitions: number): void {
    checkPartitionName(topic, partitions - 1);
    this.#checkOwned();
    this.#directories.create(topic, partitions);
  }

  detach(topic: string): void {
    checkPartitionName(topic, 0);
    this.#checkOwned();
    const logs = [...this.#logs.values()].filter((log) => log.topic === topic);
    this.#directories.detach(topic, this.#undeletable);
    this.#syncDetached(topic, logs);
    for (const log of logs) {
      log.abandon();
      this.#logs.delete(`${topic}/${log.partition}`);
    }
    this.#abandoned.set(topic, [...(this.#abandoned.get(topic) ?? []), ...logs]);
  }

  async discard(topic: string): Promise<void> {
    for (const log of this.#abandoned.get(topic) ?? []) {
      if (this.#stream?.holds(log)) await this.#stream.release();
      await log.discard();
    }
    this.#abandoned.delete(topic);
    this.#directories.discard(topic);
  }

  release(topic: string): void {
    this.#directories.release(topic, this.#undeletable);
  }

  detached(): string[] {
    return this.#directories.detached();
  }

  space(): { freeBytes: number; totalBytes: number } | undefined {
    try {
      const { freeBytes, totalBytes } = this.#store.files.space(this.#topics);
      return { freeBytes, totalBytes };
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return undefined;
    }
  }

  async close(): Promise<void> {
    this.#tick.cancel();
    this.#watch.stop();
    await this.#stream?.release();
    this.#stream?.close();
    this.#stream = null;
    const failed = await this.sync([...this.#logs.values()]);
    for (const log of this.#logs.values()) await log.close();
    this.#logs.clear();
    this.#indexes.forgetAll();
    this.#store.pool.closeAll();
    await this.state.close();
    if (failed.length === 0 && this.#lookAtDirectory() === null) this.#directory.markClean();
    this.#directory.close();
  }

  /** The shortest way for the commonest case; false when it does not apply. */
  #syncInPlace(log: FileLog, failed: FileLog[]): boolean {
    const segment = log.onlyDirtySegment;
    if (segment === null || this.#stream?.holds(log)) return false;
    if (!this.#syncer.isFast(segment.bytes - segment.syncedBytes)) return false;
    startSync(log);
    try {
      this.#syncer.syncInPlace(segment.file.descriptor);
      this.#checkOwned();
      log.finishSync();
    } catch (thrown) {
      this.#failed(log, thrown, failed);
    }
    return true;
  }

  /** By the thread that keeps a busy segment synced; false when it is not for this log. */
  async #syncByStream(log: FileLog, failed: FileLog[]): Promise<boolean> {
    const segment = log.onlyDirtySegment;
    if (segment === null || this.#stream === null || !this.#stream.wants(segment)) return false;
    const outcome = await this.#stream.sync(log, segment);
    if (outcome === RETRY) return false;
    if (outcome !== null) this.#failed(log, outcome, failed);
    return true;
  }

  /** One syncfs for everything, when many files or new names are dirty; false when the files must be synced one by one. */
  async #syncTogether(logs: FileLog[], dirty: Segment[][], failed: FileLog[]): Promise<boolean> {
    const segments = dirty.flat();
    const first = segments[0];
    const names = logs.reduce((count, log) => count + log.namesSyncing.length, 0);
    if (first === undefined || !this.#syncer.prefersAll(segments.length, names)) return false;
    try {
      if (!(await this.#syncer.syncAll(first.file.descriptor, segments.length + names))) return false;
    } catch (thrown) {
      for (const log of logs) this.#failed(log, thrown, failed);
      return true;
    }
    this.#lookAtDirectory();
    for (const log of logs) {
      try {
        log.finishSync();
      } catch (thrown) {
        this.#failed(log, thrown, failed);
      }
    }
    return true;
  }

  async #syncOne(log: FileLog, dirty: readonly Segment[], failed: FileLog[]): Promise<void> {
    try {
      for (const segment of dirty) await this.#syncer.sync(segment.file.descriptor, segment.unsyncedBytes);
      for (const path of log.namesSyncing) {
        this.#store.pool.withRoom(path, () => this.#store.files.syncDirectory(path));
      }
      this.#checkOwned();
      log.finishSync();
    } catch (thrown) {
      this.#failed(log, thrown, failed);
    }
  }

  #failed(log: FileLog, thrown: unknown, failed: FileLog[]): void {
    if (errnoOf(thrown) === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    const wasOffline = log.isOffline;
    log.fail();
    failed.push(log);
    if (!log.isDiscarded && !wasOffline)
      this.#reportFailedSync(log, thrown instanceof Error ? thrown.message : String(thrown));
  }

  /** A sync that fails takes the topic offline, as any does: what is under its name after a power cut is not known any more. */
  #syncDetached(topic: string, logs: readonly FileLog[]): void {
    try {
      this.#directories.sync();
    } catch (thrown) {
      this.#directories.attach(topic);
      const error = storageError(thrown, { topic, file: this.#topics });
      for (const log of logs) {
        log.isOffline = true;
        this.#reportFailedSync(log, error.message);
      }
      throw error;
    }
  }

  #reportFailedSync(log: FileLog, reason: string): void {
    const path = `${this.#topics}/${log.topic}/${log.partition}`;
    this.#store.report(path, 0, 0, "unreadable", `a sync failed, the partition is offline: ${reason}`);
  }

  /** Whether the directory is still ours; takes everything offline when it is not, and says why. */
  #lookAtDirectory(): ObeliskError | null {
    if (this.#loss !== null) return this.#loss;
    const reason = this.#directory.lossReason();
    if (reason === null) return null;
    this.#loss = new ObeliskError("KAFKA_STORAGE_ERROR", {
      detail: reason,
      remedy: "nothing more is stored; put the directory in order and start the server again",
    });
    for (const log of this.#logs.values()) log.lose();
    this.#store.report(this.#directory.path, 0, 0, "unreadable", this.#loss.message);
    return this.#loss;
  }

  /** @throws ObeliskError KAFKA_STORAGE_ERROR */
  #checkOwned(): void {
    const loss = this.#lookAtDirectory();
    if (loss !== null) throw loss;
  }

  /** After a sync by the thread: whether it may be believed. */
  #lossOf(log: FileLog, segment: Segment): ObeliskError | null {
    const facts = { topic: log.topic, partition: log.partition };
    try {
      const loss = this.#lookAtDirectory();
      if (loss !== null || !log.isRemoved(segment)) return loss;
      return new ObeliskError("KAFKA_STORAGE_ERROR", { detail: REMOVED_DETAIL, ...facts });
    } catch (thrown) {
      return storageError(thrown, facts);
    }
  }

  #logLost(log: FileLog, reason: string): void {
    log.lose();
    const detail = `${reason}; the partition is offline until the next start`;
    this.#store.report(log.activePath, 0, 0, "unreadable", detail);
  }

  #onTick(): void {
    if (this.#lookAtDirectory() !== null) return;
    const nowMs = this.#store.clock.monotonicMs();
    if (nowMs >= this.#idleAtMs) {
      this.#idleAtMs = nowMs + this.#store.limits.fileIdleMs;
      this.#store.pool.closeIdle();
    }
    this.#reserve?.fill();
    const mustForget = nowMs >= this.#forgetAtMs;
    if (mustForget) this.#forgetAtMs = nowMs + VERIFIED_MS;
    // A pinned and dirty segment could be neither closed nor sealed.
    if (this.#stream?.isResting) void this.#stream.release();
    for (const log of this.#logs.values()) log.tick(mustForget);
    this.#tick = this.#store.clock.after(TICK_MS, () => this.#onTick());
  }

  #prepare(): void {
    try {
      this.#directories.prepare(this.#directory.path, this.#undeletable);
    } catch (thrown) {
      const facts = { file: this.#topics };
      if (errnoOf(thrown) === undefined) throw thrown;
      throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", facts, thrown);
    }
  }

  readonly #undeletable = (path: string, reason: string): void => {
    const detail = `left over from a removed topic, and it cannot be deleted; the next start tries again: ${reason}`;
    this.#store.report(path, 0, 0, "unreadable", detail);
  };
}

function startSync(log: FileLog): Segment[] {
  const dirty: Segment[] = [];
  log.startSync(dirty);
  return dirty;
}

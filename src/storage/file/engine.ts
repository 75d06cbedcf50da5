/**
 * The storage engine on a data directory: one folder for each partition under `topics/`, Kafka's segment files in it.
 *
 *     topics/<topic>/<partition>/...     a partition
 *
 * How such a folder is created and deleted: topic-directories.ts and detached-logs.ts.
 *
 *   - The directory is marked dirty before the first partition opens and clean by `close`, when everything is synced.
 *   - It is handed a directory that it owns (data-directory.ts holds the lock) and the state store beside it.
 */

import { fail } from "../../base/assert.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { FileBounds } from "../../base/descriptors/descriptor-budget.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { nextTurn } from "../../base/loop/turns.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, MiB, SECOND_MS } from "../../base/units.ts";
import type {
  Finding,
  FindingListener,
  PartitionLog,
  RecoveryListener,
  StateStore,
  StorageEngine,
  StorageSpace,
} from "../contract.ts";
import { checkPartitionName } from "../names.ts";
import { DetachedLogs } from "./detached-logs.ts";
import { IndexFiles } from "./index-files.ts";
import { FileLog } from "./log.ts";
import { DescriptorPool } from "./pool.ts";
import { recoverPartition } from "./recovery/recovery.ts";
import type { Reserve } from "./reserve.ts";
import { SEGMENT_BYTES_LIMIT } from "./segment.ts";
import { INDEX_INTERVAL_BYTES } from "./segment-index.ts";
import { OwnedState } from "./state/owned-state.ts";
import { STATE_FILE } from "./state/state-row.ts";
import { Store, storageError, TOPICS_DIRECTORY } from "./store.ts";
import { LogSyncer } from "./sync/log-syncer.ts";
import { TopicDirectories } from "./topic-directories.ts";
import { FileWatch } from "./watch.ts";

/** Large enough that a busy partition rolls seldom, small enough that retention and recovery deal in small pieces. */
export const SEGMENT_BYTES_MAX = 256 * MiB;
export const SEGMENT_AGE_MS_MAX = 7 * DAY_MS;
export const FILE_IDLE_MS = HOUR_MS;
/** How often old segments and idle files are looked for. */
export const TICK_MS = 30 * SECOND_MS;
/** Logs that a tick visits in one turn of the loop. */
const TICKED_A_TURN = 32;
/** Bytes whose CRC was checked are checked again after this, so that damage that comes up later is found as well. */
export const VERIFIED_MS = 10 * MINUTE_MS;

/** What the engine needs of `DataDirectory`. */
export interface OwnedDirectory {
  readonly path: string;
  /** The last owner shut down gracefully. */
  readonly isClean: boolean;
  markDirty(): void;
  markClean(): void;
  /** Why this process does not own it any more, or null. */
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
  fileBounds?: FileBounds;
  fileIdleMs?: number;
  /** Syncs little data in place on a disk that has proved fast (log-syncer.ts). */
  canSyncInPlace?: boolean;
  /** Lets a thread sync a busy segment without pause. Not for a durability that syncs seldom. */
  canSyncContinuously?: boolean;
  onFinding?: FindingListener;
  /** Filled again at each tick. */
  reserve?: Reserve;
}

export class FileEngine implements StorageEngine {
  readonly state: StateStore;
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #syncer: LogSyncer;
  readonly #directory: OwnedDirectory;
  readonly #topics: string;
  readonly #directories: TopicDirectories;
  readonly #wasClean: boolean;
  /** By `topic/partition`. */
  readonly #logs = new Map<string, FileLog>();
  readonly #detached: DetachedLogs;
  #isClosed = false;
  #hidesLosses: Promise<boolean> | null = null;
  #idleAtMs: number;
  #verifyAgainAtMs: number;
  readonly #reserve: Reserve | undefined;
  #tick: Timer;
  readonly #watch: FileWatch;
  /** The directory is not owned by this process any more. */
  #loss: ObeliskError | null = null;

  /** @throws ObeliskError DATA_DIRECTORY_UNUSABLE, DISK_FULL */
  constructor(options: FileEngineOptions) {
    const { files, clock, directory } = options;
    const pool = new DescriptorPool(files, options.fileBounds);
    const limits = {
      segmentBytesMax: Math.min(options.segmentBytesMax ?? SEGMENT_BYTES_MAX, SEGMENT_BYTES_LIMIT),
      segmentAgeMsMax: options.segmentAgeMsMax ?? SEGMENT_AGE_MS_MAX,
      indexIntervalBytes: options.indexIntervalBytes ?? INDEX_INTERVAL_BYTES,
      fileIdleMs: options.fileIdleMs ?? FILE_IDLE_MS,
    };
    this.#store = new Store(files, pool, clock, directory.path, limits, options.onFinding);
    this.#indexes = new IndexFiles(this.#store);
    this.#directory = directory;
    this.#topics = `${directory.path}/${TOPICS_DIRECTORY}`;
    this.#directories = new TopicDirectories(files, this.#topics);
    this.#wasClean = directory.isClean;
    const statePath = `${directory.path}/${STATE_FILE}`;
    this.state = new OwnedState(
      options.state,
      () => this.#lookAtDirectory(),
      (reason) => this.#store.report(statePath, 0, 0, "damaged-state", reason),
    );
    this.#reserve = options.reserve;
    this.#store.releaseSpace = () => this.#reserve?.releaseOne() === true;
    directory.markDirty();
    this.#syncer = this.#prepare(options);
    this.#detached = new DetachedLogs(this.#logs, this.#directories, this.#syncer);
    this.#idleAtMs = clock.monotonicMs() + this.#store.limits.fileIdleMs;
    this.#verifyAgainAtMs = clock.monotonicMs() + VERIFIED_MS;
    this.#tick = clock.after(TICK_MS, () => this.#onTick());
    this.#watch = new FileWatch(files, clock, {
      isDirectoryLost: () => this.#lookAtDirectory() !== null,
      logs: () => this.#logs.values(),
      logLost: (log, reason) => this.#logLost(log, reason),
    });
  }

  get loss(): string | null {
    return this.#loss?.message ?? null;
  }

  get filesToWrite(): number {
    return this.#store.replacer.count + this.#store.snapshots.count;
  }

  get findings(): readonly Finding[] {
    return this.#store.findings;
  }

  get openFiles(): number {
    return this.#store.pool.openCount;
  }

  get findingCount(): number {
    return this.#store.findings.length + this.#store.findingsDropped;
  }

  /** Counts for metrics; computed when read. */
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
    this.#checkOpen();
    if (this.#logs.has(name)) fail(`partition ${name} is open already: it has one writer`);
    const directory = `${this.#topics}/${name}`;
    const device = this.#wasClean ? null : this.#syncer.deviceOf(directory);
    const condition = { wasClean: this.#wasClean, mustExist, mustEvict: await this.#mustEvict(device) };
    const recovered = recoverPartition(this.#store, directory, condition, listener);
    for (const segment of recovered.segments) segment.device = device;
    const log = new FileLog(this.#store, this.#indexes, topic, partition, recovered);
    this.#logs.set(name, log);
    return log;
  }

  get recoveredMax(): number {
    return this.#store.pool.pinnedComfortably;
  }

  stored(): { topic: string; partitions: number }[] {
    return this.#directories.stored((path, reason) => {
      const detail = `the topic's directory cannot be read, its partitions are offline: ${reason}`;
      this.#store.report(path, 0, 0, "unreadable", detail);
    });
  }

  sync(logs: readonly PartitionLog[]): Promise<readonly PartitionLog[]> {
    return this.#syncer.sync(logs as readonly FileLog[]);
  }

  async create(topic: string, partitions: number): Promise<void> {
    checkPartitionName(topic, partitions - 1);
    this.#checkOwned();
    await this.#forgetSnapshots(topic);
    await this.#directories.create(topic, partitions);
  }

  detach(topic: string): Promise<void> {
    checkPartitionName(topic, 0);
    this.#checkOwned();
    return this.#detached.detach(topic);
  }

  async discard(topic: string): Promise<void> {
    await this.#detached.discard(topic);
    if (!this.#isClosed) await this.#forgetSnapshots(topic);
  }

  async release(topic: string): Promise<void> {
    this.#checkOwned();
    await this.#directories.release(topic, this.#undeletable);
    await this.#forgetSnapshots(topic);
  }

  detached(): string[] {
    return this.#directories.detached();
  }

  space(): StorageSpace | undefined {
    try {
      const reservedBytes = this.#reserve?.bytes ?? 0;
      return { ...this.#store.files.space(this.#topics), reservedBytes };
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return undefined;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#directories.close();
    this.#tick.cancel();
    this.#watch.stop();
    await this.#syncer.closeThread();
    const failed = await this.sync([...this.#logs.values()]);
    const logs = [...this.#logs.values()];
    await Promise.all(logs.map((log) => log.close()));
    await this.#store.dropped.close();
    await this.#detached.close();
    await this.#store.journal.close();
    const isCompleted = !logs.some((log) => log.owesSnapshot) && (await this.#syncNames());
    this.#logs.clear();
    this.#indexes.evictAll();
    this.#syncer.close();
    this.#store.pool.closeAll();
    await this.state.close();
    const isClean = failed.length === 0 && isCompleted && this.#lookAtDirectory() === null;
    if (isClean) this.#markClean();
    this.#directory.close();
  }

  /** @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL */
  async #forgetSnapshots(topic: string): Promise<void> {
    const { journal } = this.#store;
    try {
      await journal.forgetTopic(topic);
    } catch (thrown) {
      throw storageError(thrown, { topic, file: journal.path });
    }
  }

  /** On a full disk the reserve gives room to the clean-shutdown flag. */
  #markClean(): void {
    try {
      this.#directory.markClean();
    } catch (thrown) {
      const isFull = thrown instanceof ObeliskError && thrown.code === "DISK_FULL";
      if (!isFull || this.#reserve?.releaseOne() !== true) throw thrown;
      this.#directory.markClean();
    }
  }

  /** Makes the directory entries of the small files durable; false when the disk fails to. */
  async #syncNames(): Promise<boolean> {
    try {
      await this.#store.replacer.syncNames();
      return true;
    } catch (thrown) {
      const error = storageError(thrown, { file: this.#topics });
      const detail = `directory entries could not be synced, so the next start runs recovery: ${error.message}`;
      this.#store.report(this.#topics, 0, 0, "unreadable", detail);
      return false;
    }
  }

  /** Whether the page cache may show what the disk does not hold; found out once for each start. */
  async #mustEvict(device: string | null): Promise<boolean> {
    if (this.#wasClean) return false;
    this.#hidesLosses ??= this.#syncer.mayHideLosses();
    return (await this.#hidesLosses) || !this.#syncer.isWitnessed(device);
  }

  /** Why the directory is not ours any more, having taken every partition offline; null while it is. */
  #lookAtDirectory(): ObeliskError | null {
    if (this.#loss !== null) return this.#loss;
    const reason = this.#directory.lossReason();
    if (reason === null) return null;
    this.#loss = new ObeliskError("KAFKA_STORAGE_ERROR", {
      detail: reason,
      remedy: "no more writes are accepted; restore the directory and restart the server",
    });
    for (const log of this.#logs.values()) log.lose();
    this.#store.report(this.#directory.path, 0, 0, "unreadable", this.#loss.message);
    return this.#loss;
  }

  /** Nothing is created or removed during a graceful shutdown. @throws ObeliskError KAFKA_STORAGE_ERROR */
  #checkOpen(): void {
    if (this.#isClosed)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the server is shutting down" });
  }

  /** @throws ObeliskError KAFKA_STORAGE_ERROR */
  #checkOwned(): void {
    this.#checkOpen();
    const loss = this.#lookAtDirectory();
    if (loss !== null) throw loss;
  }

  #logLost(log: FileLog, reason: string): void {
    log.lose();
    const detail = `${reason}; the partition is offline until the next start`;
    this.#store.report(log.activeFile.path, 0, 0, "unreadable", detail);
  }

  #onTick(): void {
    loopTurns.enter("log upkeep");
    if (this.#lookAtDirectory() !== null) return;
    const nowMs = this.#store.clock.monotonicMs();
    if (nowMs >= this.#idleAtMs) {
      this.#idleAtMs = nowMs + this.#store.limits.fileIdleMs;
      this.#store.pool.closeIdle();
    }
    this.#reserve?.fill();
    const mustResetVerified = nowMs >= this.#verifyAgainAtMs;
    if (mustResetVerified) this.#verifyAgainAtMs = nowMs + VERIFIED_MS;
    this.#syncer.tick();
    void this.#tickLogs(mustResetVerified);
  }

  /** Segments of the same age are rolled in the same tick: new names, and maybe syncs of directories. */
  async #tickLogs(mustResetVerified: boolean): Promise<void> {
    let count = 0;
    for (const log of this.#logs.values()) {
      count += 1;
      if (count % TICKED_A_TURN === 0) await nextTurn();
      if (this.#isClosed) return;
      log.tick(mustResetVerified);
    }
    this.#tick = this.#store.clock.after(TICK_MS, () => this.#onTick());
  }

  #prepare({ canSyncInPlace = true, canSyncContinuously = true }: FileEngineOptions): LogSyncer {
    try {
      this.#loadSnapshots();
      this.#directories.prepare(this.#directory.path, this.#undeletable);
      return new LogSyncer(this.#store, {
        directory: this.#topics,
        canSyncInPlace,
        canSyncContinuously,
        logs: () => this.#logs.values(),
        loss: () => this.#lookAtDirectory(),
      });
    } catch (thrown) {
      const facts = { file: this.#topics };
      if (errnoOf(thrown) === undefined) throw thrown;
      throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", facts, thrown);
    }
  }

  #loadSnapshots(): void {
    const { journal } = this.#store;
    const damagedAt = journal.load();
    if (damagedAt < 0) return;
    const detail = "snapshots of partitions that were stored there are lost; the logs are read instead";
    this.#store.report(journal.path, damagedAt, 0, "damaged-snapshot", detail);
  }

  readonly #undeletable = (path: string, reason: string): void => {
    const detail = `left over from a removed topic and cannot be deleted; the next start tries again: ${reason}`;
    this.#store.report(path, 0, 0, "unreadable", detail);
  };
}

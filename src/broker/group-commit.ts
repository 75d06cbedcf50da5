/**
 * Group commit: one sync serves everyone who wrote while the last one ran.
 *
 *   writes     a b c . . . d e f g . . . h . .
 *   syncs            [ a b c ]    [ d e f g ]  [ h ]
 *   responses                a b c          d e f g
 *
 * The next sync starts before the responses of the last go out, so that the disk works while the responses are sent.
 * No timer is needed: a request starts a sync at the end of the current turn when none is running; while one runs,
 * requests gather for the next. Before each sync the batcher closes its open batches (`beforeSync`), so that single
 * messages ride along.
 *
 * Durability decides when a partition counts as committed:
 *   fsync       when a sync covered it (the default)
 *   interval    when it is written; a sync follows every `intervalMs`
 *   os          when it is written; the system writes it out when it likes, and a sync every 30 s lets full segments be sealed
 *
 * A failed sync is never retried: the engine took the logs offline, and their partitions are told.
 */

import { fail } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { SECOND_MS } from "../base/units.ts";
import type { PartitionLog, StorageEngine } from "../storage/contract.ts";
import type { BrokerCounters } from "./counters.ts";

/** As long as Linux itself lets written bytes lie. */
const OS_SYNC_MS = 30 * SECOND_MS;

export type Durability = { mode: "fsync" } | { mode: "interval"; intervalMs: number } | { mode: "os" };

/** Something that was written and waits to be committed: a partition. */
export interface Committable {
  readonly log: PartitionLog;
  /** Set while it stands in the queue for the next commit. Owned by the group commit. */
  isQueued: boolean;
  /** Its topic is removed: that its log is gone is no failure of the disk. */
  readonly isRetired: boolean;
  /** Everything below `offset` is committed. */
  committed(offset: number): void;
  commitFailed(): void;
}

export interface GroupCommitOptions {
  engine: StorageEngine;
  durability: Durability;
  clock: Clock;
  counters: BrokerCounters;
  beforeSync: () => void;
}

export class GroupCommit {
  readonly #engine: StorageEngine;
  readonly #durability: Durability;
  readonly #clock: Clock;
  readonly #counters: BrokerCounters;
  readonly #beforeSync: () => void;
  #queue: Committable[] = [];
  /** Written and counted as committed, but not synced yet (durability other than fsync). */
  #unsynced = new Set<Committable>();
  /** The last sync of those; each waits for the one before. */
  #lastUnsynced: Promise<void> = Promise.resolve();
  #isScheduled = false;
  #isRunning = false;
  #isSyncing = false;
  #timer: Timer | null = null;
  #idleListeners: (() => void)[] = [];

  constructor(options: GroupCommitOptions) {
    this.#engine = options.engine;
    this.#durability = options.durability;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#beforeSync = options.beforeSync;
  }

  /** Whether only what is synced counts as committed. */
  get needsSync(): boolean {
    return this.#durability.mode === "fsync";
  }

  /** True while a sync runs: what is written now waits for the next one. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Commits what was appended to the partition, soon. Cheap to call for every batch. */
  request(partition: Committable): void {
    if (partition.isQueued) return;
    partition.isQueued = true;
    this.#queue.push(partition);
    this.wake();
  }

  /** Makes sure that a commit starts soon: the batcher has open batches. */
  wake(): void {
    if (this.#isRunning || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(this.#run);
  }

  /** Resolves when everything that was requested is synced or has failed, whatever the durability. */
  async drain(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    this.wake();
    await new Promise<void>((resolve) => this.#idleListeners.push(resolve));
    await this.#syncUnsynced();
  }

  readonly #run = async (): Promise<void> => {
    this.#isScheduled = false;
    this.#isRunning = true;
    try {
      let group = this.#take();
      let sync = this.#start(group);
      while (group.length > 0) {
        const failed = await sync;
        loopTurns.enter("commit");
        const next = this.#take();
        sync = this.#start(next);
        this.#complete(group, failed);
        group = next.length > 0 ? next : this.#take();
        if (group !== next) sync = this.#start(group);
      }
    } finally {
      this.#isRunning = false;
    }
    const listeners = this.#idleListeners;
    this.#idleListeners = [];
    for (const listener of listeners) listener();
  };

  /** What waits to be committed, with the batches that were open until now. */
  #take(): readonly Committable[] {
    this.#beforeSync();
    const group = this.#queue;
    if (group.length > 0) this.#queue = [];
    for (const partition of group) {
      if (!partition.isQueued) fail("a partition stands in the queue for its commit twice");
      partition.isQueued = false;
    }
    return group;
  }

  /** Starts the group's sync, if its durability asks for one; resolves with the logs that failed. */
  #start(group: readonly Committable[]): Promise<ReadonlySet<PartitionLog>> | ReadonlySet<PartitionLog> {
    if (group.length === 0 || !this.needsSync) return NONE;
    return this.#sync(group);
  }

  #complete(group: readonly Committable[], failed: ReadonlySet<PartitionLog>): void {
    if (!this.needsSync) {
      this.#commitUnsynced(group);
      return;
    }
    for (const partition of group) {
      if (failed.has(partition.log)) partition.commitFailed();
      else partition.committed(partition.log.durableOffset);
    }
  }

  async #sync(group: readonly Committable[]): Promise<ReadonlySet<PartitionLog>> {
    if (this.#isSyncing) fail("a sync was started while another one runs");
    this.#isSyncing = true;
    const startedAtMs = this.#clock.monotonicMs();
    const failed = new Set(await this.#engine.sync(group.map((partition) => partition.log)));
    this.#isSyncing = false;
    const counters = this.#counters;
    const isFailure = failed.size > 0 && group.some(({ log, isRetired }) => !isRetired && failed.has(log));
    counters.syncs += 1;
    if (isFailure) counters.syncFailures += 1;
    counters.flushSeconds.observe((this.#clock.monotonicMs() - startedAtMs) / 1000);
    counters.flushOutcomes.record(!isFailure, this.#clock.nowMs());
    return failed;
  }

  /** A log may have gone offline since it was written to: what it lost then must not be seen. */
  #commitUnsynced(partitions: readonly Committable[]): void {
    for (const partition of partitions) {
      this.#unsynced.add(partition);
      if (partition.log.isOffline) partition.commitFailed();
      else partition.committed(partition.log.endOffset);
    }
    if (this.#timer !== null) return;
    const delayMs = this.#durability.mode === "interval" ? this.#durability.intervalMs : OS_SYNC_MS;
    this.#timer = this.#clock.after(delayMs, () => {
      loopTurns.enter("commit");
      this.#timer = null;
      void this.#syncUnsynced();
    });
  }

  /** After the one that runs, if any: the engine takes one sync at a time. */
  #syncUnsynced(): Promise<void> {
    this.#lastUnsynced = this.#lastUnsynced.then(() => this.#syncUnsyncedNow());
    return this.#lastUnsynced;
  }

  async #syncUnsyncedNow(): Promise<void> {
    if (this.#unsynced.size === 0) return;
    const partitions = [...this.#unsynced];
    this.#unsynced.clear();
    const failed = await this.#sync(partitions);
    for (const partition of partitions) if (failed.has(partition.log)) partition.commitFailed();
  }
}

const NONE: ReadonlySet<PartitionLog> = new Set();

/**
 * What the brokers of an engine on a database and an object store share: the batches of every partition, and one sequencer that
 * commits them. In memory, and slow on purpose. A test's second implementation of partitions (delayed-partition.ts) stands on it.
 *
 *     append ---> [queue of the partition] ---> commit ---> outcome is told
 *                  turns later, drawn by       offset,      turns after
 *                  a seeded random source      sequence     that
 *                                                 '-------> news of the high watermark, to each view, in its own time
 *
 *   - Partitions do not wait for each other: their commits come in any order. Within one they keep the order of the appends.
 *   - A batch is read when it is committed, from the buffer that was appended. Whoever has changed it meanwhile stops the test.
 *   - A commit fails as `failures` says. Of an unknown outcome the batch is stored before it is told, or afterwards, or never.
 *   - The sequencer checks sequences, in the transaction that assigns the offset.
 *   - While `isHeld`, nothing is committed.
 */

import type { PartitionRules } from "../../src/broker/owned-partition.ts";
import { batchRecordCount, setLogAppendTime, stampBatch } from "../../src/protocol/record/batch.ts";
import { DelayedProducers } from "./delayed-producers.ts";
import { randomOf } from "./random.ts";

export const DELAYED_LEADER_EPOCH = 3;

/** How a commit can fail. `unknown-late`: it is stored after the failure was told. */
export type CommitFailure = "definite" | "unknown-stored" | "unknown-lost" | "unknown-late";

export interface DelayedStoreOptions {
  seed?: number;
  /** Turns of the event loop that each step takes, at most. */
  turnsMax?: number;
  /** How often a commit fails in which way, out of 1. */
  failures?: Partial<Record<CommitFailure, number>>;
  isHeld?: boolean;
}

/** What the sequencer says of a batch. */
export type CommitResult =
  | { kind: "stored"; baseOffset: number; logAppendTimeMs: number }
  | { kind: "duplicate"; baseOffset: number; logAppendTimeMs: number }
  | { kind: "refused"; code: "OUT_OF_ORDER_SEQUENCE_NUMBER" | "INVALID_PRODUCER_EPOCH" }
  | { kind: "failed" }
  | { kind: "unknown" };

/** A batch on its way, of any broker. */
export interface DelayedCommit {
  readonly rules: PartitionRules;
  /** A copy of the batch, made now; null: nobody waits for it any more. */
  read(): Buffer | null;
  /** Told once, turns after the commit. */
  committed(result: CommitResult): void;
}

export interface StoredBatch {
  readonly baseOffset: number;
  readonly endOffset: number;
  readonly bytes: Buffer;
}

/** Whoever keeps a view of a partition's bounds. */
export interface DelayedView {
  learn(highWatermark: number): void;
  /** What lies before the start is gone. */
  learnStart(): void;
}

export class StoredPartition {
  batches: StoredBatch[] = [];
  startOffset = 0;
  highWatermark = 0;
  readonly producers = new DelayedProducers();
  readonly views = new Set<DelayedView>();
  readonly queue: DelayedCommit[] = [];
  isCommitting = false;

  /** The transaction that moves the start: every broker sees it at once, and what lies before it leaves in whole batches. */
  deleteBefore(offset: number): number {
    if (offset <= this.startOffset) return this.startOffset;
    this.startOffset = offset;
    this.batches = this.batches.filter(({ endOffset }) => endOffset > offset);
    for (const view of this.views) view.learnStart();
    return offset;
  }
}

export class DelayedStore {
  isHeld: boolean;
  readonly #random: () => number;
  readonly #turnsMax: number;
  readonly #failures: [CommitFailure, number][];
  /** Failures of the next commits, before any is drawn. */
  readonly #nextFailures: (CommitFailure | null)[] = [];
  readonly #partitions = new Map<string, StoredPartition>();
  /** Partitions whose commit is due, and that are held. */
  readonly #due = new Set<StoredPartition>();
  readonly #steps: { atTurn: number; run: () => void }[] = [];
  #turn = 0;
  #isRunning = false;

  constructor(options: DelayedStoreOptions = {}) {
    this.#random = randomOf(options.seed ?? 1);
    this.#turnsMax = options.turnsMax ?? 4;
    this.#failures = Object.entries(options.failures ?? {}) as [CommitFailure, number][];
    this.isHeld = options.isHeld ?? false;
  }

  /** Appends whose commit is due, and held. */
  get commitsHeld(): number {
    let count = 0;
    for (const { queue } of this.#due) count += queue.length;
    return count;
  }

  /** Nothing is under way, but what is held. */
  get isIdle(): boolean {
    return this.#steps.length === 0;
  }

  /** Commits go on. */
  release(): void {
    this.isHeld = false;
    for (const partition of [...this.#due]) this.#later(() => this.#commit(partition));
    this.#due.clear();
  }

  /** The next commits, one after the other, fail so; null: that one does not. */
  failNext(...failures: (CommitFailure | null)[]): void {
    this.#nextFailures.push(...failures);
  }

  /** One that is there, or a new one. */
  open(topic: string, index: number): StoredPartition {
    const name = `${topic}-${index}`;
    const partition = this.#partitions.get(name) ?? new StoredPartition();
    this.#partitions.set(name, partition);
    return partition;
  }

  /** Empty, whatever was there under its name. */
  openNew(topic: string, index: number): StoredPartition {
    this.#partitions.delete(`${topic}-${index}`);
    return this.open(topic, index);
  }

  enqueue(partition: StoredPartition, commit: DelayedCommit): void {
    partition.queue.push(commit);
    this.#goOn(partition);
  }

  /** Whether something that is at hand now is given at once, as from a cache. */
  isCached(): boolean {
    return this.#random() < 0.3;
  }

  /** What `read` gives, turns from now. */
  ask<Result>(read: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#later(() => {
        try {
          resolve(read());
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
  }

  #goOn(partition: StoredPartition): void {
    if (partition.isCommitting || partition.queue.length === 0) return;
    partition.isCommitting = true;
    this.#later(() => this.#commit(partition));
  }

  /** Some of those that wait, in their order, in one transaction. */
  #commit(partition: StoredPartition): void {
    if (this.isHeld) {
      this.#due.add(partition);
      return;
    }
    const count = 1 + Math.floor(this.#random() * partition.queue.length);
    const results = partition.queue.splice(0, count).map((commit) => this.#commitOne(partition, commit));
    this.#later(() => {
      for (const tell of results) tell();
      partition.isCommitting = false;
      this.#goOn(partition);
    });
  }

  /** Returns what tells its outcome. */
  #commitOne(partition: StoredPartition, commit: DelayedCommit): () => void {
    const batch = commit.read();
    if (batch === null) return () => {};
    const failure = this.#drawFailure();
    const { isLogAppendTime } = commit.rules;
    if (failure === null) {
      const result = this.#store(partition, batch, isLogAppendTime);
      return () => commit.committed(result);
    }
    if (failure === "unknown-stored") this.#store(partition, batch, isLogAppendTime);
    return () => {
      commit.committed({ kind: failure === "definite" ? "failed" : "unknown" });
      if (failure === "unknown-late") this.#later(() => this.#store(partition, batch, isLogAppendTime));
    };
  }

  #store(partition: StoredPartition, batch: Buffer, isLogAppendTime: boolean): CommitResult {
    const verdict = partition.producers.check(batch);
    if (typeof verdict === "string") return { kind: "refused", code: verdict };
    if (verdict >= 0) return { kind: "duplicate", baseOffset: verdict, logAppendTimeMs: -1 };
    const baseOffset = partition.highWatermark;
    const logAppendTimeMs = isLogAppendTime ? Date.now() : -1;
    if (isLogAppendTime) setLogAppendTime(batch, 0, logAppendTimeMs);
    stampBatch(batch, 0, baseOffset, DELAYED_LEADER_EPOCH);
    partition.producers.record(batch, baseOffset);
    const endOffset = baseOffset + batchRecordCount(batch, 0);
    partition.batches.push({ baseOffset, endOffset, bytes: batch });
    partition.highWatermark = endOffset;
    for (const view of partition.views) this.#later(() => view.learn(endOffset));
    return { kind: "stored", baseOffset, logAppendTimeMs };
  }

  #drawFailure(): CommitFailure | null {
    if (this.#nextFailures.length > 0) return this.#nextFailures.shift()!;
    let drawn = this.#random();
    for (const [failure, share] of this.#failures) {
      if (drawn < share) return failure;
      drawn -= share;
    }
    return null;
  }

  #later(run: () => void): void {
    this.#steps.push({ atTurn: this.#turn + 1 + Math.floor(this.#random() * this.#turnsMax), run });
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#turn += 1;
    const due = this.#steps.filter(({ atTurn }) => atTurn <= this.#turn);
    const left = this.#steps.filter(({ atTurn }) => atTurn > this.#turn);
    this.#steps.splice(0, this.#steps.length, ...left);
    for (const { run } of due) run();
    this.#isRunning = this.#steps.length > 0;
    if (this.#isRunning) setImmediate(this.#nextTurn);
  };
}

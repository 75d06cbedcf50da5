/**
 * Has partitions delete what their topics' rules do not keep (log-retention.ts says what that is).
 *
 *     a segment was rolled --------> queue of partitions ---> `retain` of some at a time ---> counted, and told in a line now and then
 *     each second: who is due ----->
 *     the disk refused an append -->
 *
 *   - Each second every partition is asked whether it is time to look, in slices: a few comparisons each, and a new
 *     file where a segment has become old.
 *   - `AT_ONCE` partitions delete at a time, so that their small files are replaced and synced together, and the disk is not flooded.
 *   - What fails is told once a while and tried again at the next look.
 *   - On a full disk everybody is asked at once, so that what may go makes room; what may not stays, and appends are refused.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { TurnShare } from "../base/loop/turn-share.ts";
import { nextTurn } from "../base/loop/turns.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import { formatBytes, MINUTE_MS, SECOND_MS } from "../base/units.ts";
import type { BrokerCounters } from "./counters.ts";

export const LOOK_MS = SECOND_MS;
/** Partitions that delete side by side: their files make one group (file/replacer.ts). */
const AT_ONCE = 128;
/** After a group of so many, which a sync of the whole file system has made durable, others gather: producers wait for such syncs. */
const LARGE_GROUP = 17;
const PAUSE_MS = 20;
const LINE_MS = MINUTE_MS;
/** A full disk refuses thousands of appends a second. */
const FULL_MS = 5 * SECOND_MS;

/** What a partition has deleted. */
export interface Deletion {
  readonly records: number;
  readonly bytes: number;
}

/**
 * What is looked at: its size when a segment was `rolled`; ages too when it is `due` by the clock, and on a `full` disk. Ages are looked
 * at no more often than Kafka does, because somebody may write records that are old already and read them within minutes.
 */
export type RetentionOccasion = "rolled" | "due" | "full";

export interface Retained {
  readonly topic: string;
  readonly index: number;
  /** Whether `retain` may have something to do. O(1) when not. */
  mustRetain(occasion: RetentionOccasion): boolean;
  /** Deletes what need not be kept. @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL and what the partition is refused for */
  retain(): Promise<Deletion>;
}

export interface RetentionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: BrokerCounters;
  readonly partitions: () => Iterable<Retained>;
}

export class Retention {
  readonly #parts: RetentionParts;
  readonly #queue = new Set<Retained>();
  readonly #warning: RateLimitedWarning;
  #timer: Timer | null = null;
  #isRunning = false;
  #isClosed = false;
  #isLooking = false;
  #fullAtMs = Number.NEGATIVE_INFINITY;
  /** What was deleted since the last line. */
  #records = 0;
  #bytes = 0;
  #lineAtMs = Number.NEGATIVE_INFINITY;
  #endPause: () => void = () => undefined;
  #idle: Promise<void> = Promise.resolve();

  constructor(parts: RetentionParts) {
    this.#parts = parts;
    this.#warning = new RateLimitedWarning(parts.log, parts.clock, "old records could not be deleted");
  }

  start(): void {
    this.#timer = this.#parts.clock.after(LOOK_MS, () => {
      loopTurns.enter("retention");
      void this.#lookAtAll("due");
      this.#tell();
      this.start();
    });
  }

  /** One that has more than before: it was rolled. Cheap. */
  rolled(partition: Retained): void {
    if (!this.#isClosed && partition.mustRetain("rolled")) this.#enqueue(partition);
  }

  /** The disk has no room for a batch. */
  diskFull(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#isClosed || nowMs < this.#fullAtMs) return;
    this.#fullAtMs = nowMs + FULL_MS;
    void this.#lookAtAll("full");
  }

  /** Begins nothing more; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#queue.clear();
    this.#endPause();
    await this.#idle;
    this.#lineAtMs = Number.NEGATIVE_INFINITY;
    this.#tell();
  }

  async #lookAtAll(occasion: RetentionOccasion): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const share = new TurnShare(this.#parts.clock);
    for (const partition of this.#parts.partitions()) {
      if (share.isUsedUp) {
        await share.rest();
        loopTurns.enter("retention");
      }
      if (this.#isClosed) break;
      if (partition.mustRetain(occasion)) this.#enqueue(partition);
    }
    this.#isLooking = false;
  }

  #enqueue(partition: Retained): void {
    this.#queue.add(partition);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#idle = this.#run();
  }

  async #run(): Promise<void> {
    await nextTurn(); // those that are rolled in the same turn come along
    while (this.#queue.size > 0) {
      const group: Retained[] = [];
      for (const partition of this.#queue) {
        if (group.length === AT_ONCE) break;
        group.push(partition);
      }
      for (const partition of group) this.#queue.delete(partition);
      await Promise.all(group.map((partition) => this.#retain(partition)));
      if (group.length >= LARGE_GROUP) await this.#pause();
    }
    this.#isRunning = false;
  }

  #pause(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(PAUSE_MS, resolve);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async #retain(partition: Retained): Promise<void> {
    try {
      const { records, bytes } = await partition.retain();
      const { counters } = this.#parts;
      counters.retentionRecords += records;
      counters.retentionBytes += bytes;
      this.#records += records;
      this.#bytes += bytes;
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      const { topic, index } = partition;
      if (!this.#isClosed) this.#warning.tell({ topic, partition: index, reason: thrown.message });
    }
  }

  #tell(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#records === 0 || nowMs < this.#lineAtMs) return;
    this.#lineAtMs = nowMs + LINE_MS;
    this.#parts.log.info("old records were deleted, as retention.ms and retention.bytes say", {
      records: this.#records,
      bytes: formatBytes(this.#bytes),
    });
    this.#records = 0;
    this.#bytes = 0;
  }
}

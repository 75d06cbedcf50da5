/**
 * Whether a partition takes records and can be read, what it tells when not, and the lines by which an operator hears of it.
 *
 *   its topic was removed           UNKNOWN_TOPIC_OR_PARTITION to everyone: nobody took a disk away, and nothing will come back
 *   its log could not be opened,    KAFKA_STORAGE_ERROR to everyone: its bounds mean nothing, so no offset is out of range
 *   or not synced at the start      and there is no latest one
 *   a commit failed                 KAFKA_STORAGE_ERROR to appends and those who wait; below the high watermark it is still read
 *   Obelisk itself failed in it     the same; the line in the log has the stack, and sends nobody to look for a broken disk
 *   the disk refused an append      told when it starts and when it ends; the partition goes on
 */

import type { Clock } from "../base/clock.ts";
import { type ErrorCode, ObeliskError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { PartitionLog } from "../storage/contract.ts";
import type { DiskNews } from "./disk-news.ts";

/** The last append that the disk did not take. */
export interface DiskRefusal {
  readonly isFull: boolean;
  /** How large the batch was. */
  readonly bytes: number;
  /** When, by the monotonic clock. */
  readonly monotonicMs: number;
}

export class Standing {
  isRetired = false;
  /** What recovery has read could not be made durable: the high watermark may be below what was committed before. */
  isUncommitted = false;
  /** Why the disk refused the last append; null when it took it. */
  diskRefusal: DiskRefusal | null = null;
  /** The fault of our own that took the partition out of service, in one line; null when there was none. */
  ownFault: string | null = null;
  readonly #log: PartitionLog;
  readonly #place: { topic: string; partition: number };
  readonly #clock: Clock;
  readonly #events: Log;
  readonly #news: DiskNews;

  constructor(log: PartitionLog, clock: Clock, events: Log, news: DiskNews) {
    this.#log = log;
    this.#place = { topic: log.topic, partition: log.partition };
    this.#clock = clock;
    this.#events = events;
    this.#news = news;
  }

  get isUnavailable(): boolean {
    return this.#log.isOffline || this.isRetired;
  }

  /** Why nothing at all can be asked of it; null when what lies below the high watermark can be read. */
  get refusal(): ErrorCode | null {
    if (this.isRetired) return "UNKNOWN_TOPIC_OR_PARTITION";
    return this.#isOpen ? null : "KAFKA_STORAGE_ERROR";
  }

  /** What appends are told while it is offline. */
  get unavailableCode(): ErrorCode {
    return this.isRetired ? "UNKNOWN_TOPIC_OR_PARTITION" : "KAFKA_STORAGE_ERROR";
  }

  get unavailableDetail(): string {
    if (this.isRetired) return "the topic was removed";
    if (this.ownFault !== null) return "the partition is offline after a fault of Obelisk itself";
    return this.#isOpen
      ? "the partition is offline after a disk error"
      : "the partition is offline: it could not be opened at the start";
  }

  get #isOpen(): boolean {
    return this.#log.isReadable && !this.isUncommitted;
  }

  error(code: ErrorCode): ObeliskError {
    return new ObeliskError(
      code,
      this.isUnavailable ? { detail: this.unavailableDetail, ...this.#place } : this.#place,
    );
  }

  /** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR when nothing can be asked of it */
  checkReadable(): void {
    const code = this.refusal;
    if (code !== null) throw this.error(code);
  }

  diskRefused(error: ObeliskError, bytes: number): void {
    if (this.diskRefusal === null) {
      const facts = { ...this.#place, reason: error.message };
      this.#news.refuses(facts);
    }
    const isFull = error.code === "DISK_FULL";
    this.diskRefusal = { isFull, bytes, monotonicMs: this.#clock.monotonicMs() };
  }

  diskTook(): void {
    if (this.diskRefusal === null) return;
    this.diskRefusal = null;
    this.#news.takesAgain(this.#place);
  }

  /** Nothing of the partition can be trusted any more. */
  failedByItself(thrown: unknown): void {
    this.ownFault = thrown instanceof Error ? thrown.message : String(thrown);
    this.#log.lose();
    const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    const message =
      "a fault of Obelisk itself, and not of the disk: the partition is offline until the next start; please report it";
    this.#events.error(message, { ...this.#place, error });
  }
}

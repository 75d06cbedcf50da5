/**
 * The reads of one log: batches, and offsets by time. The range is checked here, and read errors are reported here.
 *
 *   - A log that could not be opened serves no reads: its bounds mean nothing.
 *   - A read error says nothing about the data. It may be transient, so it changes nothing, and it is reported once.
 */

import { ObeliskError } from "../../base/errors.ts";
import { systemReason } from "../../base/system-error.ts";
import type { RecordSpan, TimestampedOffset } from "../contract.ts";
import { noRecords } from "../held-records.ts";
import type { IndexFiles } from "./index-files.ts";
import type { LogLocator } from "./locator.ts";
import { LogReader } from "./reader.ts";
import type { Segment } from "./segment.ts";
import { readErrorOf, type Store, storageError } from "./store.ts";
import { findMaxTimestamp, findTimestamp, type Searched } from "./time-search.ts";

/** The log that is read, as it is now. */
export interface ReadLog {
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly isReadable: boolean;
  readonly isDiscarded: boolean;
}

export class LogReads {
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #directory: string;
  readonly #segments: readonly Segment[];
  readonly #reader: LogReader;
  readonly #log: ReadLog;
  #hasReportedError = false;

  constructor(
    store: Store,
    indexes: IndexFiles,
    directory: string,
    segments: readonly Segment[],
    locator: LogLocator,
    log: ReadLog,
  ) {
    this.#store = store;
    this.#indexes = indexes;
    this.#directory = directory;
    this.#segments = segments;
    this.#reader = new LogReader(store, locator, (thrown) => this.#refuse(thrown));
    this.#log = log;
  }

  /** As `PartitionLog.span`. */
  span(
    offset: number,
    limitOffset: number,
    bytesMax: number,
    atLeastOne: boolean,
  ): RecordSpan | Promise<RecordSpan> {
    this.checkRange(offset);
    if (offset >= limitOffset || offset === this.#log.endOffset) return noRecords(offset);
    try {
      const span = this.#reader.span(offset, limitOffset, bytesMax, atLeastOne);
      return span instanceof Promise ? span.catch((thrown) => this.#refuse(thrown)) : span;
    } catch (thrown) {
      return this.#refuse(thrown);
    }
  }

  /** As `PartitionLog.offsetForTimestamp`. */
  offsetForTimestamp(
    timestampMs: number,
    limitOffset: number,
    isWanted?: () => boolean,
  ): Promise<TimestampedOffset | null> {
    return this.#search(() => findTimestamp(this.#searched(limitOffset, isWanted), timestampMs));
  }

  /** As `PartitionLog.offsetOfMaxTimestamp`. */
  offsetOfMaxTimestamp(limitOffset: number, isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    return this.#search(() => findMaxTimestamp(this.#searched(limitOffset, isWanted)));
  }

  /** As `PartitionLog.largestTimestampAt`. */
  largestTimestampOf(segment: Segment): number | Promise<number> {
    return this.#indexes.knownLargest(segment) ?? this.#largestOf(segment);
  }

  async #largestOf(segment: Segment): Promise<number> {
    try {
      return await this.#indexes.largestOf(segment);
    } catch (thrown) {
      return this.#refuse(thrown);
    }
  }

  /** Segments were cut or removed: remembered places are stale. */
  reset(): void {
    this.#reader.reset();
  }

  /** @throws ObeliskError KAFKA_STORAGE_ERROR */
  checkReadable(): void {
    if (this.#log.isReadable) return;
    const detail = "the partition could not be opened at the start";
    throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail, ...this.#place() });
  }

  /** @throws ObeliskError OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR */
  checkRange(offset: number): void {
    this.checkReadable();
    const { startOffset, endOffset } = this.#log;
    if (offset >= startOffset && offset <= endOffset) return;
    throw new ObeliskError("OFFSET_OUT_OF_RANGE", { ...this.#place(), offset });
  }

  #searched(limitOffset: number, isWanted: () => boolean = () => true): Searched {
    const { startOffset } = this.#log;
    const shouldContinue = () => {
      if (!this.#log.isDiscarded) return isWanted();
      throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the log was removed", ...this.#place() });
    };
    return {
      segments: this.#segments,
      indexes: this.#indexes,
      reader: this.#reader,
      clock: this.#store.clock,
      startOffset,
      limitOffset,
      shouldContinue,
    };
  }

  async #search(work: () => Promise<TimestampedOffset | null>): Promise<TimestampedOffset | null> {
    this.checkReadable();
    try {
      return await work();
    } catch (thrown) {
      return this.#refuse(thrown);
    }
  }

  #refuse(thrown: unknown): never {
    const error = readErrorOf(thrown);
    if (error !== null && !this.#hasReportedError && !this.#log.isDiscarded) {
      this.#hasReportedError = true;
      const detail = `a read failed and can be retried: ${systemReason(error)}; \`obelisk verify\` names what cannot be read`;
      this.#store.report(this.#directory, 0, 0, "unreadable", detail);
    }
    throw storageError(thrown, this.#place());
  }

  #place(): { topic: string; partition: number } {
    return { topic: this.#log.topic, partition: this.#log.partition };
  }
}

/**
 * Gathers messages that come one by one (native protocol, REST) into record batches, so that a million of them share a
 * header, a checksum, a write and a sync.
 *
 * A partition has at most one open batch. It closes (is built and appended to the log) when
 *   - no sync is in flight: a single message waits for nothing,
 *   - it holds `countMax` records or `bytesMax` bytes,
 *   - it has been open for `lingerMs` while a slow sync runs.
 *
 *   append -> [open batch] -> close -> partition.appendBuilt -> outcome -> listeners
 *
 * Nobody gets a promise per message: `append` returns the open batch, and who waits listens to it once.
 */

import { fail } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { type ErrorCode, errorCodeOf, NO_ERROR, ObeliskError } from "../base/errors.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { GiB, MiB } from "../base/units.ts";
import { BATCH_HEADER_BYTES } from "../protocol/record/batch.ts";
import { BatchBuilder, headersBytes, type RecordHeader } from "../protocol/record/builder.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { AppendListener, AppendOutcome, Partition } from "./partition.ts";

/** A record's own fields around key and value at most; usually seven bytes. */
const RECORD_OVERHEAD_MAX = 36;
/** Builders kept for reuse; more partitions at once than this is rare. */
const BUILDERS_KEPT = 64;
/** A builder that grew beyond this for a single large message is not kept. */
const BUILDER_KEPT_BYTES = 2 * MiB;
/** The partition's own limit is smaller and is checked before. */
const BUILDER_BYTES_MAX = GiB;
const NO_HEADERS: readonly RecordHeader[] = [];

export interface PendingBatchListener {
  batchCompleted(): void;
}

/** A batch that messages were added to; completed once it is committed or has failed. */
export interface PendingBatch {
  readonly isCompleted: boolean;
  /** Once completed: whether its messages are committed. */
  readonly isDurable: boolean;
  /** Messages so far: the one that was added last has the offset `baseOffset` + `count` - 1. */
  readonly count: number;
  /** Offset of its first message, -1 until it is committed. */
  readonly baseOffset: number;
  /** The time of all its messages where the topic stamps them itself; else -1. */
  readonly logAppendTimeMs: number;
  /** Why it failed, null otherwise. */
  readonly error: ErrorCode | null;
  /** Calls the listener once when the batch completes. The same listener twice in a row is kept once. */
  listen(listener: PendingBatchListener): void;
}

export interface BatcherOptions {
  /** Records of a batch at most. */
  countMax: number;
  /** Bytes after which a batch is closed. */
  bytesMax: number;
  /** How long a batch may stay open while a sync runs. */
  lingerMs: number;
  clock: Clock;
}

export class Batcher {
  readonly #options: BatcherOptions;
  readonly #commit: GroupCommit;
  readonly #builders: BatchBuilder[] = [];
  #open: OpenBatch[] = [];
  #linger: Timer | null = null;

  constructor(options: BatcherOptions, commit: GroupCommit) {
    this.#options = options;
    this.#commit = commit;
  }

  get openCount(): number {
    return this.#open.length;
  }

  /**
   * Adds one record to the partition's open batch, copying its bytes. A null key or value is a null record field.
   * @throws ObeliskError MESSAGE_TOO_LARGE, KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION
   */
  append(
    partition: Partition,
    timestampMs: number,
    key: Buffer | null,
    keyStart: number,
    keyEnd: number,
    value: Buffer | null,
    valueStart: number,
    valueEnd: number,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): PendingBatch {
    const bytes =
      RECORD_OVERHEAD_MAX +
      (headers.length === 0 ? 0 : headersBytes(headers)) +
      (key === null ? 0 : keyEnd - keyStart) +
      (value === null ? 0 : valueEnd - valueStart);
    let batch = partition.openBatch as OpenBatch | null;
    if (batch !== null && batch.builder.bytes + bytes > batch.bytesMax) {
      this.#close(batch);
      batch = null;
    }
    batch ??= this.#openFor(partition, bytes);
    const builder = batch.builder;
    const isAdded = builder.append(timestampMs, key, keyStart, keyEnd, value, valueStart, valueEnd, headers);
    if (!isAdded) fail("a message that fits its partition's limit did not fit a batch");
    batch.count += 1;
    if (builder.count >= this.#options.countMax || builder.bytes >= this.#options.bytesMax)
      this.#close(batch);
    return batch;
  }

  /** Closes every open batch. Called by the group commit before each sync, and when a batch has lingered. */
  flush(): void {
    this.#linger?.cancel();
    this.#linger = null;
    if (this.#open.length === 0) return;
    const batches = this.#open;
    this.#open = [];
    for (const batch of batches) if (batch.partition.openBatch === batch) this.#append(batch);
  }

  #openFor(partition: Partition, bytes: number): OpenBatch {
    partition.checkWritable();
    const limit = partition.messageBytesMax;
    if (BATCH_HEADER_BYTES + bytes > limit) {
      throw new ObeliskError("MESSAGE_TOO_LARGE", {
        topic: partition.topic,
        partition: partition.index,
        bytes,
        limit,
      });
    }
    const builder = this.#builders.pop() ?? new BatchBuilder(BUILDER_BYTES_MAX);
    const batch = new OpenBatch(partition, builder, Math.min(limit, this.#options.bytesMax));
    partition.openBatch = batch;
    this.#open.push(batch);
    if (this.#commit.isRunning) this.#startLinger();
    else this.#commit.wake();
    return batch;
  }

  #startLinger(): void {
    this.#linger ??= this.#options.clock.after(this.#options.lingerMs, () => {
      loopTurns.enter("batches");
      this.#linger = null;
      this.flush();
    });
  }

  #close(batch: OpenBatch): void {
    const index = this.#open.indexOf(batch);
    if (index >= 0) this.#open.splice(index, 1);
    this.#append(batch);
  }

  #append(batch: OpenBatch): void {
    const { partition, builder } = batch;
    if (partition.openBatch !== batch) fail("a batch is closed that is not its partition's open one");
    if (builder.count === 0) fail("a batch is closed that nobody has added to");
    partition.openBatch = null;
    const bytes = builder.seal();
    partition.appendBuilt(bytes, batch);
    if (!partition.keepsBuffers) this.#reuse(builder, bytes.length);
    else batch.listen({ batchCompleted: () => this.#reuse(builder, bytes.length) });
  }

  #reuse(builder: BatchBuilder, bytes: number): void {
    builder.reset();
    if (this.#builders.length < BUILDERS_KEPT && bytes < BUILDER_KEPT_BYTES) this.#builders.push(builder);
  }
}

class OpenBatch implements PendingBatch, AppendListener {
  readonly partition: Partition;
  readonly builder: BatchBuilder;
  /** Bytes after which it is closed. */
  readonly bytesMax: number;
  isCompleted = false;
  isDurable = false;
  count = 0;
  baseOffset = -1;
  logAppendTimeMs = -1;
  error: ErrorCode | null = null;
  readonly #listeners: PendingBatchListener[] = [];
  #lastListener: PendingBatchListener | null = null;

  constructor(partition: Partition, builder: BatchBuilder, bytesMax: number) {
    this.partition = partition;
    this.builder = builder;
    this.bytesMax = bytesMax;
  }

  listen(listener: PendingBatchListener): void {
    if (this.isCompleted) listener.batchCompleted();
    else if (listener !== this.#lastListener) {
      this.#lastListener = listener;
      this.#listeners.push(listener);
    }
  }

  appended({ errorCode, baseOffset, logAppendTimeMs }: AppendOutcome): void {
    if (this.isCompleted) fail("a batch is told two outcomes");
    this.baseOffset = baseOffset;
    this.logAppendTimeMs = logAppendTimeMs;
    this.isDurable = errorCode === NO_ERROR;
    this.error = this.isDurable ? null : errorCodeOf(errorCode);
    this.isCompleted = true;
    for (const listener of this.#listeners) listener.batchCompleted();
  }
}

/**
 * The record batches that one request makes, or one group of lines of a stream: one for each partition, and a further one where it
 * would become larger than the partition takes. A batch is stored whole or not at all.
 *
 *     add(message), ... -> store -> outcomes -> answer
 *
 * Nothing is stored before `store`, so a document that is wrong at its end leaves nothing. Where messages go: to the partition that they
 * name, else by their key as with every Kafka client, else all to one that was chosen for the request.
 */

import { type ErrorCode, errorCodeOf, NO_ERROR, ObeliskError } from "../../base/errors.ts";
import type { AppendListener, AppendOutcome, Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import { BATCH_HEADER_BYTES } from "../../protocol/record/batch.ts";
import { BatchBuilder, type FinishOptions } from "../../protocol/record/builder.ts";
import type { MessageReader } from "../../protocol/record/message-json.ts";
import { partitionForKey } from "../../protocol/record/partitioner.ts";
import type { IdempotencyKey } from "./idempotency-key.ts";

const NO_PRODUCER: FinishOptions = {};

export interface BatchSource {
  readonly topic: Topic;
  /** Where messages go that name no partition and have no key. */
  readonly keyless: Partition;
  readonly nowMs: number;
  readonly key: IdempotencyKey | null;
  /** Which one it is of the groups that the request makes. */
  readonly group: number;
}

export class MessageBatches {
  readonly #source: BatchSource;
  readonly #batches: MessageBatch[] = [];
  readonly #open = new Map<Partition, MessageBatch>();
  /** Of each message, in the order in which they came: its batch, and the time that it has where the topic leaves it. */
  readonly #places: MessageBatch[] = [];
  readonly #timesMs: number[] = [];

  constructor(source: BatchSource) {
    this.#source = source;
  }

  get count(): number {
    return this.#places.length;
  }

  get bytes(): number {
    let bytes = 0;
    for (const batch of this.#batches) bytes += batch.builder.bytes;
    return bytes;
  }

  /** Copies the message that the reader stands on. @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, MESSAGE_TOO_LARGE */
  add(reader: MessageReader): void {
    const { topic, keyless, nowMs } = this.#source;
    const partition = partitionFor(topic, reader, keyless);
    const timestampMs = reader.timestampMs >= 0 ? reader.timestampMs : nowMs;
    let batch = this.#open.get(partition) ?? this.#begin(partition);
    if (!batch.append(reader, timestampMs)) {
      if (batch.builder.count > 0) batch = this.#begin(partition, batch.index + 1);
      if (batch.builder.count === 0 && !batch.append(reader, timestampMs)) throw tooLarge(partition, reader);
    }
    this.#places.push(batch);
    this.#timesMs.push(timestampMs);
  }

  /** Hands every batch to its partition, in this turn. `contentCrc`: of what was sent, for a key. */
  store(contentCrc: number): Promise<void> {
    const { key, group } = this.#source;
    return new Promise((resolve) => {
      let waiting = this.#batches.length;
      if (waiting === 0) resolve();
      const completed = () => {
        waiting -= 1;
        if (waiting === 0) resolve();
      };
      for (const batch of this.#batches)
        batch.store(key?.producerOf(contentCrc, group, batch.index) ?? NO_PRODUCER, completed);
    });
  }

  /** Once stored: why a message is not; null when all are. */
  get failure(): ObeliskError | null {
    for (const batch of this.#batches) {
      const error = batch.failure(this.#source.key !== null);
      if (error !== null) return error;
    }
    return null;
  }

  /** Once stored: what became of each message, in their order. */
  outcomes(): object[] {
    const counts = new Map<MessageBatch, number>();
    return this.#places.map((batch, message) => {
      const index = counts.get(batch) ?? 0;
      counts.set(batch, index + 1);
      const { partition, baseOffset, error } = batch;
      if (error !== null) return { partition: partition.index, error };
      const told = { partition: partition.index, offset: baseOffset + index };
      const timestamp = this.#timeOf(batch, message);
      return timestamp === null ? told : { ...told, timestamp };
    });
  }

  /** Once stored: each batch as a range of offsets. */
  ranges(): object[] {
    return this.#batches.map(({ partition, baseOffset, count }) => ({
      partition: partition.index,
      offset: baseOffset,
      count,
    }));
  }

  /** Of a message that was maybe stored before, under the same key, the time is not known. */
  #timeOf(batch: MessageBatch, message: number): number | null {
    if (batch.logAppendTimeMs >= 0) return batch.logAppendTimeMs;
    return this.#source.key === null ? this.#timesMs[message]! : null;
  }

  #begin(partition: Partition, index = 0): MessageBatch {
    partition.checkWritable();
    const batch = new MessageBatch(partition, index);
    this.#batches.push(batch);
    this.#open.set(partition, batch);
    return batch;
  }
}

class MessageBatch implements AppendListener {
  readonly partition: Partition;
  /** How many of the request came before it for its partition. */
  readonly index: number;
  readonly builder: BatchBuilder;
  count = 0;
  baseOffset = -1;
  logAppendTimeMs = -1;
  error: ErrorCode | null = null;
  #detail: string | null = null;
  #completed: () => void = () => {};

  constructor(partition: Partition, index: number) {
    this.partition = partition;
    this.index = index;
    this.builder = new BatchBuilder(partition.messageBytesMax);
  }

  /** False: it does not fit. */
  append(reader: MessageReader, timestampMs: number): boolean {
    const { keyBuffer, keyStart, keyEnd, valueBuffer, valueStart, valueEnd, headers } = reader;
    const { builder } = this;
    return builder.append(
      timestampMs,
      keyBuffer,
      keyStart,
      keyEnd,
      valueBuffer,
      valueStart,
      valueEnd,
      headers,
    );
  }

  store(producer: FinishOptions, completed: () => void): void {
    this.#completed = completed;
    this.count = this.builder.count;
    const buffer = this.builder.seal(producer);
    this.partition.append(buffer, 0, buffer.length, this);
  }

  appended({ errorCode, errorMessage, baseOffset, logAppendTimeMs, records }: AppendOutcome): void {
    this.error = errorCode === NO_ERROR ? null : errorCodeOf(errorCode);
    this.#detail = records?.[0]?.batchIndexErrorMessage ?? errorMessage;
    this.baseOffset = baseOffset;
    this.logAppendTimeMs = logAppendTimeMs;
    this.#completed();
  }

  failure(hasKey: boolean): ObeliskError | null {
    return this.error === null ? null : storeError(this.partition, this.error, this.#detail, hasKey);
  }
}

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION */
export function partitionFor(topic: Topic, reader: MessageReader, keyless: Partition): Partition {
  const { partitions, name } = topic;
  if (reader.partition >= 0) {
    const partition = partitions[reader.partition];
    if (partition !== undefined) return partition;
    throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
      detail: `the topic has ${partitions.length} partition(s)`,
      topic: name,
      partition: reader.partition,
    });
  }
  const { keyBuffer, keyStart, keyEnd } = reader;
  if (keyBuffer === null) return keyless;
  return partitions.length === 1
    ? partitions[0]!
    : partitions[partitionForKey(keyBuffer, keyStart, keyEnd, partitions.length)]!;
}

/** What a peer is told of a batch that was refused. */
export function storeError(
  partition: Partition,
  code: ErrorCode,
  detail: string | null,
  hasKey: boolean,
): ObeliskError {
  const facts = { topic: partition.topic, partition: partition.index };
  if (hasKey && code === "OUT_OF_ORDER_SEQUENCE_NUMBER") return new ObeliskError("IDEMPOTENCY_KEY_REUSED");
  // Kafka has one number for both.
  const isFull = code === "KAFKA_STORAGE_ERROR" && !partition.isUnavailable && partition.diskRefusal?.isFull;
  if (isFull === true) return new ObeliskError("DISK_FULL", facts);
  return new ObeliskError(code, detail === null ? facts : { detail, ...facts });
}

function tooLarge(partition: Partition, reader: MessageReader): ObeliskError {
  const bytes = reader.valueEnd - reader.valueStart + BATCH_HEADER_BYTES;
  const limit = partition.messageBytesMax;
  return new ObeliskError("MESSAGE_TOO_LARGE", {
    topic: partition.topic,
    partition: partition.index,
    bytes,
    limit,
  });
}

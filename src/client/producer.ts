/**
 * Sends records: gathers them into batches by partition, compresses, numbers and sends them, and reports their outcome.
 *
 *   send / add ──> lane of the partition (open batch) ──> sender ──> broker ──> outcomes
 *
 * When a batch is closed: when it is full (bytes or count), when `lingerMs` has passed, at a flush, and, with the default
 * linger of 0, at the end of the turn in which nothing of its partition is under way. So a single record waits for nothing,
 * and under load batches grow while the last ones are written.
 *
 * Order: records of one partition keep the order in which they were given, through all retries (producer-lane.ts).
 * Memory: at most `bufferBytesMax` in batches. Beyond that `send` and `add` give a promise that waits for room.
 * A key decides the partition as in every Kafka client (murmur2); without a key a partition is kept for one batch.
 *
 * `send` makes one promise for a record; `add` makes none and reports by batch to the `listener`, for streams of millions.
 */

import { ObeliskError } from "../base/errors.ts";
import { KiB, MINUTE_MS, MiB } from "../base/units.ts";
import { BATCH_HEADER_BYTES } from "../protocol/record/batch.ts";
import { BatchBuilder, type RecordHeader } from "../protocol/record/builder.ts";
import type { Codec } from "../protocol/record/compression.ts";
import { partitionForKey } from "../protocol/record/partitioner.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import type { Acks, DeliveryListener } from "./delivery.ts";
import { type BatchOutcome, OutgoingBatch, type ProducerIdentity, ProducerLane } from "./producer-lane.ts";
import { ProducerSender, requestIdentity } from "./producer-sender.ts";

/** Small enough for every broker's default limit (1 MiB), large enough that its header and its sync cost little. */
const BATCH_BYTES_MAX = 256 * KiB;
/** As the bytes, for tiny records: bounds the work that one acknowledgement waits for. */
const BATCH_RECORDS_MAX = 10_000;
/** What Kafka's clients hold at most. */
const BUFFER_BYTES_MAX = 32 * MiB;
/** As Kafka's clients: long enough for a restart of the broker. */
export const DELIVERY_TIMEOUT_MS = 2 * MINUTE_MS;
/** A record larger than this is refused here; brokers refuse far smaller ones. */
export const RECORD_BYTES_MAX = 64 * MiB;
/** What a record adds to its key, value and headers at most, with the batch's own header. */
const LARGE_RECORD_OVERHEAD = BATCH_HEADER_BYTES + 64;

export interface ProducerOptions extends ClusterOptions {
  /** -1: committed, 1: written by the leader, 0: no response. Default -1. */
  readonly acks?: Acks;
  /** Whether the broker recognizes repeated batches. Default: yes with acks -1; it needs that. */
  readonly isIdempotent?: boolean;
  readonly codec?: Codec;
  readonly lingerMs?: number;
  readonly batchBytesMax?: number;
  readonly batchRecordsMax?: number;
  readonly bufferBytesMax?: number;
  /** From the first record of a batch to its end, with all retries. */
  readonly deliveryTimeoutMs?: number;
  /** Called with the outcome of every batch. */
  readonly listener?: DeliveryListener;
}

export interface ProducerRecord {
  readonly value: Buffer | string | null;
  readonly key?: Buffer | string | null;
  readonly headers?: readonly RecordHeader[];
  /** Default: now. */
  readonly timestampMs?: number;
  /** Default: by the key, else any. */
  readonly partition?: number;
}

/** Where a record lies. The offset is -1 with acks 0. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

interface ProducerTopic {
  readonly lanes: (ProducerLane | undefined)[];
  /** The partition of records without a key, until its batch is closed. */
  sticky: number;
}

export class Producer {
  readonly #cluster: Cluster;
  readonly #options: ProducerOptions;
  readonly #sender: ProducerSender;
  readonly #identity: ProducerIdentity | null;
  readonly #topics = new Map<string, ProducerTopic>();
  readonly #random: () => number;
  readonly #batchBytesMax: number;
  readonly #batchRecordsMax: number;
  readonly #bufferBytesMax: number;
  /** The end of the queue of records that wait for their topic or for room; undefined when nobody waits. */
  #line: Promise<void> | undefined;
  #nowMs = 0;
  #monotonicMs = 0;
  #isTurnOpen = false;
  #isClosed = false;

  private constructor(cluster: Cluster, options: ProducerOptions, identity: ProducerIdentity | null) {
    this.#cluster = cluster;
    this.#options = options;
    this.#identity = identity;
    this.#random = options.random ?? Math.random;
    this.#batchBytesMax = options.batchBytesMax ?? BATCH_BYTES_MAX;
    this.#batchRecordsMax = options.batchRecordsMax ?? BATCH_RECORDS_MAX;
    this.#bufferBytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX;
    this.#sender = new ProducerSender({
      cluster,
      acks: options.acks ?? -1,
      isIdempotent: identity !== null,
      deliveryTimeoutMs: options.deliveryTimeoutMs ?? DELIVERY_TIMEOUT_MS,
      lingerMs: options.lingerMs ?? 0,
      random: this.#random,
      listener: options.listener,
    });
  }

  /** Connects and, for idempotence, gets a producer id. @throws ObeliskError CONNECTION_FAILED, INVALID_USAGE, ... */
  static async connect(options: ProducerOptions): Promise<Producer> {
    const acks = options.acks ?? -1;
    const isIdempotent = options.isIdempotent ?? acks === -1;
    if (isIdempotent && acks !== -1) {
      throw new ObeliskError("INVALID_USAGE", { detail: "an idempotent producer needs acks -1 (all)" });
    }
    const cluster = new Cluster(options);
    try {
      await cluster.contact();
      const identity = isIdempotent ? await cluster.attempt(() => requestIdentity(cluster)) : null;
      return new Producer(cluster, options, identity);
    } catch (thrown) {
      await cluster.close();
      throw thrown;
    }
  }

  /** Sends one record; resolves when the broker has acknowledged it. @throws what made the record fail for good */
  async send(topic: string, record: ProducerRecord): Promise<RecordPlace> {
    const { promise, resolve, reject } = Promise.withResolvers<RecordPlace>();
    await this.#place(topic, record, (lane, index) => ({
      delivered: (baseOffset) =>
        resolve({ topic, partition: lane.partition, offset: baseOffset < 0 ? -1 : baseOffset + index }),
      failed: reject,
    }));
    return await promise;
  }

  /** Sends one record without a promise of its own. Gives a promise when there is no room: await it before the next. */
  add(topic: string, record: ProducerRecord): Promise<void> | undefined {
    return this.#place(topic, record, null);
  }

  /** How many partitions the topic has; creates it where the broker allows that. */
  async partitionsOf(topic: string): Promise<number> {
    return (await this.#openTopic(topic)).lanes.length;
  }

  /** Waits until everything given so far is completed. @throws the first failure since the last flush */
  async flush(): Promise<void> {
    await this.#line?.catch(() => {}); // Its own caller gets the error.
    await this.#sender.flush();
  }

  /** Flushes, then ends the connections. @throws as `flush` */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.flush();
    } finally {
      await this.#cluster.close();
    }
  }

  #place(topic: string, record: ProducerRecord, outcome: OutcomeOf | null): Promise<void> | undefined {
    if (this.#isClosed)
      return Promise.reject(new ObeliskError("CONNECTION_CLOSED", { detail: "the producer is closed" }));
    const state = this.#topics.get(topic);
    if (
      state !== undefined &&
      this.#line === undefined &&
      this.#sender.bufferedBytes < this.#bufferBytesMax
    ) {
      this.#append(topic, state, record, outcome);
      return undefined;
    }
    const previous = this.#line ?? Promise.resolve();
    const line = previous
      .catch(() => {}) // A record that failed does not stop those after it.
      .then(async () => {
        const opened = await this.#openTopic(topic);
        await this.#sender.room(this.#bufferBytesMax);
        this.#append(topic, opened, record, outcome);
      });
    this.#line = line;
    const leave = () => {
      if (this.#line === line) this.#line = undefined;
    };
    line.then(leave, leave);
    return line;
  }

  async #openTopic(name: string): Promise<ProducerTopic> {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { partitions } = await this.#cluster.attempt(() => this.#cluster.topic(name, { canCreate: true }));
    if (partitions.length === 0) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
    const state: ProducerTopic = { lanes: new Array(partitions.length).fill(undefined), sticky: -1 };
    this.#topics.set(name, state);
    return state;
  }

  /** @throws ObeliskError MESSAGE_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION for a partition that is not there */
  #append(topic: string, state: ProducerTopic, record: ProducerRecord, outcome: OutcomeOf | null): void {
    const key = toBuffer(record.key ?? null);
    const value = toBuffer(record.value);
    const lane = this.#laneOf(topic, state, key, record.partition);
    this.#readClock();
    const openedAtMs = this.#monotonicMs;
    const timestampMs = record.timestampMs ?? this.#nowMs;
    let before = lane.open?.bytes ?? 0;
    if (!lane.append(openedAtMs, timestampMs, key, value, record.headers)) {
      this.#sender.close(lane);
      before = 0;
      if (!lane.append(openedAtMs, timestampMs, key, value, record.headers)) {
        this.#appendLarge(lane, record, key, value, timestampMs, outcome);
        return;
      }
    }
    const open = lane.open!;
    if (outcome !== null) open.outcomes.push(outcome(lane, open.count - 1));
    this.#sender.grew(lane, open.bytes - before);
    if (open.count >= this.#batchRecordsMax) this.#sender.close(lane);
  }

  #appendLarge(
    lane: ProducerLane,
    record: ProducerRecord,
    key: Buffer | null,
    value: Buffer | null,
    timestampMs: number,
    outcome: OutcomeOf | null,
  ): void {
    const bytes = recordBytes(key, value, record.headers);
    if (bytes > RECORD_BYTES_MAX) {
      throw new ObeliskError("MESSAGE_TOO_LARGE", {
        detail: "the record is too large",
        bytes,
        limit: RECORD_BYTES_MAX,
      });
    }
    const builder = new BatchBuilder(bytes + LARGE_RECORD_OVERHEAD + 16 * (record.headers?.length ?? 0));
    builder.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, record.headers);
    const batch = new OutgoingBatch(this.#monotonicMs);
    if (outcome !== null) batch.outcomes.push(outcome(lane, 0));
    lane.addLarge(batch, builder);
    this.#sender.grew(lane, batch.bytes);
  }

  #laneOf(topic: string, state: ProducerTopic, key: Buffer | null, wanted: number | undefined): ProducerLane {
    const { lanes } = state;
    let partition = wanted ?? -1;
    if (partition < 0 && key !== null) partition = partitionForKey(key, 0, key.length, lanes.length);
    if (partition < 0) {
      const hasOpenBatch = state.sticky >= 0 && (lanes[state.sticky]?.open ?? null) !== null;
      if (!hasOpenBatch) state.sticky = Math.floor(this.#random() * lanes.length);
      partition = state.sticky;
    }
    if (partition >= lanes.length) {
      const detail = `the topic has ${lanes.length} ${lanes.length === 1 ? "partition" : "partitions"}, numbered from 0`;
      throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail, topic, partition });
    }
    return (lanes[partition] ??= new ProducerLane(
      topic,
      partition,
      this.#batchBytesMax,
      this.#options.codec ?? "none",
      this.#identity,
    ));
  }

  /** Once a turn: records of one turn share their time. */
  #readClock(): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    this.#nowMs = this.#cluster.clock.nowMs();
    this.#monotonicMs = this.#cluster.clock.monotonicMs();
    setImmediate(() => {
      this.#isTurnOpen = false;
    });
  }
}

type OutcomeOf = (lane: ProducerLane, index: number) => BatchOutcome;

function toBuffer(value: Buffer | string | null): Buffer | null {
  return typeof value === "string" ? Buffer.from(value) : value;
}

function recordBytes(
  key: Buffer | null,
  value: Buffer | null,
  headers: readonly RecordHeader[] | undefined,
): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers ?? [])
    bytes += Buffer.byteLength(header.keyBytes ?? header.key) + (header.value?.length ?? 0);
  return bytes;
}

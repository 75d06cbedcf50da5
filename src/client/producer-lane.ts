/**
 * What the producer holds for one partition, in the order in which the records were given:
 *
 *   open builder  ->  ready  ->  in flight  ->  completed
 *                        ^            |
 *                        └── again <──┘  failed ones, oldest first, before anything that is ready
 *
 * Invariants
 *   - Sequence numbers are assigned when a batch is closed, in order, without gaps; a batch keeps its number when it is
 *     sent again, so the broker recognizes it.
 *   - Once a batch in flight has failed, nothing new is sent until all in flight are completed or back in `again`; then
 *     those go first. So the order is kept.
 *   - Without idempotence the broker would not notice a wrong order, so only one batch is in flight.
 *   - A batch that failed for good, or whose outcome is unknown, leaves a hole in the sequence: `renumber` starts a new
 *     one, under a new producer id, for everything that is left.
 */

import { fail } from "../base/assert.ts";
import { writeInt64 } from "../base/bytes.ts";
import type { ObeliskError } from "../base/errors.ts";
import { Ring } from "../base/ring.ts";
import {
  BATCH_BASE_SEQUENCE,
  BATCH_CRC,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  computeBatchCrc,
} from "../protocol/record/batch.ts";
import { BatchBuilder, type RecordHeader } from "../protocol/record/builder.ts";
import type { Codec } from "../protocol/record/compression.ts";

/** The broker keeps the last five batches of a producer to recognize repetitions. */
const IN_FLIGHT_IDEMPOTENT_MAX = 5;
/** Sequence numbers are int32 and wrap to 0. */
const SEQUENCES = 2 ** 31;

export interface ProducerIdentity {
  readonly id: number;
  readonly epoch: number;
}

/** The outcome for the records of one batch. */
export interface BatchOutcome {
  /** The first record's offset; -1 when the broker does not say (acks 0). */
  delivered(baseOffset: number): void;
  failed(error: ObeliskError): void;
}

export class OutgoingBatch {
  /** Monotonic. */
  readonly openedAtMs: number;
  count = 0;
  /** The bytes counted against the producer's buffer limit. */
  bytes = 0;
  records: Buffer | null = null;
  baseSequence = -1;
  /** The place among the batches of its lane. */
  order = -1;
  attempts = 0;
  lastError: ObeliskError | null = null;
  /** The linger time has passed. */
  isDue = false;
  hasLingerTimer = false;
  /** It was numbered anew once; a second time would hide a broker that keeps losing its state. */
  hasNewIdentity = false;
  readonly outcomes: BatchOutcome[] = [];

  constructor(openedAtMs: number) {
    this.openedAtMs = openedAtMs;
  }
}

export class ProducerLane {
  readonly topic: string;
  readonly partition: number;
  readonly codec: Codec;
  /** Node id, -1 while unknown. */
  leader = -1;
  /** Nothing is sent before this (monotonic): the wait after a failure. */
  notBeforeMs = 0;
  /** The sequence has a hole: nothing is sent until `renumber`. */
  needsIdentity = false;
  isFindingLeader = false;
  isRenumbering = false;
  readonly #builder: BatchBuilder;
  readonly #again: OutgoingBatch[] = [];
  readonly #ready = new Ring<OutgoingBatch>();
  #inFlight: OutgoingBatch[] = [];
  #failed: OutgoingBatch[] = [];
  #open: OutgoingBatch | null = null;
  #identity: ProducerIdentity | null;
  #nextSequence = 0;
  #nextOrder = 0;

  constructor(
    topic: string,
    partition: number,
    bytesMax: number,
    codec: Codec,
    identity: ProducerIdentity | null,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.codec = codec;
    this.#builder = new BatchBuilder(bytesMax);
    this.#identity = identity;
  }

  get open(): OutgoingBatch | null {
    return this.#open;
  }

  get isEmpty(): boolean {
    return this.#open === null && this.#isIdle;
  }

  /** Nothing closed waits or is under way, so an open batch gains nothing by waiting. */
  get #isIdle(): boolean {
    return this.#ready.count + this.#again.length + this.#inFlight.length + this.#failed.length === 0;
  }

  get mayCloseEarly(): boolean {
    return this.#open !== null && this.#isIdle;
  }

  /** Whether a batch could be sent now, apart from the leader and the wait. */
  get hasSendable(): boolean {
    if (this.needsIdentity || this.#failed.length > 0) return false;
    const inFlightMax = this.#identity === null || this.#again.length > 0 ? 1 : IN_FLIGHT_IDEMPOTENT_MAX;
    return this.#inFlight.length < inFlightMax && this.#again.length + this.#ready.count > 0;
  }

  /** Copies a record into the open batch; false when that is full and must be closed first. */
  append(
    openedAtMs: number,
    timestampMs: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: readonly RecordHeader[] | undefined,
  ): boolean {
    const builder = this.#builder;
    if (!builder.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers))
      return false;
    this.#open ??= new OutgoingBatch(openedAtMs);
    this.#open.count = builder.count;
    this.#open.bytes = builder.bytes;
    return true;
  }

  /** Closes the open batch; returns by how many bytes compression changed its size. */
  closeOpen(): number {
    const batch = this.#open;
    if (batch === null) return 0;
    this.#open = null;
    const change = this.#close(batch, this.#builder);
    this.#builder.reset();
    return change;
  }

  /** A record that is larger than a batch, in a batch of its own. The open batch must be closed before. */
  addLarge(batch: OutgoingBatch, builder: BatchBuilder): void {
    if (this.#open !== null) fail("a large record would overtake the open batch");
    batch.count = builder.count;
    batch.bytes = builder.bytes;
    this.#close(batch, builder);
  }

  /** Takes the next batch to send; `hasSendable` must hold. */
  take(): OutgoingBatch {
    const batch = this.#again.shift() ?? this.#ready.shift();
    if (batch === undefined) fail("no batch is ready to be sent");
    this.#inFlight.push(batch);
    batch.attempts += 1;
    return batch;
  }

  /** Whether everything before this batch is completed. */
  isOldest(batch: OutgoingBatch): boolean {
    return this.#failed.length === 0 && this.#inFlight[0] === batch;
  }

  /** The batch needs nothing any more, whatever its outcome. */
  complete(batch: OutgoingBatch): void {
    this.#inFlight = this.#inFlight.filter((one) => one !== batch);
    this.#regroup();
  }

  /** The batch is to be sent again, once all in flight are completed. */
  requeue(batch: OutgoingBatch, error: ObeliskError, notBeforeMs: number): void {
    batch.lastError = error;
    this.#inFlight = this.#inFlight.filter((one) => one !== batch);
    this.#failed.push(batch);
    this.notBeforeMs = Math.max(this.notBeforeMs, notBeforeMs);
    this.#regroup();
  }

  /** Whether a new identity may be taken now: nothing is under way that could still use the old one. */
  get canRenumber(): boolean {
    return this.needsIdentity && this.#inFlight.length === 0;
  }

  /** Gives everything that is left new sequence numbers, from 0, under a new identity. */
  renumber(identity: ProducerIdentity): void {
    if (!this.canRenumber) fail("sequence numbers changed while batches are under way");
    this.needsIdentity = false;
    this.#identity = identity;
    this.#nextSequence = 0;
    for (const batch of this.#again) this.#stamp(batch, identity);
    for (let index = 0; index < this.#ready.count; index += 1) this.#stamp(this.#ready.at(index)!, identity);
  }

  /** Everything that is not in flight, taken out to be failed. */
  takeAll(): OutgoingBatch[] {
    this.closeOpen();
    const all = this.#again.splice(0);
    for (let batch = this.#ready.shift(); batch !== undefined; batch = this.#ready.shift()) all.push(batch);
    return all;
  }

  #close(batch: OutgoingBatch, builder: BatchBuilder): number {
    const before = batch.bytes;
    batch.order = this.#nextOrder;
    this.#nextOrder += 1;
    if (this.#identity === null) {
      batch.records = builder.finish({ codec: this.codec });
    } else {
      batch.baseSequence = this.#takeSequences(batch.count);
      batch.records = builder.finish({
        codec: this.codec,
        producerId: this.#identity.id,
        producerEpoch: this.#identity.epoch,
        baseSequence: batch.baseSequence,
      });
    }
    batch.bytes = batch.records.length;
    this.#ready.push(batch);
    return batch.bytes - before;
  }

  #takeSequences(count: number): number {
    const base = this.#nextSequence;
    this.#nextSequence = (base + count) % SEQUENCES;
    return base;
  }

  #stamp(batch: OutgoingBatch, identity: ProducerIdentity): void {
    // A copy, because the connection may still hold the old bytes.
    const records = Buffer.from(batch.records!);
    batch.baseSequence = this.#takeSequences(batch.count);
    writeInt64(records, BATCH_PRODUCER_ID, identity.id);
    records.writeInt16BE(identity.epoch, BATCH_PRODUCER_EPOCH);
    records.writeInt32BE(batch.baseSequence, BATCH_BASE_SEQUENCE);
    records.writeUInt32BE(computeBatchCrc(records, 0, records.length), BATCH_CRC);
    batch.records = records;
  }

  /** When the last one in flight is completed, the failed ones go back to the front, oldest first. */
  #regroup(): void {
    if (this.#inFlight.length > 0 || this.#failed.length === 0) return;
    this.#failed.sort((a, b) => a.order - b.order);
    this.#again.unshift(...this.#failed);
    this.#failed = [];
  }
}

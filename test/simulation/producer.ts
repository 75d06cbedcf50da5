/**
 * A producer of one partition, as a client library behaves: an idempotent one numbers its batches, keeps them until they are
 * acknowledged and sends them again, in order, after an error or a restart; a plain one drops what failed.
 */

import { NO_ERROR, wireCode } from "../../src/base/errors.ts";
import type { AppendOutcome, Partition } from "../../src/broker/partition.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { appendTo, logOf } from "../support/partitions.ts";
import type { Life } from "./life.ts";
import type { PartitionOracle, SentBatch } from "./partition-oracle.ts";

/** As many as a client has in flight at most. */
const IN_FLIGHT_MAX = 5;
const BATCH_BYTES_MAX = 1024 * 1024;
const FILLING = Buffer.alloc(64 * 1024, "obelisk ");

interface Pending extends SentBatch {
  readonly baseSequence: number;
  readonly records: number;
  isInFlight: boolean;
}

export class SimulatedProducer {
  readonly #oracle: PartitionOracle;
  /** -1: a plain one. */
  readonly #producerId: number;
  #epoch = 0;
  #sequence = 0;
  #pending: Pending[] = [];
  /** The last one that was acknowledged, if nothing newer was sent. */
  #last: { batch: Pending; baseOffset: number } | null = null;
  #count = 0;
  #sends = 0;

  constructor(oracle: PartitionOracle, producerId: number) {
    this.#oracle = oracle;
    this.#producerId = producerId;
  }

  get #isIdempotent(): boolean {
    return this.#producerId >= 0;
  }

  /** Sends the oldest batch that is to be sent again, else a new one with about `bytes` bytes. */
  send(life: Life, partition: Partition, bytes: number): void {
    const again = this.#pending.find(({ isInFlight }) => !isInFlight);
    if (again === undefined && this.#pending.length >= IN_FLIGHT_MAX) return;
    const batch = again ?? this.#newBatch(life, bytes);
    this.#append(life, partition, batch, again === undefined ? "send" : "send again");
  }

  /** The response was lost on its way: sends once more what was acknowledged, and must get the same outcome. */
  sendLastAgain(life: Life, partition: Partition): void {
    if (this.#last === null || this.#pending.length > 0 || partition.isUnavailable) return;
    const { batch, baseOffset } = this.#last;
    const { told } = appendTo(partition, Buffer.from(batch.bytes));
    life.judge.record(`send once more to ${this.#oracle.name} what is at ${baseOffset}: ${told.baseOffset}`);
    if (told.baseOffset === baseOffset) return;
    if (told.errorCode === wireCode("KAFKA_STORAGE_ERROR")) return;
    life.judge.broken(
      `${this.#oracle.name}: what was acknowledged at ${baseOffset} gets error ${told.errorCode}, offset ${told.baseOffset}`,
    );
  }

  /** The connection is gone: the outcome of what was in flight is unknown, also of what was acknowledged if that `mayHaveLost` it. */
  disconnect(mayHaveLost: boolean): void {
    if (mayHaveLost) this.#last = null;
    if (!this.#isIdempotent) this.#pending = [];
    for (const batch of this.#pending) batch.isInFlight = false;
  }

  #append(life: Life, partition: Partition, batch: Pending, how: string): void {
    batch.isInFlight = true;
    const wasReadable = logOf(partition).isReadable;
    this.#sends += 1;
    const name = `${this.#oracle.name}, producer ${this.#producerId}, sequence ${batch.baseSequence}, send ${this.#sends}`;
    life.judge.record(`${how} ${batch.bytes.length} bytes to ${name}`);
    const waiter = `the outcome of ${name}`;
    life.waiters.add(waiter);
    const appended = ({ errorCode, baseOffset }: AppendOutcome) => {
      if (life.isOver) return;
      life.waiters.delete(waiter);
      life.judge.record(`error ${errorCode}, offset ${baseOffset}: ${name}`);
      if (errorCode !== NO_ERROR) {
        this.#refused(batch, errorCode);
        return;
      }
      if (!wasReadable) life.judge.broken(`${name} was acknowledged by a partition that could not be opened`);
      this.#evict(batch);
      if (this.#isIdempotent && this.#pending.length === 0) this.#last = { batch, baseOffset };
      this.#oracle.acknowledged(batch, baseOffset);
    };
    const copy = Buffer.from(batch.bytes);
    partition.append(copy, 0, copy.length, { appended });
  }

  #refused(batch: Pending, errorCode: number): void {
    batch.isInFlight = false;
    if (!this.#isIdempotent) this.#evict(batch);
    else if (errorCode === wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER")) this.#beginAgain();
  }

  /** As a client whose sequence numbers were refused: what was under way is given up. */
  #beginAgain(): void {
    this.#pending = [];
    this.#epoch += 1;
    this.#sequence = 0;
  }

  #evict(batch: Pending): void {
    this.#pending = this.#pending.filter((other) => other !== batch);
  }

  #newBatch(life: Life, bytes: number): Pending {
    const records = 1 + Math.floor(life.random() * 3);
    const timestampMs = life.clock.nowMs();
    const builder = new BatchBuilder(BATCH_BYTES_MAX);
    for (let record = 0; record < records; record += 1) {
      this.#count += 1;
      const label = Buffer.from(`${this.#oracle.name}/${this.#producerId}/${this.#count}/`);
      const value = Buffer.concat([label, FILLING.subarray(0, Math.floor(bytes / records))]);
      builder.append(timestampMs, null, 0, 0, value, 0, value.length);
    }
    const baseSequence = this.#isIdempotent ? this.#sequence : -1;
    const built = this.#isIdempotent
      ? builder.finish({ producerId: this.#producerId, producerEpoch: this.#epoch, baseSequence })
      : builder.finish();
    this.#sequence += records;
    this.#last = null;
    const batch: Pending = {
      bytes: Buffer.from(built),
      timestampMs,
      isIdempotent: this.#isIdempotent,
      owedAt: -1,
      baseSequence,
      records,
      isInFlight: false,
    };
    this.#pending.push(batch);
    this.#oracle.sent(batch);
    return batch;
  }
}

/** Copies messages of a Go Obelisk into a new partition: gathered into batches, in order, from offset 0. */

import { ObeliskError } from "../../../base/errors.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { BatchBuilder } from "../../../protocol/record/builder.ts";
import type { PartitionLog, StorageEngine } from "../../contract.ts";
import { GO_MESSAGE_BYTES_MAX, type GoFrame } from "./go-files.ts";

/** Kafka's usual largest batch: clients with small buffers can fetch it. A larger message gets a batch of its own. */
const BATCH_BYTES_MAX = 1 * MiB;
const BATCH_RECORDS_MAX = 10_000;
/** A message and the overhead of a record and a batch. */
const LARGE_BATCH_BYTES_MAX = GO_MESSAGE_BYTES_MAX + 1 * KiB;

export class PartitionCopy {
  readonly #engine: StorageEngine;
  readonly #log: PartitionLog;
  readonly #builder = new BatchBuilder(BATCH_BYTES_MAX);
  unsyncedBytes = 0;

  constructor(engine: StorageEngine, log: PartitionLog) {
    this.#engine = engine;
    this.#log = log;
    if (log.endOffset !== 0) throw new ObeliskError("TOPIC_ALREADY_EXISTS", { topic: log.topic });
  }

  add(frame: GoFrame): void {
    if (this.#builder.count === BATCH_RECORDS_MAX || !appendFrame(this.#builder, frame)) {
      this.#flush();
      if (!appendFrame(this.#builder, frame)) this.#appendLarge(frame);
    }
  }

  async sync(): Promise<void> {
    this.unsyncedBytes = 0;
    const offline = await this.#engine.sync([this.#log]);
    if (offline.length > 0 || this.#log.isOffline)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", this.#place());
  }

  /** Checks that everything is durable, and as much as was read. */
  async finish(count: number): Promise<void> {
    this.#flush();
    await this.sync();
    const { durableOffset, endOffset } = this.#log;
    if (durableOffset === count && endOffset === count) return;
    throw new ObeliskError("KAFKA_STORAGE_ERROR", { ...this.#place(), offset: durableOffset });
  }

  #flush(): void {
    if (this.#builder.count === 0) return;
    this.#append(this.#builder.seal());
    this.#builder.reset();
  }

  #appendLarge(frame: GoFrame): void {
    const builder = new BatchBuilder(LARGE_BATCH_BYTES_MAX);
    if (!appendFrame(builder, frame)) throw new ObeliskError("MESSAGE_TOO_LARGE", { bytes: frame.bytes });
    this.#append(builder.seal());
  }

  #append(batch: Buffer): void {
    this.#log.append(batch, 0, batch.length);
    this.unsyncedBytes += batch.length;
  }

  #place(): { topic: string; partition: number } {
    return { topic: this.#log.topic, partition: this.#log.partition };
  }
}

function appendFrame(builder: BatchBuilder, frame: GoFrame): boolean {
  const { timestampMs, buffer, keyStart, keyEnd, valueStart, valueEnd } = frame;
  const key = keyEnd > keyStart ? buffer : null;
  return builder.append(timestampMs, key, keyStart, keyEnd, buffer, valueStart, valueEnd);
}

/**
 * A topic that keeps little: segments leave all the time, by its retention.bytes and by DeleteRecords. After each kill
 *
 *   - the log starts no lower than anybody was told before,
 *   - what was acknowledged at or above the start is there, every offset, with the value that lies at it.
 *
 * Its producer is idempotent: that what has left is still remembered of it shows when its doubtful batches come again.
 */

import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { deleteRecordsApi } from "../../src/protocol/kafka/apis/delete-records.ts";
import { batchOf } from "../support/batches.ts";
import type { Load, Ports, Stream } from "./streams.ts";
import { Gone, listEndOffset, listOffset, newProducerId, produceBatch, readAll, Wire } from "./wire.ts";

const TOPIC = "retained";
const RETENTION_BYTES = 600_000;
const PADDING = "r".repeat(2000);
const BATCH_RECORDS = 20;
const DELETE_EVERY = 40;

export class RetainedStream implements Stream {
  readonly name = TOPIC;
  /** Numbers are offsets: each is written once. */
  ackedCount = 0;
  readonly #random: () => number;
  #producerId = -1;
  /** The largest start that anybody was told. */
  #start = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  async load(load: Load): Promise<void> {
    const wire = await Wire.kafka(load.kafka);
    try {
      if (this.#producerId < 0) this.#producerId = await newProducerId(wire);
      if (this.ackedCount === 0) await createRetained(wire);
      for (let round = 1; ; round += 1) {
        const { errorCode, baseOffset } = await produceBatch(wire, TOPIC, this.#batch());
        if (errorCode !== 0 && load.mayRefuse) return;
        if (errorCode !== 0 || baseOffset !== this.ackedCount)
          throw new Error(`retained: ${this.ackedCount} got offset ${baseOffset}, error ${errorCode}`);
        this.ackedCount += BATCH_RECORDS;
        if (round % DELETE_EVERY === 0 && this.#random() < 0.5) await this.#deleteSome(wire);
      }
    } catch (thrown) {
      if (!(thrown instanceof Gone)) throw thrown;
    } finally {
      wire.close();
    }
  }

  async check({ kafka }: Ports): Promise<void> {
    if (this.ackedCount === 0) return;
    const wire = await Wire.kafka(kafka);
    const { offset: start, errorCode } = await listOffset(wire, TOPIC, -2);
    const { offset: end } = await listEndOffset(wire, TOPIC);
    if (errorCode !== 0 || start < this.#start)
      throw new Error(
        `retained: the log starts at ${start}, and ${this.#start} was told (error ${errorCode})`,
      );
    if (end < this.ackedCount)
      throw new Error(`retained: ${this.ackedCount} were acknowledged, it ends at ${end}`);
    const found = await readAll(wire, TOPIC, start);
    for (const [slot, { offset, value }] of found.entries())
      if (offset !== start + slot || Number.parseInt(value, 10) !== offset)
        throw new Error(`retained: ${value.slice(0, 20)} lies at ${offset}, expected ${start + slot}`);
    if (found.length !== end - start)
      throw new Error(`retained: ${found.length} of ${end - start} are there`);
    this.#start = start;
    wire.close();
  }

  #batch(): Buffer {
    const first = this.ackedCount;
    const values = Array.from({ length: BATCH_RECORDS }, (_, index) => `${first + index}:${PADDING}`);
    const producer = { producerId: this.#producerId, producerEpoch: 0, baseSequence: first };
    return batchOf(values, producer, Date.now());
  }

  async #deleteSome(wire: Wire): Promise<void> {
    const partitions = [{ partitionIndex: 0, offset: this.ackedCount - Math.floor(this.#random() * 50) }];
    const request = { topics: [{ name: TOPIC, partitions }], timeoutMs: 10_000 };
    const { parts } = deleteRecordsApi.encodeRequest(1, 1, "obelisk-crash", request);
    const response = await wire.call(Buffer.concat(parts));
    const told = deleteRecordsApi.decodeResponse(1, response, 4, response.length).topics[0]!.partitions[0]!;
    if (told.errorCode === 0) this.#start = Math.max(this.#start, told.lowWatermark);
  }
}

async function createRetained(wire: Wire): Promise<void> {
  const configs = [{ name: "retention.bytes", value: String(RETENTION_BYTES) }];
  const topic = { name: TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs };
  const { parts } = createTopicsApi.encodeRequest(5, 1, "obelisk-crash", {
    topics: [topic],
    timeoutMs: 10_000,
  });
  await wire.call(Buffer.concat(parts));
}

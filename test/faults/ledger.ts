/**
 * A topic as its producers know it: what was acknowledged, where, and what was refused with which error number. `check` compares: every
 * acknowledged value lies at the offset of its acknowledgement, nothing lies there that was never sent, and no offset is missing up
 * to the end.
 */

import { createTopic, produceBatches, readAll, type Wire } from "../crash/wire.ts";
import { batchOf } from "../support/batches.ts";

const IN_FLIGHT = 5;

export class Ledger {
  readonly topic: string;
  readonly partitions: number;
  /** Error numbers of the batches that were refused, in the order of their responses. */
  readonly refusals: number[] = [];
  /** By `partition/offset`. */
  readonly #acked = new Map<string, string>();
  readonly #sent = new Set<string>();
  #next = 0;

  constructor(topic: string, partitions = 1) {
    this.topic = topic;
    this.partitions = partitions;
  }

  get ackedCount(): number {
    return this.#acked.size;
  }

  async create(wire: Wire): Promise<void> {
    await createTopic(wire, this.topic, this.partitions);
  }

  /** A record of `bytes` to each partition in one request; Kafka's error numbers, by partition. */
  async send(wire: Wire, bytes: number): Promise<number[]> {
    const values = Array.from({ length: this.partitions }, () => this.#value(bytes));
    const batches = values.map((value, index) => ({ index, records: batchOf([value]) }));
    const responses = await produceBatches(wire, this.topic, batches);
    for (const [index, { errorCode, baseOffset }] of responses.entries()) {
      if (errorCode === 0) this.#acked.set(`${index}/${baseOffset}`, values[index]!);
      else this.refusals.push(errorCode);
    }
    return responses.map(({ errorCode }) => errorCode);
  }

  /** `count` requests one after the other; each must be acknowledged. */
  async fill(wire: Wire, count: number, bytes: number): Promise<void> {
    for (let sent = 0; sent < count; sent += 1) {
      const codes = await this.send(wire, bytes);
      if (codes.some((code) => code !== 0)) throw new Error(`${this.topic} refused a record: ${codes}`);
    }
  }

  /** Sends with several requests in flight until one is refused; the error numbers of all responses from that one on. */
  async sendUntilRefused(wire: Wire, bytes: number): Promise<number[]> {
    const responses: number[] = [];
    let isRefused = false;
    const sender = async () => {
      while (!isRefused) {
        const codes = await this.send(wire, bytes);
        isRefused ||= codes.some((code) => code !== 0);
        if (isRefused) responses.push(...codes);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
    return responses;
  }

  /** Reads everything. @throws when a promise is broken */
  async check(wire: Wire): Promise<void> {
    for (let partition = 0; partition < this.partitions; partition += 1) {
      await this.#checkPartition(wire, partition);
    }
  }

  async #checkPartition(wire: Wire, partition: number): Promise<void> {
    const name = `${this.topic}-${partition}`;
    const records = await readAll(wire, this.topic, 0, partition);
    for (const [index, { offset, value }] of records.entries()) {
      if (offset !== index) throw new Error(`${name}: offset ${index} is missing, next is ${offset}`);
      if (!this.#sent.has(value)) throw new Error(`${name}: what lies at ${offset} was never sent`);
    }
    for (const [place, value] of this.#acked) {
      const [index, offset] = place.split("/").map(Number);
      if (index !== partition || records[offset!]?.value === value) continue;
      throw new Error(
        `${name}: ${value.slice(0, 20)} was acknowledged at ${offset}, not there of ${records.length}`,
      );
    }
  }

  #value(bytes: number): string {
    const value = `${this.topic} ${this.#next} `.padEnd(bytes, "x");
    this.#next += 1;
    this.#sent.add(value);
    return value;
  }
}

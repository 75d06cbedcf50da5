/**
 * What a crash run writes and what it then expects. A stream sends the numbers 0, 1, 2, ... into a topic of its own, up to
 * `IN_FLIGHT` requests at once, and remembers what was acknowledged. After a kill it goes on from the first number that was
 * not, as a client that retries would: an idempotent one sends the very same batches again.
 *
 *   idempotent   every number is there once, in order, without a gap
 *   plain        first appearances are in order, without a gap; numbers in doubt may be there more than once
 *   native       as plain, through the native protocol
 *
 * And for all: what was acknowledged is there, at the offset that the acknowledgement named (Kafka API).
 */

import { wireCode } from "../../src/base/errors.ts";
import { encodeNativeFrame } from "../../src/protocol/native/message.ts";
import { batchOf } from "../support/batches.ts";
import { createTopic, Gone, newProducerId, produceBatch, readAll, Wire } from "./wire.ts";

const IN_FLIGHT = 5;
const NATIVE_IN_FLIGHT = 64;
const SEQUENCE_MAX = 2 ** 31;
/** Bytes beside the number in a record, at most. A batch has up to 20 records. */
const PADDING_MAX = 300;
const LARGE_PADDING_MAX = 3000;
const REFUSED = wireCode("KAFKA_STORAGE_ERROR");

export interface Ports {
  native: number;
  kafka: number;
}

export interface Load extends Ports {
  /** Large batches, as those that a thread syncs. */
  readonly isLarge: boolean;
  /** The disk is about to fail: a refusal ends the load as a broken connection does. */
  readonly mayRefuse: boolean;
}

export interface Stream {
  readonly name: string;
  /** Numbers acknowledged so far, over all rounds. */
  readonly ackedCount: number;
  /** Sends until the server goes away. */
  load(load: Load): Promise<void>;
  /** Reads what came since the last check. @throws when a promise is broken */
  check(ports: Ports): Promise<void>;
}

/** Random numbers from a seed (mulberry32), so that a failing run can be repeated. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface SentBatch {
  /** The first number in it. */
  first: number;
  count: number;
  bytes: Buffer;
}

/** Through the Kafka API, one partition of a topic. */
export class KafkaStream implements Stream {
  readonly name: string;
  readonly #topic: string;
  readonly #partition: number;
  readonly #partitions: number;
  readonly #isIdempotent: boolean;
  readonly #random: () => number;
  readonly #log: Numbers;
  #producerId = -1;
  #next = 0;
  /** Sent and not acknowledged, oldest first: sent again after a crash. */
  #doubtful: SentBatch[] = [];

  constructor(
    topic: string,
    isIdempotent: boolean,
    random: () => number,
    place = { partition: 0, partitions: 1 },
  ) {
    this.name = place.partitions === 1 ? topic : `${topic}-${place.partition}`;
    this.#topic = topic;
    this.#partition = place.partition;
    this.#partitions = place.partitions;
    this.#isIdempotent = isIdempotent;
    this.#log = new Numbers(isIdempotent);
    this.#random = random;
  }

  get ackedCount(): number {
    return this.#log.ackedEnd;
  }

  async load(load: Load): Promise<void> {
    const wire = await Wire.kafka(load.kafka);
    try {
      if (this.#producerId < 0 && this.#isIdempotent) this.#producerId = await newProducerId(wire);
      if (this.ackedCount === 0) await createTopic(wire, this.#topic, this.#partitions);
      await this.#send(wire, load);
    } catch (thrown) {
      if (!(thrown instanceof Gone)) throw thrown;
    } finally {
      wire.close();
    }
  }

  async check({ kafka }: Ports): Promise<void> {
    if (this.ackedCount === 0) return;
    const wire = await Wire.kafka(kafka);
    this.#log.read(this.name, await readAll(wire, this.#topic, this.#log.readEnd, this.#partition));
    wire.close();
  }

  /** Batches go out in order; responses come in order. Ends when the connection breaks. */
  async #send(wire: Wire, { isLarge, mayRefuse }: Load): Promise<void> {
    const again = [...this.#doubtful];
    const inFlight = new Set<Promise<void>>();
    for (;;) {
      const batch = again.shift() ?? this.#build(isLarge ? LARGE_PADDING_MAX : PADDING_MAX);
      const response = produceBatch(wire, this.#topic, batch.bytes, this.#partition).then((responded) => {
        const { errorCode, baseOffset } = responded;
        if (errorCode === REFUSED && mayRefuse) throw new Gone();
        if (errorCode !== 0)
          throw new Error(`${this.name}: number ${batch.first} was refused with ${errorCode}`);
        this.#doubtful.shift();
        this.#log.acked(batch.first, batch.count, baseOffset);
      });
      const tracked = response.finally(() => inFlight.delete(tracked));
      tracked.catch(() => {});
      inFlight.add(tracked);
      if (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight);
    }
  }

  #build(paddingMax: number): SentBatch {
    const count = 1 + Math.floor(this.#random() * 20);
    const first = this.#next;
    const padding = "x".repeat(Math.floor(this.#random() * paddingMax));
    const values = Array.from({ length: count }, (_, index) => `${first + index}:${padding}`);
    const producer = this.#isIdempotent
      ? { producerId: this.#producerId, producerEpoch: 0, baseSequence: first % SEQUENCE_MAX }
      : {};
    const batch = { first, count, bytes: batchOf(values, producer) };
    this.#next += count;
    this.#doubtful.push(batch);
    return batch;
  }
}

/** Through the native protocol, read through the Kafka API. */
export class NativeStream implements Stream {
  readonly name: string;
  readonly #log = new Numbers(false);
  #next = 0;

  constructor(name: string) {
    this.name = name;
  }

  get ackedCount(): number {
    return this.#log.ackedEnd;
  }

  async load({ native, mayRefuse }: Load): Promise<void> {
    const wire = await Wire.native(native);
    this.#next = this.#log.ackedEnd;
    const inFlight = new Set<Promise<void>>();
    try {
      for (;;) {
        const number = this.#next;
        this.#next += 1;
        const frame = encodeNativeFrame(
          Date.now(),
          Buffer.from(this.name),
          Buffer.from("key"),
          Buffer.from(`${number}:native`),
        );
        const response = wire.call(frame).then((line) => {
          if (line.toString().startsWith("NACK:PUBLISH_FAILED") && mayRefuse) throw new Gone();
          if (line.toString() !== "OK\n") throw new Error(`${this.name}: number ${number} got ${line}`);
          this.#log.acked(number, 1, -1);
        });
        const tracked = response.finally(() => inFlight.delete(tracked));
        tracked.catch(() => {});
        inFlight.add(tracked);
        if (inFlight.size >= NATIVE_IN_FLIGHT) await Promise.race(inFlight);
      }
    } catch (thrown) {
      if (!(thrown instanceof Gone)) throw thrown;
    } finally {
      wire.close();
    }
  }

  async check({ kafka }: Ports): Promise<void> {
    if (this.#log.ackedEnd === 0) return;
    const wire = await Wire.kafka(kafka);
    this.#log.read(this.name, await readAll(wire, this.name, this.#log.readEnd));
    wire.close();
  }
}

/** What a topic holds against what was acknowledged. */
export class Numbers {
  /** All numbers below were acknowledged. */
  ackedEnd = 0;
  /** All numbers below were seen in the topic. */
  seenEnd = 0;
  /** Offset after the last record that was read. */
  readEnd = 0;
  readonly #isOnce: boolean;
  /** Where an acknowledgement said that a number lies, until it is read there. */
  readonly #promised = new Map<number, number>();
  /** Where a number was read that nobody had acknowledged: an idempotent retry must get this offset. */
  readonly #unexpected = new Map<number, number>();

  /** `isOnce`: a duplicate number breaks a promise. */
  constructor(isOnce: boolean) {
    this.#isOnce = isOnce;
  }

  /** @throws when acknowledgements come out of order, or name another place than the one where the number was read */
  acked(first: number, count: number, baseOffset: number): void {
    if (first > this.ackedEnd) throw new Error(`${first} was acknowledged before ${this.ackedEnd}`);
    this.ackedEnd = Math.max(this.ackedEnd, first + count);
    if (baseOffset < 0) return;
    for (let number = first; number < first + count; number += 1) {
      const offset = baseOffset + number - first;
      const place = this.#unexpected.get(number);
      if (place === undefined) this.#promised.set(number, offset);
      else if (place !== offset)
        throw new Error(`${number} lies at ${place} and was acknowledged at ${offset}`);
      this.#unexpected.delete(number);
    }
  }

  /** Takes what was read from `readEnd` on. @throws when a promise is broken */
  read(name: string, records: readonly { offset: number; value: string }[]): void {
    for (const { offset, value } of records) {
      if (offset !== this.readEnd)
        throw new Error(`${name}: offset ${this.readEnd} is missing, next is ${offset}`);
      this.readEnd = offset + 1;
      const number = Number.parseInt(value, 10);
      if (!(number <= this.seenEnd))
        throw new Error(`${name}: ${number} at offset ${offset} before ${this.seenEnd}`);
      if (number < this.seenEnd && this.#isOnce)
        throw new Error(`${name}: ${number} is a duplicate, again at ${offset}`);
      if (number === this.seenEnd) this.seenEnd += 1;
      if (this.#promised.get(number) === offset) this.#promised.delete(number);
      else if (this.#isOnce && number >= this.ackedEnd) this.#unexpected.set(number, offset);
    }
    if (this.seenEnd < this.ackedEnd) {
      throw new Error(`${name}: ${this.ackedEnd} numbers were acknowledged, ${this.seenEnd} are there`);
    }
    for (const [number, offset] of this.#promised) {
      throw new Error(`${name}: ${number} was acknowledged at offset ${offset} and is not there`);
    }
  }
}

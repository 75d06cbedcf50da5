/**
 * Topics that come and go under load: a few names that are created, written to, deleted and created again. What was acknowledged
 * must hold after a crash:
 *
 *   created or written   the topic is there with every acknowledged record, and with none of a life that it had before
 *   deleted              it is not there
 *   in doubt             it is there as a whole or not at all, and goes on as it is found
 */

import { wireCode } from "../../src/base/errors.ts";
import { batchOf } from "../support/batches.ts";
import type { Load, Ports, Stream } from "./streams.ts";
import { createTopic, deleteTopic, Gone, listEndOffset, produceBatch, readAll, Wire } from "./wire.ts";

const NAMES = 6;
const PARTITIONS = 3;
const UNKNOWN = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
const REFUSED = [wireCode("KAFKA_STORAGE_ERROR"), wireCode("LEADER_NOT_AVAILABLE")];

interface PassingTopic {
  readonly name: string;
  state: "absent" | "present" | "doubtful";
  /** Counts how often it was created. */
  life: number;
  /** Of this life: values that were acknowledged, by offset, in partition 0. */
  acked: Map<number, string>;
}

export class PassingTopics implements Stream {
  readonly name = "passing";
  ackedCount = 0;
  readonly #random: () => number;
  readonly #topics: PassingTopic[] = Array.from({ length: NAMES }, (_, index) => ({
    name: `passing-${index}`,
    state: "absent",
    life: 0,
    acked: new Map(),
  }));

  constructor(random: () => number) {
    this.#random = random;
  }

  async load({ kafka, mayRefuse }: Load): Promise<void> {
    const wire = await Wire.kafka(kafka);
    try {
      for (;;) {
        const topic = this.#topics[Math.floor(this.#random() * NAMES)]!;
        const code = await this.#step(wire, topic);
        if (mayRefuse && REFUSED.includes(code)) return;
        if (code !== 0) throw new Error(`${topic.name}: refused with ${code}`);
        this.ackedCount += 1;
      }
    } catch (thrown) {
      if (!(thrown instanceof Gone)) throw thrown;
    } finally {
      wire.close();
    }
  }

  async check({ kafka }: Ports): Promise<void> {
    const wire = await Wire.kafka(kafka);
    for (const topic of this.#topics) await this.#checkTopic(wire, topic);
    wire.close();
  }

  /** Creates, writes to or deletes it; Kafka's error number. */
  async #step(wire: Wire, topic: PassingTopic): Promise<number> {
    if (topic.state === "absent") {
      topic.life += 1;
      topic.acked = new Map();
      return await this.#change(topic, "present", createTopic(wire, topic.name, PARTITIONS));
    }
    if (this.#random() < 0.2) return await this.#change(topic, "absent", deleteTopic(wire, topic.name));
    const value = `life ${topic.life} record ${topic.acked.size}`;
    const { errorCode, baseOffset } = await produceBatch(wire, topic.name, batchOf([value]));
    if (errorCode === 0) topic.acked.set(baseOffset, value);
    return errorCode;
  }

  async #change(
    topic: PassingTopic,
    state: "absent" | "present",
    response: Promise<number>,
  ): Promise<number> {
    topic.state = "doubtful";
    const code = await response;
    if (code === 0) topic.state = state;
    return code;
  }

  async #checkTopic(wire: Wire, topic: PassingTopic): Promise<void> {
    const { name, life, acked } = topic;
    const codes: number[] = [];
    for (let index = 0; index < PARTITIONS; index += 1)
      codes.push((await listEndOffset(wire, name, index)).errorCode);
    const isThere = codes[0] === 0;
    if (codes.some((code) => code !== (isThere ? 0 : UNKNOWN)))
      throw new Error(`${name}: its partitions return ${codes}`);
    if (topic.state === "doubtful") topic.state = isThere ? "present" : "absent";
    if (isThere !== (topic.state === "present")) {
      throw new Error(`${name}: was ${topic.state}, is ${isThere ? "there" : "not there"}`);
    }
    if (!isThere) return;
    const values = new Map((await readAll(wire, name, 0)).map(({ offset, value }) => [offset, value]));
    for (const [offset, value] of acked) {
      if (values.get(offset) !== value)
        throw new Error(`${name}: ${value} was acknowledged at ${offset}, there is ${values.get(offset)}`);
    }
    for (const value of values.values()) {
      if (!value.startsWith(`life ${life} `)) throw new Error(`${name}: holds ${value} in its life ${life}`);
    }
  }
}

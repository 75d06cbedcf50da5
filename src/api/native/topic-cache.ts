/**
 * Finds a message's topic by the bytes of its name, without making a string for each message. Every slot holds the topic that was
 * found there last; the slot is chosen by the name's length and last byte, so that topic-0, topic-1, ... do not fight for one.
 *
 * An entry is checked against the broker once in each turn (`startTurn`), because topics are removed and created again. In
 * one turn the messages without a key of one topic go to one partition: they share a batch, and the next turn takes the next.
 */

import type { MessageBroker, MessageTopic } from "./message-broker.ts";

const SLOTS = 64;

export class CachedTopic<Place> {
  readonly name: string;
  readonly nameBytes: Buffer;
  topic: MessageTopic<Place>;
  /** Where this turn's messages without a key go. */
  keyless: Place;
  turn: number;

  constructor(name: string, topic: MessageTopic<Place>, turn: number) {
    this.name = name;
    this.nameBytes = Buffer.from(name, "latin1");
    this.topic = topic;
    this.keyless = topic.nextPartition();
    this.turn = turn;
  }
}

export class TopicCache<Place> {
  readonly #topics: MessageBroker<Place>["topics"];
  readonly #slots: (CachedTopic<Place> | null)[] = new Array(SLOTS).fill(null);
  #turn = 0;

  constructor(topics: MessageBroker<Place>["topics"]) {
    this.#topics = topics;
  }

  startTurn(): void {
    this.#turn += 1;
  }

  /** The topic whose name is `buffer[start, end)`, or null when the broker has none. */
  find(buffer: Buffer, start: number, end: number): CachedTopic<Place> | null {
    if (start === end) return null;
    const slot = (end - start + buffer[end - 1]!) & (SLOTS - 1);
    const cached = this.#slots[slot]!;
    if (cached !== null && isSame(cached.nameBytes, buffer, start, end)) {
      return cached.turn === this.#turn ? cached : this.#refresh(cached, slot);
    }
    const name = buffer.toString("latin1", start, end);
    const topic = this.#topics.get(name);
    if (topic === undefined) return null;
    return (this.#slots[slot] = new CachedTopic(name, topic, this.#turn));
  }

  #refresh(cached: CachedTopic<Place>, slot: number): CachedTopic<Place> | null {
    const topic = this.#topics.get(cached.name);
    if (topic === undefined) {
      this.#slots[slot] = null;
      return null;
    }
    cached.topic = topic;
    cached.keyless = topic.nextPartition();
    cached.turn = this.#turn;
    return cached;
  }
}

function isSame(name: Buffer, buffer: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index += 1) {
    if (name[index] !== buffer[start + index]) return false;
  }
  return true;
}

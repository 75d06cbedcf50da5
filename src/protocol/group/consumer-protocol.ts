/**
 * What consumers of one group tell each other through the coordinator, which does not look into it: a subscription when they join,
 * an assignment from the leader. Both begin with a version; fields are only ever added at the end, so a reader takes what it knows.
 *
 *   subscription   int16 version, [topic], bytes user data, 1+ [topic, [partition]] owned, 2+ int32 generation, 3+ rack
 *   assignment     int16 version, [topic, [partition]], bytes user data
 *
 * Source: Kafka's ConsumerProtocolSubscription.json and ConsumerProtocolAssignment.json. What does not read as such is null, never
 * an error: any client may put anything there.
 */

/** Racks (version 3) are nothing to us. */
const SUBSCRIPTION_VERSION = 2;
const ASSIGNMENT_VERSION = 1;
/** All versions of an assignment have the same fields. */
const ASSIGNMENT_VERSION_MAX = 3;

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface Subscription {
  readonly topics: readonly string[];
  /** What the member holds while the group moves on to another generation. */
  readonly owned: readonly TopicPartition[];
  /** In which generation it was given them; -1 where nobody says. */
  readonly generation: number;
}

/** Java's cooperative assignor before 3.0 reads the generation from the user data, as one int32; the newer ones from the field. */
export function encodeSubscription({ topics, owned, generation }: Subscription): Buffer {
  const userData = Buffer.alloc(4);
  userData.writeInt32BE(generation);
  return Buffer.concat([
    int16(SUBSCRIPTION_VERSION),
    int32(topics.length),
    ...topics.map(text),
    int32(userData.length),
    userData,
    partitionsBytes(owned),
    int32(generation),
  ]);
}

/** Null: not a consumer's subscription. */
export function decodeSubscription(bytes: Buffer): Subscription | null {
  const reader = new Reader(bytes);
  try {
    const version = reader.int16();
    const topics = reader.list(() => reader.text());
    const userData = reader.bytes();
    const owned = version >= 1 ? reader.partitions() : [];
    const told = version >= 2 ? reader.int32() : -1;
    const generation = told === -1 && userData.length === 4 ? userData.readInt32BE() : told;
    return { topics, owned, generation };
  } catch (thrown) {
    if (thrown instanceof RangeError) return null;
    throw thrown;
  }
}

export function encodeAssignment(
  partitions: readonly TopicPartition[],
  version: number = ASSIGNMENT_VERSION,
): Buffer {
  return Buffer.concat([int16(version), partitionsBytes(partitions), int32(-1)]);
}

/** For an assignment to whoever sent this subscription: in the version that it speaks, of those that there are. */
export function assignmentVersionFor(subscription: Buffer | undefined): number {
  if (subscription === undefined || subscription.length < 2) return ASSIGNMENT_VERSION;
  return Math.min(Math.max(subscription.readInt16BE(), 0), ASSIGNMENT_VERSION_MAX);
}

/** Sorted as it was sent; empty bytes are an empty assignment. Null: not a consumer's assignment. */
export function decodeAssignment(bytes: Buffer): TopicPartition[] | null {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes);
  try {
    reader.int16();
    return reader.partitions();
  } catch (thrown) {
    if (thrown instanceof RangeError) return null;
    throw thrown;
  }
}

/** Entries by topic, topics in the order of their first entry. */
export function groupByTopic<Entry extends TopicPartition>(entries: readonly Entry[]): [string, Entry[]][] {
  const topics = new Map<string, Entry[]>();
  for (const entry of entries) {
    const list = topics.get(entry.topic);
    if (list === undefined) topics.set(entry.topic, [entry]);
    else list.push(entry);
  }
  return [...topics];
}

function partitionsBytes(partitions: readonly TopicPartition[]): Buffer {
  const topics = groupByTopic(partitions);
  return Buffer.concat([
    int32(topics.length),
    ...topics.flatMap(([topic, entries]) => [
      text(topic),
      int32(entries.length),
      ...entries.map(({ partition }) => int32(partition)),
    ]),
  ]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

/** Reads within the bytes. @throws RangeError at their end */
class Reader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#position);
    this.#position += 2;
    return value;
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#position);
    this.#position += 4;
    return value;
  }

  text(): string {
    return this.#take(this.int16()).toString();
  }

  /** Null reads as empty. */
  bytes(): Buffer {
    return this.#take(Math.max(0, this.int32()));
  }

  /** Every entry takes at least a byte, so that a hostile length ends at the end of the bytes. */
  list<Entry>(entry: () => Entry): Entry[] {
    const count = this.int32();
    if (count > this.#bytes.length) throw new RangeError("more entries than bytes");
    const entries: Entry[] = [];
    for (let index = 0; index < count; index += 1) entries.push(entry());
    return entries;
  }

  partitions(): TopicPartition[] {
    return this.list(() => {
      const topic = this.text();
      return this.list(() => ({ topic, partition: this.int32() }));
    }).flat();
  }

  #take(length: number): Buffer {
    const end = this.#position + length;
    if (length < 0 || end > this.#bytes.length) throw new RangeError("past the end");
    const bytes = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return bytes;
  }
}

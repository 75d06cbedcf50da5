/**
 * Reads records, prints them, and commits what was printed.
 *
 *   poll -> print -> (written to standard output) -> commit
 *
 * Invariants
 *   - An offset is committed only when every record below it has left for standard output: after a crash or a closed pipe
 *     records are printed again rather than lost.
 *   - `poll` and `reset` end at the end offsets that the partitions had at the start, so that a busy topic does not hold them.
 *   - An interrupt ends every wait for a further attempt; a commit that then fails is an error, and what was printed is printed again.
 *   - A slow reader slows the fetching: at most one fetch is held beyond what it has taken.
 */

import { type Clock, systemClock } from "../src/base/clock.ts";
import { ObeliskError, toObeliskError } from "../src/base/errors.ts";
import { SECOND_MS } from "../src/base/units.ts";
import { Consumer } from "../src/client/consumer.ts";
import type { ConsumerRecord } from "../src/client/fetched-batches.ts";
import type { CommittedOffset, TopicPartition } from "../src/client/group-offsets.ts";
import { wait } from "../src/client/retry.ts";
import { compileFormat, type RecordFormat } from "./consume-format.ts";
import { recordJson } from "./consume-json.ts";
import type { ConsumeOptions } from "./consume-options.ts";
import { note, type Output } from "./output.ts";
import { sayRetries } from "./retry-note.ts";

/** How long Ctrl-C may go unnoticed. */
const POLL_MS = 100;
/** A commit costs the server a sync; more often gains little, because repeated records are few either way. */
const COMMIT_MS = SECOND_MS;
/** How often to look whether a topic is there by now. */
const TOPIC_WAIT_MS = SECOND_MS;
const NEWLINE = Buffer.from("\n");

/** Runs until the end, `max`, or the abort of `signal`; returns how many records were printed. */
export async function consumeRecords(
  options: ConsumeOptions,
  output: Output,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<number> {
  const consumer = await Consumer.connect({
    brokers: options.brokers,
    clientId: "obelisk-consume",
    group: options.group,
    isCommittedOnly: options.isCommittedOnly,
    signal,
    onRetry: sayRetries(),
  });
  try {
    const partitions = await findPartitions(consumer, options, signal, clock);
    if (partitions.length === 0) return 0;
    await consumer.assign(partitions, options.from);
    return await new Reading(consumer, options, output, signal, clock).run(partitions);
  } finally {
    await consumer.close();
  }
}

class Reading {
  readonly #consumer: Consumer;
  readonly #options: ConsumeOptions;
  readonly #output: Output;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #print: (record: ConsumerRecord) => void;
  /** Behind the last printed record, by topic and partition; only what is not committed yet. */
  readonly #uncommitted = new Map<string, CommittedOffset>();
  #committedAtMs: number;
  #count = 0;

  constructor(
    consumer: Consumer,
    options: ConsumeOptions,
    output: Output,
    signal: AbortSignal,
    clock: Clock,
  ) {
    this.#consumer = consumer;
    this.#options = options;
    this.#output = output;
    this.#signal = signal;
    this.#clock = clock;
    this.#print = printer(options, output);
    this.#committedAtMs = clock.monotonicMs();
  }

  async run(partitions: readonly TopicPartition[]): Promise<number> {
    const isEndless = this.#options.mode === "continuous";
    const ends = await this.#consumer.endOffsets(partitions);
    this.#checkPlaces(ends);
    while (!this.#signal.aborted && this.#count < this.#options.max) {
      if (!isEndless && this.#hasReached(ends)) break;
      const records = await this.#consumer.poll(POLL_MS);
      this.#take(records, isEndless ? [] : ends);
      await this.#output.drain();
      if (records.length === 0 || this.#clock.monotonicMs() - this.#committedAtMs >= COMMIT_MS)
        await this.#commit();
    }
    await this.#commit();
    return this.#count;
  }

  #take(records: readonly ConsumerRecord[], ends: readonly CommittedOffset[]): void {
    const last = records.at(-1);
    if (last === undefined) return;
    const end = ends.find((one) => one.topic === last.topic && one.partition === last.partition);
    const endOffset = end === undefined ? Number.POSITIVE_INFINITY : end.offset;
    let next = -1;
    for (const record of records) {
      if (this.#count >= this.#options.max || record.offset >= endOffset) break;
      this.#print(record);
      this.#count += 1;
      next = record.offset + 1;
    }
    if (next === last.offset + 1) next = this.#consumer.position(last.topic, last.partition);
    if (next >= 0) this.#keep({ topic: last.topic, partition: last.partition, offset: next });
  }

  #keep(offset: CommittedOffset): void {
    this.#uncommitted.set(`${offset.topic}/${offset.partition}`, offset);
  }

  async #commit(): Promise<void> {
    this.#committedAtMs = this.#clock.monotonicMs();
    if (!this.#options.commits || this.#uncommitted.size === 0) return;
    await this.#output.finish();
    await this.#consumer.commit([...this.#uncommitted.values()]);
    this.#uncommitted.clear();
  }

  #hasReached(ends: readonly CommittedOffset[]): boolean {
    return ends.every(({ topic, partition, offset }) => this.#consumer.position(topic, partition) >= offset);
  }

  /**
   * Nothing lies behind the end. A committed offset there belongs to a topic that was there before: read what is there now.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE when the user asked for such an offset
   */
  #checkPlaces(ends: readonly CommittedOffset[]): void {
    for (const { topic, partition, offset: end } of ends) {
      const position = this.#consumer.position(topic, partition);
      if (position <= end) continue;
      if (this.#options.from !== "committed") {
        const detail = `the partition ends at offset ${end}`;
        throw new ObeliskError("OFFSET_OUT_OF_RANGE", { detail, topic, partition, offset: position });
      }
      note(
        `obelisk: partition ${topic}-${partition}: the committed offset ${position} lies behind the end ${end}; reading from the first record`,
      );
      this.#consumer.seek(topic, partition, 0);
    }
  }
}

async function findPartitions(
  consumer: Consumer,
  options: ConsumeOptions,
  signal: AbortSignal,
  clock: Clock,
): Promise<TopicPartition[]> {
  const found: TopicPartition[] = [];
  for (const topic of options.topics) {
    const partitions = await findTopic(consumer, topic, options, signal, clock);
    const wanted = partitions.filter(
      ({ partition }) => options.partition < 0 || partition === options.partition,
    );
    if (wanted.length === 0 && partitions.length > 0) {
      const detail = `the topic has ${partitions.length} partitions, numbered from 0`;
      throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail, topic, partition: options.partition });
    }
    found.push(...wanted);
  }
  return found;
}

/** In continuous mode a topic may come later: its producer often starts after its consumer. */
async function findTopic(
  consumer: Consumer,
  topic: string,
  { mode }: ConsumeOptions,
  signal: AbortSignal,
  clock: Clock,
): Promise<TopicPartition[]> {
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      return await consumer.partitionsOf(topic);
    } catch (thrown) {
      const error = toObeliskError(thrown);
      if (error.code !== "UNKNOWN_TOPIC_OR_PARTITION") throw error;
      if (mode !== "continuous") throw noTopic(topic);
      if (attempt === 1) note(`obelisk: there is no topic ${topic} yet; waiting for it`);
      await wait(clock, TOPIC_WAIT_MS, signal);
    }
  }
  return [];
}

function noTopic(topic: string): ObeliskError {
  return new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
    detail: `there is no topic ${topic}`,
    remedy: `\`obelisk produce ${topic} MESSAGE\` creates it`,
  });
}

function printer(options: ConsumeOptions, output: Output): (record: ConsumerRecord) => void {
  if (options.isJson) return (record) => output.json(recordJson(record));
  if (options.format !== null) {
    const format: RecordFormat = compileFormat(options.format);
    return (record) => output.write(format(record));
  }
  return (record) => {
    if (record.value !== null) output.write(record.value);
    output.write(NEWLINE);
  };
}

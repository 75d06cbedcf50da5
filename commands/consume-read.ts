/**
 * Reads records, prints them, and commits what was printed.
 *
 *   poll -> print -> (written to standard output) -> commit
 *
 * Invariants
 *   - An offset is committed only when every record below it has left for standard output: after a crash or a closed pipe
 *     records are printed again rather than lost.
 *   - `poll` and `reset` end at the end offsets that the partitions had at the start, so that a busy topic does not hold them. What
 *     came later is neither printed nor committed.
 *   - An interrupt ends every wait: for a further attempt, and for a slow reader of standard output. What that reader has not
 *     taken then is not committed; a commit that fails is an error, and what was printed is printed again next time.
 *   - A batch that cannot be read ends the reading, when what was printed before it is committed, unless --skip-unreadable says to
 *     go on after it.
 *   - A record that the filter does not want counts as printed.
 *   - A slow reader slows the fetching: at most one fetch is held beyond what it has taken.
 */

import { type Clock, systemClock } from "../src/base/clock.ts";
import { ObeliskError, toObeliskError } from "../src/base/errors.ts";
import { SECOND_MS } from "../src/base/units.ts";
import { Consumer } from "../src/client/consumer.ts";
import { type ConsumerRecord, UnreadableBatch } from "../src/client/fetched-batches.ts";
import { type CommittedOffset, GroupMovedOn } from "../src/client/group-offsets.ts";
import { wait } from "../src/client/retry.ts";
import type { TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import { recordJson } from "../src/protocol/record/record-json.ts";
import { compileFormat, type RecordFormat } from "./consume-format.ts";
import { Membership } from "./consume-member.ts";
import type { ConsumeOptions } from "./consume-options.ts";
import { note, type Output } from "./output.ts";
import { sayRetries } from "./retry-note.ts";

/** How long Ctrl-C may go unnoticed. */
const POLL_MS = 100;
/** A commit costs the server a sync; more often gains little, because repeated records are few either way. */
const COMMIT_MS = SECOND_MS;
/** How often to look whether a topic is there by now. */
const TOPIC_WAIT_MS = SECOND_MS;
/** How long a slow reader may take, after an interrupt, for what was printed. */
const INTERRUPTED_FINISH_MS = 500;
/** After so many empty polls the end offsets are requested again: a topic that was created anew may never get that far. */
const IDLE_POLLS_MAX = 20;
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
  let membership: Membership | undefined;
  try {
    const partitions = await findPartitions(consumer, options, signal, clock);
    if (partitions.length === 0) return 0;
    if (options.isMember) membership = await Membership.of(consumer, options);
    if (membership !== undefined)
      return await new Reading(consumer, options, output, signal, clock, membership).run([]);
    await consumer.assign(partitions, options.from);
    return await new Reading(consumer, options, output, signal, clock).run(partitions);
  } finally {
    await membership?.leave();
    await consumer.close();
  }
}

class Reading {
  readonly #consumer: Consumer;
  readonly #options: ConsumeOptions;
  readonly #output: Output;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #membership: Membership | undefined;
  readonly #print: (record: ConsumerRecord) => void;
  /** The offset after the last printed record, by topic and partition; only what is not committed yet. */
  readonly #uncommitted = new Map<string, CommittedOffset>();
  /** Where to stop; empty when there is no end. */
  #ends: readonly CommittedOffset[] = [];
  /** Of a member: the ends that its partitions had when they were first given to it. */
  readonly #firstEnds = new Map<string, CommittedOffset>();
  #committedAtMs: number;
  #count = 0;

  constructor(
    consumer: Consumer,
    options: ConsumeOptions,
    output: Output,
    signal: AbortSignal,
    clock: Clock,
    membership?: Membership,
  ) {
    this.#consumer = consumer;
    this.#membership = membership;
    this.#options = options;
    this.#output = output;
    this.#signal = signal;
    this.#clock = clock;
    this.#print = printer(options, output);
    this.#committedAtMs = clock.monotonicMs();
  }

  async run(partitions: readonly TopicPartition[]): Promise<number> {
    const isEndless = this.#options.mode === "continuous";
    if (this.#membership === undefined) {
      const ends = await this.#consumer.endOffsets(partitions);
      await this.#checkPlaces(partitions, ends);
      if (!isEndless) this.#ends = ends;
    }
    let idlePolls = 0;
    while (!this.#signal.aborted && this.#count < this.#options.max) {
      if (this.#membership?.mustJoin === true) {
        await this.#rejoin(this.#membership);
        continue;
      }
      if (!isEndless && this.#hasReached()) break;
      const records = await this.#poll();
      await this.#take(records);
      idlePolls = records.length === 0 ? idlePolls + 1 : 0;
      if (!isEndless && idlePolls === IDLE_POLLS_MAX) {
        await this.#lowerEnds();
        idlePolls = 0;
      }
      if (records.length === 0 || this.#clock.monotonicMs() - this.#committedAtMs >= COMMIT_MS)
        await this.#commit();
    }
    await this.#commit();
    return this.#count;
  }

  /** Commits what was printed, gives the partitions up, and reads those of the next generation. */
  async #rejoin(membership: Membership): Promise<void> {
    await this.#commit();
    this.#uncommitted.clear();
    const joined = await membership.join(this.#signal);
    if (joined === undefined) return;
    const ends = await this.#consumer.endOffsets(joined.partitions);
    if (joined.isFirst) await this.#checkPlaces(joined.partitions, ends);
    if (this.#options.mode !== "continuous") this.#ends = this.#keepEnds(ends);
  }

  /** The end that a partition had when it was first given to us is where it ends. */
  #keepEnds(ends: readonly CommittedOffset[]): CommittedOffset[] {
    return ends.map((end) => {
      const key = `${end.topic}/${end.partition}`;
      const first = this.#firstEnds.get(key) ?? end;
      this.#firstEnds.set(key, first);
      return first;
    });
  }

  async #poll(): Promise<ConsumerRecord[]> {
    try {
      return await this.#consumer.poll(POLL_MS);
    } catch (thrown) {
      if (!(thrown instanceof UnreadableBatch)) throw thrown;
      await this.#pass(thrown);
      return [];
    }
  }

  /** Goes on after a batch that cannot be read. @throws ObeliskError when it was to be read, and is not to be skipped */
  async #pass(batch: UnreadableBatch): Promise<void> {
    const { message, topic, partition, firstOffset, nextOffset } = batch;
    if (firstOffset < this.#endOf(topic, partition)) {
      if (!this.#options.skipsUnreadable) {
        await this.#commit();
        throw withRemedy(batch);
      }
      note(`obelisk: skipped: ${message}`);
      this.#keep({ topic, partition, offset: nextOffset });
    }
    this.#consumer.seek(topic, partition, nextOffset);
  }

  async #take(records: readonly ConsumerRecord[]): Promise<void> {
    const last = records.at(-1);
    if (last === undefined) return;
    const { topic, partition } = last;
    const endOffset = this.#endOf(topic, partition);
    const { filter } = this.#options;
    let next = -1;
    for (const record of records) {
      if (this.#count >= this.#options.max || record.offset >= endOffset) break;
      next = record.offset + 1;
      if (filter !== null && !filter.matches(record)) continue;
      this.#print(record);
      this.#count += 1;
      if (!this.#output.isBehind) continue;
      await orAborted(this.#output.drain(), this.#signal);
      if (this.#signal.aborted) break;
    }
    if (next === last.offset + 1) next = this.#consumer.position(topic, partition);
    if (next >= 0) this.#keep({ topic, partition, offset: next });
    await orAborted(this.#output.drain(), this.#signal);
  }

  #endOf(topic: string, partition: number): number {
    const end = this.#ends.find((one) => one.topic === topic && one.partition === partition);
    return end === undefined ? Number.POSITIVE_INFINITY : end.offset;
  }

  async #lowerEnds(): Promise<void> {
    const now = await this.#consumer.endOffsets(this.#ends);
    this.#ends = this.#ends.map((end, index) => (now[index]!.offset < end.offset ? now[index]! : end));
  }

  #keep(offset: CommittedOffset): void {
    this.#uncommitted.set(`${offset.topic}/${offset.partition}`, offset);
  }

  async #commit(): Promise<void> {
    this.#committedAtMs = this.#clock.monotonicMs();
    if (!(await this.#hasLeft())) this.#uncommitted.clear();
    if (!this.#options.commits || this.#uncommitted.size === 0) return;
    try {
      await this.#consumer.commit([...this.#uncommitted.values()]);
    } catch (thrown) {
      if (this.#membership === undefined || !(thrown instanceof GroupMovedOn)) throw thrown;
      this.#membership.lose();
    }
    this.#uncommitted.clear();
  }

  /** Whether everything printed has left the process; false when an interrupt leaves no time for a slow reader. */
  async #hasLeft(): Promise<boolean> {
    let hasLeft = false;
    const left = this.#output.finish().then(() => {
      hasLeft = true;
    });
    await orAborted(left, this.#signal);
    if (!hasLeft) await Promise.race([left, wait(this.#clock, INTERRUPTED_FINISH_MS)]);
    if (hasLeft) return true;
    note("obelisk: the reader of standard output has not taken everything; the rest is not committed");
    this.#output.abandon();
    return false;
  }

  #hasReached(): boolean {
    return this.#ends.every(
      ({ topic, partition, offset }) => this.#consumer.position(topic, partition) >= offset,
    );
  }

  /**
   * Nothing lies after the end. A committed offset there belongs to an earlier topic of this name: read what is there now. An
   * offset that the user requested may be in the range of some partitions only: the others start at their nearer end, with a line
   * that says so. @throws ObeliskError OFFSET_OUT_OF_RANGE when it is in the range of none
   */
  async #checkPlaces(partitions: readonly TopicPartition[], ends: readonly CommittedOffset[]): Promise<void> {
    const { from } = this.#options;
    if (typeof from === "object" && "offset" in from) {
      this.#placeWithin(from.offset, await this.#consumer.startOffsets(partitions), ends);
      return;
    }
    for (const { topic, partition, offset: end } of ends) {
      const position = this.#consumer.position(topic, partition);
      if (position <= end) continue;
      note(
        `obelisk: partition ${topic}-${partition}: the committed offset ${position} is after the end offset ${end}; reading from the first record`,
      );
      this.#consumer.seek(topic, partition, 0);
    }
  }

  #placeWithin(offset: number, starts: readonly CommittedOffset[], ends: readonly CommittedOffset[]): void {
    if (ends.every((end) => offset > end.offset)) {
      const { topic, partition, offset: end } = ends.reduce((a, b) => (b.offset > a.offset ? b : a));
      const detail = `the ${ends.length === 1 ? "partition ends" : "longest partition ends"} at offset ${end}`;
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { detail, topic, partition, offset });
    }
    for (const [slot, { topic, partition, offset: end }] of ends.entries()) {
      const start = starts[slot]!.offset;
      const place = Math.min(Math.max(offset, start), end);
      if (place === offset) continue;
      const where = place === end ? `its end offset, ${end}` : `its start offset, ${start}`;
      note(`obelisk: partition ${topic}-${partition} does not hold offset ${offset}; reading from ${where}`);
      this.#consumer.seek(topic, partition, place);
    }
  }
}

/** What `work` brings; undefined as soon as the signal is aborted. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    work.catch(() => {}); // Whoever waits for the whole output gets the same error.
    return;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = () => resolve();
  signal.addEventListener("abort", stop);
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function withRemedy(error: UnreadableBatch): ObeliskError {
  return new ObeliskError(
    error.code,
    { ...error.facts, remedy: "add --skip-unreadable to skip such batches" },
    error,
  );
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
      if (attempt === 1) note(`obelisk: topic ${topic} does not exist yet; waiting for it`);
      await wait(clock, TOPIC_WAIT_MS, signal);
    }
  }
  return [];
}

function noTopic(topic: string): ObeliskError {
  return new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
    detail: `topic ${topic} does not exist`,
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

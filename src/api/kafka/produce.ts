/**
 * Produce: one record batch for each partition named, stored as it comes.
 *
 *   acks -1, 1   answered when every batch is committed (synced, unless the server was told otherwise)
 *   acks 0       never answered; as Kafka does, an error closes the connection, so that the client looks again
 *
 * Every batch is handed to its partition in the turn that brought the request, without a promise; the outcomes come back as
 * callbacks, and no offset is known before. The request's time limit is not obeyed: a batch that was taken is committed or its
 * partition fails, and a response "timed out" would be a lie about either.
 *
 * A frame is only lent. A partition that keeps what it is given until the outcome gets a copy, and the memory that the frame was
 * counted for is held for that copy: with acks 0 too, so the request ends then.
 *
 * A request with more than `PARTITIONS_AT_ONCE` partitions is stored over several turns, in its order, and nothing that follows on the
 * connection is stored before; its records are copied, and its response is encoded over several turns too.
 *
 * Refused partition by partition: versions 0 to 2 (UNSUPPORTED_VERSION; their record formats are older than magic 2), zstd
 * below version 7 (UNSUPPORTED_COMPRESSION_TYPE: who speaks so does not know zstd),
 * other acks (INVALID_REQUIRED_ACKS), transactions (INVALID_REQUEST: not supported), unknown topics
 * (UNKNOWN_TOPIC_OR_PARTITION, or UNKNOWN_TOPIC_ID from version 13: clients ask Metadata first, which creates them), and what the partition refuses.
 */

import { fail } from "../../base/assert.ts";
import { type ErrorCode, NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { AppendListener, AppendOutcome, Partition, RecordError } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import {
  type ProduceRequest,
  type ProduceResponseInput,
  produceApi,
} from "../../protocol/kafka/apis/produce.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import {
  ATTRIBUTE_TRANSACTIONAL,
  BATCH_ATTRIBUTES,
  BATCH_HEADER_BYTES,
  batchCodec,
} from "../../protocol/record/batch.ts";
import { CODECS } from "../../protocol/record/compression.ts";
import { LATER, type Later } from "../dispatch.ts";
import type { KafkaContext } from "./context.ts";
import { pushInTurns } from "./encode-turns.ts";
import { partitionOf, topicNamed } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";

/** The first version whose records are of magic 2. */
const VERSION_MIN = 3;
/** The first version that takes zstd. */
const ZSTD_FROM = 7;
/** The first version that names topics by id. */
const IDS_FROM = 13;
const ZSTD = CODECS.indexOf("zstd");
const ACKS_NONE = 0;
const ACKS_ALL = -1;

/** Partitions that are stored in the turn that brought the request: appending takes some 5 us for each. */
const PARTITIONS_AT_ONCE = 500;

type TopicRequest = ProduceRequest["topicData"][number];
type PartitionRequest = TopicRequest["partitionData"][number];

interface Fault {
  readonly code: ErrorCode;
  readonly detail: string | null;
}

/** Refusals that do not tell where the log starts: nothing was looked at but the batch, or the log could not be. */
const WITHOUT_START: ReadonlySet<number> = new Set([
  wireCode("CORRUPT_MESSAGE"),
  wireCode("MESSAGE_TOO_LARGE"),
  wireCode("UNKNOWN_TOPIC_OR_PARTITION"),
  wireCode("UNKNOWN_TOPIC_ID"),
  wireCode("KAFKA_STORAGE_ERROR"),
]);
const NO_RECORD_ERRORS: readonly RecordError[] = [];

export function produce(
  context: KafkaContext,
  request: ProduceRequest,
  version: number,
  exchange: Exchange<ProduceResponseInput>,
): Promise<ProduceResponseInput | Later> | Later {
  const pending = new PendingProduce(context, request, version, exchange);
  if (partitionsIn(request) > PARTITIONS_AT_ONCE)
    return pending.appendInTurns(request.topicData, new KeptRecords(request.topicData));
  pending.appendAll(request.topicData);
  return LATER;
}

export function refuseProduce(request: ProduceRequest, errorCode: number): ProduceResponseInput {
  const responses = request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => {
      return { index, errorCode, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, recordErrors: [] };
    }),
  }));
  return { responses };
}

function partitionsIn({ topicData }: ProduceRequest): number {
  let count = 0;
  for (const { partitionData } of topicData) count += partitionData.length;
  return count;
}

/** A copy of a request's records, made at once: to copy each by itself takes five times as long. */
class KeptRecords {
  readonly #copy: Buffer;
  /** Where the copy's first byte stood. */
  readonly #start: number;

  constructor(topicData: readonly TopicRequest[]) {
    let first: Buffer | null = null;
    let last: Buffer | null = null;
    for (const { partitionData } of topicData) {
      for (const { records } of partitionData) {
        if (records === null || records.length === 0) continue;
        first ??= records;
        last = records;
      }
    }
    this.#start = first?.byteOffset ?? 0;
    this.#copy = first === null || last === null ? Buffer.alloc(0) : copyFrom(first, last);
  }

  /** The copy of what stood where `records` does; nothing else of `records` is looked at. */
  of(records: Buffer | null): Buffer | null {
    if (records === null) return null;
    const position = records.length === 0 ? 0 : records.byteOffset - this.#start;
    if (position < 0 || position + records.length > this.#copy.length)
      fail("records stand outside of their request");
    return this.#copy.subarray(position, position + records.length);
  }
}

/** From the first byte of one to the last of another, which stand in the same frame in this order. */
function copyFrom(first: Buffer, last: Buffer): Buffer {
  const bytes = last.byteOffset + last.length - first.byteOffset;
  return Buffer.from(new Uint8Array(first.buffer, first.byteOffset, bytes));
}

/** A request whose batches are handed to their partitions, and whose outcomes are maybe not all known yet. */
class PendingProduce {
  readonly #context: KafkaContext;
  readonly #version: number;
  readonly #isById: boolean;
  readonly #acks: number;
  readonly #fault: Fault | null;
  readonly #exchange: Exchange<ProduceResponseInput>;
  readonly #responses: TopicResponse[] = [];
  /** Whether the records are a copy already, and not lent with the frame. */
  #isCopy = false;
  /** Whether a partition keeps records: the memory of the frame is held for them. */
  #isKept = false;
  /** Outcomes that are awaited, and one for the loop that appends. */
  #waiting = 1;
  #hasError = false;
  /** What a long request does when nothing is awaited any more. */
  #whenComplete: (() => void) | null = null;

  constructor(
    context: KafkaContext,
    request: ProduceRequest,
    version: number,
    exchange: Exchange<ProduceResponseInput>,
  ) {
    this.#context = context;
    this.#version = version;
    this.#isById = version >= IDS_FROM;
    this.#acks = request.acks;
    this.#fault = faultOf(request, version);
    this.#exchange = exchange;
  }

  appendAll(topicData: readonly TopicRequest[]): void {
    for (const requestedTopic of topicData) {
      const topic = this.#topicOf(requestedTopic);
      const outcomes = this.#outcomesFor(requestedTopic);
      for (const requested of requestedTopic.partitionData) this.#append(topic, requested, outcomes);
    }
    this.#appendedAll();
  }

  /** Goes on when the connection is gone: what a client without acknowledgements sent before it left is stored. */
  async appendInTurns(
    topicData: readonly TopicRequest[],
    kept: KeptRecords,
  ): Promise<ProduceResponseInput | Later> {
    const share = new TurnShare(this.#context.clock);
    this.#isCopy = true;
    this.#exchange.begin();
    await share.rest();
    for (const requestedTopic of topicData) {
      const outcomes = this.#outcomesFor(requestedTopic);
      for (const { index, records } of requestedTopic.partitionData) {
        if (share.isUsedUp) await share.rest();
        const requested = { index, records: kept.of(records) };
        this.#append(this.#topicOf(requestedTopic), requested, outcomes);
      }
    }
    this.#exchange.taken();
    const complete = new Promise<void>((resolve) => {
      this.#whenComplete = resolve;
    });
    this.#appendedAll();
    await complete;
    if (this.#acks !== ACKS_NONE) return { responses: await this.#encodeInTurns() };
    this.#finish();
    return LATER;
  }

  async #encodeInTurns(): Promise<readonly TopicResponse[]> {
    const share = new TurnShare(this.#context.clock);
    await share.rest();
    const topics = new LongArray<TopicResponse>(() => produceApi.responseArray(this.#version, "responses"));
    for (const { name, topicId, partitionResponses } of this.#responses) {
      if (share.isUsedUp) await share.rest();
      const partitions = new LongArray<PartitionOutcome>(() =>
        produceApi.responseArray(this.#version, "responses", "partitionResponses"),
      );
      await pushInTurns(partitionResponses, partitions, share);
      topics.push({ name, topicId, partitionResponses: partitions.finish() });
    }
    return topics.finish();
  }

  /** A batch is committed or refused. */
  completed(errorCode: number, isAwaited: boolean): void {
    if (errorCode !== NO_ERROR) this.#hasError = true;
    if (isAwaited) this.#completeOne();
    else if (this.#hasError && this.#exchange.isDone) this.#exchange.session.finish();
  }

  #topicOf(requested: TopicRequest): Topic | undefined {
    return topicNamed(this.#context.broker.topics, requested, this.#isById);
  }

  #outcomesFor({ name, topicId }: TopicRequest): PartitionOutcome[] {
    const partitionResponses: PartitionOutcome[] = [];
    this.#responses.push({ name, topicId, partitionResponses });
    return partitionResponses;
  }

  #append(
    topic: Topic | undefined,
    { index, records }: PartitionRequest,
    outcomes: PartitionOutcome[],
  ): void {
    const partition = partitionOf(topic, index);
    const outcome = new PartitionOutcome(this, index, partition);
    outcomes.push(outcome);
    const unknown = topic === undefined && this.#isById ? NO_ID : NO_PARTITION;
    const fault = this.#fault ?? faultIn(partition, records, this.#version, unknown);
    if (fault !== null) {
      this.#hasError = true;
      outcome.refuse(fault);
      return;
    }
    const { keepsBuffers } = partition!;
    outcome.isAwaited = this.#acks !== ACKS_NONE || keepsBuffers;
    if (outcome.isAwaited) this.#waiting += 1;
    if (keepsBuffers) this.#isKept = true;
    const buffer = keepsBuffers && !this.#isCopy ? Buffer.from(records!) : records!;
    partition!.append(buffer, 0, buffer.length, outcome);
  }

  #appendedAll(): void {
    if (!this.#isKept) this.#exchange.releaseFrame();
    this.#completeOne();
  }

  #completeOne(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    this.#exchange.releaseFrame();
    if (this.#whenComplete === null) this.#finish();
    else this.#whenComplete();
  }

  #finish(): void {
    if (this.#acks !== ACKS_NONE) {
      this.#exchange.respond({ responses: this.#responses });
      return;
    }
    if (this.#hasError) this.#exchange.session.finish();
    this.#exchange.end();
  }
}

interface TopicResponse {
  readonly name: string;
  readonly topicId: string;
  readonly partitionResponses: readonly PartitionOutcome[];
}

/** What became of one batch, as it is answered. */
class PartitionOutcome implements AppendListener {
  readonly index: number;
  errorCode = NO_ERROR;
  baseOffset = -1;
  logAppendTimeMs = -1;
  logStartOffset = -1;
  recordErrors: readonly RecordError[] = NO_RECORD_ERRORS;
  errorMessage: string | null = null;
  /** Whether the request ends only after it. */
  isAwaited = false;
  readonly #request: PendingProduce;
  readonly #partition: Partition | undefined;

  constructor(request: PendingProduce, index: number, partition: Partition | undefined) {
    this.#request = request;
    this.index = index;
    this.#partition = partition;
  }

  refuse({ code, detail }: Fault): void {
    this.errorCode = wireCode(code);
    this.errorMessage = detail;
  }

  appended({ errorCode, errorMessage, records, baseOffset, logAppendTimeMs }: AppendOutcome): void {
    this.errorCode = errorCode;
    if (records !== undefined) this.recordErrors = records;
    this.errorMessage = errorMessage;
    this.baseOffset = baseOffset;
    this.logAppendTimeMs = logAppendTimeMs;
    this.logStartOffset = WITHOUT_START.has(errorCode) ? -1 : this.#partition!.startOffset;
    this.#request.completed(errorCode, this.isAwaited);
  }
}

const NO_ZSTD: Fault = { code: "UNSUPPORTED_COMPRESSION_TYPE", detail: `zstd needs version ${ZSTD_FROM}` };
const NO_PARTITION: Fault = { code: "UNKNOWN_TOPIC_OR_PARTITION", detail: null };
const NO_ID: Fault = { code: "UNKNOWN_TOPIC_ID", detail: null };
const NO_BATCH: Fault = { code: "INVALID_RECORD", detail: "there is no record batch for the partition" };
const NO_TRANSACTIONS: Fault = { code: "INVALID_REQUEST", detail: "transactions are not supported" };

/** What is wrong with the whole request. */
function faultOf(request: ProduceRequest, version: number): Fault | null {
  if (version < VERSION_MIN) {
    return { code: "UNSUPPORTED_VERSION", detail: `record batches of magic 2 need version ${VERSION_MIN}` };
  }
  if (request.acks < ACKS_ALL || request.acks > 1) {
    return { code: "INVALID_REQUIRED_ACKS", detail: "acks must be -1 (all), 0 or 1" };
  }
  return request.transactionalId === null ? null : NO_TRANSACTIONS;
}

/** Why the records cannot be handed to a partition. */
function faultIn(
  partition: Partition | undefined,
  records: Buffer | null,
  version: number,
  unknown: Fault,
): Fault | null {
  if (version < ZSTD_FROM && isZstd(records)) return NO_ZSTD;
  if (partition === undefined) return unknown;
  if (records === null || records.length === 0) return NO_BATCH;
  return isTransactional(records) ? NO_TRANSACTIONS : null;
}

function isZstd(records: Buffer | null): boolean {
  return records !== null && records.length >= BATCH_HEADER_BYTES && batchCodec(records, 0) === ZSTD;
}

function isTransactional(records: Buffer): boolean {
  if (records.length < BATCH_HEADER_BYTES) return false;
  return (records.readInt16BE(BATCH_ATTRIBUTES) & ATTRIBUTE_TRANSACTIONAL) !== 0;
}

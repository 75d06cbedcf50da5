/**
 * Produce: one record batch for each partition named, stored as it comes.
 *
 *   acks -1, 1   answered when every batch is committed (synced, unless the server was told otherwise)
 *   acks 0       never answered; as Kafka does, an error closes the connection, so that the client looks again
 *
 * Everything up to the log happens in the turn that brought the request, without a promise; commits come back as
 * callbacks. The request's time limit is not obeyed: a batch that was written is committed or its partition fails, and
 * an answer "timed out" would be a lie about either.
 *
 * A request with more than `PARTITIONS_AT_ONCE` partitions is stored over several turns, in its order, and nothing that follows on the
 * connection is stored before; its records are copied, because a frame is only lent.
 *
 * Refused partition by partition: versions 0 to 2 (UNSUPPORTED_VERSION; their record formats are older than magic 2), zstd
 * below version 7 (UNSUPPORTED_COMPRESSION_TYPE: who speaks so does not know zstd),
 * other acks (INVALID_REQUIRED_ACKS), transactions (INVALID_REQUEST: not supported), unknown topics
 * (UNKNOWN_TOPIC_OR_PARTITION: clients ask Metadata first, which creates them), and what the partition refuses.
 */

import { ERRORS, type ErrorCode, NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { AppendResult, Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import type { ProduceRequest, ProduceResponseInput } from "../../protocol/kafka/apis/produce.ts";
import {
  ATTRIBUTE_TRANSACTIONAL,
  BATCH_ATTRIBUTES,
  BATCH_HEADER_BYTES,
  batchCodec,
} from "../../protocol/record/batch.ts";
import { CODECS } from "../../protocol/record/compression.ts";
import { LATER, type Later } from "../dispatch.ts";
import type { KafkaContext } from "./context.ts";
import { partitionOf } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";

/** The first version whose records are of magic 2. */
const VERSION_MIN = 3;
/** The first version that takes zstd. */
const ZSTD_FROM = 7;
const ZSTD = CODECS.indexOf("zstd");
const ACKS_NONE = 0;
const ACKS_ALL = -1;

/** Partitions that are stored in the turn that brought the request: appending takes some 5 us for each. */
const PARTITIONS_AT_ONCE = 500;

type TopicRequest = ProduceRequest["topicData"][number];
type PartitionRequest = TopicRequest["partitionData"][number];

interface PartitionResponse {
  index: number;
  errorCode: number;
  baseOffset: number;
  logAppendTimeMs: number;
  logStartOffset: number;
  recordErrors: { batchIndex: number; batchIndexErrorMessage: string | null }[];
  errorMessage: string | null;
}

interface TopicResponse {
  name: string;
  partitionResponses: PartitionResponse[];
}

interface RequestFault {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** Refusals that do not tell where the log starts: nothing was looked at but the batch, or the log could not be. */
const WITHOUT_START: ReadonlySet<number> = new Set([
  wireCode("CORRUPT_MESSAGE"),
  wireCode("MESSAGE_TOO_LARGE"),
  wireCode("UNKNOWN_TOPIC_OR_PARTITION"),
  wireCode("KAFKA_STORAGE_ERROR"),
]);
const NO_RECORD_ERRORS: PartitionResponse["recordErrors"] = [];

export function produce(
  context: KafkaContext,
  request: ProduceRequest,
  version: number,
  exchange: Exchange<ProduceResponseInput>,
): Promise<Later> | Later {
  const pending = new PendingProduce(context, request, version, exchange);
  if (partitionsIn(request) > PARTITIONS_AT_ONCE) return pending.appendInTurns(kept(request.topicData));
  pending.appendAll(request.topicData);
  return LATER;
}

export function refuseProduce(request: ProduceRequest, errorCode: number): ProduceResponseInput {
  const responses = request.topicData.map(({ name, partitionData }) => ({
    name,
    partitionResponses: partitionData.map(({ index }) => refused(index, errorCode, null)),
  }));
  return { responses };
}

function partitionsIn({ topicData }: ProduceRequest): number {
  let count = 0;
  for (const { partitionData } of topicData) count += partitionData.length;
  return count;
}

/** The same with records of its own. */
function kept(topicData: readonly TopicRequest[]): TopicRequest[] {
  return topicData.map(({ name, partitionData }) => ({
    name,
    partitionData: partitionData.map(({ index, records }) => ({
      index,
      records: records === null ? null : Buffer.from(records),
    })),
  }));
}

/** A request whose batches are stored but maybe not yet committed. */
class PendingProduce {
  readonly #context: KafkaContext;
  readonly #version: number;
  readonly #acks: number;
  readonly #fault: RequestFault | null;
  readonly #exchange: Exchange<ProduceResponseInput>;
  readonly #responses: TopicResponse[] = [];
  /** Commits that are awaited, and one for the loop that starts them. */
  #waiting = 1;
  #hasError = false;

  constructor(
    context: KafkaContext,
    request: ProduceRequest,
    version: number,
    exchange: Exchange<ProduceResponseInput>,
  ) {
    this.#context = context;
    this.#version = version;
    this.#acks = request.acks;
    this.#fault = faultOf(request, version);
    this.#exchange = exchange;
  }

  appendAll(topicData: readonly TopicRequest[]): void {
    for (const { name, partitionData } of topicData) {
      const topic = this.#context.broker.topics.get(name);
      const responses = this.#responsesFor(name);
      for (const requested of partitionData) responses.push(this.#respond(topic, requested));
    }
    this.#exchange.releaseFrame();
    this.#complete();
  }

  /** Goes on when the connection is gone: what a client without acknowledgements sent before it left is stored. */
  async appendInTurns(topicData: readonly TopicRequest[]): Promise<Later> {
    const share = new TurnShare(this.#context.clock);
    this.#exchange.begin();
    await share.rest();
    for (const { name, partitionData } of topicData) {
      const responses = this.#responsesFor(name);
      for (const requested of partitionData) {
        if (share.isUsedUp) await share.rest();
        responses.push(this.#respond(this.#context.broker.topics.get(name), requested));
      }
    }
    this.#exchange.releaseFrame();
    this.#exchange.taken();
    this.#complete();
    return LATER;
  }

  #responsesFor(name: string): PartitionResponse[] {
    const partitionResponses: PartitionResponse[] = [];
    this.#responses.push({ name, partitionResponses });
    return partitionResponses;
  }

  #respond(topic: Topic | undefined, { index, records }: PartitionRequest): PartitionResponse {
    const fault = this.#fault ?? (this.#version < ZSTD_FROM && isZstd(records) ? NO_ZSTD : null);
    if (fault !== null) return this.#failed(refused(index, wireCode(fault.code), fault.detail));
    return this.#append(partitionOf(topic, index), index, records);
  }

  #append(partition: Partition | undefined, index: number, records: Buffer | null): PartitionResponse {
    if (partition === undefined) {
      return this.#failed(refused(index, wireCode("UNKNOWN_TOPIC_OR_PARTITION"), null));
    }
    if (records === null || records.length === 0) {
      return this.#failed(
        refused(index, wireCode("INVALID_RECORD"), "there is no record batch for the partition"),
      );
    }
    if (isTransactional(records)) {
      return this.#failed(refused(index, wireCode("INVALID_REQUEST"), NO_TRANSACTIONS));
    }
    const result = partition.append(records, 0, records.length);
    const response = responseOf(partition, result);
    if (result.errorCode !== NO_ERROR) return this.#failed(response);
    if (this.#acks !== ACKS_NONE) this.#await(partition, result.endOffset, response);
    return response;
  }

  #await(partition: Partition, endOffset: number, response: PartitionResponse): void {
    this.#waiting += 1;
    partition.whenDurable(endOffset, (error) => {
      if (error !== null) {
        response.errorCode = wireCode(error);
        response.errorMessage = `${ERRORS[error].sentence}; the records were not committed`;
        response.baseOffset = -1;
        response.logAppendTimeMs = -1;
      }
      this.#complete();
    });
  }

  #complete(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    if (this.#acks !== ACKS_NONE) {
      this.#exchange.respond({ responses: this.#responses });
      return;
    }
    if (this.#hasError) this.#exchange.session.finish();
    this.#exchange.end();
  }

  #failed(response: PartitionResponse): PartitionResponse {
    this.#hasError = true;
    return response;
  }
}

const NO_ZSTD: RequestFault = {
  code: "UNSUPPORTED_COMPRESSION_TYPE",
  detail: `zstd needs version ${ZSTD_FROM}`,
};
const NO_TRANSACTIONS = "transactions are not supported";

/** What is wrong with the whole request. */
function faultOf(request: ProduceRequest, version: number): RequestFault | null {
  if (version < VERSION_MIN) {
    return { code: "UNSUPPORTED_VERSION", detail: `record batches of magic 2 need version ${VERSION_MIN}` };
  }
  if (request.acks < ACKS_ALL || request.acks > 1) {
    return { code: "INVALID_REQUIRED_ACKS", detail: "acks must be -1 (all), 0 or 1" };
  }
  if (request.transactionalId !== null) return { code: "INVALID_REQUEST", detail: NO_TRANSACTIONS };
  return null;
}

function isZstd(records: Buffer | null): boolean {
  return records !== null && records.length >= BATCH_HEADER_BYTES && batchCodec(records, 0) === ZSTD;
}

function isTransactional(records: Buffer): boolean {
  if (records.length < BATCH_HEADER_BYTES) return false;
  return (records.readInt16BE(BATCH_ATTRIBUTES) & ATTRIBUTE_TRANSACTIONAL) !== 0;
}

function responseOf(partition: Partition, result: AppendResult): PartitionResponse {
  return {
    index: partition.index,
    errorCode: result.errorCode,
    baseOffset: result.baseOffset,
    logAppendTimeMs: result.logAppendTimeMs,
    logStartOffset: WITHOUT_START.has(result.errorCode) ? -1 : partition.startOffset,
    recordErrors: NO_RECORD_ERRORS,
    errorMessage: result.errorMessage,
  };
}

function refused(index: number, errorCode: number, errorMessage: string | null): PartitionResponse {
  return {
    index,
    errorCode,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: NO_RECORD_ERRORS,
    errorMessage,
  };
}

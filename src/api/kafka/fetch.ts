/**
 * Fetch: record batches from several partitions, as they lie in the log. The waiting is consumer/fetches.ts.
 *
 * Sessions (KIP-227) are not kept: a full fetch is always answered with session 0, which tells the client to send full
 * fetches; a fetch that relies on a session is FETCH_SESSION_ID_NOT_FOUND, upon which clients send a full one.
 * There are no transactions, so the last stable offset is the high watermark, and a reader of committed records gets
 * an empty list of aborted ones; others get null, which is not the same. As in Kafka an unknown partition has the empty list,
 * and one that could not be read has null. Every negative leader epoch means that the client knows none.
 */

import type { ByteSource } from "../../base/byte-source.ts";
import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { FetchSlot, NO_RECORDS } from "../../consumer/fetch-slot.ts";
import type { Fetch } from "../../consumer/long-poll.ts";
import type { FetchRequest, FetchResponseInput } from "../../protocol/kafka/apis/fetch.ts";
import { errorCodeFor, LATER, type Later } from "../dispatch.ts";
import type { KafkaContext } from "./context.ts";
import { EPOCH_UNKNOWN, partitionError, partitionOf, topicNamed, unknownTopic } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";

const NO_SESSION = 0;
/** A full fetch that would open a session, and one that closes it. */
const EPOCH_INITIAL = 0;
const EPOCH_FINAL = -1;
const READ_COMMITTED = 1;
/** The first version that names topics by id. */
const IDS_FROM = 13;
const NO_ABORTED_TRANSACTIONS: readonly never[] = [];
const UNKNOWN_PARTITION = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
const UNKNOWN_ID = wireCode("UNKNOWN_TOPIC_ID");

type PartitionResponse = FetchResponseInput["responses"][number]["partitions"][number];

export function fetch(
  context: KafkaContext,
  request: FetchRequest,
  version: number,
  exchange: Exchange<FetchResponseInput>,
): FetchResponseInput | Later {
  if (request.sessionEpoch !== EPOCH_INITIAL && request.sessionEpoch !== EPOCH_FINAL) {
    return { errorCode: wireCode("FETCH_SESSION_ID_NOT_FOUND"), sessionId: NO_SESSION, responses: [] };
  }
  const slots = slotsOf(context, request, version >= IDS_FROM);
  exchange.releaseFrame();
  const started = context.fetches.start(slots, request, exchange.session.rotation, {
    fetchDone: (done, failure) => {
      exchange.fetch = done;
      if (failure === null) exchange.respond(responseOf(request, done));
      else exchange.respond(refuseFetch(request, errorCodeFor(context, failure, exchange)));
    },
  });
  exchange.fetch = started;
  return LATER;
}

export function refuseFetch(request: FetchRequest, errorCode: number): FetchResponseInput {
  const responses = request.topics.map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) =>
      partitionResponse(partition, errorCode, -1, -1, NO_RECORDS, abortedFor(errorCode)),
    ),
  }));
  return { sessionId: NO_SESSION, responses };
}

function slotsOf({ broker }: KafkaContext, request: FetchRequest, isById: boolean): FetchSlot[] {
  const slots: FetchSlot[] = [];
  for (const { topic: name, topicId, partitions } of request.topics) {
    const topic = topicNamed(broker.topics, { name, topicId }, isById);
    const unknown = topic === undefined ? wireCode(unknownTopic(isById)) : UNKNOWN_PARTITION;
    for (const requested of partitions) {
      const partition = partitionOf(topic, requested.partition);
      if (partition === undefined) {
        slots.push(new FetchSlot(null, requested.fetchOffset, 0, unknown));
        continue;
      }
      const errorCode = partitionError(partition, Math.max(requested.currentLeaderEpoch, EPOCH_UNKNOWN));
      const source = errorCode === NO_ERROR ? partition : null;
      slots.push(new FetchSlot(source, requested.fetchOffset, requested.partitionMaxBytes, errorCode));
    }
  }
  return slots;
}

function responseOf(request: FetchRequest, fetch: Fetch): FetchResponseInput {
  const abortedIfRead = request.isolationLevel === READ_COMMITTED ? NO_ABORTED_TRANSACTIONS : null;
  const responses: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = [];
  let next = 0;
  for (const { topic, topicId, partitions } of request.topics) {
    const partitionResponses: PartitionResponse[] = [];
    for (const { partition } of partitions) {
      const { errorCode, highWatermark, startOffset, records } = fetch.slots[next]!;
      const aborted = errorCode === NO_ERROR ? abortedIfRead : abortedFor(errorCode);
      partitionResponses.push(
        partitionResponse(partition, errorCode, highWatermark, startOffset, records, aborted),
      );
      next += 1;
    }
    responses.push({ topic, topicId, partitions: partitionResponses });
  }
  return { throttleTimeMs: fetch.throttleTimeMs, sessionId: NO_SESSION, responses };
}

function abortedFor(errorCode: number): readonly never[] | null {
  return errorCode === UNKNOWN_PARTITION || errorCode === UNKNOWN_ID ? NO_ABORTED_TRANSACTIONS : null;
}

function partitionResponse(
  partitionIndex: number,
  errorCode: number,
  highWatermark: number,
  logStartOffset: number,
  records: ByteSource,
  abortedTransactions: readonly never[] | null,
): PartitionResponse {
  return {
    partitionIndex,
    errorCode,
    highWatermark,
    lastStableOffset: highWatermark,
    logStartOffset,
    abortedTransactions,
    records,
  };
}

/**
 * Fetch: record batches from several partitions, as they lie in the log. The waiting is consumer/fetch.ts.
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
import { EPOCH_UNKNOWN, partitionError, partitionOf } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";

const NO_SESSION = 0;
/** A full fetch that would open a session, and one that closes it. */
const EPOCH_INITIAL = 0;
const EPOCH_FINAL = -1;
const READ_COMMITTED = 1;
const NOBODY_ABORTED: readonly never[] = [];
const UNKNOWN_PARTITION = wireCode("UNKNOWN_TOPIC_OR_PARTITION");

type PartitionAnswer = FetchResponseInput["responses"][number]["partitions"][number];

export function fetch(
  context: KafkaContext,
  request: FetchRequest,
  _version: number,
  exchange: Exchange<FetchResponseInput>,
): FetchResponseInput | Later {
  if (request.sessionEpoch !== EPOCH_INITIAL && request.sessionEpoch !== EPOCH_FINAL) {
    return { errorCode: wireCode("FETCH_SESSION_ID_NOT_FOUND"), sessionId: NO_SESSION, responses: [] };
  }
  const slots = slotsOf(context, request);
  exchange.releaseFrame();
  const started = context.fetches.start(slots, request, exchange.session.rotation, {
    fetchDone: (done, failure) => {
      exchange.fetch = done;
      if (failure === null) exchange.answer(answerOf(request, done));
      else exchange.answer(refuseFetch(request, errorCodeFor(context, failure, exchange)));
    },
  });
  exchange.fetch = started;
  return LATER;
}

export function refuseFetch(request: FetchRequest, errorCode: number): FetchResponseInput {
  const responses = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) =>
      partitionAnswer(partition, errorCode, -1, -1, NO_RECORDS, abortedFor(errorCode)),
    ),
  }));
  return { sessionId: NO_SESSION, responses };
}

function slotsOf({ broker }: KafkaContext, request: FetchRequest): FetchSlot[] {
  const slots: FetchSlot[] = [];
  for (const { topic: name, partitions } of request.topics) {
    const topic = broker.topics.get(name);
    for (const asked of partitions) {
      const partition = partitionOf(topic, asked.partition);
      if (partition === undefined) {
        slots.push(new FetchSlot(null, asked.fetchOffset, 0, UNKNOWN_PARTITION));
        continue;
      }
      const errorCode = partitionError(partition, Math.max(asked.currentLeaderEpoch, EPOCH_UNKNOWN));
      const source = errorCode === NO_ERROR ? partition : null;
      slots.push(new FetchSlot(source, asked.fetchOffset, asked.partitionMaxBytes, errorCode));
    }
  }
  return slots;
}

function answerOf(request: FetchRequest, fetch: Fetch): FetchResponseInput {
  const abortedIfRead = request.isolationLevel === READ_COMMITTED ? NOBODY_ABORTED : null;
  const responses: { topic: string; partitions: PartitionAnswer[] }[] = [];
  let next = 0;
  for (const { topic, partitions } of request.topics) {
    const answers: PartitionAnswer[] = [];
    for (const { partition } of partitions) {
      const { errorCode, highWatermark, startOffset, records } = fetch.slots[next]!;
      const aborted = errorCode === NO_ERROR ? abortedIfRead : abortedFor(errorCode);
      answers.push(partitionAnswer(partition, errorCode, highWatermark, startOffset, records, aborted));
      next += 1;
    }
    responses.push({ topic, partitions: answers });
  }
  return { throttleTimeMs: fetch.throttleTimeMs, sessionId: NO_SESSION, responses };
}

function abortedFor(errorCode: number): readonly never[] | null {
  return errorCode === UNKNOWN_PARTITION ? NOBODY_ABORTED : null;
}

function partitionAnswer(
  partitionIndex: number,
  errorCode: number,
  highWatermark: number,
  logStartOffset: number,
  records: ByteSource,
  abortedTransactions: readonly never[] | null,
): PartitionAnswer {
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

/**
 * Fetch: record batches from several partitions, as they lie in the log. The waiting is consumer/fetches.ts.
 *
 * With a session (KIP-227, consumer/fetch-sessions.ts) a fetch names only partitions that have changed, and so does its response. Every
 * full fetch that is answered opens one where there is room for it, unless its epoch says that it wants none.
 *
 * A partition of a session whose topic was removed is UNKNOWN_TOPIC_OR_PARTITION; when there is another topic of its name, it is that
 * topic's partition, or INCONSISTENT_TOPIC_ID where the session names topics by id.
 *
 * There are no transactions, so the last stable offset is the high watermark, and a reader of committed records gets
 * an empty list of aborted ones; others get null, which is not the same. As in Kafka an unknown partition has the empty list,
 * and one that could not be read has null. Every negative leader epoch means that the client knows none.
 */

import type { ByteSource } from "../../base/byte-source.ts";
import { type ErrorCode, NO_ERROR, wireCode } from "../../base/errors.ts";
import type { Partition } from "../../broker/partition.ts";
import { FetchedPartition, type FetchSession, NO_SESSION } from "../../consumer/fetch-sessions.ts";
import { FetchSlot, NO_RECORDS } from "../../consumer/fetch-slot.ts";
import type { Fetch } from "../../consumer/long-poll.ts";
import type { FetchRequest, FetchResponseInput } from "../../protocol/kafka/apis/fetch.ts";
import { errorCodeFor, LATER, type Later } from "../dispatch.ts";
import { type KafkaContext, placeFor } from "./context.ts";
import { EPOCH_UNKNOWN, partitionError, partitionOf, topicNamed, unknownTopic } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";

/** Epochs of a full fetch: one that opens a session, and one that wants none. */
const EPOCH_INITIAL = 0;
const EPOCH_FINAL = -1;
const READ_COMMITTED = 1;
/** The first version that names topics by id. */
const IDS_FROM = 13;
const NO_ABORTED_TRANSACTIONS: readonly never[] = [];
const UNKNOWN_PARTITION = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
const UNKNOWN_ID = wireCode("UNKNOWN_TOPIC_ID");
const INCONSISTENT_ID = wireCode("INCONSISTENT_TOPIC_ID");
const FENCED = wireCode("FENCED_LEADER_EPOCH");
/** The first version that tells a client with an old leader epoch who leads. */
const LEADERS_FROM = 16;

type PartitionRequest = FetchRequest["topics"][number]["partitions"][number];
type PartitionResponse = FetchResponseInput["responses"][number]["partitions"][number];
type CurrentLeader = NonNullable<PartitionResponse["currentLeader"]>;

interface TopicResponse {
  topic: string;
  topicId: string;
  partitions: PartitionResponse[];
}

export function fetch(
  context: KafkaContext,
  request: FetchRequest,
  version: number,
  exchange: Exchange<FetchResponseInput>,
): FetchResponseInput | Later {
  const { sessionId, sessionEpoch } = request;
  const isById = version >= IDS_FROM;
  if (sessionEpoch !== EPOCH_INITIAL && sessionEpoch !== EPOCH_FINAL) {
    const session = goOn(context, request, isById);
    if (typeof session === "string") return refused(wireCode(session));
    if (session !== null) return fetchInSession(context, request, session, exchange);
  } else if (sessionId !== NO_SESSION) context.fetchSessions.end(sessionId);
  const slots = slotsOf(context, request, isById);
  start(context, request, slots, exchange, (done) => responseOf(context, request, done, exchange));
  return LATER;
}

/** What a fetch waits for beside those partitions that it names: see `FETCHED_PARTITION_BYTES`. */
export function fetchedPartitions({ fetchSessions }: KafkaContext, request: FetchRequest): number {
  let partitions = fetchSessions.get(request.sessionId)?.size ?? 0;
  for (const topic of request.topics) partitions += topic.partitions.length;
  return partitions;
}

/** The session that the fetch goes on with, changed as it says; null when no partition is left in it. */
function goOn(
  { fetchSessions }: KafkaContext,
  { sessionId, sessionEpoch, topics, forgottenTopicsData }: FetchRequest,
  isById: boolean,
): FetchSession | ErrorCode | null {
  const session = fetchSessions.resume(sessionId, sessionEpoch, isById);
  if (typeof session === "string") return session;
  const before = session.size;
  for (const { topic, topicId, partitions } of topics) {
    for (const requested of partitions)
      change(session.fetched(topic, topicId, requested.partition), requested);
  }
  for (const { topic, topicId, partitions } of forgottenTopicsData) {
    for (const partition of partitions) session.forget(topic, topicId, partition);
  }
  if (fetchSessions.changed(session, before)) return session;
  return session.size === 0 ? null : "FETCH_SESSION_ID_NOT_FOUND";
}

function change(fetched: FetchedPartition, requested: PartitionRequest): void {
  fetched.fetchOffset = requested.fetchOffset;
  fetched.bytesMax = requested.partitionMaxBytes;
  fetched.leaderEpoch = requested.currentLeaderEpoch;
}

function fetchInSession(
  context: KafkaContext,
  request: FetchRequest,
  session: FetchSession,
  exchange: Exchange<FetchResponseInput>,
): Later {
  const { epoch } = session;
  const partitions = [...session.partitions()];
  const slots = partitions.map((fetched) => slotInSession(context, fetched, session.isById));
  start(context, request, slots, exchange, (done) => {
    // A fetch of the same session has come meanwhile: what this one would tell is not recorded.
    if (session.epoch !== epoch) return refused(wireCode("INVALID_FETCH_SESSION_EPOCH"), session.id);
    const { throttleTimeMs } = done;
    return { throttleTimeMs, sessionId: session.id, ...newsOf(context, request, partitions, done, exchange) };
  });
  return LATER;
}

function start(
  context: KafkaContext,
  request: FetchRequest,
  slots: readonly FetchSlot[],
  exchange: Exchange<FetchResponseInput>,
  respond: (done: Fetch) => FetchResponseInput,
): void {
  exchange.releaseFrame();
  const started = context.fetches.start(slots, request, exchange.session.rotation, {
    fetchDone: (done, failure) => {
      exchange.fetch = done;
      if (failure === null) exchange.respond(respond(done));
      else exchange.respond(refuseFetch(request, errorCodeFor(context, failure, exchange)));
    },
  });
  exchange.fetch = started;
}

function refused(errorCode: number, sessionId = NO_SESSION): FetchResponseInput {
  return { errorCode, sessionId, responses: [] };
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

/** A partition of a session, as it is now. */
function slotInSession(
  { broker: { topics } }: KafkaContext,
  fetched: FetchedPartition,
  isById: boolean,
): FetchSlot {
  const { topic: name, topicId, partition: index } = fetched;
  const topic = topicNamed(topics, { name, topicId }, isById);
  if (isById && topic !== undefined) fetched.topic = topic.name;
  if (topic !== undefined) {
    const { fetchOffset, bytesMax, leaderEpoch } = fetched;
    return slotFor(partitionOf(topic, index), fetchOffset, bytesMax, leaderEpoch, UNKNOWN_PARTITION);
  }
  let unknown = wireCode(unknownTopic(isById));
  if (isById && name !== "") unknown = topics.get(name) === undefined ? UNKNOWN_PARTITION : INCONSISTENT_ID;
  return new FetchSlot(null, fetched.fetchOffset, 0, unknown);
}

function slotFor(
  partition: Partition | undefined,
  offset: number,
  bytesMax: number,
  leaderEpoch: number,
  unknown: number,
): FetchSlot {
  if (partition === undefined) return new FetchSlot(null, offset, 0, unknown);
  const errorCode = partitionError(partition, Math.max(leaderEpoch, EPOCH_UNKNOWN));
  return new FetchSlot(errorCode === NO_ERROR ? partition : null, offset, bytesMax, errorCode);
}

function slotsOf({ broker }: KafkaContext, request: FetchRequest, isById: boolean): FetchSlot[] {
  const slots: FetchSlot[] = [];
  for (const { topic: name, topicId, partitions } of request.topics) {
    const topic = topicNamed(broker.topics, { name, topicId }, isById);
    const unknown = topic === undefined ? wireCode(unknownTopic(isById)) : UNKNOWN_PARTITION;
    for (const { partition: index, fetchOffset, partitionMaxBytes, currentLeaderEpoch } of partitions) {
      const partition = partitionOf(topic, index);
      slots.push(slotFor(partition, fetchOffset, partitionMaxBytes, currentLeaderEpoch, unknown));
    }
  }
  return slots;
}

/** Of a full fetch: every partition, and the session that it opens. */
function responseOf(
  context: KafkaContext,
  request: FetchRequest,
  fetch: Fetch,
  exchange: Exchange<FetchResponseInput>,
): FetchResponseInput {
  const { version } = exchange;
  const opened: FetchedPartition[] | null = request.sessionEpoch === EPOCH_INITIAL ? [] : null;
  const responses: TopicResponse[] = [];
  let isFenced = false;
  let next = 0;
  for (const { topic, topicId, partitions } of request.topics) {
    const partitionResponses: PartitionResponse[] = [];
    for (const requested of partitions) {
      const slot = fetch.slots[next]!;
      const response = told(request, requested.partition, slot);
      if (slot.errorCode === FENCED && version >= LEADERS_FROM) {
        isFenced = true;
        response.currentLeader = leaderOf(context, topic, topicId, requested.partition, version >= IDS_FROM);
      }
      partitionResponses.push(response);
      if (opened !== null) opened.push(firstTold(context, topic, topicId, requested, slot, version));
      next += 1;
    }
    responses.push({ topic, topicId, partitions: partitionResponses });
  }
  const sessionId = opened === null ? NO_SESSION : openSession(context, opened, version >= IDS_FROM);
  const nodeEndpoints = isFenced ? [placeFor(context, exchange.session.localHost)] : [];
  return { throttleTimeMs: fetch.throttleTimeMs, sessionId, responses, nodeEndpoints };
}

function openSession({ fetchSessions }: KafkaContext, opened: FetchedPartition[], isById: boolean): number {
  return fetchSessions.open(opened, opened.length, isById)?.id ?? NO_SESSION;
}

function firstTold(
  { broker: { topics } }: KafkaContext,
  topic: string,
  topicId: string,
  requested: PartitionRequest,
  { errorCode, highWatermark, startOffset }: FetchSlot,
  version: number,
): FetchedPartition {
  const name = version >= IDS_FROM ? (topics.byId(topicId)?.name ?? "") : topic;
  const fetched = new FetchedPartition(name, topicId, requested.partition);
  change(fetched, requested);
  fetched.isNews(errorCode, highWatermark, startOffset, 0);
  return fetched;
}

/** What is new for the consumer, topic by topic. */
function newsOf(
  context: KafkaContext,
  request: FetchRequest,
  fetched: readonly FetchedPartition[],
  fetch: Fetch,
  { version, session }: Exchange<FetchResponseInput>,
): { responses: TopicResponse[]; nodeEndpoints: { nodeId: number; host: string; port: number }[] } {
  const isById = version >= IDS_FROM;
  const responses: TopicResponse[] = [];
  let partitions: PartitionResponse[] = [];
  let last: FetchedPartition | null = null;
  let isFenced = false;
  for (const [index, each] of fetched.entries()) {
    const slot = fetch.slots[index]!;
    const { errorCode, highWatermark, startOffset, records } = slot;
    if (!each.isNews(errorCode, highWatermark, startOffset, records.length)) continue;
    const { topic, topicId, partition } = each;
    if (last === null || (isById ? topicId !== last.topicId : topic !== last.topic)) {
      partitions = [];
      responses.push({ topic: isById ? "" : topic, topicId, partitions });
      last = each;
    }
    const response = told(request, partition, slot);
    if (errorCode === FENCED && version >= LEADERS_FROM) {
      isFenced = true;
      response.currentLeader = leaderOf(context, topic, topicId, partition, isById);
    }
    partitions.push(response);
  }
  return { responses, nodeEndpoints: isFenced ? [placeFor(context, session.localHost)] : [] };
}

function told({ isolationLevel }: FetchRequest, partition: number, slot: FetchSlot): PartitionResponse {
  const { errorCode, highWatermark, startOffset, records } = slot;
  const abortedIfRead = isolationLevel === READ_COMMITTED ? NO_ABORTED_TRANSACTIONS : null;
  const aborted = errorCode === NO_ERROR ? abortedIfRead : abortedFor(errorCode);
  return partitionResponse(partition, errorCode, highWatermark, startOffset, records, aborted);
}

function leaderOf(
  { broker: { nodeId, topics } }: KafkaContext,
  name: string,
  topicId: string,
  partition: number,
  isById: boolean,
): CurrentLeader {
  const leaderEpoch = partitionOf(topicNamed(topics, { name, topicId }, isById), partition)?.leaderEpoch;
  return { leaderId: nodeId, leaderEpoch: leaderEpoch ?? EPOCH_UNKNOWN };
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

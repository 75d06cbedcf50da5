/**
 * `GET /topics/{topic}/messages`: records as JSON, or as a stream of NDJSON.
 *
 *   JSON     up to `limit` messages and some bytes, and where to go on: {"messages": [...], "next": {"0": 120}}
 *   NDJSON   a message on each line, as fast as the peer takes them, to the end of the log as it is then
 *
 * With `wait` neither ends at the end of the log, but when nothing has come for so long. A filter may leave nothing of very much: a JSON
 * answer looks at `LOOK_MS` worth of the log and says where to go on.
 *
 * A stream reads on only when what it has read is taken, so a peer that does not read holds one piece of memory and no more; when it
 * takes nothing for `STALL_SECONDS`, or others wait for that memory, it is cut.
 */

import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { KiB, MiB } from "../../base/units.ts";
import type { Topic } from "../../broker/topic.ts";
import { type PlacedRecord, recordJson } from "../../protocol/record/record-json.ts";
import type { HttpParts } from "../http-parts.ts";
import { problemOf } from "../problem.ts";
import { RequestMemory } from "../request-memory.ts";
import { readBackwards } from "./backward-read.ts";
import { ForwardRead } from "./forward-read.ts";
import { LIMIT_MAX, planOf, type ReadPlan, type ReadQuery } from "./read-query.ts";
import type { UnreadableBatch } from "./record-read.ts";
import { startOffsets } from "./start-offsets.ts";
import { waitForRecords } from "./wait.ts";

const LIMIT_DEFAULT = 100;
/** Keys and values of one JSON answer. */
const ANSWER_BYTES = 512 * KiB;
/** What a JSON answer holds of the memory for responses. */
const ANSWER_MEMORY = MiB;
/** Keys and values of one piece of a stream, and what a stream holds of the memory for responses. */
const PIECE_BYTES = 64 * KiB;
const PIECE_RECORDS = 1000;
const STREAM_MEMORY = 512 * KiB;
/** How long one answer looks for what matches. */
const LOOK_MS = 2000;
/** A stream of which nothing is taken for so long is cut. */
const STALL_SECONDS = 30;
/** Messages between two looks at the clock. */
const MESSAGES_AT_ONCE = 64;

const JSON_TYPE = { "content-type": "application/json", "cache-control": "no-store" };
const NDJSON_TYPE = { "content-type": "application/x-ndjson", "cache-control": "no-store" };

/** @throws ObeliskError */
export async function readMessages(
  parts: HttpParts,
  request: Request,
  topic: Topic,
  query: ReadQuery,
): Promise<Response> {
  const isStream = /\bapplication\/(x-ndjson|ndjson|jsonl)\b/.test(request.headers.get("accept") ?? "");
  const plan = planOf(topic, query, isStream ? Number.POSITIVE_INFINITY : LIMIT_DEFAULT);
  if (plan.isBackwards && (isStream || plan.waitMs > 0))
    throw new ObeliskError("INVALID_REQUEST", { detail: "order=desc is neither streamed nor waited for" });
  if (!isStream && plan.limit > LIMIT_MAX)
    throw new ObeliskError("INVALID_REQUEST", {
      detail: `limit cannot be ${plan.limit}`,
      limit: LIMIT_MAX,
      remedy: "read on at `next`, or accept application/x-ndjson",
    });
  const host = parts.servers.of(request).requestIP(request)?.address ?? "";
  const memory = new RequestMemory(parts.responseBudget, host);
  if (isStream) return await streamMessages(parts, request, plan, memory);
  using held = memory;
  return await answerMessages(parts, request, plan, held);
}

interface Found {
  readonly records: readonly PlacedRecord[];
  readonly next: Record<string, number>;
  readonly unreadable: readonly UnreadableBatch[];
}

async function answerMessages(
  parts: HttpParts,
  request: Request,
  plan: ReadPlan,
  memory: RequestMemory,
): Promise<Response> {
  await memory.reserve(ANSWER_MEMORY);
  const { clock, servers } = parts;
  if (plan.waitMs > 0) servers.of(request).timeout(request, 0);
  const found =
    plan.isBackwards || plan.start.kind === "last"
      ? await readLast(clock, request, plan)
      : await readForwards(clock, request, plan, memory);
  const { records, next, unreadable } = found;
  const messages = await textsOf(records, clock);
  const more = unreadable.length === 0 ? "" : `,"unreadable":${JSON.stringify(unreadable)}`;
  return new Response(`{"messages":[${messages.join(",")}],"next":${JSON.stringify(next)}${more}}`, {
    headers: JSON_TYPE,
  });
}

/** Who waits holds no memory. */
async function readForwards(
  clock: Clock,
  request: Request,
  plan: ReadPlan,
  memory: RequestMemory,
): Promise<Found> {
  const read = await forwardRead(clock, request, plan);
  const limits = { records: plan.limit, bytes: ANSWER_BYTES };
  const unreadable: UnreadableBatch[] = [];
  const isEnough = enoughAfter(clock, request.signal);
  const untilMs = clock.monotonicMs() + plan.waitMs;
  for (;;) {
    const records = await read.read(limits, isEnough);
    unreadable.push(...read.unreadable);
    const leftMs = untilMs - clock.monotonicMs();
    if (records.length > 0 || leftMs <= 0 || read.isBehind || request.signal.aborted)
      return { records, next: read.next, unreadable };
    memory.release(ANSWER_MEMORY);
    await waitForRecords(plan.partitions, () => read.isBehind, leftMs, clock, request.signal);
    await memory.reserve(ANSWER_MEMORY);
  }
}

/** Backwards; or the last so many, in their order, and then `next` is the end. */
async function readLast(clock: Clock, request: Request, plan: ReadPlan): Promise<Found> {
  const { partitions, start, matches } = plan;
  const isLast = start.kind === "last";
  const ends = await startOffsets(
    partitions,
    isLast ? { kind: "latest" } : start,
    () => !request.signal.aborted,
  );
  const limits = {
    records: isLast ? Math.min(start.count, plan.limit) : plan.limit,
    bytes: ANSWER_BYTES,
  };
  const isEnough = enoughAfter(clock, request.signal);
  const found = await readBackwards(partitions, ends, limits, clock, matches, isEnough);
  if (!isLast) return found;
  const next = Object.fromEntries(partitions.map(({ index }, place) => [String(index), ends[place]!]));
  return { records: found.records.reverse(), next, unreadable: found.unreadable };
}

async function streamMessages(
  parts: HttpParts,
  request: Request,
  plan: ReadPlan,
  memory: RequestMemory,
): Promise<Response> {
  const { clock, servers } = parts;
  const { signal } = request;
  try {
    await memory.reserve(STREAM_MEMORY);
    const read = await forwardRead(clock, request, plan);
    const pieces = piecesOf(clock, signal, plan, read, (seconds) =>
      servers.of(request).timeout(request, seconds),
    );
    return new Response(streamOf(pieces, memory), { headers: NDJSON_TYPE });
  } catch (thrown) {
    memory[Symbol.dispose]();
    throw thrown;
  }
}

/** Some lines each. What ends it early is its last line. */
async function* piecesOf(
  clock: Clock,
  signal: AbortSignal,
  plan: ReadPlan,
  read: ForwardRead,
  keepOpen: (seconds: number) => void,
): AsyncGenerator<string, void> {
  const never = () => signal.aborted;
  let left = plan.limit;
  try {
    while (left > 0 && !signal.aborted) {
      keepOpen(0);
      loopTurns.enter("http");
      const records = await read.read({ records: Math.min(left, PIECE_RECORDS), bytes: PIECE_BYTES }, never);
      left -= records.length;
      const lines = await textsOf(records, clock);
      for (const batch of read.unreadable) lines.push(JSON.stringify({ unreadable: batch }));
      keepOpen(STALL_SECONDS);
      if (lines.length > 0) yield `${lines.join("\n")}\n`;
      else if (!read.isBehind) {
        if (plan.waitMs === 0) return;
        keepOpen(0);
        await waitForRecords(plan.partitions, () => read.isBehind, plan.waitMs, clock, signal);
        if (!read.isBehind) return;
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    yield `${JSON.stringify({ error: problemOf(thrown) })}\n`;
  }
}

function streamOf(pieces: AsyncGenerator<string, void>, memory: RequestMemory): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      memory.evicted.catch((reason) => controller.error(reason));
    },
    pull: async (controller) => {
      memory.isPeerAwaited = false;
      const { done, value } = await pieces.next();
      if (done === true) {
        memory[Symbol.dispose]();
        controller.close();
        return;
      }
      const bytes = encoder.encode(value);
      memory.movedBytes += bytes.length;
      memory.isPeerAwaited = true;
      controller.enqueue(bytes);
    },
    cancel: async () => {
      memory[Symbol.dispose]();
      await pieces.return();
    },
  });
}

async function forwardRead(clock: Clock, { signal }: Request, plan: ReadPlan): Promise<ForwardRead> {
  const { partitions, matches } = plan;
  const start = plan.start.kind === "last" ? await lastStart(plan) : plan.start;
  const offsets = await startOffsets(partitions, start, () => !signal.aborted);
  return new ForwardRead(partitions, offsets, clock, matches);
}

/** For a stream: the last so many offsets of each partition. */
async function lastStart({
  partitions,
  start,
}: ReadPlan): Promise<Exclude<ReadPlan["start"], { kind: "last" }>> {
  const count = start.kind === "last" ? start.count : 0;
  const offsets = new Map<number, number>();
  for (const partition of partitions) {
    const end = await partition.latestOffset();
    offsets.set(partition.index, Math.max(partition.startOffset, end - count));
  }
  return { kind: "offsets", offsets };
}

function enoughAfter(clock: Clock, signal: AbortSignal): () => boolean {
  const untilMs = clock.monotonicMs() + LOOK_MS;
  return () => signal.aborted || clock.monotonicMs() >= untilMs;
}

async function textsOf(records: readonly PlacedRecord[], clock: Clock): Promise<string[]> {
  const share = new TurnShare(clock);
  const texts: string[] = [];
  for (const record of records) {
    texts.push(JSON.stringify(recordJson(record)));
    if (texts.length % MESSAGES_AT_ONCE === 0 && share.isUsedUp) await share.rest();
  }
  return texts;
}

/**
 * `GET /topics/{topic}/messages`: records as JSON, or as a stream of NDJSON.
 *
 *   JSON     up to `limit` messages and some bytes, and where to go on: {"messages": [...], "next": {"0": 120}}
 *   NDJSON   a message on each line, as fast as the peer takes them, to the end of the log as it is then
 *
 * With `wait` neither ends at the end of the log, but when nothing has come for so long. A filter may leave nothing of very much: a JSON
 * answer looks at `LOOK_MS` worth of the log and says where to go on.
 */

import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/units.ts";
import type { Topic } from "../../broker/topic.ts";
import type { PlacedRecord } from "../../protocol/record/record-json.ts";
import type { HttpParts } from "../http-parts.ts";
import { RequestMemory } from "../request-memory.ts";
import { readBackwards } from "./backward-read.ts";
import { ForwardRead } from "./forward-read.ts";
import { LIMIT_MAX, planOf, type ReadPlan, type ReadQuery } from "./read-query.ts";
import type { UnreadableBatch } from "./record-read.ts";
import { streamRecords } from "./record-stream.ts";
import { recordTexts } from "./record-texts.ts";
import { startOffsets } from "./start-offsets.ts";
import { waitForRecords } from "./wait.ts";

const LIMIT_DEFAULT = 100;
/** Keys and values of one JSON answer. */
const ANSWER_BYTES = 512 * KiB;
/** What a JSON answer holds of the memory for responses. */
const ANSWER_MEMORY = MiB;
/** How long one answer looks for what matches. */
const LOOK_MS = 2000;

const JSON_TYPE = { "content-type": "application/json", "cache-control": "no-store" };

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
  if (isStream) return streamRecords(parts, request, plan, await forwardRead(parts.clock, request, plan));
  const host = parts.servers.of(request).requestIP(request)?.address ?? "";
  using memory = new RequestMemory(parts.responseBudget, host);
  return await answerMessages(parts, request, plan, memory);
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
  const messages = await recordTexts(records, clock);
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

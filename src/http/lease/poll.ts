/**
 * `POST /groups/{group}/poll`: the next messages for one consumer of a group.
 *
 *   1. the member joins, or its lease begins anew; what was handed to it before and not committed is taken back
 *   2. its partitions are read from the committed offsets on, one after the other, after each commit beginning with another one
 *   3. with `waitMs`, when there is nothing, it waits for records, and for partitions
 *
 *   - Who polls again without a commit gets the same messages again: so an answer that is lost on its way loses no message.
 *   - A poll of a member ends the one of that member that is still under way: its client has given that up.
 */

import { type Static, t } from "elysia";
import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { KiB, MINUTE_MS, MiB, SECOND_MS } from "../../base/units.ts";
import type { Partition } from "../../broker/partition.ts";
import { parseFilter } from "../../filter/filter.ts";
import { type PlacedRecord, recordJson } from "../../protocol/record/record-json.ts";
import type { HttpParts } from "../http-parts.ts";
import { EVERY_RECORD, RecordReader, type RecordTest, type UnreadableBatch } from "../read/record-read.ts";
import { waitForRecords } from "../read/wait.ts";
import { RequestMemory } from "../request-memory.ts";
import { topicNamed } from "../topic-lookup.ts";
import { type From, keyOf, type LeasedMember, type Place } from "./leased-member.ts";
import type { LeasedMembers } from "./leased-members.ts";

const MESSAGES_DEFAULT = 100;
const MESSAGES_MAX = 10_000;
const WAIT_MS_MAX: number = 5 * MINUTE_MS;
const LEASE_MS_DEFAULT: number = 30 * SECOND_MS;
/** Shorter than a heartbeat takes to be seen it could not be. */
const LEASE_MS_MIN: number = 2 * SECOND_MS;
const LEASE_MS_MAX: number = 60 * MINUTE_MS;
const TOPICS_MAX = 1000;
/** Names that clients make up are keys in memory and in the state. */
const MEMBER_LENGTH_MAX = 200;
/** Keys and values of one answer, and what it holds of the memory for responses. */
const ANSWER_BYTES = 512 * KiB;
const ANSWER_MEMORY = MiB;
/** How long one answer looks for what matches a filter. */
const LOOK_MS = 2 * SECOND_MS;
/** How often a poll that waits looks at which partitions it has. */
const BEAT_MS = SECOND_MS;
/** Messages, and partitions, between two looks at the clock. */
const AT_ONCE = 64;

export const POLL_BODY = t.Object({
  topics: t.Optional(
    t.Array(t.String(), {
      minItems: 1,
      maxItems: TOPICS_MAX,
      description: "What to consume. Required of the first poll; later ones may leave it out, or change it.",
    }),
  ),
  member: t.Optional(
    t.String({
      minLength: 1,
      maxLength: MEMBER_LENGTH_MAX,
      description:
        "As the first poll was answered, or a name of your own that nobody else uses. Default: a new member.",
    }),
  ),
  max: t.Optional(
    t.Integer({ minimum: 1, maximum: MESSAGES_MAX, description: "Messages at most. Default: 100." }),
  ),
  waitMs: t.Optional(
    t.Integer({
      minimum: 0,
      maximum: WAIT_MS_MAX,
      description: "How long to wait when there are none. Default: 0.",
    }),
  ),
  leaseMs: t.Optional(
    t.Integer({
      minimum: LEASE_MS_MIN,
      maximum: LEASE_MS_MAX,
      description:
        "Without a poll or a commit for so long the member leaves, and others get what it had not committed. Default: 30,000.",
    }),
  ),
  from: t.Optional(
    t.Union([t.Literal("earliest"), t.Literal("latest")], {
      description:
        "Where to begin in partitions of which the group has committed nothing. Default: earliest.",
    }),
  ),
  filter: t.Optional(t.String({ description: "Only messages that match: docs/filter.md." })),
});

export type PollBody = Static<typeof POLL_BODY>;

interface Found {
  readonly records: PlacedRecord[];
  /** Where each partition was read to. */
  readonly ends: { readonly place: Place; readonly topic: string; readonly offset: number }[];
  readonly unreadable: (UnreadableBatch & { readonly topic: string })[];
}

/** @throws ObeliskError */
export async function pollMessages(
  parts: HttpParts,
  members: LeasedMembers,
  request: Request,
  group: string,
  body: PollBody,
): Promise<Response> {
  const host = parts.servers.of(request).requestIP(request)?.address ?? "";
  const waitMs = body.waitMs ?? 0;
  if (waitMs > 0) parts.servers.of(request).timeout(request, 0);
  using memory = new RequestMemory(parts.responseBudget, host);
  const member = await memberFor(parts, members, group, body, `/${host}`);
  const poll = new AbortController();
  member.poll?.abort();
  member.poll = poll;
  try {
    member.takeBack();
    await members.beat(member);
    const found = await new Polling(parts, members, member, body, request.signal, poll.signal).run(
      waitMs,
      memory,
    );
    for (const { place, offset } of found.ends) member.lend(place, offset);
    return await answerOf(member, found, parts.clock);
  } finally {
    if (member.poll === poll) member.poll = null;
    members.prolong(member);
  }
}

async function memberFor(
  { broker }: HttpParts,
  members: LeasedMembers,
  group: string,
  { member: id, topics, leaseMs }: PollBody,
  clientHost: string,
): Promise<LeasedMember> {
  if (group === "") throw new ObeliskError("INVALID_GROUP_ID");
  const filter = topics === undefined ? undefined : [...new Set(topics)].sort();
  for (const topic of filter ?? []) topicNamed(broker, topic);
  const known = id === undefined ? null : await members.find(group, id, leaseMs ?? null);
  if (known !== null) {
    if (filter !== undefined) known.topics = filter;
    return known;
  }
  if (filter === undefined)
    throw new ObeliskError("INVALID_REQUEST", {
      detail:
        id === undefined
          ? "the first poll of a member names its topics"
          : `the lease of ${JSON.stringify(id)} has ended, and it does not say which topics it wants`,
      remedy: '{"topics": ["orders"]}',
    });
  return await members.join({
    group,
    id: id ?? crypto.randomUUID(),
    topics: filter,
    leaseMs: leaseMs ?? LEASE_MS_DEFAULT,
    clientHost,
  });
}

class Polling {
  readonly #parts: HttpParts;
  readonly #members: LeasedMembers;
  readonly #member: LeasedMember;
  readonly #from: From;
  readonly #max: number;
  readonly #matches: RecordTest;
  /** Of the client, and of whoever ends the poll. */
  readonly #gone: AbortSignal;
  readonly #ended: AbortSignal;
  #lookUntilMs = 0;

  constructor(
    parts: HttpParts,
    members: LeasedMembers,
    member: LeasedMember,
    { from = "earliest", max = MESSAGES_DEFAULT, filter }: PollBody,
    gone: AbortSignal,
    ended: AbortSignal,
  ) {
    this.#parts = parts;
    this.#members = members;
    this.#member = member;
    this.#from = from;
    this.#max = max;
    const parsed = filter === undefined ? null : parseFilter(filter);
    this.#matches = parsed === null ? EVERY_RECORD : (record) => parsed.matches(record);
    this.#gone = gone;
    this.#ended = ended;
  }

  /** @throws ObeliskError UNKNOWN_MEMBER_ID when its lease has ended meanwhile */
  async run(waitMs: number, memory: RequestMemory): Promise<Found> {
    const { clock } = this.#parts;
    const untilMs = clock.monotonicMs() + waitMs;
    for (;;) {
      await memory.reserve(ANSWER_MEMORY);
      const found = await this.#read();
      const leftMs = untilMs - clock.monotonicMs();
      if (this.#ended.aborted) return this.#end();
      if (found.records.length > 0 || found.ends.length > 0 || leftMs <= 0 || this.#gone.aborted)
        return found;
      memory.release(ANSWER_MEMORY);
      await this.#wait(Math.min(leftMs, BEAT_MS));
      if (this.#ended.aborted) return this.#end();
      await this.#members.beat(this.#member);
    }
  }

  /** Another poll has come, which gets what there is; or there is no member any more. */
  #end(): Found {
    const { reason } = this.#ended;
    if (reason instanceof ObeliskError) throw reason;
    return { records: [], ends: [], unreadable: [] };
  }

  /** Until there are records, or it is time for a look at which partitions it has. */
  async #wait(waitMs: number): Promise<void> {
    const partitions: Partition[] = [];
    const starts: number[] = [];
    for (const [place, partition] of this.#partitions()) {
      partitions.push(partition);
      starts.push(await this.#startIn(place, partition));
    }
    const isBehind = () => partitions.some(({ highWatermark }, index) => starts[index]! < highWatermark);
    const signal = AbortSignal.any([this.#gone, this.#ended]);
    await waitForRecords(partitions, isBehind, waitMs, this.#parts.clock, signal);
  }

  async #read(): Promise<Found> {
    const { clock, offsets } = this.#parts;
    this.#lookUntilMs = clock.monotonicMs() + LOOK_MS;
    // What another member has committed before it gave a partition up may be on its way.
    await offsets.settled(this.#member.group);
    const found: Found = { records: [], ends: [], unreadable: [] };
    const share = new TurnShare(clock);
    let bytes = 0;
    let looked = 0;
    for (const [place, partition] of this.#partitions()) {
      looked += 1;
      if (looked % AT_ONCE === 0 && share.isUsedUp) await share.rest();
      if (found.records.length >= this.#max || bytes >= ANSWER_BYTES || this.#isEnough) break;
      const start = await this.#startIn(place, partition);
      const reader = new RecordReader(partition, start, clock, this.#matches);
      while (reader.isBehind && found.records.length < this.#max && bytes < ANSWER_BYTES && !this.#isEnough) {
        const limits = { records: this.#max - found.records.length, bytes: ANSWER_BYTES - bytes };
        const records = await reader.read(limits);
        for (const record of records) {
          found.records.push(record);
          bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
        }
        for (const batch of reader.unreadable) found.unreadable.push({ topic: partition.topic, ...batch });
      }
      if (reader.offset > start) found.ends.push({ place, topic: partition.topic, offset: reader.offset });
    }
    return found;
  }

  get #isEnough(): boolean {
    return this.#gone.aborted || this.#ended.aborted || this.#parts.clock.monotonicMs() >= this.#lookUntilMs;
  }

  /** Its partitions, after each commit beginning with another one. */
  #partitions(): [Place, Partition][] {
    const { topics } = this.#parts.broker;
    const found: [Place, Partition][] = [];
    for (const place of this.#member.told) {
      const partition = topics.byId(place.topicId)?.partitions[place.partition];
      if (partition !== undefined && partition.refusal === null) found.push([place, partition]);
    }
    const first = found.length === 0 ? 0 : this.#member.commits % found.length;
    return [...found.slice(first), ...found.slice(0, first)];
  }

  /** After what is committed; where nothing is, or what is committed is not there, as `from` says. */
  async #startIn(place: Place, partition: Partition): Promise<number> {
    const { topic, index, startOffset, highWatermark } = partition;
    const committed = this.#parts.offsets.fetch(this.#member.group, topic, index)?.offset ?? -1;
    if (committed >= startOffset && committed <= highWatermark) return committed;
    if (committed >= 0 && committed < startOffset) return startOffset;
    if (committed > highWatermark && committed <= (await partition.latestOffset())) return committed;
    const key = keyOf(place);
    const known = this.#member.starts.get(key);
    if (known !== undefined && known >= startOffset) return known;
    const start = this.#from === "latest" ? await partition.latestOffset() : startOffset;
    this.#member.starts.set(key, start);
    return start;
  }
}

async function answerOf(member: LeasedMember, found: Found, clock: Clock): Promise<Response> {
  const share = new TurnShare(clock);
  const texts: string[] = [];
  for (const record of found.records) {
    texts.push(JSON.stringify(recordJson(record)));
    if (texts.length % AT_ONCE === 0 && share.isUsedUp) await share.rest();
  }
  const offsets = found.ends.map(({ place: { partition }, topic, offset }) => ({ topic, partition, offset }));
  const more = found.unreadable.length === 0 ? "" : `,"unreadable":${JSON.stringify(found.unreadable)}`;
  return new Response(
    `{"member":${JSON.stringify(member.id)},"leaseMs":${member.leaseMs},"messages":[${texts.join(",")}],` +
      `"offsets":${JSON.stringify(offsets)}${more}}`,
    { headers: { "content-type": "application/json", "cache-control": "no-store" } },
  );
}

/**
 * Fetch sessions (KIP-227): what a consumer fetches is kept here, so that its next fetch names only what has changed, and so does the
 * response.
 *
 *     full fetch, epoch 0   -> session with all its partitions, epoch 1       its response names all of them
 *     fetch, epoch n        -> partitions added, changed, forgotten; n + 1     its response names what is new for the consumer
 *     full fetch, epoch -1, or any full fetch that names it -> the session ends
 *
 * New for a consumer is a partition with records, with an error, or with another high watermark or log start than it was last told. After
 * an error it is told again, whatever it is.
 *
 * A session belongs to no connection; its id is random, and its epoch tells a fetch that comes twice. Sessions are bounded by number
 * and by the partitions of all together. When there is no room, one that was not used for two minutes ends; else the smallest one that
 * is older than two minutes and smaller than the new one; else the new one is not kept (id 0), and its consumer sends full fetches. A
 * consumer whose session has ended learns so (FETCH_SESSION_ID_NOT_FOUND) and sends a full fetch.
 */

import type { Clock } from "../base/clock.ts";
import { type ErrorCode, NO_ERROR } from "../base/errors.ts";
import { MINUTE_MS } from "../base/units.ts";

/** A session that was used within this time, or is younger, is kept where it can be. As Kafka's. */
export const EVICTION_MS = 2 * MINUTE_MS;
/** Partitions of one session: more are not fetched in one turn either. */
const SESSION_PARTITIONS_MAX = 64 * 1024;
/** Partitions of all sessions: about 150 bytes each, hence 30 MB. */
export const PARTITIONS_MAX = 200_000;

/** No session. */
export const NO_SESSION = 0;
const EPOCH_FIRST = 1;
const EPOCH_LAST = 0x7fff_ffff;

/** A partition that is fetched, as it was asked for last. */
export class FetchedPartition {
  /** "" in a session that names topics by id, until the id is known. */
  topic: string;
  readonly topicId: string;
  readonly partition: number;
  fetchOffset = 0;
  bytesMax = 0;
  leaderEpoch = -1;
  /** What the consumer was told last; -1: nothing, or an error. */
  #highWatermark = -1;
  #startOffset = -1;

  constructor(topic: string, topicId: string, partition: number) {
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
  }

  /** Whether the consumer is to be told, which is then taken as done. */
  isNews(errorCode: number, highWatermark: number, startOffset: number, bytes: number): boolean {
    if (errorCode !== NO_ERROR) {
      this.#highWatermark = -1;
      this.#startOffset = -1;
      return true;
    }
    const isMoved = highWatermark !== this.#highWatermark || startOffset !== this.#startOffset;
    this.#highWatermark = highWatermark;
    this.#startOffset = startOffset;
    return isMoved || bytes > 0;
  }
}

/** Partitions by topic (a name or an id) and number, in the order in which they came. */
type Partitions = Map<string, Map<number, FetchedPartition>>;

export class FetchSession {
  readonly id: number;
  readonly isById: boolean;
  readonly createdAtMs: number;
  usedAtMs: number;
  /** Of the fetch that is awaited. */
  epoch = EPOCH_FIRST;
  size = 0;
  readonly #topics: Partitions = new Map();

  constructor(id: number, isById: boolean, nowMs: number) {
    this.id = id;
    this.isById = isById;
    this.createdAtMs = nowMs;
    this.usedAtMs = nowMs;
  }

  *partitions(): Generator<FetchedPartition> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }

  /** The partition as it is kept; made when it is not. */
  fetched(topic: string, topicId: string, partition: number): FetchedPartition {
    const key = this.isById ? topicId : topic;
    let partitions = this.#topics.get(key);
    if (partitions === undefined) this.#topics.set(key, (partitions = new Map()));
    let found = partitions.get(partition);
    if (found === undefined) {
      found = new FetchedPartition(topic, topicId, partition);
      partitions.set(partition, found);
      this.size += 1;
    }
    return found;
  }

  keep(fetched: FetchedPartition): void {
    const key = this.isById ? fetched.topicId : fetched.topic;
    const partitions = this.#topics.get(key) ?? new Map<number, FetchedPartition>();
    this.#topics.set(key, partitions);
    if (!partitions.has(fetched.partition)) this.size += 1;
    partitions.set(fetched.partition, fetched);
  }

  forget(topic: string, topicId: string, partition: number): void {
    const key = this.isById ? topicId : topic;
    const partitions = this.#topics.get(key);
    if (partitions === undefined || !partitions.delete(partition)) return;
    this.size -= 1;
    if (partitions.size === 0) this.#topics.delete(key);
  }
}

export interface FetchSessionsOptions {
  /** 0: none is kept. */
  readonly sessionsMax: number;
  readonly partitionsMax: number;
}

export class FetchSessions {
  readonly #options: FetchSessionsOptions;
  readonly #clock: Clock;
  /** A number from 0 to 2^31-1. */
  readonly #randomId: () => number;
  /** In the order of last use: the first is the one that was not used for longest. */
  readonly #sessions = new Map<number, FetchSession>();
  /** Partitions of all sessions. */
  partitionCount = 0;

  constructor(options: FetchSessionsOptions, clock: Clock, randomId: () => number) {
    this.#options = options;
    this.#clock = clock;
    this.#randomId = randomId;
  }

  get count(): number {
    return this.#sessions.size;
  }

  get(id: number): FetchSession | undefined {
    return this.#sessions.get(id);
  }

  /** The session that a fetch goes on with, or why it cannot. Its partitions are changed next, and `changed` is to follow. */
  resume(id: number, epoch: number, isById: boolean): FetchSession | ErrorCode {
    const session = this.#sessions.get(id);
    if (session === undefined) return "FETCH_SESSION_ID_NOT_FOUND";
    if (session.epoch !== epoch) return "INVALID_FETCH_SESSION_EPOCH";
    if (session.isById !== isById) return "FETCH_SESSION_TOPIC_ID_ERROR";
    return session;
  }

  /** The partitions of a session were `before`, and are others now: the next epoch begins. False: it is too large, or empty, and has ended. */
  changed(session: FetchSession, before: number): boolean {
    this.partitionCount += session.size - before;
    const isTooLarge =
      session.size > SESSION_PARTITIONS_MAX || this.partitionCount > this.#options.partitionsMax;
    if (session.size === 0 || isTooLarge) {
      this.end(session.id);
      return false;
    }
    session.epoch = session.epoch === EPOCH_LAST ? EPOCH_FIRST : session.epoch + 1;
    session.usedAtMs = this.#clock.monotonicMs();
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    return true;
  }

  /** A session with the partitions of a full fetch, or null when there is no room for it. */
  open(partitions: Iterable<FetchedPartition>, count: number, isById: boolean): FetchSession | null {
    if (count > SESSION_PARTITIONS_MAX || !this.#makeRoom(count)) return null;
    const session = new FetchSession(this.#newId(), isById, this.#clock.monotonicMs());
    for (const partition of partitions) session.keep(partition);
    this.partitionCount += session.size;
    this.#sessions.set(session.id, session);
    return session;
  }

  end(id: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    this.partitionCount -= session.size;
  }

  #makeRoom(count: number): boolean {
    const { sessionsMax, partitionsMax } = this.#options;
    if (sessionsMax === 0 || count > partitionsMax) return false;
    while (this.#sessions.size >= sessionsMax || this.partitionCount + count > partitionsMax) {
      const evicted = this.#evictable(count);
      if (evicted === null) return false;
      this.end(evicted.id);
    }
    return true;
  }

  /** O(sessions), where no room is left. */
  #evictable(count: number): FetchSession | null {
    const nowMs = this.#clock.monotonicMs();
    let smallest: FetchSession | null = null;
    for (const session of this.#sessions.values()) {
      if (nowMs - session.usedAtMs > EVICTION_MS) return session; // the first is the one that was not used for longest
      const isOld = session.usedAtMs - session.createdAtMs > EVICTION_MS;
      if (isOld && session.size < (smallest?.size ?? count)) smallest = session;
    }
    return smallest;
  }

  #newId(): number {
    let id = NO_SESSION;
    while (id === NO_SESSION || this.#sessions.has(id)) id = this.#randomId();
    return id;
  }
}

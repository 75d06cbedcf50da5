/**
 * One consumer over HTTP as a member of its group: a member of the consumer protocol (KIP-848) like any other, whose heartbeats are sent here
 * for as long as its lease lasts.
 *
 *     told    the partitions that the group says it is to have
 *     lent    what was handed to the client of a partition and not committed yet
 *     owned   told, and what it is to give up but the client still has messages of: given up once those are committed, or the client
 *             comes for more without having done so
 *
 * Nobody else gets a partition that is owned, so nobody else is given what is lent. A lease is prolonged by every poll and commit; when it
 * ends the member leaves, and what it had goes to the others from the committed offsets on.
 */

import { SECOND_MS } from "../../base/units.ts";
import type { HeartbeatGroups } from "../../consumer/heartbeat-groups/heartbeat-groups.ts";
import { LEAVE_EPOCH } from "../../consumer/heartbeat-groups/member.ts";

/** What all of them call themselves in the group. */
export const HTTP_CLIENT_ID = "obelisk-http";
/** ConsumerGroupHeartbeat's. */
const VERSION = 1;
/** How long after its lease a member may take to give up what it is told to. */
export const REVOCATION_SLACK_MS: number = 10 * SECOND_MS;
/** Steps of one heartbeat: told, given up, told the rest. */
const STEPS_MAX = 4;

export type From = "earliest" | "latest";

/** A partition of a topic, by its id: a topic that is made anew is another. */
export interface Place {
  readonly topicId: string;
  readonly partition: number;
}

export class LeasedMember {
  readonly group: string;
  readonly id: string;
  readonly #groups: HeartbeatGroups;
  readonly #clientHost: string;
  /** 0: it has not joined. */
  epoch = 0;
  topics: readonly string[];
  leaseMs: number;
  /** By the monotonic clock. */
  leaseEndsAtMs = 0;
  /** The poll that is under way; ended when a later one comes. */
  poll: AbortController | null = null;
  /** When the next heartbeat is due. */
  nextBeatAtMs = 0;
  /** Where it begins in partitions of which nothing was committed yet. */
  readonly starts = new Map<string, number>();
  /** How many there were. */
  commits = 0;
  /** Commits go one after the other, so that none puts an earlier offset over a later one. */
  committing: Promise<unknown> = Promise.resolve();
  #told = new Map<string, Place>();
  #owned = new Map<string, Place>();
  /** The offset after what was handed out. */
  readonly #lent = new Map<string, number>();
  #beating: Promise<unknown> = Promise.resolve();

  constructor(
    groups: HeartbeatGroups,
    options: { group: string; id: string; topics: readonly string[]; leaseMs: number; clientHost: string },
  ) {
    this.#groups = groups;
    this.group = options.group;
    this.id = options.id;
    this.topics = options.topics;
    this.leaseMs = options.leaseMs;
    this.#clientHost = options.clientHost;
  }

  /** What it is to read. */
  get told(): Iterable<Place> {
    return this.#told.values();
  }

  /** Whether it waits for a partition, or keeps one that it is to give up. */
  get isMoving(): boolean {
    return this.#owned.size !== this.#told.size;
  }

  owns(place: Place): boolean {
    return this.#owned.has(keyOf(place));
  }

  lend(place: Place, nextOffset: number): void {
    this.#lent.set(keyOf(place), nextOffset);
  }

  /** What was lent is not wanted any more: the client comes for more, and gets it again. */
  takeBack(): void {
    this.#lent.clear();
  }

  committed(place: Place, offset: number): void {
    const lent = this.#lent.get(keyOf(place));
    if (lent !== undefined && offset >= lent) this.#lent.delete(keyOf(place));
    this.starts.delete(keyOf(place));
  }

  /**
   * Tells the group that it is there and what it has, and hears what it is to have. One after the other.
   * @throws ObeliskError as `HeartbeatGroups.heartbeat`
   */
  beat(nowMs: number): Promise<void> {
    const beaten = this.#beating.then(() => this.#beat(nowMs));
    this.#beating = beaten.catch(() => {});
    return beaten;
  }

  /** @throws ObeliskError as `HeartbeatGroups.heartbeat` */
  async leave(): Promise<void> {
    await this.#beating;
    await this.#groups.heartbeat(this.#request(LEAVE_EPOCH), VERSION, this.#peer);
  }

  async #beat(nowMs: number): Promise<void> {
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const response = await this.#groups.heartbeat(this.#request(this.epoch), VERSION, this.#peer);
      this.epoch = response.memberEpoch;
      this.nextBeatAtMs = nowMs + response.heartbeatIntervalMs;
      if (response.assignment === null) return;
      const before = this.#owned;
      this.#take(response.assignment.topicPartitions);
      if (hasSameKeys(before, this.#owned)) return;
    }
  }

  #take(assignment: readonly { readonly topicId: string; readonly partitions: readonly number[] }[]): void {
    const told = new Map<string, Place>();
    for (const { topicId, partitions } of assignment) {
      for (const partition of partitions) told.set(keyOf({ topicId, partition }), { topicId, partition });
    }
    const owned = new Map(told);
    for (const [key, place] of this.#owned) if (this.#lent.has(key)) owned.set(key, place);
    for (const key of this.starts.keys()) if (!owned.has(key)) this.starts.delete(key);
    this.#told = told;
    this.#owned = owned;
  }

  get #peer(): { clientId: string; clientHost: string } {
    return { clientId: HTTP_CLIENT_ID, clientHost: this.#clientHost };
  }

  /** Whole each time: the group compares. */
  #request(memberEpoch: number) {
    const byTopic = Map.groupBy(memberEpoch === 0 ? [] : this.#owned.values(), ({ topicId }) => topicId);
    return {
      groupId: this.group,
      memberId: this.id,
      memberEpoch,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: this.leaseMs + REVOCATION_SLACK_MS,
      subscribedTopicNames: this.topics,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: Array.from(byTopic, ([topicId, places]) => ({
        topicId,
        partitions: places.map(({ partition }) => partition),
      })),
    };
  }
}

export function keyOf({ topicId, partition }: Place): string {
  return `${topicId}/${partition}`;
}

function hasSameKeys(left: ReadonlyMap<string, unknown>, right: ReadonlyMap<string, unknown>): boolean {
  if (left.size !== right.size) return false;
  for (const key of left.keys()) if (!right.has(key)) return false;
  return true;
}

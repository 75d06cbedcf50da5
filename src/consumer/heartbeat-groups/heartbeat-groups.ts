/**
 * The groups of the consumer protocol (KIP-848): it finds the group of a request, lets the state machine decide (heartbeat.ts), makes what
 * changed durable, and only then answers. It keeps the deadlines of members, and the regular expressions of topics up to date.
 *
 * Promises
 *   - What a response says is durable. After a crash members go on with the epochs and partitions that they were told.
 *   - A heartbeat that changes nothing writes nothing and is answered in its turn.
 *   - A disk that refuses is COORDINATOR_NOT_AVAILABLE: members try again, and keep their partitions meanwhile.
 *   - Deadlines run on the monotonic clock; after a start each member has its whole session before it.
 *
 * At the limits below who joins is refused; who is a member already goes on.
 */

import { fail } from "../../base/assert.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { isStorageError, ObeliskError, toObeliskError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { RateLimitedWarning } from "../../base/rate-limited-warning.ts";
import { KiB, MiB } from "../../base/units.ts";
import type { StateChange, StateStore } from "../../storage/contract.ts";
import { GROUP_NAME_BYTES_MAX } from "../commit-room.ts";
import type { GroupConfigs } from "../group-configs.ts";
import type { StoredGroup as ClassicGroupImage } from "../stored-group.ts";
import { UNREADABLE_CONSUMER_GROUPS, warnOfUnreadable } from "../unreadable-rows.ts";
import { Deadlines } from "./deadlines.ts";
import { ConsumerGroup } from "./group.ts";
import { GroupWriter } from "./group-writer.ts";
import {
  checkHeartbeat,
  fence,
  type GroupRules,
  type GroupScene,
  type HeartbeatRequest,
  type HeartbeatResponse,
  heartbeat,
  leave,
  type Peer,
} from "./heartbeat.ts";
import { LEAVE_EPOCH, type Member } from "./member.ts";
import { downgraded, type MigrationPolicy, upgraded } from "./migration.ts";
import {
  GROUP_KEY_PREFIX,
  MEMBER_KEY_PREFIX,
  memberKey,
  readGroup,
  readMember,
  type StoredMember,
} from "./stored-group.ts";
import { checkTopicRegex, matchTopics } from "./topic-regex.ts";
import type { TopicView } from "./topic-view.ts";

/** Groups of this kind, empty ones too: one takes some KiB. */
export const CONSUMER_GROUPS_MAX = 100_000;
/** Members of all groups together: one with a few partitions takes some 3 KiB. */
export const CONSUMER_MEMBERS_MAX = 100_000;
/** Text that one member may bring: its subscription above all. 1,000 topics with names of 60 bytes. */
export const MEMBER_TEXT_BYTES_MAX = 64 * KiB;
/** The same of all members together. */
export const MEMBERS_TEXT_BYTES_MAX = 64 * MiB;
/** Ids that a client makes up are keys in memory and in the store; real ones are below a hundred. */
export const MEMBER_NAME_BYTES_MAX = 1 * KiB;
/** How often deadlines are looked at: sessions are seconds. */
const DEADLINES_EACH_MS = 250;
/** As Kafka's: topics may come and go by the hundred. */
const REGEX_REFRESH_INTERVAL_MS = 10_000;
/** Steps of an assignor that are taken with the request that is due to it, and between two looks at the clock: about 1 ms. */
const STEPS_AT_ONCE = 16;
const STEPS_PER_LOOK = 2;
/** Rows that are read together at the start. */
const LOAD_ROWS = 10_000;

export interface HeartbeatGroupsParts {
  readonly state: StateStore;
  readonly topics: TopicView;
  readonly clock: Clock;
  readonly log: Log;
  readonly newId: () => string;
  readonly membersMax: number;
  /** Whether a group with members may change its kind. */
  readonly migrationPolicy: MigrationPolicy;
  readonly configs: GroupConfigs;
  /** Steps of an assignor before others have their turn (assignor.ts); missing: about 1 ms of them. */
  readonly assignorStepsAtOnce?: number;
}

/** Classic groups, as far as a name may become a group of this kind, and the reverse. */
export interface ClassicGroups {
  classic(name: string): { readonly isEmpty: boolean; whole(): ClassicGroupImage } | undefined;
  /** The group is none any more from this turn on; what is returned belongs into the change that stores the other. */
  release(name: string): StateChange[];
  /** A group of this kind becomes a classic one, and its members are called to a rebalance. @throws ObeliskError of the store */
  adopt(name: string, group: ClassicGroupImage, changes: readonly StateChange[]): Promise<unknown>;
}

interface GroupSize {
  readonly memberCount: number;
  readonly textBytes: number;
}

/** A group with what belongs to it while it is loaded. */
interface LoadedGroup {
  readonly group: ConsumerGroup;
  readonly deadlines: Deadlines;
  readonly writer: GroupWriter;
  isResolving: boolean;
  isAssigning: boolean;
}

export class HeartbeatGroups {
  readonly #parts: HeartbeatGroupsParts;
  readonly #groups = new Map<string, LoadedGroup>();
  readonly #refusedWarning: RateLimitedWarning;
  #timer: Timer | null = null;
  #classicGroups: ClassicGroups | null = null;
  #isClosed = false;
  #memberCount = 0;
  #textBytes = 0;
  /** Rows that could not be read at the start. They stay in the store until they are overwritten. */
  readonly unreadable: string[] = [];
  /** Members in the store by a group that is not there: they are to go before the name is a group's again. */
  readonly #orphans = new Map<string, readonly string[]>();

  private constructor(parts: HeartbeatGroupsParts) {
    this.#parts = parts;
    this.#refusedWarning = new RateLimitedWarning(
      parts.log,
      parts.clock,
      "the state of a consumer group could not be stored",
    );
  }

  static async open(parts: HeartbeatGroupsParts): Promise<HeartbeatGroups> {
    const groups = new HeartbeatGroups(parts);
    await groups.#load();
    groups.#tickLater();
    return groups;
  }

  /** Deadlines do not pass any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** The groups of the other kind. Once, before the first request. */
  attach(classicGroups: ClassicGroups): void {
    this.#classicGroups = classicGroups;
  }

  get count(): number {
    return this.#groups.size;
  }

  get memberCount(): number {
    return this.#memberCount;
  }

  get(groupId: string): ConsumerGroup | undefined {
    return this.#groups.get(groupId)?.group;
  }

  all(): ConsumerGroup[] {
    return Array.from(this.#groups.values(), ({ group }) => group);
  }

  /**
   * Joins, goes on or leaves.
   * @throws ObeliskError INVALID_REQUEST, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, COORDINATOR_NOT_AVAILABLE (the disk refuses), and what
   *   `checkHeartbeat`, `heartbeat` and `leave` throw
   */
  heartbeat(
    request: HeartbeatRequest,
    version: number,
    peer: Peer,
  ): HeartbeatResponse | Promise<HeartbeatResponse> {
    checkHeartbeat(request, version);
    checkNames(request, peer);
    const isJoining = request.memberEpoch === 0;
    const known = this.#groups.get(request.groupId);
    if (known === undefined && !isJoining) throw new ObeliskError("GROUP_ID_NOT_FOUND");
    const classic = known === undefined ? this.#classicGroups?.classic(request.groupId) : undefined;
    const loaded = known ?? this.#newGroup(request.groupId, classic);
    if (request.memberEpoch <= LEAVE_EPOCH) return this.#leave(loaded, request);
    const memberId = request.memberId === "" ? this.#parts.newId() : request.memberId;
    this.#checkRoom(loaded, request, memberId);
    const scene = this.#sceneOf(loaded);
    const taken = sizeOf(loaded.group);
    const { epoch } = loaded.group;
    const response = this.#counting(loaded, () => heartbeat(scene, request, memberId, peer, checkTopicRegex));
    if (known === undefined) this.#begin(loaded, taken);
    this.#resolveIfDue(loaded, scene.nowMs);
    return this.#whenDurable(loaded, epoch, response);
  }

  /** What members of the classic protocol ask of a group that is there; answered when what it changes is durable. */
  perform<T>(groupId: string, work: (scene: GroupScene) => T): T | Promise<T> {
    const loaded = this.#groups.get(groupId);
    if (loaded === undefined) throw new ObeliskError("GROUP_ID_NOT_FOUND");
    const scene = this.#sceneOf(loaded);
    const { epoch } = loaded.group;
    const response = this.#counting(loaded, () => work(scene));
    return this.#whenDurable(loaded, epoch, response);
  }

  /** An empty group is none any more from this turn on; what is returned takes its rows away. */
  release(groupId: string): StateChange[] {
    const loaded = this.#groups.get(groupId);
    if (loaded === undefined) return [];
    if (loaded.group.memberCount > 0) fail("a consumer group with members was given up");
    this.#groups.delete(groupId);
    return loaded.writer.retire();
  }

  #leave(loaded: LoadedGroup, request: HeartbeatRequest): HeartbeatResponse | Promise<HeartbeatResponse> {
    const scene = this.#sceneOf(loaded);
    const { epoch } = loaded.group;
    const member = this.#counting(loaded, () => leave(scene, request));
    const { memberEpoch } = request;
    return this.#whenDurable(loaded, epoch, {
      memberId: member.id,
      memberEpoch,
      heartbeatIntervalMs: 0,
      assignment: null,
    });
  }

  /** An empty one, or what a classic one becomes. */
  #newGroup(groupId: string, classic: ReturnType<ClassicGroups["classic"]>): LoadedGroup {
    if (this.#groups.size >= CONSUMER_GROUPS_MAX)
      throw new ObeliskError("POLICY_VIOLATION", {
        detail: "there are too many consumer groups",
        limit: CONSUMER_GROUPS_MAX,
      });
    if (classic === undefined || classic.isEmpty) return this.#loaded(new ConsumerGroup(groupId), false);
    const { migrationPolicy, topics } = this.#parts;
    const isAllowed = migrationPolicy === "bidirectional" || migrationPolicy === "upgrade";
    const group = isAllowed ? upgraded(groupId, classic.whole(), topics) : null;
    if (group === null)
      throw new ObeliskError("GROUP_ID_NOT_FOUND", {
        detail: "the group is of the classic protocol, and its members cannot go on in another kind",
        remedy: "start this consumer once they have left, or with group.protocol=classic",
      });
    return this.#loaded(group, false);
  }

  #loaded(group: ConsumerGroup, isStored: boolean): LoadedGroup {
    const writer = new GroupWriter(group, this.#parts.state, isStored);
    return { group, deadlines: new Deadlines(), writer, isResolving: false, isAssigning: false };
  }

  #sceneOf({ group, deadlines }: LoadedGroup): GroupScene {
    const { topics, clock } = this.#parts;
    return {
      group,
      deadlines,
      view: topics,
      rules: this.#rulesOf(group),
      nowMs: clock.monotonicMs(),
    };
  }

  #rulesOf({ id }: ConsumerGroup): GroupRules {
    const { membersMax, assignorStepsAtOnce = STEPS_AT_ONCE, configs } = this.#parts;
    return { membersMax, assignorStepsAtOnce, ...configs.timesOf(id) };
  }

  /** Keeps the sums of all groups right over something that changes one. */
  #counting<T>({ group }: LoadedGroup, change: () => T): T {
    const before = sizeOf(group);
    try {
      return change();
    } finally {
      const after = sizeOf(group);
      this.#memberCount += after.memberCount - before.memberCount;
      this.#textBytes += after.textBytes - before.textBytes;
    }
  }

  #checkRoom({ group }: LoadedGroup, request: HeartbeatRequest, memberId: string): void {
    const member = group.member(memberId);
    if (member === undefined && this.#memberCount >= CONSUMER_MEMBERS_MAX)
      throw new ObeliskError("GROUP_MAX_SIZE_REACHED", {
        detail: "all consumer groups together have too many members",
        limit: CONSUMER_MEMBERS_MAX,
      });
    const { subscribedTopicNames: names } = request;
    if (names === null) return;
    let bytes = 0;
    for (const name of names) bytes += Buffer.byteLength(name);
    if (bytes > MEMBER_TEXT_BYTES_MAX)
      throw new ObeliskError("INVALID_REQUEST", {
        detail: "a member is subscribed to too many topics: use a regular expression",
        bytes,
        limit: MEMBER_TEXT_BYTES_MAX,
      });
    if (bytes > MEMBERS_TEXT_BYTES_MAX - this.#textBytes)
      throw new ObeliskError("GROUP_MAX_SIZE_REACHED", {
        detail: "the subscriptions of all members take too many bytes",
        limit: MEMBERS_TEXT_BYTES_MAX,
      });
  }

  /** `epochBefore`: the group's before what was asked. */
  #whenDurable<T>(loaded: LoadedGroup, epochBefore: number, response: T): T | Promise<T> {
    if (loaded.group.isAssigning && !loaded.isAssigning) void this.#assignInTurns(loaded);
    const flushed = this.#downgrade(loaded, epochBefore) ?? loaded.writer.flush();
    if (flushed === null) return response;
    return flushed.then(
      () => response,
      (thrown) => {
        throw this.#asUnavailable(loaded, thrown);
      },
    );
  }

  /** Null: the group stays what it is. */
  #downgrade(loaded: LoadedGroup, epochBefore: number): Promise<unknown> | null {
    const { migrationPolicy, topics, clock } = this.#parts;
    const { group, writer } = loaded;
    const isAllowed = migrationPolicy === "bidirectional" || migrationPolicy === "downgrade";
    if (!isAllowed || this.#classicGroups === null || this.#groups.get(group.id) !== loaded) return null;
    const image = downgraded(group, topics, epochBefore, clock.steadyMs());
    if (image === null) return null;
    this.#groups.delete(group.id);
    this.#memberCount -= group.memberCount;
    this.#textBytes -= group.subscriptions.textBytes;
    return this.#classicGroups.adopt(group.id, image, writer.retire());
  }

  #asUnavailable({ group }: LoadedGroup, thrown: unknown): unknown {
    const error = toObeliskError(thrown);
    if (!isStorageError(error)) return thrown;
    this.#refusedWarning.tell({ group: group.id, reason: error.message });
    return new ObeliskError("COORDINATOR_NOT_AVAILABLE", {}, error);
  }

  /** What happens by itself: nobody waits for it. What the disk refuses is written with the next change. */
  #flushLater(loaded: LoadedGroup, epochBefore: number): void {
    (this.#downgrade(loaded, epochBefore) ?? loaded.writer.flush())?.catch((thrown: unknown) => {
      const error = this.#asUnavailable(loaded, thrown);
      if (!(error instanceof ObeliskError)) throw thrown;
    });
  }

  /** Long computations of targets, in slices of the loop's time. Members are told with their next heartbeat. */
  async #assignInTurns(loaded: LoadedGroup): Promise<void> {
    const { group } = loaded;
    loaded.isAssigning = true;
    const share = new TurnShare(this.#parts.clock);
    await share.rest();
    while (!group.assignOn(STEPS_PER_LOOK)) {
      if (!share.isUsedUp) continue;
      await share.rest();
      if (this.#isClosed || this.#groups.get(group.id) !== loaded) return;
    }
    loaded.isAssigning = false;
    if (!this.#isClosed && this.#groups.get(group.id) === loaded) this.#flushLater(loaded, group.epoch);
  }

  #resolveIfDue(loaded: LoadedGroup, nowMs: number): void {
    const { subscriptions } = loaded.group;
    const { topics } = this.#parts;
    if (loaded.isResolving) return;
    if (!subscriptions.needsResolving(topics.version, nowMs, REGEX_REFRESH_INTERVAL_MS)) return;
    loaded.isResolving = true;
    void this.#resolve(loaded);
  }

  async #resolve(loaded: LoadedGroup): Promise<void> {
    const { topics, clock } = this.#parts;
    const { subscriptions } = loaded.group;
    const { version } = topics;
    const found = await matchTopics(subscriptions.regexTexts(), [...topics.names()], clock);
    loaded.isResolving = false;
    if (this.#isClosed || this.#groups.get(loaded.group.id) !== loaded) return;
    if (!subscriptions.resolved(found, version, clock.monotonicMs())) return;
    subscriptions.lookAt(topics);
    const { epoch } = loaded.group;
    loaded.group.bumpEpoch();
    this.#flushLater(loaded, epoch);
  }

  #tickLater(): void {
    this.#timer = this.#parts.clock.after(DEADLINES_EACH_MS, () => {
      if (this.#isClosed) return;
      this.#fenceLate();
      this.#tickLater();
    });
  }

  #fenceLate(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const loaded of this.#groups.values()) {
      if (nowMs < loaded.deadlines.earliestAtMs) continue;
      const due = loaded.deadlines.takeDue(nowMs);
      if (due.length === 0) continue;
      const { group } = loaded;
      const { epoch: epochBefore } = group;
      const scene = this.#sceneOf(loaded);
      for (const { memberId, kind, epoch } of due) {
        const member = group.member(memberId);
        if (member === undefined || (epoch !== -1 && member.epoch !== epoch)) continue;
        this.#parts.log.info("a member of a consumer group was removed: it was late", {
          group: group.id,
          member: memberId,
          deadline: kind,
        });
        this.#counting(loaded, () => fence(scene, member));
      }
      this.#flushLater(loaded, epochBefore);
    }
  }

  async #load(): Promise<void> {
    const membersByGroup = new Map<string, StoredMember[]>();
    await this.#eachRow(MEMBER_KEY_PREFIX, (entry) => {
      const read = readMember(entry);
      if (read === null) return false;
      const own = membersByGroup.get(read.group);
      if (own === undefined) membersByGroup.set(read.group, [read.stored]);
      else own.push(read.stored);
      return true;
    });
    await this.#eachRow(GROUP_KEY_PREFIX, (entry) => {
      const read = readGroup(entry);
      if (read === null) return false;
      const group = ConsumerGroup.restore(read.id, read.stored, membersByGroup.get(read.id) ?? []);
      membersByGroup.delete(read.id);
      this.#add(this.#loaded(group, true));
      return true;
    });
    for (const [groupId, members] of membersByGroup)
      this.#orphans.set(
        groupId,
        members.map(({ member }) => member.id),
      );
    warnOfUnreadable(this.#parts.log, this.unreadable, UNREADABLE_CONSUMER_GROUPS);
  }

  #takeOrphans(groupId: string): StateChange[] {
    const memberIds = this.#orphans.get(groupId) ?? [];
    this.#orphans.delete(groupId);
    return memberIds.map((memberId) => ({ key: memberKey(groupId, memberId), value: null }));
  }

  async #eachRow(
    prefix: string,
    take: (entry: { key: string; value: string; version: number }) => boolean,
  ): Promise<void> {
    for (let after = ""; ; ) {
      const page = await this.#parts.state.page(prefix, after, LOAD_ROWS);
      for (const entry of page) if (!take(entry)) this.unreadable.push(entry.key);
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.key;
    }
  }

  /** A new group, which its first member has joined; those that it took from a classic one have their whole sessions. */
  #begin(loaded: LoadedGroup, taken: GroupSize): void {
    const { group, deadlines } = loaded;
    this.#memberCount += taken.memberCount;
    this.#textBytes += taken.textBytes;
    const rules = this.#rulesOf(group);
    const nowMs = this.#parts.clock.monotonicMs();
    this.#groups.set(group.id, loaded);
    loaded.writer.add(this.#takeOrphans(group.id));
    loaded.writer.add(this.#classicGroups?.release(group.id) ?? []);
    for (const member of group.members)
      if (!deadlines.has(member.id, "session"))
        deadlines.set(member.id, "session", nowMs + sessionMs(member, rules));
  }

  /** Each member has its whole session, and what it was giving up may take its whole time again. */
  #add(loaded: LoadedGroup): void {
    const { group, deadlines } = loaded;
    const rules = this.#rulesOf(group);
    const nowMs = this.#parts.clock.monotonicMs();
    for (const member of group.members) {
      deadlines.set(member.id, "session", nowMs + sessionMs(member, rules));
      if (member.state === "unrevoked" && member.classic === null)
        deadlines.set(member.id, "revocation", nowMs + member.rebalanceTimeoutMs, member.epoch);
    }
    this.#groups.set(group.id, loaded);
    this.#memberCount += group.memberCount;
    this.#textBytes += group.subscriptions.textBytes;
  }
}

function sizeOf({ memberCount, subscriptions }: ConsumerGroup): GroupSize {
  return { memberCount, textBytes: subscriptions.textBytes };
}

function sessionMs({ classic }: Member, { sessionTimeoutMs }: GroupRules): number {
  return classic?.sessionTimeoutMs ?? sessionTimeoutMs;
}

/** @throws ObeliskError INVALID_GROUP_ID, INVALID_REQUEST */
function checkNames({ groupId, memberId, instanceId, rackId }: HeartbeatRequest, { clientId }: Peer): void {
  if (Buffer.byteLength(groupId) > GROUP_NAME_BYTES_MAX)
    throw new ObeliskError("INVALID_GROUP_ID", { limit: GROUP_NAME_BYTES_MAX });
  for (const name of [memberId, instanceId ?? "", rackId ?? "", clientId]) {
    if (Buffer.byteLength(name) > MEMBER_NAME_BYTES_MAX)
      throw new ObeliskError("INVALID_REQUEST", {
        detail: "an id of the member is too long",
        limit: MEMBER_NAME_BYTES_MAX,
      });
  }
}

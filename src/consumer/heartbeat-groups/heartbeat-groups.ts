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
 * At the limits (here and in member-room.ts) who joins is refused; who is a member already goes on.
 */

import { fail } from "../../base/assert.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { isStorageError, ObeliskError, toObeliskError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { RateLimitedWarning } from "../../base/rate-limited-warning.ts";
import type { StateChange, StateStore } from "../../storage/contract.ts";
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
import { type LoadedGroups, loadGroups } from "./load-groups.ts";
import { LEAVE_EPOCH, type Member } from "./member.ts";
import { checkNames, MemberRoom } from "./member-room.ts";
import { downgraded, type MigrationPolicy, upgraded } from "./migration.ts";
import { memberKey } from "./stored-group.ts";
import { checkTopicRegex, matchTopics } from "./topic-regex.ts";
import type { TopicView } from "./topic-view.ts";

/** Groups of this kind, empty ones too: one takes some KiB. */
export const CONSUMER_GROUPS_MAX = 100_000;
/** How often deadlines are looked at: sessions are seconds. */
const DEADLINES_EACH_MS = 250;
/** As Kafka's: topics may come and go by the hundred. */
const REGEX_REFRESH_INTERVAL_MS = 10_000;
/** Steps of an assignor that are taken with the request that is due to it, and between two looks at the clock: about 1 ms. */
const STEPS_AT_ONCE = 16;
const STEPS_PER_LOOK = 2;
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
  readonly #room = new MemberRoom();
  /** Rows that could not be read at the start. They stay in the store until they are overwritten. */
  readonly unreadable: readonly string[];
  readonly #orphans: Map<string, readonly string[]>;

  private constructor(parts: HeartbeatGroupsParts, { groups, orphans, unreadable }: LoadedGroups) {
    this.#parts = parts;
    this.unreadable = unreadable;
    this.#orphans = orphans;
    for (const group of groups) this.#add(this.#loaded(group, true));
    this.#refusedWarning = new RateLimitedWarning(
      parts.log,
      parts.clock,
      "the state of a consumer group could not be stored",
    );
  }

  static async open(parts: HeartbeatGroupsParts): Promise<HeartbeatGroups> {
    const groups = new HeartbeatGroups(parts, await loadGroups(parts.state));
    warnOfUnreadable(parts.log, groups.unreadable, UNREADABLE_CONSUMER_GROUPS);
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
    return this.#room.memberCount;
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
    this.#room.check(loaded.group, memberId, request);
    const scene = this.#sceneOf(loaded);
    const { epoch } = loaded.group;
    const change = () => heartbeat(scene, request, memberId, peer, checkTopicRegex);
    const response = known === undefined ? change() : this.#room.counting(loaded.group, change);
    if (known === undefined) this.#begin(loaded);
    this.#resolveIfDue(loaded, scene.nowMs);
    return this.#whenDurable(loaded, epoch, response);
  }

  /** What members of the classic protocol ask of a group that is there; answered when what it changes is durable. */
  perform<T>(groupId: string, work: (scene: GroupScene) => T): T | Promise<T> {
    const loaded = this.#groups.get(groupId);
    if (loaded === undefined) throw new ObeliskError("GROUP_ID_NOT_FOUND");
    const scene = this.#sceneOf(loaded);
    const { epoch } = loaded.group;
    const response = this.#room.counting(loaded.group, () => work(scene));
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
    const member = this.#room.counting(loaded.group, () => leave(scene, request));
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
    this.#room.remove(group);
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
        this.#room.counting(loaded.group, () => fence(scene, member));
      }
      this.#flushLater(loaded, epochBefore);
    }
  }

  #takeOrphans(groupId: string): StateChange[] {
    const memberIds = this.#orphans.get(groupId) ?? [];
    this.#orphans.delete(groupId);
    return memberIds.map((memberId) => ({ key: memberKey(groupId, memberId), value: null }));
  }

  /** A new group, which its first member has joined; those that it took from a classic one have their whole sessions. */
  #begin(loaded: LoadedGroup): void {
    const { group, deadlines } = loaded;
    const rules = this.#rulesOf(group);
    const nowMs = this.#parts.clock.monotonicMs();
    this.#groups.set(group.id, loaded);
    this.#room.add(group);
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
    this.#room.add(group);
  }
}

function sessionMs({ classic }: Member, { sessionTimeoutMs }: GroupRules): number {
  return classic?.sessionTimeoutMs ?? sessionTimeoutMs;
}

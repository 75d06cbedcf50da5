/**
 * The state of one group of the consumer protocol (KIP-848): members, epochs, targets, and who holds which partition. Pure: it reads no
 * clock and does no I/O; times come as arguments, and what has to be stored is told by `takeChanges`.
 *
 *     epoch              goes up with every change of members, subscriptions or subscribed topics
 *     assignment epoch   the epoch that the targets were computed for; the assignor runs when the group's is larger, and not more often
 *                        than the interval allows, so that a thousand members that join together cost few runs. A long run goes on while
 *                        the group does (assignment-run.ts), and then the targets are those of the epoch that it began with
 *     member epoch       the one of the target that a member has been taken to (reconcile.ts)
 *
 *     empty         no members
 *     assigning     the targets are older than the group
 *     reconciling   some member is not where its target is
 *     stable        all are
 *
 * What holds at all times: a partition has at most one holder, and a holder has it as `assigned` or `revoking`; whoever gives one away
 * that is held, or takes one back that is not, is our bug.
 *
 * What members ask for, and what they are told, is in heartbeat.ts and classic-members.ts.
 */

import { fail } from "../../base/assert.ts";
import {
  type AssignedPartitions,
  NO_PARTITIONS,
  type Partitions,
  type TopicPartitions,
} from "./assignment.ts";
import { AssignmentRun } from "./assignment-run.ts";
import type { Assignor, AssignorMember } from "./assignor.ts";
import { isReconciled, isSameMember, type Member } from "./member.ts";
import { assignByRange } from "./range-assignor.ts";
import { reconcile } from "./reconcile.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { TopicView } from "./topic-view.ts";
import { assignUniformly } from "./uniform-assignor.ts";

/** By name; the first is for groups whose members do not ask for one. */
export const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map([
  ["uniform", assignUniformly],
  ["range", assignByRange],
]);
const DEFAULT_ASSIGNOR = "uniform";

/** What Kafka starts at, so that 0 in a request always means "I join". */
const FIRST_EPOCH = 1;

export type GroupState = "Empty" | "Assigning" | "Reconciling" | "Stable";

export interface AssigningRules {
  /** The shortest time between two computations. */
  readonly assignmentIntervalMs: number;
  /** How much of one is done before others have their turn. */
  readonly assignorStepsAtOnce: number;
}

/** What has to be stored: a member that is gone is null. */
export interface GroupChanges {
  readonly isGroupChanged: boolean;
  readonly members: ReadonlyMap<string, Member | null>;
}

export interface StoredGroup {
  readonly epoch: number;
  readonly assignmentEpoch: number;
  /** What each regular expression matched last. */
  readonly regexes: ReadonlyMap<string, readonly string[]>;
  /** Topics that the epoch has taken into account: id and partitions, by name. */
  readonly topics: ReadonlyMap<string, { readonly id: string; readonly partitions: number }>;
}

export class ConsumerGroup {
  readonly id: string;
  epoch = FIRST_EPOCH;
  assignmentEpoch = FIRST_EPOCH;
  readonly subscriptions: Subscriptions;
  readonly #members = new Map<string, Member>();
  readonly #statics = new Map<string, string>();
  readonly #targets = new Map<string, Partitions>();
  /** Topic id -> partition -> the member that has it. */
  readonly #holders = new Map<string, Map<number, string>>();
  /** When the assignor ran; never before. */
  #assignedAtMs = Number.NEGATIVE_INFINITY;
  #run: AssignmentRun | null = null;
  #isGroupChanged = false;
  readonly #changed = new Set<string>();

  constructor(id: string) {
    this.id = id;
    this.subscriptions = new Subscriptions();
  }

  /** A group as it was stored. A member whose partitions another one has is left out: it will have to join again. */
  static restore(
    id: string,
    stored: StoredGroup,
    members: Iterable<{ readonly member: Member; readonly target: Partitions }>,
  ): ConsumerGroup {
    const group = new ConsumerGroup(id);
    group.epoch = stored.epoch;
    group.assignmentEpoch = stored.assignmentEpoch;
    for (const { member, target } of members) {
      if (group.#isTaken(member)) continue;
      group.setMember({ ...member, topicNames: group.subscriptions.shared(member.topicNames) });
      group.#targets.set(member.id, target);
    }
    group.subscriptions.restore(stored.regexes, stored.topics);
    group.takeChanges();
    return group;
  }

  get memberCount(): number {
    return this.#members.size;
  }

  get members(): Iterable<Member> {
    return this.#members.values();
  }

  member(id: string): Member | undefined {
    return this.#members.get(id);
  }

  staticMember(instanceId: string): Member | undefined {
    const id = this.#statics.get(instanceId);
    return id === undefined ? undefined : this.#members.get(id);
  }

  target(memberId: string): Partitions {
    return this.#targets.get(memberId) ?? NO_PARTITIONS;
  }

  /** O(members) */
  get state(): GroupState {
    if (this.#members.size === 0) return "Empty";
    if (this.epoch > this.assignmentEpoch) return "Assigning";
    for (const member of this.#members.values()) {
      if (!isReconciled(member, this.assignmentEpoch)) return "Reconciling";
    }
    return "Stable";
  }

  /** The one that most members ask for. */
  get assignorName(): string {
    const votes = new Map<string, number>();
    let name = DEFAULT_ASSIGNOR;
    for (const { assignor } of this.#members.values()) {
      if (assignor === null) continue;
      const count = (votes.get(assignor) ?? 0) + 1;
      votes.set(assignor, count);
      if (count > (votes.get(name) ?? 0)) name = assignor;
    }
    return name;
  }

  /** Puts a member in the place of what it was. */
  setMember(member: Member): void {
    const known = this.#members.get(member.id);
    if (known !== undefined && isSameMember(known, member)) return;
    if (known !== undefined) this.#release(known);
    this.#members.set(member.id, member);
    this.#hold(member);
    if (member.instanceId !== null) this.#statics.set(member.instanceId, member.id);
    this.subscriptions.replace(known, member);
    this.#changed.add(member.id);
  }

  removeMember(member: Member): void {
    if (this.#members.get(member.id) !== member)
      fail("a member that is not in the group was removed from it");
    this.#members.delete(member.id);
    this.#release(member);
    if (member.instanceId !== null && this.#statics.get(member.instanceId) === member.id)
      this.#statics.delete(member.instanceId);
    this.#targets.delete(member.id);
    this.subscriptions.replace(member, undefined);
    this.#changed.add(member.id);
    this.#isGroupChanged = true;
  }

  /** A static member has come back with another id: what it had and was to have is its successor's. */
  replaceMember(member: Member, successor: Member): void {
    const target = this.target(member.id);
    this.removeMember(member);
    this.setMember(successor);
    this.#targets.set(successor.id, target);
  }

  bumpEpoch(): void {
    this.epoch += 1;
    this.#isGroupChanged = true;
  }

  /** Whether targets are being computed: `assignOn` is to be called until they are there. */
  get isAssigning(): boolean {
    return this.#run !== null;
  }

  /**
   * Begins to compute the targets if they are older than the group and the last time is long enough ago; with so many steps at once they are
   * there already, as a rule.
   */
  assignIfDue(
    view: TopicView,
    nowMs: number,
    { assignmentIntervalMs, assignorStepsAtOnce }: AssigningRules,
  ): void {
    if (this.#run !== null || this.epoch === this.assignmentEpoch) return;
    if (nowMs < this.#assignedAtMs + assignmentIntervalMs) return;
    const members: Member[] = [...this.#members.values()];
    const input = members.map(
      (member): AssignorMember => ({
        id: member.id,
        instanceId: member.instanceId,
        topics: this.subscriptions.topicIdsOf(member, view),
        previous: this.target(member.id),
      }),
    );
    const assign =
      ASSIGNORS.get(this.assignorName) ?? fail("a member asks for an assignor that is not there");
    const steps = assign({ members: input, partitionCounts: this.subscriptions.partitionCounts(view) });
    this.#run = new AssignmentRun(this.epoch, members, steps);
    this.#assignedAtMs = nowMs;
    this.assignOn(assignorStepsAtOnce);
  }

  /** Goes on with what `assignIfDue` began. False: there is more to do. */
  assignOn(stepsMax: number): boolean {
    const run = this.#run;
    if (run === null) return true;
    const targets = run.advance(stepsMax);
    if (targets === null) return false;
    this.#run = null;
    for (const [slot, member] of run.members.entries()) {
      const id = this.#idNow(member);
      if (id === undefined || this.#targets.get(id) === targets[slot]) continue;
      this.#targets.set(id, targets[slot]!);
      this.#changed.add(id);
    }
    this.assignmentEpoch = run.epoch;
    this.#isGroupChanged = true;
    return true;
  }

  /** Of a member of some time ago: a static one may have come back under another id. Undefined: it is gone. */
  #idNow({ id, instanceId }: Member): string | undefined {
    if (this.#members.has(id)) return id;
    return instanceId === null ? undefined : this.#statics.get(instanceId);
  }

  /** The interval counts anew: nobody is there who would have to wait. */
  forgetAssignment(): void {
    this.#assignedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** The member one step closer to its target, which it becomes in the group too. */
  reconcile(
    member: Member,
    view: TopicView,
    owned: readonly TopicPartitions[] | null,
    isSubscriptionNew: boolean,
  ): Member {
    if (!isSubscriptionNew && isReconciled(member, this.assignmentEpoch)) return member;
    const topicIds = this.subscriptions.topicIdsOf(member, view);
    const subscribed = topicIds.length > 8 ? new Set(topicIds) : null;
    const next = reconcile(member, {
      targetEpoch: this.assignmentEpoch,
      target: this.target(member.id),
      owned,
      isHeld: (topicId, partition) => this.#holders.get(topicId)?.has(partition) === true,
      isSubscribed: (topicId) => subscribed?.has(topicId) ?? topicIds.includes(topicId),
      isSubscriptionNew,
    });
    if (isSameMember(member, next)) return member;
    this.setMember(next);
    return next;
  }

  /** Whether the member waits for what another one has not given up yet, and could not have more by now. */
  isWaiting(member: Member): boolean {
    if (member.state !== "unreleased") return false;
    for (const [topicId, partitions] of this.target(member.id)) {
      for (const partition of partitions) {
        const holder = this.#holders.get(topicId)?.get(partition);
        if (holder !== undefined && holder !== member.id) return true;
      }
    }
    return false;
  }

  /** What has changed since the last call. */
  takeChanges(): GroupChanges {
    const isGroupChanged = this.#isGroupChanged || this.subscriptions.takeChange();
    const members = new Map(Array.from(this.#changed, (id) => [id, this.#members.get(id) ?? null]));
    this.#isGroupChanged = false;
    this.#changed.clear();
    return { isGroupChanged, members };
  }

  /** Everything counts as changed: what was taken could not be stored. */
  markChanged(memberIds: Iterable<string>): void {
    for (const id of memberIds) this.#changed.add(id);
    this.#isGroupChanged = true;
  }

  #isTaken({ assigned, revoking }: Member): boolean {
    return [...assigned, ...revoking].some(([topicId, partitions]) => {
      const holders = this.#holders.get(topicId);
      return holders !== undefined && [...partitions.keys()].some((partition) => holders.has(partition));
    });
  }

  #hold({ id, assigned, revoking }: Member): void {
    this.#holdEach(id, assigned);
    this.#holdEach(id, revoking);
  }

  #holdEach(id: string, topics: AssignedPartitions): void {
    for (const [topicId, partitions] of topics) {
      let holders = this.#holders.get(topicId);
      if (holders === undefined) {
        holders = new Map();
        this.#holders.set(topicId, holders);
      }
      for (const partition of partitions.keys()) {
        if (holders.has(partition)) fail("a partition of a group has two holders");
        holders.set(partition, id);
      }
    }
  }

  #release({ id, assigned, revoking }: Member): void {
    this.#releaseEach(id, assigned);
    this.#releaseEach(id, revoking);
  }

  #releaseEach(id: string, topics: AssignedPartitions): void {
    for (const [topicId, partitions] of topics) {
      const holders = this.#holders.get(topicId) ?? fail("a partition of a group has no holder");
      for (const partition of partitions.keys()) {
        if (holders.get(partition) !== id) fail("a partition of a group is held by somebody else");
        holders.delete(partition);
      }
      if (holders.size === 0) this.#holders.delete(topicId);
    }
  }
}

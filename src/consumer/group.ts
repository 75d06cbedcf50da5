/**
 * One classic group, where a member assigns and the server brings members together. Pure: it reads no clock, does no I/O and makes up
 * no ids; time comes as an argument (one axis that never goes back: `Clock.steadyMs`), and what is to be done goes out as effects (group-requests.ts) and as `wakeAtMs`.
 *
 *     Empty ----join----> PreparingRebalance ----all joined, or time is up----> CompletingRebalance
 *       ^                     ^       ^                                               |
 *       |                     |       '---- a member joins, leaves or expires --------+
 *       |                     |                                                       | the leader's assignment is stored
 *       |                     '-------- a member joins, leaves or expires -------- Stable
 *       '-- all members are gone: the generation that follows has none
 *
 *     Dead   removed, or of another kind by now: whoever still asks this object is to look for the group again
 *
 * Invariants
 *   - The generation only goes up, and in one generation a member has at most one assignment, which is stored before anybody is told.
 *   - All members of a generation know its protocol; the leader is one of them.
 *   - A waiter gets exactly one response.
 *
 * What it does is what Kafka's coordinator does, down to the errors, but for two: who asks again for the same is answered twice
 * (Kafka forgets the first), and a member that is removed while it waits for its assignment is told so.
 */

import { fail } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { GroupView } from "./group-kinds.ts";
import { GroupMembers, hasSameProtocols, type Member, metadataFor, newMember } from "./group-members.ts";
import {
  type Committer,
  type Effect,
  type JoinRequest,
  type JoinResponse,
  type JoinWaiter,
  type LeavingMember,
  type LeftMember,
  NO_BYTES,
  type Replacement,
  refusedJoin,
  refusedSync,
  type StoreTicket,
  type SyncRequest,
  type SyncWaiter,
} from "./group-requests.ts";
import type { StoredGroup } from "./stored-group.ts";
import { topicsOf } from "./subscription.ts";

/** What consumers call themselves. Of all other types nothing is known. */
export const CONSUMER_PROTOCOL = "consumer";

/** How long a member that waits in a rebalance may be silent before its client is taken to have given up: as in Kafka. */
export const NEW_MEMBER_TIMEOUT_MS: number = 5 * 60_000;

export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead";

export interface GroupRules {
  /** How long the first rebalance waits for more members, each time that one has come. */
  readonly initialDelayMs: number;
  readonly membersMax: number;
}

/** The first rebalance is held open. */
interface InitialDelay {
  readonly delayMs: number;
  readonly leftMs: number;
  hasNewMember: boolean;
}

const NEVER = Number.POSITIVE_INFINITY;

export class ClassicGroup implements GroupView {
  readonly type = "classic";
  readonly name: string;
  readonly members = new GroupMembers();
  readonly #rules: GroupRules;
  state: GroupState = "Empty";
  generationId = 0;
  /** Null: nobody was ever a member. */
  protocol: string | null = null;
  protocolName: string | null = null;
  /** Since when the state is what it is. */
  stateSinceMs: number;
  /** Nothing is due before this time; then `wake` is to be called. It may be too early, never too late. */
  wakeAtMs: number = NEVER;
  /** Undefined: not looked for in this generation. Null: they cannot be told. */
  #topics: ReadonlySet<string> | null | undefined = undefined;
  #initialDelay: InitialDelay | null = null;
  #joinEndsAtMs: number = NEVER;
  #syncEndsAtMs: number = NEVER;
  #effects: Effect[] = [];

  constructor(name: string, rules: GroupRules, nowMs: number) {
    this.name = name;
    this.#rules = rules;
    this.stateSinceMs = nowMs;
  }

  get protocolType(): string {
    return this.protocol ?? "";
  }

  get isEmpty(): boolean {
    return this.state === "Empty" && this.members.pendingJoin.size === 0;
  }

  get leaderId(): string {
    return this.members.leaderId ?? "";
  }

  /** As it was stored: members go on, each with a whole session before it. */
  restore(stored: StoredGroup, nowMs: number): Effect[] {
    this.generationId = stored.generationId;
    this.protocol = stored.protocol;
    this.protocolName = stored.protocolName;
    this.state = stored.members.length > 0 ? "Stable" : "Empty";
    this.stateSinceMs = Math.min(stored.stateSinceMs, nowMs);
    for (const member of stored.members) {
      this.members.add(member);
      this.#renew(member, nowMs);
    }
    if (this.members.get(stored.leaderId) !== undefined) this.members.leaderId = stored.leaderId;
    if (this.members.count > this.#rules.membersMax) this.#prepare(nowMs);
    return this.#takeEffects();
  }

  join(request: JoinRequest, waiter: JoinWaiter, nowMs: number): Effect[] {
    const { memberId } = request;
    if (this.state === "Dead") this.#refuse(waiter, "COORDINATOR_NOT_AVAILABLE", memberId);
    else if (!this.#hasPlaceFor(memberId)) {
      this.members.remove(memberId);
      this.#refuse(waiter, "GROUP_MAX_SIZE_REACHED", "");
    } else if (!this.#supports(request)) this.#refuse(waiter, "INCONSISTENT_GROUP_PROTOCOL", memberId);
    else if (memberId === "") this.#joinNew(request, waiter, nowMs);
    else this.#joinKnown(request, waiter, nowMs);
    return this.#takeEffects();
  }

  sync(request: SyncRequest, waiter: SyncWaiter): Effect[] {
    const error = this.#syncFault(request);
    if (error !== null) return [{ kind: "sync", waiter, response: refusedSync(error) }];
    const member = this.#member(request.memberId);
    this.members.pendingSync.delete(member.id);
    if (this.members.pendingSync.size === 0) this.#syncEndsAtMs = NEVER;
    if (this.state === "Stable") this.#answerSync(waiter, null, member);
    else {
      this.#endSync(member, "REBALANCE_IN_PROGRESS");
      member.syncWaiter = waiter;
      if (this.members.leaderId === member.id) {
        const { generationId } = this;
        this.#store({ kind: "assignment", generationId, assignments: request.assignments });
      }
    }
    return this.#takeEffects();
  }

  /** Null: all is well. */
  heartbeat(
    memberId: string,
    instanceId: string | null,
    generationId: number,
    nowMs: number,
  ): ErrorCode | null {
    if (this.state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    const error = this.#memberFault(memberId, instanceId);
    if (error !== null) return error;
    if (generationId !== this.generationId) return "ILLEGAL_GENERATION";
    this.#renew(this.#member(memberId), nowMs);
    return this.state === "PreparingRebalance" ? "REBALANCE_IN_PROGRESS" : null;
  }

  /** A new generation is needed for a reason that members do not know. */
  rebalance(nowMs: number): Effect[] {
    if (this.state === "Stable" || this.state === "CompletingRebalance") this.#prepare(nowMs);
    return this.#takeEffects();
  }

  /** What is to be stored, with these assignments (null: those that it has). */
  image(assignments: ReadonlyMap<string, Buffer> | null): StoredGroup {
    const { generationId, protocol, protocolName, leaderId, stateSinceMs } = this;
    const members = Array.from(this.members.all(), (member) => ({
      ...member,
      protocols: [{ name: protocolName ?? "", metadata: metadataFor(member, protocolName ?? "") }],
      assignment: assignments === null ? member.assignment : (assignments.get(member.id) ?? NO_BYTES),
    }));
    return { generationId, protocol, protocolName, leaderId, stateSinceMs, members };
  }

  leave(leaving: readonly LeavingMember[], nowMs: number): { left: LeftMember[]; effects: Effect[] } {
    const left = leaving.map((member) => ({ ...member, error: this.#leaveOne(member) }));
    if (left.some(({ error }) => error === null)) {
      if (this.state === "Stable" || this.state === "CompletingRebalance") this.#prepare(nowMs);
      else if (this.state === "PreparingRebalance") this.#completeIfJoined(nowMs);
    }
    return { left, effects: this.#takeEffects() };
  }

  commit(
    { memberId, instanceId, generationId }: Committer,
    _partitions: unknown,
    nowMs: number,
  ): ErrorCode | null {
    if (this.state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    if (generationId < 0 && this.state === "Empty") return null;
    if (generationId < 0 && memberId === "" && instanceId === null) return "UNKNOWN_MEMBER_ID";
    const error = this.#memberFault(memberId, instanceId);
    if (error !== null) return error;
    if (generationId !== this.generationId) return "ILLEGAL_GENERATION";
    if (this.state === "CompletingRebalance") return "REBALANCE_IN_PROGRESS";
    this.#renew(this.#member(memberId), nowMs);
    return null;
  }

  fetchFault(): ErrorCode | null {
    return null;
  }

  offsetDeleteFault(): ErrorCode | null {
    if (this.state === "Dead") return "GROUP_ID_NOT_FOUND";
    return this.state === "Empty" || this.protocol === CONSUMER_PROTOCOL ? null : "NON_EMPTY_GROUP";
  }

  /** A consumer group whose topics cannot be told is taken to be subscribed to all. */
  isSubscribedTo(topic: string): boolean {
    if (this.protocol !== CONSUMER_PROTOCOL) return false;
    return this.#knownTopics()?.has(topic) ?? true;
  }

  unusedSinceMs(committedAtMs: number): number | null {
    if (this.protocol === null) return committedAtMs;
    if (this.state === "Empty") return this.stateSinceMs;
    return this.state === "Stable" && this.protocol === CONSUMER_PROTOCOL ? committedAtMs : null;
  }

  /** Does what is due. O(members) */
  wake(nowMs: number): Effect[] {
    for (const [id, endsAtMs] of [...this.members.pendingJoin])
      if (endsAtMs <= nowMs) this.#expirePending(id, nowMs);
    const late = Array.from(this.members.all()).filter(({ sessionEndsAtMs }) => sessionEndsAtMs <= nowMs);
    for (const member of late) this.#expire(member, nowMs);
    if (this.#joinEndsAtMs <= nowMs) this.#endJoin(nowMs);
    if (this.#syncEndsAtMs <= nowMs) this.#endPendingSync(nowMs);
    this.wakeAtMs = this.#firstDueAtMs();
    return this.#takeEffects();
  }

  /** A store that was asked for has ended: durable, or refused with an error. */
  stored(ticket: StoreTicket, error: ErrorCode | null, nowMs: number): Effect[] {
    if (this.state !== "Dead") {
      if (ticket.kind === "assignment") this.#assignmentStored(ticket, error, nowMs);
      else if (ticket.kind === "replacement") this.#replacementStored(ticket.replacement, error, nowMs);
    }
    return this.#takeEffects();
  }

  /** Ends the group: whoever waits is told `error`, and is to look for the group again. */
  end(error: ErrorCode): Effect[] {
    for (const member of this.members.all()) {
      this.#endJoinOf(member, refusedJoin(error, member.id));
      this.#endSync(member, error);
    }
    this.#joinEndsAtMs = NEVER;
    this.#syncEndsAtMs = NEVER;
    this.wakeAtMs = NEVER;
    this.state = "Dead";
    return this.#takeEffects();
  }

  #joinNew(request: JoinRequest, waiter: JoinWaiter, nowMs: number): void {
    const { instanceId, newMemberId, sessionTimeoutMs } = request;
    if (instanceId !== null) {
      const oldId = this.members.idOf(instanceId);
      if (oldId === undefined) this.#add(newMemberId, request, waiter, nowMs);
      else this.#replace(this.#member(oldId), request, waiter, nowMs);
    } else if (request.isTwoStep) {
      const endsAtMs = nowMs + sessionTimeoutMs;
      this.members.pendingJoin.set(newMemberId, endsAtMs);
      this.#dueAt(endsAtMs);
      this.#refuse(waiter, "MEMBER_ID_REQUIRED", newMemberId);
    } else this.#add(newMemberId, request, waiter, nowMs);
  }

  #joinKnown(request: JoinRequest, waiter: JoinWaiter, nowMs: number): void {
    const { memberId, instanceId } = request;
    if (this.members.pendingJoin.has(memberId)) {
      // An instance id needs no second step, so nobody was given this id for it.
      if (instanceId === null) this.#add(memberId, request, waiter, nowMs);
      else this.#refuse(waiter, "UNKNOWN_MEMBER_ID", memberId);
      return;
    }
    const error = this.#memberFault(memberId, instanceId);
    if (error !== null) {
      this.#answerJoin(waiter, refusedJoin(error, memberId));
      return;
    }
    const member = this.#member(memberId);
    const isSame = hasSameProtocols(member, request.protocols);
    const isLeader = this.members.leaderId === memberId;
    if (this.state === "CompletingRebalance" && isSame)
      this.#answerJoin(waiter, this.#joined(member, isLeader));
    else if (this.state === "Stable" && isSame && !isLeader)
      this.#answerJoin(waiter, this.#joined(member, false));
    else {
      this.#rejoin(member, request, waiter);
      this.#prepareOrComplete(nowMs);
    }
  }

  #add(id: string, request: JoinRequest, waiter: JoinWaiter, nowMs: number): void {
    if (this.members.count === 0) this.protocol = request.protocolType;
    if (this.#initialDelay !== null) this.#initialDelay.hasNewMember = true;
    const member = newMember(id, request, waiter);
    this.members.add(member);
    member.sessionEndsAtMs = nowMs + NEW_MEMBER_TIMEOUT_MS;
    this.#dueAt(member.sessionEndsAtMs);
    this.#prepareOrComplete(nowMs);
  }

  /** The member joins again, and waits for the end of the rebalance. */
  #rejoin(member: Member, request: JoinRequest, waiter: JoinWaiter): void {
    this.#endJoinOf(member, refusedJoin("REBALANCE_IN_PROGRESS", member.id));
    this.members.update(member, request);
    this.members.waitForJoin(member, waiter);
  }

  /** A static member that came back under another id: where nothing changes for the group, it goes on with what it had. */
  #replace(member: Member, request: JoinRequest, waiter: JoinWaiter, nowMs: number): void {
    const replacement: Replacement = {
      instanceId: request.instanceId ?? "",
      oldMemberId: member.id,
      newMemberId: request.newMemberId,
      oldProtocols: member.protocols,
      oldSessionTimeoutMs: member.sessionTimeoutMs,
      oldRebalanceTimeoutMs: member.rebalanceTimeoutMs,
      oldLeader: this.leaderId,
      waiter,
      canSkipAssignment: request.canSkipAssignment,
    };
    this.#endJoinOf(member, refusedJoin("FENCED_INSTANCE_ID", member.id));
    this.#endSync(member, "FENCED_INSTANCE_ID");
    this.members.rename(member, request.newMemberId);
    this.#renew(member, nowMs);
    this.#rejoin(member, request, waiter);
    if (this.state === "CompletingRebalance") this.#prepare(nowMs);
    else if (this.state !== "Stable") this.#completeIfJoined(nowMs);
    else if (this.members.selectProtocol() === this.protocolName)
      this.#store({ kind: "replacement", replacement });
    else this.#prepare(nowMs);
  }

  #replacementStored(replacement: Replacement, error: ErrorCode | null, nowMs: number): void {
    const { newMemberId, oldMemberId, waiter } = replacement;
    const member = this.members.get(newMemberId);
    // Somebody else has taken its place meanwhile, or a rebalance has, which tells it more.
    if (member?.joinWaiter !== waiter || this.state !== "Stable") return;
    if (error === null) {
      const isLeader = replacement.canSkipAssignment && this.members.leaderId === newMemberId;
      const leader = replacement.canSkipAssignment ? this.leaderId : replacement.oldLeader;
      this.#endJoinOf(member, { ...this.#joined(member, isLeader), leader, skipAssignment: isLeader });
      return;
    }
    this.#endJoinOf(member, {
      ...this.#joined(member, false),
      error,
      memberId: "",
      leader: replacement.oldLeader,
    });
    this.members.rename(member, oldMemberId);
    this.members.update(member, {
      protocols: replacement.oldProtocols,
      sessionTimeoutMs: replacement.oldSessionTimeoutMs,
      rebalanceTimeoutMs: replacement.oldRebalanceTimeoutMs,
    });
    this.#renew(member, nowMs);
  }

  #leaveOne({ memberId, groupInstanceId }: LeavingMember): ErrorCode | null {
    if (this.state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    if (memberId !== "" && this.members.pendingJoin.has(memberId)) {
      this.members.remove(memberId);
      return null;
    }
    const id = memberId === "" && groupInstanceId !== null ? this.members.idOf(groupInstanceId) : memberId;
    const error = id === undefined ? "UNKNOWN_MEMBER_ID" : this.#memberFault(id, groupInstanceId);
    if (error === null) this.#remove(this.#member(id ?? ""));
    return error;
  }

  #prepareOrComplete(nowMs: number): void {
    if (this.state === "PreparingRebalance") this.#completeIfJoined(nowMs);
    else this.#prepare(nowMs);
  }

  /** Begins a rebalance. */
  #prepare(nowMs: number): void {
    if (this.state === "CompletingRebalance") this.#dropAssignments("REBALANCE_IN_PROGRESS");
    this.members.pendingSync.clear();
    this.#syncEndsAtMs = NEVER;
    const isFirst = this.state === "Empty";
    this.#enter("PreparingRebalance", nowMs);
    const { initialDelayMs } = this.#rules;
    const timeoutMs = this.members.rebalanceTimeoutMs;
    if (isFirst) {
      const leftMs = Math.max(timeoutMs - initialDelayMs, 0);
      this.#initialDelay = { delayMs: initialDelayMs, leftMs, hasNewMember: false };
    } else if (this.members.haveAllJoined) {
      this.#completeJoin(nowMs);
      return;
    }
    this.#setJoinEnd(nowMs + (isFirst ? initialDelayMs : timeoutMs));
  }

  /** The first rebalance waits for its time, any other for its members. */
  #completeIfJoined(nowMs: number): void {
    if (this.#initialDelay === null && this.members.haveAllJoined) this.#completeJoin(nowMs);
  }

  /** Time is up for those who have not joined, unless the first rebalance has seen somebody come. */
  #endJoin(nowMs: number): void {
    const delay = this.#initialDelay;
    if (delay === null || !delay.hasNewMember || delay.leftMs === 0) {
      this.#completeJoin(nowMs);
      return;
    }
    const delayMs = Math.min(this.#rules.initialDelayMs, delay.leftMs);
    this.#initialDelay = { delayMs, leftMs: Math.max(delay.leftMs - delay.delayMs, 0), hasNewMember: false };
    this.#setJoinEnd(nowMs + delayMs);
  }

  /** Ends the time to join: a new generation of those who are there. */
  #completeJoin(nowMs: number): void {
    this.#joinEndsAtMs = NEVER;
    this.#initialDelay = null;
    for (const member of [...this.members.all()])
      if (member.joinWaiter === null && member.instanceId === null) this.#remove(member);
    if (this.members.count > 0 && !this.members.electWaiting()) {
      this.#setJoinEnd(nowMs + this.members.rebalanceTimeoutMs);
      return;
    }
    this.generationId += 1;
    this.#topics = undefined;
    this.members.pendingSync.clear();
    if (this.members.count === 0) {
      this.protocolName = null;
      this.#enter("Empty", nowMs);
      this.#store({ kind: "empty" });
      return;
    }
    this.protocolName = this.members.selectProtocol();
    this.#enter("CompletingRebalance", nowMs);
    for (const member of this.members.all()) {
      this.#endJoinOf(member, this.#joined(member, member.id === this.members.leaderId));
      member.isNew = false;
      this.#renew(member, nowMs);
      this.members.pendingSync.add(member.id);
    }
    this.#syncEndsAtMs = nowMs + this.members.rebalanceTimeoutMs;
    this.#dueAt(this.#syncEndsAtMs);
  }

  #assignmentStored(
    ticket: Extract<StoreTicket, { kind: "assignment" }>,
    error: ErrorCode | null,
    nowMs: number,
  ): void {
    if (this.state !== "CompletingRebalance" || ticket.generationId !== this.generationId) return;
    if (error !== null) {
      this.#dropAssignments(error);
      this.#prepare(nowMs);
      return;
    }
    this.#enter("Stable", nowMs);
    for (const member of this.members.all()) {
      this.members.assign(member, ticket.assignments.get(member.id) ?? NO_BYTES);
      const waiter = member.syncWaiter;
      if (waiter === null) continue;
      member.syncWaiter = null;
      this.#answerSync(waiter, null, member);
      this.#renew(member, nowMs);
    }
  }

  /** Nobody has an assignment any more, and who waits for one is told. */
  #dropAssignments(error: ErrorCode): void {
    for (const member of this.members.all()) {
      this.members.assign(member, NO_BYTES);
      this.#endSync(member, error);
    }
  }

  /** Members that did not ask for their assignment in time are gone. */
  #endPendingSync(nowMs: number): void {
    this.#syncEndsAtMs = NEVER;
    for (const id of [...this.members.pendingSync]) this.#remove(this.#member(id));
    this.#prepare(nowMs);
  }

  #expirePending(id: string, nowMs: number): void {
    this.members.remove(id);
    if (this.state === "PreparingRebalance" && this.members.haveAllJoined) this.#completeJoin(nowMs);
  }

  /** Who waits for others is alive, unless it is new: then its client may have given up. */
  #expire(member: Member, nowMs: number): void {
    if (this.members.get(member.id) !== member || member.sessionEndsAtMs > nowMs) return;
    if (!member.isNew && (member.joinWaiter !== null || member.syncWaiter !== null)) {
      member.sessionEndsAtMs = NEVER;
      return;
    }
    this.#remove(member);
    if (this.state === "Stable" || this.state === "CompletingRebalance") this.#prepare(nowMs);
    else if (this.state === "PreparingRebalance" && this.members.haveAllJoined) this.#completeJoin(nowMs);
  }

  #remove(member: Member): void {
    this.#endJoinOf(member, refusedJoin("UNKNOWN_MEMBER_ID", ""));
    this.#endSync(member, "UNKNOWN_MEMBER_ID");
    this.members.remove(member.id);
  }

  #memberFault(id: string, instanceId: string | null): ErrorCode | null {
    if (instanceId !== null) {
      const own = this.members.idOf(instanceId);
      if (own !== undefined && own !== id) return "FENCED_INSTANCE_ID";
      if (own === undefined) return "UNKNOWN_MEMBER_ID";
    }
    return this.members.get(id) === undefined ? "UNKNOWN_MEMBER_ID" : null;
  }

  #syncFault(request: SyncRequest): ErrorCode | null {
    if (this.state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    const error = this.#memberFault(request.memberId, request.instanceId);
    if (error !== null) return error;
    if (request.generationId !== this.generationId) return "ILLEGAL_GENERATION";
    const { protocolType, protocolName } = request;
    if (protocolType !== null && protocolType !== this.protocol) return "INCONSISTENT_GROUP_PROTOCOL";
    if (protocolName !== null && protocolName !== this.protocolName) return "INCONSISTENT_GROUP_PROTOCOL";
    return this.state === "PreparingRebalance" ? "REBALANCE_IN_PROGRESS" : null;
  }

  /** Whether a member with these protocols would leave the group one that all know. */
  #supports({ protocolType, protocols }: JoinRequest): boolean {
    if (this.state === "Empty") return protocolType !== "" && protocols.length > 0;
    const { count } = this.members;
    return (
      protocolType === this.protocol && protocols.some(({ name }) => this.members.knowing(name) === count)
    );
  }

  #hasPlaceFor(id: string): boolean {
    const { membersMax } = this.#rules;
    if (id === "" && this.members.pendingJoin.size >= membersMax) return false;
    if (this.state === "Empty") return true;
    const member = this.members.get(id);
    if (this.state !== "PreparingRebalance") return member !== undefined || this.members.count < membersMax;
    return (member?.joinWaiter ?? null) !== null || this.members.waitingCount < membersMax;
  }

  #member(id: string): Member {
    return this.members.get(id) ?? fail("a member of a group is missing");
  }

  /** A sign of life. */
  #renew(member: Member, nowMs: number): void {
    member.sessionEndsAtMs = nowMs + member.sessionTimeoutMs;
    this.#dueAt(member.sessionEndsAtMs);
  }

  #setJoinEnd(atMs: number): void {
    this.#joinEndsAtMs = atMs;
    this.#dueAt(atMs);
  }

  #dueAt(atMs: number): void {
    if (atMs < this.wakeAtMs) this.wakeAtMs = atMs;
  }

  #firstDueAtMs(): number {
    let firstMs = Math.min(this.#joinEndsAtMs, this.#syncEndsAtMs);
    for (const { sessionEndsAtMs } of this.members.all()) firstMs = Math.min(firstMs, sessionEndsAtMs);
    for (const endsAtMs of this.members.pendingJoin.values()) firstMs = Math.min(firstMs, endsAtMs);
    return firstMs;
  }

  #enter(state: GroupState, nowMs: number): void {
    this.state = state;
    this.stateSinceMs = nowMs;
  }

  #knownTopics(): ReadonlySet<string> | null {
    if (this.#topics !== undefined) return this.#topics;
    const { protocolName } = this;
    this.#topics = protocolName === null ? new Set() : topicsOf(this.members.all(), protocolName);
    return this.#topics;
  }

  #joined(member: Member, isLeader: boolean): JoinResponse {
    return {
      error: null,
      memberId: member.id,
      generationId: this.generationId,
      protocolType: this.protocol,
      protocolName: this.protocolName,
      leader: this.leaderId,
      skipAssignment: false,
      members: isLeader ? this.members.joined(this.protocolName ?? "") : [],
    };
  }

  #store(ticket: StoreTicket): void {
    this.#effects.push({ kind: "store", ticket });
  }

  #refuse(waiter: JoinWaiter, error: ErrorCode, memberId: string): void {
    this.#answerJoin(waiter, refusedJoin(error, memberId));
  }

  #answerJoin(waiter: JoinWaiter, response: JoinResponse): void {
    this.#effects.push({ kind: "join", waiter, response });
  }

  #endJoinOf(member: Member, response: JoinResponse): void {
    if (member.joinWaiter === null) return;
    this.#answerJoin(member.joinWaiter, response);
    this.members.waitForJoin(member, null);
  }

  #answerSync(waiter: SyncWaiter, error: ErrorCode | null, { assignment }: Member): void {
    const { protocol: protocolType, protocolName } = this;
    this.#effects.push({ kind: "sync", waiter, response: { error, protocolType, protocolName, assignment } });
  }

  #endSync(member: Member, error: ErrorCode): void {
    if (member.syncWaiter === null) return;
    this.#effects.push({ kind: "sync", waiter: member.syncWaiter, response: refusedSync(error) });
    member.syncWaiter = null;
  }

  #takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

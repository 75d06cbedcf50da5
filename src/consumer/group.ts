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

import type { ErrorCode } from "../base/errors.ts";
import type { GroupView } from "./group-kinds.ts";
import { hasSameProtocols, type Member, metadataFor, newMember } from "./group-members.ts";
import { CONSUMER_PROTOCOL, GroupPhases, NEVER } from "./group-phases.ts";
import {
  type Committer,
  type Effect,
  type JoinRequest,
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

/** How long a member that waits in a rebalance may be silent before its client is taken to have given up: as in Kafka. */
export const NEW_MEMBER_TIMEOUT_MS: number = 5 * 60_000;

export class ClassicGroup extends GroupPhases implements GroupView {
  readonly type = "classic";

  get protocolType(): string {
    return this.protocol ?? "";
  }

  get isEmpty(): boolean {
    return this.state === "Empty" && this.members.pendingJoin.size === 0;
  }

  /** As it was stored: members go on, each with a whole session before it. Without a leader nobody has assigned yet: they come together. */
  restore(stored: StoredGroup, nowMs: number): Effect[] {
    this.generationId = stored.generationId;
    this.protocol = stored.protocol;
    this.protocolName = stored.protocolName;
    this.state = stored.members.length > 0 ? "Stable" : "Empty";
    this.stateSinceMs = Math.min(stored.stateSinceMs, nowMs);
    for (const member of stored.members) {
      this.members.add(member);
      this.renew(member, nowMs);
    }
    const hasLeader = this.members.get(stored.leaderId) !== undefined;
    if (hasLeader) this.members.leaderId = stored.leaderId;
    const hasToRebalance = !hasLeader || this.members.count > this.rules.membersMax;
    if (this.members.count > 0 && hasToRebalance) this.prepare(nowMs);
    return this.takeEffects();
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
    return this.takeEffects();
  }

  sync(request: SyncRequest, waiter: SyncWaiter): Effect[] {
    const error = this.#syncFault(request);
    if (error !== null) return [{ kind: "sync", waiter, response: refusedSync(error) }];
    const member = this.member(request.memberId);
    this.members.pendingSync.delete(member.id);
    if (this.members.pendingSync.size === 0) this.syncEndsAtMs = NEVER;
    if (this.state === "Stable") this.answerSync(waiter, null, member);
    else {
      this.endSync(member, "REBALANCE_IN_PROGRESS");
      member.syncWaiter = waiter;
      if (this.members.leaderId === member.id) {
        const { generationId } = this;
        this.store({ kind: "assignment", generationId, assignments: request.assignments });
      }
    }
    return this.takeEffects();
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
    this.renew(this.member(memberId), nowMs);
    return this.state === "PreparingRebalance" ? "REBALANCE_IN_PROGRESS" : null;
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

  /** All that it is, for who makes a group of another kind of it. */
  whole(): StoredGroup {
    return { ...this.image(null), members: [...this.members.all()] };
  }

  leave(leaving: readonly LeavingMember[], nowMs: number): { left: LeftMember[]; effects: Effect[] } {
    const left = leaving.map((member) => ({ ...member, error: this.#leaveOne(member) }));
    if (left.some(({ error }) => error === null)) {
      if (this.state === "Stable" || this.state === "CompletingRebalance") this.prepare(nowMs);
      else if (this.state === "PreparingRebalance") this.completeIfJoined(nowMs);
    }
    return { left, effects: this.takeEffects() };
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
    this.renew(this.member(memberId), nowMs);
    return null;
  }

  fetchFault(): ErrorCode | null {
    return null;
  }

  offsetDeleteFault(): ErrorCode | null {
    if (this.state === "Dead") return "GROUP_ID_NOT_FOUND";
    return this.state === "Empty" || this.protocol === CONSUMER_PROTOCOL ? null : "NON_EMPTY_GROUP";
  }

  unusedSinceMs(committedAtMs: number): number | null {
    if (this.protocol === null) return committedAtMs;
    if (this.state === "Empty") return this.stateSinceMs;
    return this.state === "Stable" && this.protocol === CONSUMER_PROTOCOL ? committedAtMs : null;
  }

  /** A store that was asked for has ended: durable, or refused with an error. */
  stored(ticket: StoreTicket, error: ErrorCode | null, nowMs: number): Effect[] {
    if (this.state !== "Dead") {
      if (ticket.kind === "assignment") this.assignmentStored(ticket, error, nowMs);
      else if (ticket.kind === "replacement") this.#replacementStored(ticket.replacement, error, nowMs);
    }
    return this.takeEffects();
  }

  #joinNew(request: JoinRequest, waiter: JoinWaiter, nowMs: number): void {
    const { instanceId, newMemberId, sessionTimeoutMs } = request;
    if (instanceId !== null) {
      const oldId = this.members.idOf(instanceId);
      if (oldId === undefined) this.#add(newMemberId, request, waiter, nowMs);
      else this.#replace(this.member(oldId), request, waiter, nowMs);
    } else if (request.isTwoStep) {
      const endsAtMs = nowMs + sessionTimeoutMs;
      this.members.pendingJoin.set(newMemberId, endsAtMs);
      this.dueAt(endsAtMs);
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
      this.answerJoin(waiter, refusedJoin(error, memberId));
      return;
    }
    const member = this.member(memberId);
    const isSame = hasSameProtocols(member, request.protocols);
    const isLeader = this.members.leaderId === memberId;
    if (this.state === "CompletingRebalance" && isSame)
      this.answerJoin(waiter, this.joined(member, isLeader));
    else if (this.state === "Stable" && isSame && !isLeader)
      this.answerJoin(waiter, this.joined(member, false));
    else {
      this.#rejoin(member, request, waiter);
      this.prepareOrComplete(nowMs);
    }
  }

  #add(id: string, request: JoinRequest, waiter: JoinWaiter, nowMs: number): void {
    if (this.members.count === 0) this.protocol = request.protocolType;
    if (this.initialDelay !== null) this.initialDelay.hasNewMember = true;
    const member = newMember(id, request, waiter);
    this.members.add(member);
    member.sessionEndsAtMs = nowMs + NEW_MEMBER_TIMEOUT_MS;
    this.dueAt(member.sessionEndsAtMs);
    this.prepareOrComplete(nowMs);
  }

  /** The member joins again, and waits for the end of the rebalance. */
  #rejoin(member: Member, request: JoinRequest, waiter: JoinWaiter): void {
    this.endJoinOf(member, refusedJoin("REBALANCE_IN_PROGRESS", member.id));
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
    this.endJoinOf(member, refusedJoin("FENCED_INSTANCE_ID", member.id));
    this.endSync(member, "FENCED_INSTANCE_ID");
    this.members.rename(member, request.newMemberId);
    this.renew(member, nowMs);
    this.#rejoin(member, request, waiter);
    if (this.state === "CompletingRebalance") this.prepare(nowMs);
    else if (this.state !== "Stable") this.completeIfJoined(nowMs);
    else if (this.members.selectProtocol() === this.protocolName)
      this.store({ kind: "replacement", replacement });
    else this.prepare(nowMs);
  }

  #replacementStored(replacement: Replacement, error: ErrorCode | null, nowMs: number): void {
    const { newMemberId, oldMemberId, waiter } = replacement;
    const member = this.members.get(newMemberId);
    // Somebody else has taken its place meanwhile, or a rebalance has, which tells it more.
    if (member?.joinWaiter !== waiter || this.state !== "Stable") return;
    if (error === null) {
      const isLeader = replacement.canSkipAssignment && this.members.leaderId === newMemberId;
      const leader = replacement.canSkipAssignment ? this.leaderId : replacement.oldLeader;
      this.endJoinOf(member, { ...this.joined(member, isLeader), leader, skipAssignment: isLeader });
      // While it waited its session did not end, however long the store took.
      this.renew(member, nowMs);
      return;
    }
    this.endJoinOf(member, {
      ...this.joined(member, false),
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
    this.renew(member, nowMs);
  }

  #leaveOne({ memberId, groupInstanceId }: LeavingMember): ErrorCode | null {
    if (this.state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    if (memberId !== "" && this.members.pendingJoin.has(memberId)) {
      this.members.remove(memberId);
      return null;
    }
    const id = memberId === "" && groupInstanceId !== null ? this.members.idOf(groupInstanceId) : memberId;
    const error = id === undefined ? "UNKNOWN_MEMBER_ID" : this.#memberFault(id, groupInstanceId);
    if (error === null) this.remove(this.member(id ?? ""));
    return error;
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
    const { membersMax } = this.rules;
    if (id === "" && this.members.pendingJoin.size >= membersMax) return false;
    if (this.state === "Empty") return true;
    const member = this.members.get(id);
    if (this.state !== "PreparingRebalance") return member !== undefined || this.members.count < membersMax;
    return (member?.joinWaiter ?? null) !== null || this.members.waitingCount < membersMax;
  }

  #refuse(waiter: JoinWaiter, error: ErrorCode, memberId: string): void {
    this.answerJoin(waiter, refusedJoin(error, memberId));
  }
}

/**
 * The phases of a classic group (group.ts), whatever brings them on: how a rebalance begins, whom it waits for, how a generation is
 * made, and what becomes due. Pure, as the group is.
 *
 *     prepare           members are called; the first rebalance of a group is held open for more of them
 *     completeJoin      all are there, or time is up: a new generation of those who are, each with its response
 *     assignmentStored  the leader's assignment is durable: everybody who waits gets its own
 *     wake              sessions, the time to join and the time to synchronise that have ended
 */

import { fail } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import { GroupMembers, type Member } from "./group-members.ts";
import {
  type Effect,
  type JoinResponse,
  type JoinWaiter,
  NO_BYTES,
  refusedJoin,
  refusedSync,
  type StoreTicket,
  type SyncWaiter,
} from "./group-requests.ts";
import { topicsOf } from "./subscription.ts";

/** What consumers call themselves. Of all other types nothing is known. */
export const CONSUMER_PROTOCOL = "consumer";

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

export const NEVER: number = Number.POSITIVE_INFINITY;

export class GroupPhases {
  readonly name: string;
  readonly members = new GroupMembers();
  protected readonly rules: GroupRules;
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
  protected initialDelay: InitialDelay | null = null;
  #joinEndsAtMs: number = NEVER;
  protected syncEndsAtMs: number = NEVER;
  #effects: Effect[] = [];

  constructor(name: string, rules: GroupRules, nowMs: number) {
    this.name = name;
    this.rules = rules;
    this.stateSinceMs = nowMs;
  }

  get leaderId(): string {
    return this.members.leaderId ?? "";
  }

  /** A consumer group whose topics cannot be told is taken to be subscribed to all. */
  isSubscribedTo(topic: string): boolean {
    if (this.protocol !== CONSUMER_PROTOCOL) return false;
    return this.#knownTopics()?.has(topic) ?? true;
  }

  /** Does what is due. O(members) */
  wake(nowMs: number): Effect[] {
    for (const [id, endsAtMs] of [...this.members.pendingJoin])
      if (endsAtMs <= nowMs) this.#expirePending(id, nowMs);
    const late = Array.from(this.members.all()).filter(({ sessionEndsAtMs }) => sessionEndsAtMs <= nowMs);
    for (const member of late) this.#expire(member, nowMs);
    if (this.#joinEndsAtMs <= nowMs) this.#endJoin(nowMs);
    if (this.syncEndsAtMs <= nowMs) this.#endPendingSync(nowMs);
    this.wakeAtMs = this.#firstDueAtMs();
    return this.takeEffects();
  }

  /** Ends the group: whoever waits is told `error`, and is to look for the group again. */
  end(error: ErrorCode): Effect[] {
    for (const member of this.members.all()) {
      this.endJoinOf(member, refusedJoin(error, member.id));
      this.endSync(member, error);
    }
    this.#joinEndsAtMs = NEVER;
    this.syncEndsAtMs = NEVER;
    this.wakeAtMs = NEVER;
    this.state = "Dead";
    return this.takeEffects();
  }

  protected prepareOrComplete(nowMs: number): void {
    if (this.state === "PreparingRebalance") this.completeIfJoined(nowMs);
    else this.prepare(nowMs);
  }

  /** Begins a rebalance. */
  protected prepare(nowMs: number): void {
    if (this.state === "CompletingRebalance") this.#dropAssignments("REBALANCE_IN_PROGRESS", nowMs);
    this.members.pendingSync.clear();
    this.syncEndsAtMs = NEVER;
    const isFirst = this.state === "Empty";
    this.#enter("PreparingRebalance", nowMs);
    const { initialDelayMs } = this.rules;
    const timeoutMs = this.members.rebalanceTimeoutMs;
    if (isFirst) {
      const leftMs = Math.max(timeoutMs - initialDelayMs, 0);
      this.initialDelay = { delayMs: initialDelayMs, leftMs, hasNewMember: false };
    } else if (this.members.haveAllJoined) {
      this.#completeJoin(nowMs);
      return;
    }
    this.#setJoinEnd(nowMs + (isFirst ? initialDelayMs : timeoutMs));
  }

  /** The first rebalance waits for its time, any other for its members. */
  protected completeIfJoined(nowMs: number): void {
    if (this.initialDelay === null && this.members.haveAllJoined) this.#completeJoin(nowMs);
  }

  /** Time is up for those who have not joined, unless the first rebalance has seen somebody come. */
  #endJoin(nowMs: number): void {
    const delay = this.initialDelay;
    if (delay === null || !delay.hasNewMember || delay.leftMs === 0) {
      this.#completeJoin(nowMs);
      return;
    }
    const delayMs = Math.min(this.rules.initialDelayMs, delay.leftMs);
    this.initialDelay = { delayMs, leftMs: Math.max(delay.leftMs - delay.delayMs, 0), hasNewMember: false };
    this.#setJoinEnd(nowMs + delayMs);
  }

  /** Ends the time to join: a new generation of those who are there. */
  #completeJoin(nowMs: number): void {
    this.#joinEndsAtMs = NEVER;
    this.initialDelay = null;
    for (const member of [...this.members.all()])
      if (member.joinWaiter === null && member.instanceId === null) this.remove(member);
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
      this.store({ kind: "empty" });
      return;
    }
    this.protocolName = this.members.selectProtocol();
    this.#enter("CompletingRebalance", nowMs);
    for (const member of this.members.all()) {
      this.endJoinOf(member, this.joined(member, member.id === this.members.leaderId));
      member.isNew = false;
      this.renew(member, nowMs);
      this.members.pendingSync.add(member.id);
    }
    this.syncEndsAtMs = nowMs + this.members.rebalanceTimeoutMs;
    this.dueAt(this.syncEndsAtMs);
  }

  protected assignmentStored(
    ticket: Extract<StoreTicket, { kind: "assignment" }>,
    error: ErrorCode | null,
    nowMs: number,
  ): void {
    if (this.state !== "CompletingRebalance" || ticket.generationId !== this.generationId) return;
    if (error !== null) {
      this.#dropAssignments(error, nowMs);
      this.prepare(nowMs);
      return;
    }
    this.#enter("Stable", nowMs);
    for (const member of this.members.all()) {
      this.members.assign(member, ticket.assignments.get(member.id) ?? NO_BYTES);
      const waiter = member.syncWaiter;
      if (waiter === null) continue;
      member.syncWaiter = null;
      this.answerSync(waiter, null, member);
      this.renew(member, nowMs);
    }
  }

  /** Nobody has an assignment any more, and who waits for one is told: from then on its session counts again. */
  #dropAssignments(error: ErrorCode, nowMs: number): void {
    for (const member of this.members.all()) {
      this.members.assign(member, NO_BYTES);
      if (member.syncWaiter === null) continue;
      this.endSync(member, error);
      this.renew(member, nowMs);
    }
  }

  /** Members that did not ask for their assignment in time are gone. */
  #endPendingSync(nowMs: number): void {
    this.syncEndsAtMs = NEVER;
    for (const id of [...this.members.pendingSync]) this.remove(this.member(id));
    this.prepare(nowMs);
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
    this.remove(member);
    if (this.state === "Stable" || this.state === "CompletingRebalance") this.prepare(nowMs);
    else if (this.state === "PreparingRebalance" && this.members.haveAllJoined) this.#completeJoin(nowMs);
  }

  protected remove(member: Member): void {
    this.endJoinOf(member, refusedJoin("UNKNOWN_MEMBER_ID", ""));
    this.endSync(member, "UNKNOWN_MEMBER_ID");
    this.members.remove(member.id);
  }

  protected member(id: string): Member {
    return this.members.get(id) ?? fail("a member of a group is missing");
  }

  /** A sign of life. */
  protected renew(member: Member, nowMs: number): void {
    member.sessionEndsAtMs = nowMs + member.sessionTimeoutMs;
    this.dueAt(member.sessionEndsAtMs);
  }

  #setJoinEnd(atMs: number): void {
    this.#joinEndsAtMs = atMs;
    this.dueAt(atMs);
  }

  protected dueAt(atMs: number): void {
    if (atMs < this.wakeAtMs) this.wakeAtMs = atMs;
  }

  #firstDueAtMs(): number {
    let firstMs = Math.min(this.#joinEndsAtMs, this.syncEndsAtMs);
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

  protected joined(member: Member, isLeader: boolean): JoinResponse {
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

  protected store(ticket: StoreTicket): void {
    this.#effects.push({ kind: "store", ticket });
  }

  protected answerJoin(waiter: JoinWaiter, response: JoinResponse): void {
    this.#effects.push({ kind: "join", waiter, response });
  }

  protected endJoinOf(member: Member, response: JoinResponse): void {
    if (member.joinWaiter === null) return;
    this.answerJoin(member.joinWaiter, response);
    this.members.waitForJoin(member, null);
  }

  protected answerSync(waiter: SyncWaiter, error: ErrorCode | null, { assignment }: Member): void {
    const { protocol: protocolType, protocolName } = this;
    this.#effects.push({ kind: "sync", waiter, response: { error, protocolType, protocolName, assignment } });
  }

  protected endSync(member: Member, error: ErrorCode): void {
    if (member.syncWaiter === null) return;
    this.#effects.push({ kind: "sync", waiter: member.syncWaiter, response: refusedSync(error) });
    member.syncWaiter = null;
  }

  protected takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

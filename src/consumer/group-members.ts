/**
 * The members of a classic group: who they are, which protocols they know, who leads, who waits for what. It keeps counts so that
 * nothing is looked for among a thousand members: how many know each protocol, how many wait for the end of a rebalance.
 *
 *   pending join   has an id and is to join with it; no member yet, and nobody waits for its response
 *   pending sync   was told the new generation and has not asked for its assignment yet
 */

import { fail } from "../base/assert.ts";
import {
  type GroupProtocol,
  type JoinedMember,
  type JoinRequest,
  type JoinWaiter,
  NO_BYTES,
  type SyncWaiter,
} from "./group-requests.ts";

/** What a member takes beside its texts and bytes. */
const MEMBER_BYTES = 512;

export interface Member {
  id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly GroupProtocol[];
  assignment: Buffer;
  /** It joined and was not yet told a generation: its client may have given up, and it expires although it waits. */
  isNew: boolean;
  joinWaiter: JoinWaiter | null;
  syncWaiter: SyncWaiter | null;
  /** When its session ends; infinite while no end is set. */
  sessionEndsAtMs: number;
}

export class GroupMembers {
  readonly #byId = new Map<string, Member>();
  readonly #idsByInstance = new Map<string, string>();
  readonly #knowing = new Map<string, number>();
  /** Until when those who were given an id may join with it. */
  readonly pendingJoin = new Map<string, number>();
  readonly pendingSync = new Set<string>();
  /** Members that wait for the end of a rebalance. */
  waitingCount = 0;
  /** Null when there are no members. */
  leaderId: string | null = null;
  /** What all members take. */
  bytes = 0;

  get count(): number {
    return this.#byId.size;
  }

  get haveAllJoined(): boolean {
    return this.waitingCount === this.#byId.size && this.pendingJoin.size === 0;
  }

  /** The longest that a member allows for a rebalance. O(members) */
  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { rebalanceTimeoutMs } of this.#byId.values()) longest = Math.max(longest, rebalanceTimeoutMs);
    return longest;
  }

  get(id: string): Member | undefined {
    return this.#byId.get(id);
  }

  idOf(instanceId: string): string | undefined {
    return this.#idsByInstance.get(instanceId);
  }

  all(): IterableIterator<Member> {
    return this.#byId.values();
  }

  /** How many members know the protocol. */
  knowing(protocol: string): number {
    return this.#knowing.get(protocol) ?? 0;
  }

  add(member: Member): void {
    if (this.#byId.has(member.id)) fail("a member joins a group twice");
    if (member.instanceId !== null) {
      if (this.#idsByInstance.has(member.instanceId)) fail("an instance id has two members");
      this.#idsByInstance.set(member.instanceId, member.id);
    }
    this.leaderId ??= member.id;
    this.#byId.set(member.id, member);
    this.pendingJoin.delete(member.id);
    if (member.joinWaiter !== null) this.waitingCount += 1;
    this.#count(member, 1);
  }

  /** Forgets the id, whatever it is. Nobody of this id may wait any more. */
  remove(id: string): void {
    const member = this.#byId.get(id);
    if (member !== undefined) {
      if (member.joinWaiter !== null) fail("a member is removed whose response is outstanding");
      this.#byId.delete(id);
      if (member.instanceId !== null) this.#idsByInstance.delete(member.instanceId);
      this.#count(member, -1);
    }
    if (this.leaderId === id) this.leaderId = this.#byId.keys().next().value ?? null;
    this.pendingJoin.delete(id);
    this.pendingSync.delete(id);
  }

  /** What a member brings along when it joins again. */
  update(
    member: Member,
    {
      protocols,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
    }: Pick<JoinRequest, "protocols" | "sessionTimeoutMs" | "rebalanceTimeoutMs">,
  ): void {
    this.#count(member, -1);
    member.protocols = protocols;
    member.sessionTimeoutMs = sessionTimeoutMs;
    member.rebalanceTimeoutMs = rebalanceTimeoutMs;
    this.#count(member, 1);
  }

  /** The member goes on under another id, and keeps its assignment and the lead. */
  rename(member: Member, id: string): void {
    if (member.instanceId === null) fail("a member without an instance id is replaced");
    if (this.#byId.has(id)) fail("a member is replaced by another member");
    const oldId = member.id;
    this.#byId.delete(oldId);
    this.#count(member, -1);
    member.id = id;
    this.#count(member, 1);
    this.#byId.set(id, member);
    this.#idsByInstance.set(member.instanceId, id);
    if (this.leaderId === oldId) this.leaderId = id;
    this.pendingSync.delete(oldId);
  }

  assign(member: Member, assignment: Buffer): void {
    this.bytes += assignment.length - member.assignment.length;
    member.assignment = assignment;
  }

  /** Whoever waited before for the same is answered by the caller. */
  waitForJoin(member: Member, waiter: JoinWaiter | null): void {
    this.waitingCount += Number(waiter !== null) - Number(member.joinWaiter !== null);
    member.joinWaiter = waiter;
  }

  /** Somebody who waits leads, when the leader does not. False: nobody waits. */
  electWaiting(): boolean {
    const leader = this.leaderId === null ? undefined : this.#byId.get(this.leaderId);
    if (leader === undefined) return false;
    if (leader.joinWaiter !== null) return true;
    for (const { id, joinWaiter } of this.#byId.values()) {
      if (joinWaiter === null) continue;
      this.leaderId = id;
      return true;
    }
    return false;
  }

  /** The protocol that all members know and most prefer. There must be members. O(members) */
  selectProtocol(): string {
    const votes = new Map<string, number>();
    for (const { protocols } of this.#byId.values()) {
      const vote = protocols.find(({ name }) => this.knowing(name) === this.#byId.size)?.name;
      if (vote === undefined) fail("a member knows no protocol of its group");
      votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
    let selected = "";
    let most = 0;
    for (const [name, count] of votes) {
      if (count <= most) continue;
      selected = name;
      most = count;
    }
    return selected;
  }

  /** What a leader is told of everybody. */
  joined(protocol: string): JoinedMember[] {
    return Array.from(this.#byId.values(), (member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      metadata: metadataFor(member, protocol),
    }));
  }

  #count(member: Member, by: 1 | -1): void {
    for (const { name } of member.protocols) {
      const knowing = this.knowing(name) + by;
      if (knowing === 0) this.#knowing.delete(name);
      else this.#knowing.set(name, knowing);
    }
    this.bytes += by * bytesOf(member);
  }
}

export function newMember(id: string, request: JoinRequest, joinWaiter: JoinWaiter): Member {
  return {
    id,
    instanceId: request.instanceId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    protocols: request.protocols,
    assignment: NO_BYTES,
    isNew: true,
    joinWaiter,
    syncWaiter: null,
    sessionEndsAtMs: Number.POSITIVE_INFINITY,
  };
}

export function metadataFor({ protocols }: Pick<Member, "protocols">, protocol: string): Buffer {
  return protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES;
}

export function hasSameProtocols({ protocols }: Member, others: readonly GroupProtocol[]): boolean {
  return (
    protocols.length === others.length &&
    protocols.every(
      ({ name, metadata }, index) => name === others[index]!.name && metadata.equals(others[index]!.metadata),
    )
  );
}

/** What a request to join would keep. */
export function bytesOfRequest(
  request: Pick<JoinRequest, "clientId" | "clientHost" | "instanceId" | "protocols">,
): number {
  const { clientId, clientHost, instanceId, protocols } = request;
  let bytes = MEMBER_BYTES + clientId.length + clientHost.length + (instanceId?.length ?? 0);
  for (const { name, metadata } of protocols) bytes += name.length + metadata.length;
  return bytes;
}

function bytesOf(member: Member): number {
  return bytesOfRequest(member) + member.id.length + member.assignment.length;
}

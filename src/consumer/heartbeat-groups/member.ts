/**
 * One member of a consumer group (KIP-848): what it said of itself, and how far its assignment has come. Never changed once made: a
 * change makes another one, so that what was and what is can be compared.
 *
 *     stable       it has what its target at `epoch` gives it
 *     unrevoked    it has been told to give up `revoking`, and has not said yet that it did
 *     unreleased   it waits for partitions that others have not given up
 */

import { type AssignedPartitions, isSameAssigned, NONE_ASSIGNED } from "./assignment.ts";

/** A member's epoch in a request that ends its membership. */
export const LEAVE_EPOCH = -1;
/** The same of a static member that means to come back; it has this epoch until then. */
export const LEAVE_STATIC_EPOCH = -2;

export type MemberState = "stable" | "unrevoked" | "unreleased";

/** What a member of the classic protocol brings to a consumer group. */
export interface ClassicPart {
  readonly sessionTimeoutMs: number;
  /** As it sent them: the metadata holds its subscription. */
  readonly protocols: readonly { readonly name: string; readonly metadata: Buffer }[];
}

export interface Member {
  readonly id: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly clientId: string;
  readonly clientHost: string;
  /** Sorted, without repetition. */
  readonly topicNames: readonly string[];
  /** "": none. */
  readonly topicRegex: string;
  /** The assignor that it would like; null when it does not care. */
  readonly assignor: string | null;
  /** Null for a member of the consumer protocol. */
  readonly classic: ClassicPart | null;
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly state: MemberState;
  /** What it may use, or has been told to use. */
  readonly assigned: AssignedPartitions;
  /** What it had, and nobody else may have before it has given it up. */
  readonly revoking: AssignedPartitions;
}

export function newMember(id: string): Member {
  return {
    id,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    clientId: "",
    clientHost: "",
    topicNames: [],
    topicRegex: "",
    assignor: null,
    classic: null,
    epoch: 0,
    previousEpoch: 0,
    state: "stable",
    assigned: NONE_ASSIGNED,
    revoking: NONE_ASSIGNED,
  };
}

/** What a request tells of a member; null or -1: as it was. */
export interface MemberUpdate {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly rebalanceTimeoutMs: number;
  /** Sorted, without repetition. */
  readonly topicNames: readonly string[] | null;
  readonly topicRegex: string | null;
  readonly assignor: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly classic: ClassicPart | null;
}

/** The same object when nothing is new. */
export function updateMember(member: Member, update: MemberUpdate): Member {
  const updated: Member = {
    ...member,
    instanceId: update.instanceId ?? member.instanceId,
    rackId: update.rackId ?? member.rackId,
    rebalanceTimeoutMs:
      update.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : update.rebalanceTimeoutMs,
    topicNames: update.topicNames === null ? member.topicNames : knownNames(member, update.topicNames),
    topicRegex: update.topicRegex ?? member.topicRegex,
    assignor: update.assignor ?? member.assignor,
    clientId: update.clientId,
    clientHost: update.clientHost,
    classic: isSameClassic(member.classic, update.classic) ? member.classic : update.classic,
  };
  return isSameMember(member, updated) ? member : updated;
}

export function isSameMember(left: Member, right: Member): boolean {
  return (
    left.id === right.id &&
    left.instanceId === right.instanceId &&
    left.rackId === right.rackId &&
    left.rebalanceTimeoutMs === right.rebalanceTimeoutMs &&
    left.clientId === right.clientId &&
    left.clientHost === right.clientHost &&
    left.topicNames === right.topicNames &&
    left.topicRegex === right.topicRegex &&
    left.assignor === right.assignor &&
    left.classic === right.classic &&
    left.epoch === right.epoch &&
    left.previousEpoch === right.previousEpoch &&
    left.state === right.state &&
    isSameAssigned(left.assigned, right.assigned) &&
    isSameAssigned(left.revoking, right.revoking)
  );
}

/** Whether it has everything that it is to have by the target of this epoch. */
export function isReconciled(member: Member, targetEpoch: number): boolean {
  return member.state === "stable" && member.epoch === targetEpoch;
}

/** The member's own array when it holds the same names, so that identity tells whether they changed. */
function knownNames({ topicNames }: Member, names: readonly string[]): readonly string[] {
  const isSame =
    names.length === topicNames.length && names.every((name, index) => name === topicNames[index]);
  return isSame ? topicNames : names;
}

function isSameClassic(left: ClassicPart | null, right: ClassicPart | null): boolean {
  if (left === null || right === null) return left === right;
  return (
    left.sessionTimeoutMs === right.sessionTimeoutMs &&
    left.protocols.length === right.protocols.length &&
    left.protocols.every(({ name, metadata }, index) => {
      const other = right.protocols[index]!;
      return name === other.name && metadata.equals(other.metadata);
    })
  );
}

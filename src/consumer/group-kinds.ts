/**
 * The kinds of groups under one roof of names: classic ones (group.ts), where members assign, and those of the consumer protocol
 * (KIP-848), where the server does. A name is a group of one kind at a time. `Groups` (groups.ts) keeps the classic ones, knows the
 * other kind through `ConsumerGroups` alone, and answers for both where a request does not say which it means.
 */

import type { ErrorCode } from "../base/errors.ts";
import type { StateChange } from "../storage/contract.ts";
import type {
  Committer,
  JoinRequest,
  JoinWaiter,
  LeavingMember,
  LeftMember,
  SyncRequest,
  SyncWaiter,
} from "./group-requests.ts";

export type GroupType = "classic" | "consumer";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** What a group of any kind answers for. */
export interface GroupView {
  readonly type: GroupType;
  /** As Kafka names it: "Stable", "Empty", ... */
  readonly state: string;
  /** "consumer" for consumers; empty where there is none. */
  readonly protocolType: string;
  /** Whether it has no members, and nobody is about to become one. */
  readonly isEmpty: boolean;
  /** Why these commits are refused; null: they are taken, and count as a sign of life. */
  commit(committer: Committer, partitions: Iterable<TopicPartition>, nowMs: number): ErrorCode | null;
  /** Why offsets are not told to this member (version 9 on; null and -1: to nobody in particular). */
  fetchFault(memberId: string | null, memberEpoch: number): ErrorCode | null;
  /** Why single offsets may not be removed. Those of a topic that it is subscribed to may not, in any case. */
  offsetDeleteFault(): ErrorCode | null;
  isSubscribedTo(topic: string): boolean;
  /** Since when an offset that was committed at `committedAtMs` (steady) counts as unused; null: it is in use. */
  unusedSinceMs(committedAtMs: number): number | null;
}

/** Groups of the consumer protocol, as the coordinator of classic ones needs them. */
export interface ConsumerGroups {
  find(name: string): GroupView | undefined;
  names(): Iterable<string>;
  /** An empty group is none any more from this turn on; what is returned takes its rows away. Its offsets go by themselves. */
  release(name: string): StateChange[];
  // Requests of classic members, to a group that has members and is of the consumer protocol.
  join(name: string, request: JoinRequest, waiter: JoinWaiter): void;
  sync(name: string, request: SyncRequest, waiter: SyncWaiter): void;
  heartbeat(
    name: string,
    memberId: string,
    instanceId: string | null,
    generationId: number,
  ): ErrorCode | null | Promise<ErrorCode | null>;
  leave(name: string, members: readonly LeavingMember[]): LeftMember[] | Promise<LeftMember[]>;
}

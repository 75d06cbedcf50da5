/**
 * One step of a member from the assignment that it has to the one that it is to have, as Kafka's coordinator takes it (KIP-848).
 *
 *     has = {1,2,3}, target = {2,3,4}, and 4 is still another member's
 *
 *     unrevoked    epoch as it was, assigned {2,3}, revoking {1}      until the member says that it has no 1 any more
 *     unreleased   epoch of the target, assigned {2,3}                 until the other member has given 4 up
 *     stable       epoch of the target, assigned {2,3,4}
 *
 * So a partition has one user at a time, and what does not move is never taken away.
 */

import {
  type AssignedPartitions,
  NONE_ASSIGNED,
  overlaps,
  type Partitions,
  type TopicPartitions,
} from "./assignment.ts";
import type { Member } from "./member.ts";

export interface Reconciliation {
  readonly targetEpoch: number;
  readonly target: Partitions;
  /** What the member says that it has; null: it did not say. */
  readonly owned: readonly TopicPartitions[] | null;
  /** Whether any member has the partition, or has not given it up. */
  readonly isHeld: (topicId: string, partition: number) => boolean;
  /** Ids of the topics that the member is subscribed to. */
  readonly isSubscribed: (topicId: string) => boolean;
  /** Whether that is new with this request. */
  readonly isSubscriptionNew: boolean;
}

/** The member after the step; the same object when there is none to take. */
export function reconcile(member: Member, by: Reconciliation): Member {
  switch (member.state) {
    case "stable":
      if (member.epoch !== by.targetEpoch) return towardsTarget(member, by);
      return by.isSubscriptionNew ? withoutUnsubscribed(member, by) : member;
    case "unrevoked":
      if (!ownsAny(by.owned, member.revoking)) return towardsTarget(member, by);
      return by.isSubscriptionNew ? withoutUnsubscribed(member, by) : member;
    case "unreleased":
      return towardsTarget(member, by);
  }
}

function towardsTarget(member: Member, by: Reconciliation): Member {
  const kept = new Map<string, Map<number, number>>();
  const revoking = new Map<string, Map<number, number>>();
  const granted: [topicId: string, partition: number][] = [];
  let isWaiting = false;
  for (const [topicId, partitions] of member.assigned) {
    const target = by.isSubscribed(topicId) ? by.target.get(topicId) : undefined;
    for (const [partition, epoch] of partitions) {
      add(target?.has(partition) === true ? kept : revoking, topicId, partition, epoch);
    }
  }
  for (const [topicId, partitions] of by.target) {
    if (!by.isSubscribed(topicId)) continue;
    const own = kept.get(topicId);
    for (const partition of partitions) {
      if (own?.has(partition) === true) continue;
      if (by.isHeld(topicId, partition)) isWaiting = true;
      else granted.push([topicId, partition]);
    }
  }
  if (revoking.size > 0 && ownsAny(by.owned, revoking)) {
    return { ...at(member, member.epoch), state: "unrevoked", assigned: kept, revoking };
  }
  for (const [topicId, partition] of granted) add(kept, topicId, partition, by.targetEpoch);
  return {
    ...at(member, by.targetEpoch),
    state: isWaiting ? "unreleased" : "stable",
    assigned: kept,
    revoking: NONE_ASSIGNED,
  };
}

/** Gives up what the member has just unsubscribed from, before there is a new target. */
function withoutUnsubscribed(member: Member, by: Reconciliation): Member {
  const kept = new Map<string, ReadonlyMap<number, number>>();
  const revoking = new Map<string, ReadonlyMap<number, number>>(member.revoking);
  for (const [topicId, partitions] of member.assigned) {
    if (by.isSubscribed(topicId)) kept.set(topicId, partitions);
    else revoking.set(topicId, new Map([...(revoking.get(topicId) ?? []), ...partitions]));
  }
  if (kept.size === member.assigned.size) return member;
  if (ownsAny(by.owned, revoking)) {
    return { ...at(member, member.epoch), state: "unrevoked", assigned: kept, revoking };
  }
  return { ...at(member, member.epoch), assigned: kept };
}

/** A member that does not say what it has may have everything. */
function ownsAny(owned: readonly TopicPartitions[] | null, partitions: AssignedPartitions): boolean {
  return owned === null || overlaps(owned, partitions);
}

function at(member: Member, epoch: number): Member {
  return { ...member, epoch, previousEpoch: member.epoch };
}

function add(
  topics: Map<string, Map<number, number>>,
  topicId: string,
  partition: number,
  epoch: number,
): void {
  const own = topics.get(topicId);
  if (own === undefined) topics.set(topicId, new Map([[partition, epoch]]));
  else own.set(partition, epoch);
}

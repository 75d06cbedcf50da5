/**
 * A group with members changes its kind, as Kafka's online migration does it:
 *
 *   upgrade     the first member of the consumer protocol comes to a classic group: the others stay, with what they have, as members of
 *               the classic protocol (classic-members.ts)
 *   downgrade   the last member of the consumer protocol is gone, and members of the classic protocol are left: they get a classic group
 *
 * Generation and epoch are one number, which goes on counting. Pure: who makes it durable is heartbeat-groups.ts.
 */

import {
  decodeAssignment,
  decodeSubscription,
  type Subscription,
  type TopicPartition,
} from "../../protocol/group/consumer-protocol.ts";
import type { Member as ClassicMember } from "../group-members.ts";
import { NO_BYTES } from "../group-requests.ts";
import type { StoredGroup } from "../stored-group.ts";
import { assignmentBytes } from "./classic-members.ts";
import { ConsumerGroup } from "./group.ts";
import { type Member, newMember } from "./member.ts";
import type { TopicView } from "./topic-view.ts";

export const MIGRATION_POLICIES = ["bidirectional", "upgrade", "downgrade", "disabled"] as const;
export type MigrationPolicy = (typeof MIGRATION_POLICIES)[number];

const PROTOCOL_TYPE = "consumer";

/** A member of a classic group, and what it may be using. */
interface Upgrading {
  readonly member: ClassicMember;
  readonly subscription: Subscription;
  readonly assigned: Map<string, Map<number, number>>;
}

/**
 * A classic group as one of the consumer protocol; null when its members are no consumers that can be understood.
 *
 * In the middle of a rebalance a member may use what no assignment of the group names any more: what it said that it had when it joined is
 * its own until it is asked to give it up, as far as nobody else was assigned it.
 */
export function upgraded(name: string, classic: StoredGroup, view: TopicView): ConsumerGroup | null {
  const { generationId, protocol, members } = classic;
  if (protocol !== PROTOCOL_TYPE) return null;
  const epoch = Math.max(generationId, 1);
  const upgrading: Upgrading[] = [];
  const taken = new Set<string>();
  for (const member of members) {
    const subscription = decodeSubscription(member.protocols[0]?.metadata ?? NO_BYTES);
    const partitions = decodeAssignment(member.assignment);
    if (subscription === null || partitions === null) return null;
    const assigned = new Map<string, Map<number, number>>();
    for (const partition of partitions) take(assigned, partition, epoch, view, taken);
    upgrading.push({ member, subscription, assigned });
  }
  for (const { subscription, assigned } of upgrading.toSorted(byLatestGeneration))
    for (const partition of subscription.owned)
      if (!taken.has(placeOf(partition))) take(assigned, partition, epoch, view, taken);
  const known = upgrading.map((one) => convert(one, epoch));
  const group = ConsumerGroup.restore(
    name,
    { epoch, assignmentEpoch: epoch, regexes: new Map(), topics: new Map() },
    known.map((member) => ({
      member,
      target: new Map(Array.from(member.assigned, ([id, partitions]) => [id, new Set(partitions.keys())])),
    })),
  );
  group.markChanged(known.map(({ id }) => id));
  return group;
}

/**
 * The group as a classic one; null while a member is of the consumer protocol, there is none, or they have no protocol in common.
 * `generationId`: the epoch that it had before the last of the others was gone, so that who is at it is called to a rebalance, and not told
 * that it has lost everything.
 */
export function downgraded(
  group: ConsumerGroup,
  view: TopicView,
  generationId: number,
  nowMs: number,
): StoredGroup | null {
  // Asked with each request: in nearly all groups the first member tells.
  for (const { classic } of group.members) if (classic === null) return null;
  const members = [...group.members];
  if (members.length === 0) return null;
  const protocolName = commonProtocol(members);
  if (protocolName === null) return null;
  return {
    generationId,
    protocol: PROTOCOL_TYPE,
    protocolName,
    // Nobody leads, so that they come together, after a crash too: what the last member of the other kind had is nobody's.
    leaderId: "",
    stateSinceMs: nowMs,
    members: members.map((member) => classicOf(member, view)),
  };
}

function byLatestGeneration(left: Upgrading, right: Upgrading): number {
  return right.subscription.generation - left.subscription.generation;
}

function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** What is not there is nobody's. */
function take(
  assigned: Map<string, Map<number, number>>,
  place: TopicPartition,
  epoch: number,
  view: TopicView,
  taken: Set<string>,
): void {
  const topic = view.get(place.topic);
  if (topic === undefined || place.partition < 0 || place.partition >= topic.partitions) return;
  const own = assigned.get(topic.id) ?? new Map<number, number>();
  assigned.set(topic.id, own.set(place.partition, epoch));
  taken.add(placeOf(place));
}

function convert({ member, subscription, assigned }: Upgrading, epoch: number): Member {
  const { instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = member;
  return {
    ...newMember(member.id),
    instanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs,
    topicNames: [...new Set(subscription.topics)].sort(),
    classic: { sessionTimeoutMs, protocols },
    epoch,
    previousEpoch: epoch,
    assigned,
  };
}

function classicOf(member: Member, view: TopicView): ClassicMember {
  const { id, instanceId, clientId, clientHost, rebalanceTimeoutMs, classic } = member;
  return {
    id,
    instanceId,
    clientId,
    clientHost,
    sessionTimeoutMs: classic!.sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols: classic!.protocols,
    assignment: assignmentBytes(member, view),
    isNew: false,
    joinWaiter: null,
    syncWaiter: null,
    sessionEndsAtMs: Number.POSITIVE_INFINITY,
  };
}

/** The first one that every member knows, in the first member's order. */
function commonProtocol(members: readonly Member[]): string | null {
  const known = members.map(({ classic }) => new Set(classic!.protocols.map(({ name }) => name)));
  const [first] = members;
  return first!.classic!.protocols.find(({ name }) => known.every((names) => names.has(name)))?.name ?? null;
}

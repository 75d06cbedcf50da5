/**
 * A group with members changes its kind, as Kafka's online migration does it:
 *
 *   upgrade     the first member of the consumer protocol comes to a classic group: the others stay, with what they have, as members of
 *               the classic protocol (classic-members.ts)
 *   downgrade   the last member of the consumer protocol is gone, and members of the classic protocol are left: they get a classic group
 *
 * Generation and epoch are one number, which goes on counting. Pure: who makes it durable is heartbeat-groups.ts.
 */

import { decodeAssignment, encodeAssignment } from "../../protocol/group/consumer-protocol.ts";
import type { Member as ClassicMember } from "../group-members.ts";
import type { StoredGroup } from "../stored-group.ts";
import { subscribedTopics } from "../subscription.ts";
import { assignedTo } from "./classic-members.ts";
import { ConsumerGroup } from "./group.ts";
import { type Member, newMember } from "./member.ts";
import type { TopicView } from "./topic-view.ts";

export const MIGRATION_POLICIES = ["bidirectional", "upgrade", "downgrade", "disabled"] as const;
export type MigrationPolicy = (typeof MIGRATION_POLICIES)[number];

const PROTOCOL_TYPE = "consumer";

/** A classic group as one of the consumer protocol; null when its members are no consumers that can be understood. */
export function upgraded(name: string, classic: StoredGroup, view: TopicView): ConsumerGroup | null {
  const { generationId, protocol, members } = classic;
  if (protocol !== PROTOCOL_TYPE) return null;
  const epoch = Math.max(generationId, 1);
  const converted = members.map((member) => convert(member, epoch, view));
  const known = converted.filter((member) => member !== null);
  if (known.length < members.length) return null;
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

/** The group as a classic one; null while a member is of the consumer protocol, there is none, or they have no protocol in common. */
export function downgraded(group: ConsumerGroup, view: TopicView, nowMs: number): StoredGroup | null {
  // Asked with each request: in nearly all groups the first member tells.
  for (const { classic } of group.members) if (classic === null) return null;
  const members = [...group.members];
  const [first] = members;
  if (first === undefined) return null;
  const protocolName = commonProtocol(members);
  if (protocolName === null) return null;
  return {
    generationId: group.epoch,
    protocol: PROTOCOL_TYPE,
    protocolName,
    leaderId: first.id,
    stateSinceMs: nowMs,
    members: members.map((member) => classicOf(member, view)),
  };
}

function convert(member: ClassicMember, epoch: number, view: TopicView): Member | null {
  const [first] = member.protocols;
  const topics = first === undefined ? null : subscribedTopics(first.metadata);
  const partitions = decodeAssignment(member.assignment);
  if (topics === null || partitions === null) return null;
  const assigned = new Map<string, Map<number, number>>();
  for (const { topic, partition } of partitions) {
    const id = view.get(topic)?.id;
    if (id === undefined) continue;
    const own = assigned.get(id) ?? new Map<number, number>();
    assigned.set(id, own.set(partition, epoch));
  }
  const { instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = member;
  return {
    ...newMember(member.id),
    instanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs,
    topicNames: [...new Set(topics)].sort(),
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
    assignment: encodeAssignment(assignedTo(member, view)),
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

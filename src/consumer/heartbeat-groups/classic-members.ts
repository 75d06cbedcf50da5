/**
 * Members of the classic protocol in a group of the consumer protocol: what they ask, and what they are told, as Kafka's coordinator does
 * it (KIP-848, online migration). Pure, as heartbeat.ts.
 *
 *   join        the subscription in its metadata and what it says it has; it is told an epoch as its generation, and that it follows
 *   sync        the partitions that it has at that epoch, encoded as a leader would have
 *   heartbeat   REBALANCE_IN_PROGRESS when it has to join again: the group has moved on, it is to give something up, or what it waited
 *               for is free
 *
 * It cannot give a partition up but by joining again, so who does not come in time (join, then sync) is removed.
 */

import type { ErrorCode } from "../../base/errors.ts";
import {
  assignmentVersionFor,
  decodeSubscription,
  encodeAssignment,
  type Subscription,
  type TopicPartition,
} from "../../protocol/group/consumer-protocol.ts";
import {
  type JoinRequest,
  type JoinResponse,
  type LeavingMember,
  type LeftMember,
  refusedJoin,
  refusedSync,
  type SyncRequest,
  type SyncResponse,
} from "../group-requests.ts";
import type { TopicPartitions } from "./assignment.ts";
import { admit, fence, type GroupScene, sharedNames, step, takeSubscription } from "./heartbeat.ts";
import { type Member, updateMember } from "./member.ts";
import type { TopicView } from "./topic-view.ts";

const PROTOCOL_TYPE = "consumer";

export function joinClassic(scene: GroupScene, request: JoinRequest): JoinResponse {
  const { group, rules, nowMs } = scene;
  const { instanceId, protocols, protocolType, sessionTimeoutMs, rebalanceTimeoutMs } = request;
  const [first] = protocols;
  const subscription = first === undefined ? null : decodeSubscription(first.metadata);
  const refuse = (error: ErrorCode, memberId = "") => refusedJoin(error, memberId);
  if (protocolType !== PROTOCOL_TYPE || first === undefined || subscription === null)
    return refuse("INCONSISTENT_GROUP_PROTOCOL");
  if (group.memberCount >= rules.membersMax && group.member(request.memberId) === undefined)
    return refuse("GROUP_MAX_SIZE_REACHED");
  const isUnknown = request.memberId === "";
  if (isUnknown && instanceId === null && request.isTwoStep)
    return refuse("MEMBER_ID_REQUIRED", request.newMemberId);
  const known = instanceId === null ? group.member(request.memberId) : group.staticMember(instanceId);
  if (instanceId !== null && !isUnknown) {
    if (known === undefined) return refuse("UNKNOWN_MEMBER_ID");
    if (known.id !== request.memberId) return refuse("FENCED_INSTANCE_ID");
  }
  // It was removed, and others may have by now what it says that it has: it is to give that up first.
  if (known === undefined && subscription.owned.length > 0) return refuse("UNKNOWN_MEMBER_ID");
  const memberId = isUnknown ? request.newMemberId : request.memberId;
  const before = admit(scene, known, memberId);
  const updated = updateMember(before, {
    instanceId,
    rackId: null,
    rebalanceTimeoutMs,
    topicNames: sharedNames(scene, subscription.topics),
    topicRegex: "",
    assignor: null,
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: { sessionTimeoutMs, protocols },
  });
  const isSubscriptionNew = takeSubscription(scene, before, updated);
  group.assignIfDue(scene.view, nowMs, rules);
  const member = step(scene, updated, ownedBy(subscription, scene.view), isSubscriptionNew);
  scene.deadlines.set(memberId, "session", nowMs + sessionTimeoutMs);
  scene.deadlines.clear(memberId, "join");
  scene.deadlines.set(memberId, "sync", nowMs + rebalanceTimeoutMs);
  return {
    error: null,
    memberId,
    generationId: member.epoch,
    protocolType: PROTOCOL_TYPE,
    protocolName: first.name,
    leader: "",
    skipAssignment: false,
    members: [],
  };
}

export function syncClassic(scene: GroupScene, request: SyncRequest): SyncResponse {
  const { protocolName, protocolType } = request;
  const member = classicMember(scene, request.memberId, request.instanceId);
  if (typeof member === "string") return refusedSync(member);
  const name = member.classic.protocols[0]!.name;
  const isOther =
    (protocolType !== null && protocolType !== PROTOCOL_TYPE) ||
    (protocolName !== null && protocolName !== name);
  if (isOther) return refusedSync("INCONSISTENT_GROUP_PROTOCOL");
  if (request.generationId !== member.epoch) return refusedSync("ILLEGAL_GENERATION");
  if (scene.group.epoch > member.epoch && member.state !== "unrevoked") {
    joinSoon(scene, member);
    return refusedSync("REBALANCE_IN_PROGRESS");
  }
  scene.deadlines.clear(member.id, "sync");
  scene.deadlines.set(member.id, "session", scene.nowMs + member.classic.sessionTimeoutMs);
  return {
    error: null,
    protocolType: PROTOCOL_TYPE,
    protocolName: name,
    assignment: assignmentBytes(member, scene.view),
  };
}

export function heartbeatClassic(
  scene: GroupScene,
  memberId: string,
  instanceId: string | null,
  generationId: number,
): ErrorCode | null {
  const { group, deadlines, nowMs } = scene;
  const member = classicMember(scene, memberId, instanceId);
  if (typeof member === "string") return member;
  if (generationId !== member.epoch) return "ILLEGAL_GENERATION";
  deadlines.set(member.id, "session", nowMs + member.classic.sessionTimeoutMs);
  const hasToJoin =
    member.epoch < group.epoch ||
    member.state === "unrevoked" ||
    (member.state === "unreleased" && !group.isWaiting(member));
  if (!hasToJoin) return null;
  joinSoon(scene, member);
  return "REBALANCE_IN_PROGRESS";
}

export function leaveClassic(scene: GroupScene, members: readonly LeavingMember[]): LeftMember[] {
  return members.map((leaving) => ({ ...leaving, error: leaveOne(scene, leaving) }));
}

function leaveOne(scene: GroupScene, { memberId, groupInstanceId }: LeavingMember): ErrorCode | null {
  const { group } = scene;
  const member = groupInstanceId === null ? group.member(memberId) : group.staticMember(groupInstanceId);
  if (member === undefined) return "UNKNOWN_MEMBER_ID";
  // A tool names a static member by its instance id alone.
  if (groupInstanceId !== null && memberId !== "" && member.id !== memberId) return "FENCED_INSTANCE_ID";
  fence(scene, member);
  return null;
}

/** The member, or why there is none that speaks so. */
function classicMember(
  { group }: GroupScene,
  memberId: string,
  instanceId: string | null,
): (Member & { classic: NonNullable<Member["classic"]> }) | ErrorCode {
  const member = instanceId === null ? group.member(memberId) : group.staticMember(instanceId);
  if (member === undefined) return "UNKNOWN_MEMBER_ID";
  if (member.id !== memberId) return "FENCED_INSTANCE_ID";
  const { classic } = member;
  return classic === null ? "UNKNOWN_MEMBER_ID" : { ...member, classic };
}

/** It was told to join again, and has its rebalance timeout for it. */
function joinSoon({ deadlines, nowMs }: GroupScene, { id, rebalanceTimeoutMs }: Member): void {
  if (!deadlines.has(id, "join")) deadlines.set(id, "join", nowMs + rebalanceTimeoutMs);
}

function ownedBy({ owned }: Subscription, view: TopicView): TopicPartitions[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of owned) {
    const id = view.get(topic)?.id;
    if (id === undefined) continue;
    const own = topics.get(id);
    if (own === undefined) topics.set(id, [partition]);
    else own.push(partition);
  }
  return Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }));
}

/** What a member of the classic protocol is told to have, as a leader would write it for it. */
export function assignmentBytes(member: Member, view: TopicView): Buffer {
  const version = assignmentVersionFor(member.classic?.protocols[0]?.metadata);
  return encodeAssignment(assignedTo(member, view), version);
}

/** By name: topics that are gone are left out. */
function assignedTo({ assigned, topicNames }: Member, view: TopicView): TopicPartition[] {
  const found: TopicPartition[] = [];
  for (const topic of topicNames) {
    const partitions = assigned.get(view.get(topic)?.id ?? "");
    if (partitions === undefined) continue;
    for (const partition of [...partitions.keys()].sort((left, right) => left - right))
      found.push({ topic, partition });
  }
  return found;
}

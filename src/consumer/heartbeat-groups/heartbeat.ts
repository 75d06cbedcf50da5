/**
 * ConsumerGroupHeartbeat on one group, as Kafka's coordinator answers it: who may join, go on and leave, with which epoch, and what each
 * is told. Pure, as the group is (group.ts).
 *
 *   1. the member is made or brought up to date; a new subscription, or topics that are not what they were, takes the group's epoch up
 *   2. the targets are computed, when they are older than the group and it is time
 *   3. the member takes a step towards its target
 *
 * A response may be lost: who comes with the epoch before the current one, and has nothing but what it was told to have, is answered as if
 * it had the current one. Epoch 0 is always taken: the member has given up everything and starts anew.
 */

import { ObeliskError } from "../../base/errors.ts";
import type { GroupTimes } from "../group-configs.ts";
import { isSameAssigned, isWithin, listAssigned, NONE_ASSIGNED, type TopicPartitions } from "./assignment.ts";
import type { Deadlines } from "./deadlines.ts";
import { ASSIGNORS, type AssigningRules, type ConsumerGroup } from "./group.ts";
import { LEAVE_EPOCH, LEAVE_STATIC_EPOCH, type Member, newMember, updateMember } from "./member.ts";
import type { TopicView } from "./topic-view.ts";

export interface HeartbeatRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly subscribedTopicNames: readonly string[] | null;
  readonly subscribedTopicRegex: string | null;
  readonly serverAssignor: string | null;
  readonly topicPartitions: readonly TopicPartitions[] | null;
}

export interface HeartbeatResponse {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Null: as the member was told before. */
  readonly assignment: { readonly topicPartitions: readonly TopicPartitions[] } | null;
}

/** Who sends a request. */
export interface Peer {
  readonly clientId: string;
  readonly clientHost: string;
}

export interface GroupRules extends GroupTimes, AssigningRules {
  readonly membersMax: number;
}

/** What a request acts on. */
export interface GroupScene {
  readonly group: ConsumerGroup;
  readonly deadlines: Deadlines;
  readonly view: TopicView;
  readonly rules: GroupRules;
  readonly nowMs: number;
}

/** @throws ObeliskError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR */
export function checkHeartbeat(request: HeartbeatRequest, version: number): void {
  const { memberEpoch, memberId, instanceId, rackId, serverAssignor } = request;
  // Version 0 lets the server make up an id for who joins.
  if (memberId === "" && (version > 0 || memberEpoch !== 0)) throw invalid("the member id is empty");
  if (request.groupId === "") throw invalid("the group id is empty");
  if (instanceId === "") throw invalid("the instance id is empty");
  if (rackId === "") throw invalid("the rack id is empty");
  if (memberEpoch === 0) checkJoin(request);
  else if (memberEpoch === LEAVE_STATIC_EPOCH) {
    if (instanceId === null)
      throw invalid("only a static member leaves with epoch -2, and there is no instance id");
  } else if (memberEpoch < LEAVE_EPOCH) throw invalid("there is no such member epoch");
  if (serverAssignor !== null && !ASSIGNORS.has(serverAssignor)) {
    throw new ObeliskError("UNSUPPORTED_ASSIGNOR", {
      detail: `the server has no assignor of this name, only ${[...ASSIGNORS.keys()].join(" and ")}`,
    });
  }
}

function checkJoin(request: HeartbeatRequest): void {
  if (request.rebalanceTimeoutMs === -1) throw invalid("who joins has to tell its rebalance timeout");
  if (request.topicPartitions === null || request.topicPartitions.length > 0)
    throw invalid("who joins has to tell that it has no partitions");
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null)
    throw invalid("who joins has to tell what it is subscribed to");
}

/**
 * `memberId` is the request's, or one that was made up for it; `isRegexValid` is asked for a regular expression that the group does not know.
 * @throws ObeliskError GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, and
 *   what `checkRegex` throws; nothing has changed then
 */
export function heartbeat(
  scene: GroupScene,
  request: HeartbeatRequest,
  memberId: string,
  peer: Peer,
  checkRegex: (text: string) => void,
): HeartbeatResponse {
  const { group, rules, nowMs } = scene;
  const { topicPartitions: owned } = request;
  // Who joins tells its whole subscription: it has none of what somebody had whose place it takes.
  const isJoining = request.memberEpoch === 0;
  const regex = request.subscribedTopicRegex ?? (isJoining ? "" : null);
  const names = request.subscribedTopicNames ?? (isJoining ? [] : null);
  if (group.memberCount >= rules.membersMax && group.member(memberId) === undefined)
    throw new ObeliskError("GROUP_MAX_SIZE_REACHED", { limit: rules.membersMax });
  const found = findMember(scene, request, memberId);
  if (regex !== null && regex !== "" && !group.subscriptions.hasRegex(regex)) checkRegex(regex);
  if (isJoining && group.memberCount === 0) group.forgetAssignment();
  const before = admit(scene, found, memberId);
  const updated = updateMember(before, {
    instanceId: request.instanceId,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topicNames: sharedNames(scene, names),
    topicRegex: regex,
    assignor: request.serverAssignor,
    clientId: peer.clientId,
    clientHost: peer.clientHost,
    classic: null,
  });
  const isSubscriptionNew = takeSubscription(scene, before, updated);
  group.assignIfDue(scene.view, nowMs, rules);
  const member = step(scene, updated, owned, isSubscriptionNew);
  scene.deadlines.set(memberId, "session", nowMs + rules.sessionTimeoutMs);
  const isWhole =
    isJoining || (request.rebalanceTimeoutMs !== -1 && (names !== null || regex !== null) && owned !== null);
  const isTold = isWhole || !isSameAssigned(before.assigned, member.assigned);
  return {
    memberId,
    memberEpoch: member.epoch,
    heartbeatIntervalMs: rules.heartbeatIntervalMs,
    assignment: isTold ? { topicPartitions: listAssigned(member.assigned) } : null,
  };
}

/** As members are to have them: sorted, without repetition, and one array for all that name the same. */
export function sharedNames(
  { group }: GroupScene,
  names: readonly string[] | null,
): readonly string[] | null {
  return names === null ? null : group.subscriptions.shared([...new Set(names)].sort());
}

/** @throws ObeliskError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID; nothing has changed then */
export function leave(scene: GroupScene, { memberId, memberEpoch, instanceId }: HeartbeatRequest): Member {
  const { group, deadlines } = scene;
  const member = instanceId === null ? group.member(memberId) : ownStaticMember(group, memberId, instanceId);
  if (member === undefined) throw unknownMember();
  if (memberEpoch === LEAVE_STATIC_EPOCH) {
    // It keeps its place until its session ends; what it was giving up is given up.
    const away: Member = { ...member, epoch: LEAVE_STATIC_EPOCH, revoking: NONE_ASSIGNED };
    group.setMember(away);
    deadlines.clear(member.id, "revocation");
    return away;
  }
  fence(scene, member);
  return member;
}

/** Takes a member out of the group; its partitions are free. */
export function fence({ group, deadlines, view }: GroupScene, member: Member): void {
  group.removeMember(member);
  deadlines.drop(member.id);
  group.subscriptions.lookAt(view);
  group.bumpEpoch();
}

/** Brings a member up to date in the group, whose epoch goes up when that matters to others; whether its subscription is new. */
export function takeSubscription({ group, view }: GroupScene, before: Member, updated: Member): boolean {
  const { subscriptions } = group;
  const hasNewRegex = before.topicRegex !== updated.topicRegex;
  // One that is not resolved yet takes the epoch up when it is.
  const isRegexFelt =
    hasNewRegex && (updated.topicRegex === "" || subscriptions.isResolved(updated.topicRegex));
  group.setMember(updated);
  const isSubscriptionNew = before.topicNames !== updated.topicNames || hasNewRegex;
  const haveTopicsChanged = subscriptions.lookAt(view);
  if (before.topicNames !== updated.topicNames || isRegexFelt || haveTopicsChanged) group.bumpEpoch();
  return isSubscriptionNew;
}

/** The member one step on; a member of the consumer protocol has its rebalance timeout to give up what it is told to. */
export function step(
  { group, deadlines, view, nowMs }: GroupScene,
  member: Member,
  owned: readonly TopicPartitions[] | null,
  isSubscriptionNew: boolean,
): Member {
  const next = group.reconcile(member, view, owned, isSubscriptionNew);
  if (next === member || next.classic !== null) return next;
  if (next.state === "unrevoked")
    deadlines.set(next.id, "revocation", nowMs + next.rebalanceTimeoutMs, next.epoch);
  else deadlines.clear(next.id, "revocation");
  return next;
}

/** The member that the request is from; a static one may be another's successor. Undefined: it is new. */
function findMember({ group }: GroupScene, request: HeartbeatRequest, memberId: string): Member | undefined {
  const { memberEpoch, instanceId, topicPartitions } = request;
  const isJoining = memberEpoch === 0;
  if (instanceId !== null && isJoining) {
    const known = group.staticMember(instanceId);
    if (known !== undefined && known.classic === null && known.epoch !== LEAVE_STATIC_EPOCH)
      throw new ObeliskError("UNRELEASED_INSTANCE_ID");
    return known;
  }
  const member = instanceId === null ? group.member(memberId) : ownStaticMember(group, memberId, instanceId);
  if (member === undefined && !isJoining) throw unknownMember();
  if (member !== undefined && !isJoining) checkEpoch(member, memberEpoch, topicPartitions);
  return member;
}

/** The member as it is before the request: in the place of the one that it succeeds, or new. */
export function admit({ group, deadlines }: GroupScene, found: Member | undefined, memberId: string): Member {
  if (found === undefined) return newMember(memberId);
  if (found.id === memberId && found.epoch !== LEAVE_STATIC_EPOCH) return found;
  const successor: Member = { ...found, id: memberId, epoch: 0, previousEpoch: 0 };
  group.replaceMember(found, successor);
  deadlines.drop(found.id);
  return successor;
}

export function ownStaticMember(group: ConsumerGroup, memberId: string, instanceId: string): Member {
  const member = group.staticMember(instanceId);
  if (member === undefined) throw unknownMember();
  if (member.id !== memberId) throw new ObeliskError("FENCED_INSTANCE_ID");
  return member;
}

function checkEpoch(member: Member, epoch: number, owned: readonly TopicPartitions[] | null): void {
  if (epoch === member.epoch) return;
  const hasMissedResponse =
    epoch < member.epoch &&
    epoch === member.previousEpoch &&
    owned !== null &&
    isWithin(owned, member.assigned);
  if (!hasMissedResponse) throw new ObeliskError("FENCED_MEMBER_EPOCH");
}

function unknownMember(): ObeliskError {
  return new ObeliskError("UNKNOWN_MEMBER_ID", { detail: "the group has no such member" });
}

function invalid(detail: string): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", { detail });
}

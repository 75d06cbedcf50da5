/**
 * ConsumerGroupDescribe: groups of the consumer protocol, with what each member has and is to have. A group of another kind, or none, is
 * GROUP_ID_NOT_FOUND; tools ask DescribeGroups then. Long answers are made and encoded in slices of time, each group as it is when its turn
 * comes. What a member gives up counts as what it has, until it has given it up.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { AssignedPartitions, Partitions } from "../../consumer/heartbeat-groups/assignment.ts";
import { countPartitions } from "../../consumer/heartbeat-groups/assignment.ts";
import type { ConsumerGroup } from "../../consumer/heartbeat-groups/group.ts";
import type { Member } from "../../consumer/heartbeat-groups/member.ts";
import {
  type ConsumerGroupDescribeRequest,
  type ConsumerGroupDescribeResponseInput,
  consumerGroupDescribeApi,
  MEMBER_TYPE_CLASSIC,
  MEMBER_TYPE_CONSUMER,
} from "../../protocol/kafka/apis/consumer-group-describe.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import type { KafkaContext } from "./context.ts";
import { GROUP_OPERATIONS, OPERATIONS_NOT_ASKED } from "./group-operations.ts";

type DescribedGroup = ConsumerGroupDescribeResponseInput["groups"][number];
type DescribedMember = DescribedGroup["members"][number];
type DescribedAssignment = DescribedMember["assignment"];

/** A group, and a member beside its subscription. */
const GROUP_BYTES = 300;
const MEMBER_BYTES = 1200;
/** A partition that is had, or is to be had. */
const PARTITION_BYTES = 16;

export async function consumerGroupDescribe(
  context: KafkaContext,
  { groupIds, includeAuthorizedOperations }: ConsumerGroupDescribeRequest,
  version: number,
): Promise<ConsumerGroupDescribeResponseInput> {
  const share = new TurnShare(context.clock);
  const groups = new LongArray<DescribedGroup>(() =>
    consumerGroupDescribeApi.responseArray(version, "groups"),
  );
  for (const groupId of groupIds) {
    if (share.isUsedUp) await share.rest();
    const group = context.heartbeatGroups.get(groupId);
    if (group === undefined) groups.push(notFound(groupId));
    else {
      const operations = includeAuthorizedOperations ? GROUP_OPERATIONS : OPERATIONS_NOT_ASKED;
      groups.push({
        ...(await described(context, group, version, share)),
        authorizedOperations: operations,
      });
    }
  }
  return { groups: groups.finish() };
}

/** What a response takes beside the names in the request. */
export function consumerGroupDescribeBytes(
  { heartbeatGroups }: KafkaContext,
  { groupIds }: ConsumerGroupDescribeRequest,
): number {
  let bytes = 0;
  for (const groupId of groupIds) {
    const group = heartbeatGroups.get(groupId);
    bytes += GROUP_BYTES;
    if (group !== undefined) bytes += bytesOf(group);
  }
  return bytes;
}

export function refuseConsumerGroupDescribe(
  { groupIds }: ConsumerGroupDescribeRequest,
  errorCode: number,
): ConsumerGroupDescribeResponseInput {
  return { groups: groupIds.map((groupId) => refused(groupId, errorCode, null)) };
}

function bytesOf(group: ConsumerGroup): number {
  let partitions = 0;
  for (const { id, assigned } of group.members) {
    for (const own of assigned.values()) partitions += own.size;
    partitions += countPartitions(group.target(id));
  }
  return group.memberCount * MEMBER_BYTES + group.subscriptions.textBytes + partitions * PARTITION_BYTES;
}

async function described(
  context: KafkaContext,
  group: ConsumerGroup,
  version: number,
  share: TurnShare,
): Promise<DescribedGroup> {
  const head = {
    errorCode: NO_ERROR,
    groupId: group.id,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.assignorName,
  };
  const members = new LongArray<DescribedMember>(() =>
    consumerGroupDescribeApi.responseArray(version, "groups", "members"),
  );
  for (const member of [...group.members]) {
    if (share.isUsedUp) await share.rest();
    members.push(describedMember(context, group, member));
  }
  return { ...head, members: members.finish() };
}

function describedMember(context: KafkaContext, group: ConsumerGroup, member: Member): DescribedMember {
  const { topics } = context.broker;
  const nameOf = (topicId: string) => topics.byId(topicId)?.name;
  return {
    memberId: member.id,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: member.topicNames,
    subscribedTopicRegex: member.topicRegex,
    assignment: assignmentOf([member.assigned, member.revoking], nameOf),
    targetAssignment: assignmentOf([group.target(member.id)], nameOf),
    memberType: member.classic === null ? MEMBER_TYPE_CONSUMER : MEMBER_TYPE_CLASSIC,
  };
}

/** Topics that are gone have no name, and are left out. */
function assignmentOf(
  parts: readonly (AssignedPartitions | Partitions)[],
  nameOf: (topicId: string) => string | undefined,
): DescribedAssignment {
  const byTopic = new Map<string, number[]>();
  for (const part of parts) {
    for (const [topicId, partitions] of part) {
      const own = byTopic.get(topicId) ?? [];
      for (const partition of partitions.keys()) own.push(partition);
      byTopic.set(topicId, own);
    }
  }
  const topicPartitions: { topicId: string; topicName: string; partitions: number[] }[] = [];
  for (const [topicId, partitions] of byTopic) {
    const topicName = nameOf(topicId);
    if (topicName === undefined) continue;
    topicPartitions.push({ topicId, topicName, partitions: partitions.sort((left, right) => left - right) });
  }
  return { topicPartitions };
}

function notFound(groupId: string): DescribedGroup {
  if (groupId === "") return refused(groupId, wireCode("INVALID_GROUP_ID"), null);
  return refused(groupId, wireCode("GROUP_ID_NOT_FOUND"), "there is no consumer group of this name");
}

function refused(groupId: string, errorCode: number, errorMessage: string | null): DescribedGroup {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: "",
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: "",
    members: [],
  };
}

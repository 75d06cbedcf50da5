/**
 * DescribeGroups: state, protocol and members of classic groups. Metadata is told of a stable group alone: before that it is on its way;
 * assignments are those of the last generation that had them. A group that is not there is told as Dead, from version 6 on with GROUP_ID_NOT_FOUND; so is one of the other
 * kind, which ConsumerGroupDescribe tells.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { ClassicGroup } from "../../consumer/group.ts";
import { metadataFor } from "../../consumer/group-members.ts";
import { NO_BYTES } from "../../consumer/group-requests.ts";
import {
  type DescribeGroupsRequest,
  type DescribeGroupsResponseInput,
  describeGroupsApi,
} from "../../protocol/kafka/apis/describe-groups.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import type { KafkaContext } from "./context.ts";
import { GROUP_OPERATIONS, OPERATIONS_NOT_ASKED } from "./group-operations.ts";

/** The first version that says as an error that there is no such group. */
const NOT_FOUND_FROM = 6;
/** The first version that can tell what may be done with a group. */
const OPERATIONS_FROM = 3;

/** What a member takes beside its texts and bytes, and a group beside its members. */
const MEMBER_BYTES = 32;
const GROUP_BYTES = 64;

type DescribedGroup = DescribeGroupsResponseInput["groups"][number];
type DescribedMember = DescribedGroup["members"][number];

export async function describeGroups(
  context: KafkaContext,
  { groups: names, includeAuthorizedOperations }: DescribeGroupsRequest,
  version: number,
): Promise<DescribeGroupsResponseInput> {
  const { groups, clock } = context;
  const share = new TurnShare(clock);
  const described = new LongArray<DescribedGroup>(() => describeGroupsApi.responseArray(version, "groups"));
  const hasOperations = includeAuthorizedOperations && version >= OPERATIONS_FROM;
  for (const name of names) {
    if (share.isUsedUp) await share.rest();
    const group = groups.classic(name) ?? groups.find(name);
    const authorizedOperations = hasOperations ? GROUP_OPERATIONS : OPERATIONS_NOT_ASKED;
    if (group?.type !== "classic") described.push(absent(name, version, authorizedOperations));
    else {
      const members = await describeMembers(group as ClassicGroup, version, share);
      described.push({
        errorCode: NO_ERROR,
        groupId: name,
        groupState: group.state,
        protocolType: group.protocolType,
        protocolData: group.state === "Stable" ? ((group as ClassicGroup).protocolName ?? "") : "",
        members,
        authorizedOperations,
      });
    }
  }
  return { groups: described.finish() };
}

export function describeGroupsBytes(
  { groups }: KafkaContext,
  { groups: names }: DescribeGroupsRequest,
): number {
  let bytes = 0;
  for (const name of names) {
    const members = groups.classic(name)?.members;
    bytes += GROUP_BYTES + (members === undefined ? 0 : members.bytes + MEMBER_BYTES * members.count);
  }
  return bytes;
}

export function refuseDescribeGroups(
  { groups }: DescribeGroupsRequest,
  errorCode: number,
): DescribeGroupsResponseInput {
  return {
    groups: groups.map((groupId) => ({
      errorCode,
      groupId,
      groupState: "",
      protocolType: "",
      protocolData: "",
      members: [],
    })),
  };
}

function absent(groupId: string, version: number, authorizedOperations: number): DescribedGroup {
  const isError = version >= NOT_FOUND_FROM;
  return {
    errorCode: isError ? wireCode("GROUP_ID_NOT_FOUND") : NO_ERROR,
    errorMessage: isError ? `Group ${groupId} not found.` : null,
    groupId,
    groupState: "Dead",
    protocolType: "",
    protocolData: "",
    members: [],
    authorizedOperations: isError ? OPERATIONS_NOT_ASKED : authorizedOperations,
  };
}

/** Each as it is when its turn comes. */
async function describeMembers(
  group: ClassicGroup,
  version: number,
  share: TurnShare,
): Promise<readonly DescribedMember[]> {
  const described = new LongArray<DescribedMember>(() =>
    describeGroupsApi.responseArray(version, "groups", "members"),
  );
  for (const member of [...group.members.all()]) {
    if (share.isUsedUp) await share.rest();
    const isStable = group.state === "Stable";
    described.push({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? metadataFor(member, group.protocolName ?? "") : NO_BYTES,
      memberAssignment: member.assignment,
    });
  }
  return described.finish();
}

/**
 * LeaveGroup: members leave for good, so that the others need not wait for the end of their sessions. One up to version 2, whose error
 * is that of the response; several from version 3, each with its own.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import type { LeavingMember, LeftMember } from "../../consumer/group-requests.ts";
import type { LeaveGroupRequest, LeaveGroupResponseInput } from "../../protocol/kafka/apis/leave-group.ts";
import type { KafkaContext } from "./context.ts";

/** The first version in which several members leave. */
const BATCHED_FROM = 3;

export function leaveGroup(
  { groups }: KafkaContext,
  request: LeaveGroupRequest,
  version: number,
): LeaveGroupResponseInput | Promise<LeaveGroupResponseInput> {
  if (request.groupId === "") return { errorCode: wireCode("INVALID_GROUP_ID") };
  const left = groups.leave(request.groupId, membersOf(request, version));
  return left instanceof Promise
    ? left.then((members) => responseOf(members, version))
    : responseOf(left, version);
}

export function refuseLeaveGroup(_request: LeaveGroupRequest, errorCode: number): LeaveGroupResponseInput {
  return { errorCode };
}

function membersOf({ memberId, members }: LeaveGroupRequest, version: number): readonly LeavingMember[] {
  return version < BATCHED_FROM ? [{ memberId, groupInstanceId: null }] : members;
}

function responseOf(left: readonly LeftMember[], version: number): LeaveGroupResponseInput {
  const members = left.map(({ memberId, groupInstanceId, error }) => ({
    memberId,
    groupInstanceId,
    errorCode: error === null ? NO_ERROR : wireCode(error),
  }));
  if (version < BATCHED_FROM) return { errorCode: members[0]?.errorCode ?? NO_ERROR };
  return { errorCode: NO_ERROR, members };
}

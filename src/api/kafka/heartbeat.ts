/** Heartbeat: a member is alive, and is told when the group rebalances. */

import { type ErrorCode, NO_ERROR, wireCode } from "../../base/errors.ts";
import type { HeartbeatRequest, HeartbeatResponseInput } from "../../protocol/kafka/apis/heartbeat.ts";
import type { KafkaContext } from "./context.ts";

export function heartbeat(
  { groups }: KafkaContext,
  { groupId, memberId, groupInstanceId, generationId }: HeartbeatRequest,
): HeartbeatResponseInput | Promise<HeartbeatResponseInput> {
  const error = groups.heartbeat(groupId, memberId, groupInstanceId, generationId);
  return error instanceof Promise ? error.then(responseOf) : responseOf(error);
}

export function refuseHeartbeat(_request: HeartbeatRequest, errorCode: number): HeartbeatResponseInput {
  return { errorCode };
}

function responseOf(error: ErrorCode | null): HeartbeatResponseInput {
  return { errorCode: error === null ? NO_ERROR : wireCode(error) };
}

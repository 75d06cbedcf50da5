/**
 * JoinGroup: a member enters a group, or its next generation, and waits until all are there. The response comes from the coordinator,
 * up to the rebalance timeout later; when the connection is gone by then it reaches nobody, and the member is in the group all the same
 * until its session ends.
 *
 * The first version has no rebalance timeout: its session is that too. What a member brings is kept, so it is copied out of the frame.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import type { GroupProtocol, JoinResponse } from "../../consumer/group-requests.ts";
import {
  type JoinGroupRequest,
  type JoinGroupResponseInput,
  joinGroupApi,
} from "../../protocol/kafka/apis/join-group.ts";
import { LATER, type Later } from "../dispatch.ts";
import type { KafkaContext } from "./context.ts";
import { encodedInTurns } from "./encode-turns.ts";
import type { Exchange } from "./exchange.ts";

const REBALANCE_TIMEOUT_FROM = 1;
/** From here on a new member is given its id first, and joins with it. */
const TWO_STEPS_FROM = 4;
/** From here on null stands for no protocol; before, it is the empty text. */
const NULLABLE_PROTOCOL_FROM = 7;
const SKIP_ASSIGNMENT_FROM = 9;

export function joinGroup(
  context: KafkaContext,
  request: JoinGroupRequest,
  version: number,
  exchange: Exchange<JoinGroupResponseInput>,
): Later {
  const { groupId, sessionTimeoutMs, memberId, groupInstanceId, protocolType } = request;
  context.groups.join(
    groupId,
    {
      memberId,
      instanceId: groupInstanceId,
      clientId: exchange.clientId,
      clientHost: `/${exchange.session.remoteHost}`,
      sessionTimeoutMs,
      rebalanceTimeoutMs: version < REBALANCE_TIMEOUT_FROM ? sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocolType,
      protocols: protocolsOf(request),
      isTwoStep: version >= TWO_STEPS_FROM,
      canSkipAssignment: version >= SKIP_ASSIGNMENT_FROM,
    },
    { respond: (response) => void respond(context, response, version, exchange) },
  );
  return LATER;
}

export function refuseJoinGroup(
  { memberId }: JoinGroupRequest,
  errorCode: number,
  version: number,
): JoinGroupResponseInput {
  return {
    errorCode,
    protocolName: version < NULLABLE_PROTOCOL_FROM ? "" : null,
    leader: "",
    memberId,
    members: [],
  };
}

/** The first of each name. */
function protocolsOf({ protocols }: JoinGroupRequest): GroupProtocol[] {
  const kept: GroupProtocol[] = [];
  for (const { name, metadata } of protocols)
    if (!kept.some((other) => other.name === name)) kept.push({ name, metadata: Buffer.from(metadata) });
  return kept;
}

/** A leader may be told of a thousand members. */
async function respond(
  context: KafkaContext,
  response: JoinResponse,
  version: number,
  exchange: Exchange<JoinGroupResponseInput>,
): Promise<void> {
  if (exchange.isDropped) return;
  const { error, protocolName, members, ...rest } = response;
  const told = await encodedInTurns(context, members, () => joinGroupApi.responseArray(version, "members"));
  exchange.respond({
    ...rest,
    errorCode: error === null ? NO_ERROR : wireCode(error),
    protocolName: version < NULLABLE_PROTOCOL_FROM ? (protocolName ?? "") : protocolName,
    skipAssignment: version >= SKIP_ASSIGNMENT_FROM && response.skipAssignment,
    members: told,
  });
}

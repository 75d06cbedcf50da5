/**
 * SyncGroup: the leader brings the assignments of a generation, and every member waits for its own, which comes when all of them are
 * stored. They are kept, so they are copied out of the frame. From version 5 on a member has to say which protocol it means.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { NO_BYTES } from "../../consumer/group-requests.ts";
import type { SyncGroupRequest, SyncGroupResponseInput } from "../../protocol/kafka/apis/sync-group.ts";
import { LATER, type Later } from "../dispatch.ts";
import type { KafkaContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";

/** The first version in which a member says what protocol it takes the group to have. */
const PROTOCOL_FROM = 5;

export function syncGroup(
  { groups }: KafkaContext,
  request: SyncGroupRequest,
  version: number,
  exchange: Exchange<SyncGroupResponseInput>,
): SyncGroupResponseInput | Later {
  const { groupId, memberId, groupInstanceId, generationId, protocolType, protocolName } = request;
  if (version >= PROTOCOL_FROM && (protocolType === null || protocolName === null))
    return refuseSyncGroup(request, wireCode("INCONSISTENT_GROUP_PROTOCOL"));
  const assignments = new Map(
    request.assignments.map(({ memberId: id, assignment }) => [id, Buffer.from(assignment)]),
  );
  groups.sync(
    groupId,
    { memberId, instanceId: groupInstanceId, generationId, protocolType, protocolName, assignments },
    {
      respond: ({ error, ...response }) => {
        if (!exchange.isDropped)
          exchange.respond({ ...response, errorCode: error === null ? NO_ERROR : wireCode(error) });
      },
    },
  );
  return LATER;
}

export function refuseSyncGroup(_request: SyncGroupRequest, errorCode: number): SyncGroupResponseInput {
  return { errorCode, assignment: NO_BYTES };
}

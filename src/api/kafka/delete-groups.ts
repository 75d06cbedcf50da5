/**
 * DeleteGroups: removes groups without members, and their offsets; answered when that is durable. A group with members is
 * NON_EMPTY_GROUP, one that is not there GROUP_ID_NOT_FOUND. One after the other; what stands twice is one.
 */

import { isStorageError, NO_ERROR, toObeliskError, wireCode } from "../../base/errors.ts";
import type {
  DeleteGroupsRequest,
  DeleteGroupsResponseInput,
} from "../../protocol/kafka/apis/delete-groups.ts";
import type { KafkaContext } from "./context.ts";

export async function deleteGroups(
  context: KafkaContext,
  { groupsNames }: DeleteGroupsRequest,
): Promise<DeleteGroupsResponseInput> {
  const results: { groupId: string; errorCode: number }[] = [];
  for (const groupId of new Set(groupsNames))
    results.push({ groupId, errorCode: await remove(context, groupId) });
  return { results };
}

export function refuseDeleteGroups(
  { groupsNames }: DeleteGroupsRequest,
  errorCode: number,
): DeleteGroupsResponseInput {
  return { results: groupsNames.map((groupId) => ({ groupId, errorCode })) };
}

async function remove({ groups }: KafkaContext, name: string): Promise<number> {
  try {
    const error = await groups.remove(name);
    return error === null ? NO_ERROR : wireCode(error);
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    return isStorageError(error) ? wireCode("COORDINATOR_NOT_AVAILABLE") : error.wire;
  }
}

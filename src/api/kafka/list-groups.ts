/**
 * ListGroups: all groups, of both kinds, and those that only have offsets; or those in certain states (version 4) and of certain types
 * (version 5), whose names are taken without regard to case. A state or type that there is not has no groups.
 */

import { NO_ERROR } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import {
  type ListGroupsRequest,
  type ListGroupsResponseInput,
  listGroupsApi,
} from "../../protocol/kafka/apis/list-groups.ts";
import { LongArray } from "../../protocol/kafka/array-encoder.ts";
import type { KafkaContext } from "./context.ts";

/** What a group takes beside its name. */
const GROUP_BYTES = 48;

type ListedGroup = ListGroupsResponseInput["groups"][number];

export async function listGroups(
  { groups, clock }: KafkaContext,
  { statesFilter, typesFilter }: ListGroupsRequest,
  version: number,
): Promise<ListGroupsResponseInput> {
  const share = new TurnShare(clock);
  const states = filterOf(statesFilter);
  const types = filterOf(typesFilter);
  const listed = new LongArray<ListedGroup>(() => listGroupsApi.responseArray(version, "groups"));
  for (const groupId of groups.names()) {
    if (share.isUsedUp) await share.rest();
    const group = groups.find(groupId);
    if (group === undefined) continue;
    const { state, type, protocolType } = group;
    if (states !== null && !states.has(state.toLowerCase())) continue;
    if (types !== null && !types.has(type)) continue;
    listed.push({ groupId, protocolType, groupState: state, groupType: type });
  }
  return { errorCode: NO_ERROR, groups: listed.finish() };
}

export function listGroupsBytes({ groups }: KafkaContext): number {
  let bytes = 0;
  for (const name of groups.names()) bytes += GROUP_BYTES + name.length;
  return bytes;
}

export function refuseListGroups(_request: ListGroupsRequest, errorCode: number): ListGroupsResponseInput {
  return { errorCode, groups: [] };
}

function filterOf(words: readonly string[]): ReadonlySet<string> | null {
  return words.length === 0 ? null : new Set(words.map((word) => word.trim().toLowerCase()));
}

/**
 * OffsetDelete: removes single committed offsets of a group; answered when that is durable. What the group's members are subscribed to
 * is GROUP_SUBSCRIBED_TO_TOPIC and stays; a partition that is not there is UNKNOWN_TOPIC_OR_PARTITION; one without an offset is no error.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type {
  OffsetDeleteRequest,
  OffsetDeleteResponseInput,
} from "../../protocol/kafka/apis/offset-delete.ts";
import type { KafkaContext } from "./context.ts";
import { partitionOf } from "./epochs.ts";

export async function offsetDelete(
  { broker, groups, offsets, clock }: KafkaContext,
  request: OffsetDeleteRequest,
): Promise<OffsetDeleteResponseInput> {
  const { groupId } = request;
  if (groupId === "") return refuseOffsetDelete(request, wireCode("INVALID_GROUP_ID"));
  const group = groups.find(groupId);
  if (group === undefined) return refuseOffsetDelete(request, wireCode("GROUP_ID_NOT_FOUND"));
  const fault = group.offsetDeleteFault();
  if (fault !== null) return refuseOffsetDelete(request, wireCode(fault));
  const share = new TurnShare(clock);
  const unwanted = new Map<string, Set<number>>();
  const topics: { name: string; partitions: { partitionIndex: number; errorCode: number }[] }[] = [];
  for (const { name, partitions } of request.topics) {
    const responses: { partitionIndex: number; errorCode: number }[] = [];
    topics.push({ name, partitions: responses });
    const known = broker.topics.get(name);
    const isSubscribed = group.isSubscribedTo(name);
    for (const { partitionIndex } of partitions) {
      if (share.isUsedUp) await share.rest();
      const isKnown = partitionOf(known, partitionIndex) !== undefined;
      const errorCode = isKnown
        ? isSubscribed
          ? wireCode("GROUP_SUBSCRIBED_TO_TOPIC")
          : NO_ERROR
        : wireCode("UNKNOWN_TOPIC_OR_PARTITION");
      responses.push({ partitionIndex, errorCode });
      if (errorCode !== NO_ERROR) continue;
      const own = unwanted.get(name) ?? new Set();
      unwanted.set(name, own.add(partitionIndex));
    }
  }
  if (unwanted.size > 0)
    await offsets.removeWhere(groupId, (topic, partition) => unwanted.get(topic)?.has(partition) ?? false);
  return { errorCode: NO_ERROR, topics };
}

export function refuseOffsetDelete(
  _request: OffsetDeleteRequest,
  errorCode: number,
): OffsetDeleteResponseInput {
  return { errorCode, topics: [] };
}

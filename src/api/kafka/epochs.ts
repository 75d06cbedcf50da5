/**
 * Which partition a request means, whether it can be asked at all, and whether the client knows its leader epoch (KIP-320). The epoch grows when
 * recovery took something away, so a client with an older one must look again, and one with a newer one has met
 * another server.
 */

import { type ErrorCode, NO_ERROR, wireCode } from "../../base/errors.ts";
import type { Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import type { Topics } from "../../broker/topics.ts";

/** What a client sends when it does not know an epoch. */
export const EPOCH_UNKNOWN = -1;

/** The topic that a request names: by its id where the version has ids, else by its name. */
export function topicNamed(
  topics: Topics,
  { name, topicId }: { readonly name: string; readonly topicId: string },
  isById: boolean,
): Topic | undefined {
  return isById ? topics.byId(topicId) : topics.get(name);
}

/** What a partition is answered whose topic is not there. */
export function unknownTopic(isById: boolean): ErrorCode {
  return isById ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION";
}

export function partitionOf(topic: Topic | undefined, index: number): Partition | undefined {
  return topic === undefined || index < 0 ? undefined : topic.partitions[index];
}

/**
 * NO_ERROR, KAFKA_STORAGE_ERROR (it could not be opened: its epoch is not known either, so this comes first),
 * FENCED_LEADER_EPOCH (the client's is older) or UNKNOWN_LEADER_EPOCH (it is newer).
 */
export function partitionError(partition: Partition, clientEpoch: number): number {
  if (partition.refusal !== null) return wireCode(partition.refusal);
  if (clientEpoch === EPOCH_UNKNOWN || clientEpoch === partition.leaderEpoch) return NO_ERROR;
  return wireCode(clientEpoch < partition.leaderEpoch ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH");
}

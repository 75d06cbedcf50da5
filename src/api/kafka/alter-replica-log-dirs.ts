/**
 * AlterReplicaLogDirs: there is one directory. A partition that is to lie there lies there already, which succeeds; any other directory is
 * LOG_DIR_NOT_FOUND. A partition that could not be opened is KAFKA_STORAGE_ERROR. Each topic is answered once, with its partitions of
 * all directories of the request; one without partitions is left out, as in Kafka.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponseInput,
} from "../../protocol/kafka/apis/alter-replica-log-dirs.ts";
import type { KafkaContext } from "./context.ts";
import { logDirOf } from "./describe-log-dirs.ts";
import { partitionOf } from "./epochs.ts";

/** Error codes by partition. */
type Results = Map<number, number>;

export async function alterReplicaLogDirs(
  context: KafkaContext,
  request: AlterReplicaLogDirsRequest,
): Promise<AlterReplicaLogDirsResponseInput> {
  const share = new TurnShare(context.clock);
  const logDir = logDirOf(context);
  const topics = new Map<string, Results>();
  for (const { path, topics: requested } of request.dirs) {
    for (const { name, partitions } of requested) {
      for (const index of partitions) {
        if (share.isUsedUp) await share.rest();
        const errorCode = path === logDir ? placedCode(context, name, index) : wireCode("LOG_DIR_NOT_FOUND");
        put(topics, name, index, errorCode);
      }
    }
  }
  return responseOf(topics);
}

export function refuseAlterReplicaLogDirs(
  request: AlterReplicaLogDirsRequest,
  errorCode: number,
): AlterReplicaLogDirsResponseInput {
  const topics = new Map<string, Results>();
  for (const { name, partitions } of request.dirs.flatMap((dir) => dir.topics)) {
    for (const index of partitions) put(topics, name, index, errorCode);
  }
  return responseOf(topics);
}

function placedCode({ broker: { topics } }: KafkaContext, topic: string, index: number): number {
  const partition = partitionOf(topics.get(topic), index);
  if (partition === undefined) return wireCode("UNKNOWN_TOPIC_OR_PARTITION");
  return partition.refusal === null ? NO_ERROR : wireCode("KAFKA_STORAGE_ERROR");
}

function put(topics: Map<string, Results>, topic: string, index: number, errorCode: number): void {
  const results = topics.get(topic);
  if (results === undefined) topics.set(topic, new Map([[index, errorCode]]));
  else results.set(index, errorCode);
}

function responseOf(topics: ReadonlyMap<string, Results>): AlterReplicaLogDirsResponseInput {
  const results = [...topics].map(([topicName, partitions]) => ({
    topicName,
    partitions: [...partitions].map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
  }));
  return { results };
}

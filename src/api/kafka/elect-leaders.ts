/**
 * ElectLeaders: there is one broker, and it leads every partition that is there. So a partition that is named is ELECTION_NOT_NEEDED, or
 * UNKNOWN_TOPIC_OR_PARTITION; of all partitions (null) none is told, because Kafka leaves out those that need no election. A partition
 * that could not be opened has no leader, and nobody could be elected: PREFERRED_LEADER_NOT_AVAILABLE, or ELIGIBLE_LEADERS_NOT_AVAILABLE
 * for an unclean election. The time limit is not obeyed, as nothing is waited for.
 */

import { type ErrorCode, ObeliskError, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import {
  ELECT_PREFERRED,
  ELECT_UNCLEAN,
  type ElectLeadersRequest,
  type ElectLeadersResponseInput,
} from "../../protocol/kafka/apis/elect-leaders.ts";
import type { KafkaContext } from "./context.ts";
import { partitionOf } from "./epochs.ts";

type TopicResult = ElectLeadersResponseInput["replicaElectionResults"][number];
type PartitionResult = TopicResult["partitionResult"][number];

export async function electLeaders(
  context: KafkaContext,
  request: ElectLeadersRequest,
): Promise<ElectLeadersResponseInput> {
  const { electionType, topicPartitions } = request;
  if (electionType !== ELECT_PREFERRED && electionType !== ELECT_UNCLEAN) {
    return refused(request, wireCode("INVALID_REQUEST"), `there is no election of type ${electionType}`);
  }
  const replicaElectionResults =
    topicPartitions === null
      ? await resultsOfAll(context, electionType)
      : await resultsOf(context, topicPartitions, electionType);
  return { replicaElectionResults };
}

export function refuseElectLeaders(
  request: ElectLeadersRequest,
  errorCode: number,
): ElectLeadersResponseInput {
  return refused(request, errorCode, null);
}

function refused(
  { topicPartitions }: ElectLeadersRequest,
  errorCode: number,
  errorMessage: string | null,
): ElectLeadersResponseInput {
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode, errorMessage })),
  }));
  return { errorCode, replicaElectionResults };
}

async function resultsOf(
  { broker: { topics }, clock }: KafkaContext,
  requested: NonNullable<ElectLeadersRequest["topicPartitions"]>,
  electionType: number,
): Promise<TopicResult[]> {
  const share = new TurnShare(clock);
  const results: TopicResult[] = [];
  for (const { topic: name, partitions } of requested) {
    const partitionResult: PartitionResult[] = [];
    for (const index of partitions) {
      if (share.isUsedUp) await share.rest();
      const partition = partitionOf(topics.get(name), index);
      if (partition === undefined) partitionResult.push(result(index, "UNKNOWN_TOPIC_OR_PARTITION"));
      else if (partition.refusal !== null) partitionResult.push(result(index, noLeader(electionType)));
      else partitionResult.push(result(index, "ELECTION_NOT_NEEDED"));
    }
    results.push({ topic: name, partitionResult });
  }
  return results;
}

async function resultsOfAll(
  { broker: { topics }, clock }: KafkaContext,
  electionType: number,
): Promise<TopicResult[]> {
  const share = new TurnShare(clock);
  const results: TopicResult[] = [];
  for (const { name, partitions } of topics.all()) {
    if (share.isUsedUp) await share.rest();
    const without = partitions.filter(({ refusal }) => refusal !== null);
    const partitionResult = without.map(({ index }) => result(index, noLeader(electionType)));
    results.push({ topic: name, partitionResult });
  }
  return results;
}

function noLeader(electionType: number): ErrorCode {
  return electionType === ELECT_PREFERRED
    ? "PREFERRED_LEADER_NOT_AVAILABLE"
    : "ELIGIBLE_LEADERS_NOT_AVAILABLE";
}

function result(partitionId: number, code: ErrorCode): PartitionResult {
  const { wire: errorCode, message: errorMessage } = new ObeliskError(code);
  return { partitionId, errorCode, errorMessage };
}

/**
 * DescribeQuorum: this broker keeps the metadata of its cluster alone, in its state store. So it is the leader and the only voter, always
 * caught up; there is no log of metadata, and its offsets are 0. Anything but the one partition is UNKNOWN_TOPIC_OR_PARTITION.
 */

import { type ErrorCode, NO_ERROR, ObeliskError } from "../../base/errors.ts";
import {
  type DescribeQuorumRequest,
  type DescribeQuorumResponseInput,
  METADATA_PARTITION,
  METADATA_TOPIC,
} from "../../protocol/kafka/apis/describe-quorum.ts";
import { type KafkaContext, placeFor } from "./context.ts";
import type { Exchange } from "./exchange.ts";

/** Nobody was elected, and nobody else ever leads. */
const LEADER_EPOCH = 1;
const LISTENER = "PLAINTEXT";

export function describeQuorum(
  context: KafkaContext,
  request: DescribeQuorumRequest,
  version: number,
  exchange: Exchange<DescribeQuorumResponseInput>,
): DescribeQuorumResponseInput {
  if (!isOfMetadata(request)) return eachPartition(request, "UNKNOWN_TOPIC_OR_PARTITION");
  const { nodeId, host, port } = placeFor(context, exchange.session.localHost);
  const nowMs = context.clock.nowMs();
  const voter = {
    replicaId: nodeId,
    logEndOffset: 0,
    lastFetchTimestamp: nowMs,
    lastCaughtUpTimestamp: nowMs,
  };
  const partition = {
    partitionIndex: METADATA_PARTITION,
    errorCode: NO_ERROR,
    leaderId: nodeId,
    leaderEpoch: LEADER_EPOCH,
    highWatermark: 0,
    currentVoters: [voter],
    observers: [],
  };
  const nodes = version < 2 ? [] : [{ nodeId, listeners: [{ name: LISTENER, host, port }] }];
  return { topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }], nodes };
}

export function refuseDescribeQuorum(
  _request: DescribeQuorumRequest,
  errorCode: number,
): DescribeQuorumResponseInput {
  return { errorCode, topics: [], nodes: [] };
}

function isOfMetadata({ topics }: DescribeQuorumRequest): boolean {
  const [topic] = topics;
  return (
    topics.length === 1 &&
    topic!.topicName === METADATA_TOPIC &&
    topic!.partitions.length === 1 &&
    topic!.partitions[0]!.partitionIndex === METADATA_PARTITION
  );
}

function eachPartition({ topics }: DescribeQuorumRequest, code: ErrorCode): DescribeQuorumResponseInput {
  const { wire: errorCode, message: errorMessage } = new ObeliskError(code);
  const results = topics.map(({ topicName, partitions }) => ({
    topicName,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode,
      errorMessage,
      currentVoters: [],
      observers: [],
    })),
  }));
  return { topics: results, nodes: [] };
}

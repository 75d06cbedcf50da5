/** Every API that the codec knows, by its number; also the table for the documentation. */

import type { AnyApi } from "./api.ts";
import { alterConfigsApi } from "./apis/alter-configs.ts";
import { alterPartitionReassignmentsApi } from "./apis/alter-partition-reassignments.ts";
import { alterReplicaLogDirsApi } from "./apis/alter-replica-log-dirs.ts";
import { apiVersionsApi } from "./apis/api-versions.ts";
import { consumerGroupDescribeApi } from "./apis/consumer-group-describe.ts";
import { consumerGroupHeartbeatApi } from "./apis/consumer-group-heartbeat.ts";
import { createPartitionsApi } from "./apis/create-partitions.ts";
import { createTopicsApi } from "./apis/create-topics.ts";
import { deleteGroupsApi } from "./apis/delete-groups.ts";
import { deleteRecordsApi } from "./apis/delete-records.ts";
import { deleteTopicsApi } from "./apis/delete-topics.ts";
import { describeClientQuotasApi } from "./apis/describe-client-quotas.ts";
import { describeClusterApi } from "./apis/describe-cluster.ts";
import { describeConfigsApi } from "./apis/describe-configs.ts";
import { describeGroupsApi } from "./apis/describe-groups.ts";
import { describeLogDirsApi } from "./apis/describe-log-dirs.ts";
import { describeProducersApi } from "./apis/describe-producers.ts";
import { describeQuorumApi } from "./apis/describe-quorum.ts";
import { describeTopicPartitionsApi } from "./apis/describe-topic-partitions.ts";
import { electLeadersApi } from "./apis/elect-leaders.ts";
import { fetchApi } from "./apis/fetch.ts";
import { findCoordinatorApi } from "./apis/find-coordinator.ts";
import { heartbeatApi } from "./apis/heartbeat.ts";
import { incrementalAlterConfigsApi } from "./apis/incremental-alter-configs.ts";
import { initProducerIdApi } from "./apis/init-producer-id.ts";
import { joinGroupApi } from "./apis/join-group.ts";
import { leaveGroupApi } from "./apis/leave-group.ts";
import { listConfigResourcesApi } from "./apis/list-config-resources.ts";
import { listGroupsApi } from "./apis/list-groups.ts";
import { listOffsetsApi } from "./apis/list-offsets.ts";
import { listPartitionReassignmentsApi } from "./apis/list-partition-reassignments.ts";
import { metadataApi } from "./apis/metadata.ts";
import { offsetCommitApi } from "./apis/offset-commit.ts";
import { offsetDeleteApi } from "./apis/offset-delete.ts";
import { offsetFetchApi } from "./apis/offset-fetch.ts";
import { offsetForLeaderEpochApi } from "./apis/offset-for-leader-epoch.ts";
import { produceApi } from "./apis/produce.ts";
import { saslAuthenticateApi } from "./apis/sasl-authenticate.ts";
import { saslHandshakeApi } from "./apis/sasl-handshake.ts";
import { syncGroupApi } from "./apis/sync-group.ts";
import { updateFeaturesApi } from "./apis/update-features.ts";

/** In the order of their numbers. */
export const APIS: readonly AnyApi[] = [
  produceApi,
  fetchApi,
  listOffsetsApi,
  metadataApi,
  offsetCommitApi,
  offsetFetchApi,
  findCoordinatorApi,
  joinGroupApi,
  heartbeatApi,
  leaveGroupApi,
  syncGroupApi,
  describeGroupsApi,
  listGroupsApi,
  saslHandshakeApi,
  apiVersionsApi,
  createTopicsApi,
  deleteTopicsApi,
  deleteRecordsApi,
  initProducerIdApi,
  offsetForLeaderEpochApi,
  describeConfigsApi,
  alterConfigsApi,
  alterReplicaLogDirsApi,
  describeLogDirsApi,
  saslAuthenticateApi,
  createPartitionsApi,
  deleteGroupsApi,
  electLeadersApi,
  incrementalAlterConfigsApi,
  alterPartitionReassignmentsApi,
  listPartitionReassignmentsApi,
  offsetDeleteApi,
  describeClientQuotasApi,
  describeQuorumApi,
  updateFeaturesApi,
  describeClusterApi,
  describeProducersApi,
  consumerGroupHeartbeatApi,
  consumerGroupDescribeApi,
  listConfigResourcesApi,
  describeTopicPartitionsApi,
];

const BY_KEY = new Map(APIS.map((api) => [api.key, api]));

export function apiByKey(key: number): AnyApi | undefined {
  return BY_KEY.get(key);
}

/** One line for each API, for docs/protocol.md: number, name, versions, first flexible version. */
export function apiTable(): string {
  const lines = ["| key | API | versions | flexible from |", "|---|---|---|---|"];
  for (const api of APIS) {
    const flexible = Number.isFinite(api.flexibleFrom) ? api.flexibleFrom : "never";
    lines.push(`| ${api.key} | ${api.name} | ${api.versionMin}-${api.versionMax} | ${flexible} |`);
  }
  return lines.join("\n");
}

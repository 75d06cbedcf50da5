/**
 * The table of what the Kafka API speaks: API, versions, handler, refusal. ApiVersions tells clients exactly this, so
 * a line here is a promise.
 *
 * Produce is advertised from 0 because older librdkafka switches compression off otherwise; 0 to 2 are refused by the
 * handler. Produce alone is pipelined (session.ts).
 */

import { KiB } from "../../base/units.ts";
import { alterConfigsApi } from "../../protocol/kafka/apis/alter-configs.ts";
import { alterPartitionReassignmentsApi } from "../../protocol/kafka/apis/alter-partition-reassignments.ts";
import { alterReplicaLogDirsApi } from "../../protocol/kafka/apis/alter-replica-log-dirs.ts";
import { apiVersionsApi } from "../../protocol/kafka/apis/api-versions.ts";
import { consumerGroupDescribeApi } from "../../protocol/kafka/apis/consumer-group-describe.ts";
import { consumerGroupHeartbeatApi } from "../../protocol/kafka/apis/consumer-group-heartbeat.ts";
import { createPartitionsApi } from "../../protocol/kafka/apis/create-partitions.ts";
import { type CreateTopicsRequest, createTopicsApi } from "../../protocol/kafka/apis/create-topics.ts";
import { deleteGroupsApi } from "../../protocol/kafka/apis/delete-groups.ts";
import { deleteRecordsApi } from "../../protocol/kafka/apis/delete-records.ts";
import { deleteTopicsApi } from "../../protocol/kafka/apis/delete-topics.ts";
import { describeClientQuotasApi } from "../../protocol/kafka/apis/describe-client-quotas.ts";
import { describeClusterApi } from "../../protocol/kafka/apis/describe-cluster.ts";
import { describeConfigsApi } from "../../protocol/kafka/apis/describe-configs.ts";
import { describeGroupsApi } from "../../protocol/kafka/apis/describe-groups.ts";
import { describeLogDirsApi } from "../../protocol/kafka/apis/describe-log-dirs.ts";
import { describeProducersApi } from "../../protocol/kafka/apis/describe-producers.ts";
import { describeQuorumApi } from "../../protocol/kafka/apis/describe-quorum.ts";
import { describeTopicPartitionsApi } from "../../protocol/kafka/apis/describe-topic-partitions.ts";
import { electLeadersApi } from "../../protocol/kafka/apis/elect-leaders.ts";
import { type FetchRequest, fetchApi } from "../../protocol/kafka/apis/fetch.ts";
import { findCoordinatorApi } from "../../protocol/kafka/apis/find-coordinator.ts";
import { heartbeatApi } from "../../protocol/kafka/apis/heartbeat.ts";
import { incrementalAlterConfigsApi } from "../../protocol/kafka/apis/incremental-alter-configs.ts";
import { initProducerIdApi } from "../../protocol/kafka/apis/init-producer-id.ts";
import { joinGroupApi } from "../../protocol/kafka/apis/join-group.ts";
import { leaveGroupApi } from "../../protocol/kafka/apis/leave-group.ts";
import { listConfigResourcesApi } from "../../protocol/kafka/apis/list-config-resources.ts";
import { listGroupsApi } from "../../protocol/kafka/apis/list-groups.ts";
import { listOffsetsApi } from "../../protocol/kafka/apis/list-offsets.ts";
import { listPartitionReassignmentsApi } from "../../protocol/kafka/apis/list-partition-reassignments.ts";
import { metadataApi } from "../../protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../protocol/kafka/apis/offset-commit.ts";
import { offsetDeleteApi } from "../../protocol/kafka/apis/offset-delete.ts";
import { offsetFetchApi } from "../../protocol/kafka/apis/offset-fetch.ts";
import { offsetForLeaderEpochApi } from "../../protocol/kafka/apis/offset-for-leader-epoch.ts";
import { produceApi } from "../../protocol/kafka/apis/produce.ts";
import { syncGroupApi } from "../../protocol/kafka/apis/sync-group.ts";
import { updateFeaturesApi } from "../../protocol/kafka/apis/update-features.ts";
import { type Route, route } from "../dispatch.ts";
import { alterConfigs, incrementalAlterConfigs, refuseAlterConfigs } from "./alter-configs.ts";
import { alterReplicaLogDirs, refuseAlterReplicaLogDirs } from "./alter-replica-log-dirs.ts";
import {
  apiVersions,
  refuseApiVersions,
  type SupportedVersions,
  unsupportedApiVersionsResponse,
} from "./api-versions.ts";
import {
  consumerGroupDescribe,
  consumerGroupDescribeBytes,
  refuseConsumerGroupDescribe,
} from "./consumer-group-describe.ts";
import { consumerGroupHeartbeat, refuseConsumerGroupHeartbeat } from "./consumer-group-heartbeat.ts";
import type { KafkaContext } from "./context.ts";
import { createPartitions, refuseCreatePartitions } from "./create-partitions.ts";
import { createTopics, refuseCreateTopics } from "./create-topics.ts";
import { deleteGroups, refuseDeleteGroups } from "./delete-groups.ts";
import { deleteRecords, refuseDeleteRecords } from "./delete-records.ts";
import { deleteTopics, refuseDeleteTopics } from "./delete-topics.ts";
import { describeClientQuotas, refuseDescribeClientQuotas } from "./describe-client-quotas.ts";
import { describeCluster, refuseDescribeCluster } from "./describe-cluster.ts";
import { describeConfigs, describeConfigsBytes, refuseDescribeConfigs } from "./describe-configs.ts";
import { describeGroups, describeGroupsBytes, refuseDescribeGroups } from "./describe-groups.ts";
import { describeLogDirs, describeLogDirsBytes, refuseDescribeLogDirs } from "./describe-log-dirs.ts";
import { describeProducers, refuseDescribeProducers } from "./describe-producers.ts";
import { describeQuorum, refuseDescribeQuorum } from "./describe-quorum.ts";
import { describeTopicPartitions, refuseDescribeTopicPartitions } from "./describe-topic-partitions.ts";
import { electLeaders, refuseElectLeaders } from "./elect-leaders.ts";
import { FETCHED_PARTITION_BYTES } from "./exchange.ts";
import { fetch, fetchedPartitions, refuseFetch } from "./fetch.ts";
import { findCoordinator, findCoordinatorBytes, refuseFindCoordinator } from "./find-coordinator.ts";
import { heartbeat, refuseHeartbeat } from "./heartbeat.ts";
import { initProducerId, refuseInitProducerId } from "./init-producer-id.ts";
import { joinGroup, refuseJoinGroup } from "./join-group.ts";
import { leaveGroup, refuseLeaveGroup } from "./leave-group.ts";
import { listConfigResources, refuseListConfigResources } from "./list-config-resources.ts";
import { listGroups, listGroupsBytes, refuseListGroups } from "./list-groups.ts";
import { listOffsets, refuseListOffsets } from "./list-offsets.ts";
import { metadata, metadataBytes, refuseMetadata } from "./metadata.ts";
import { offsetCommit, refuseOffsetCommit } from "./offset-commit.ts";
import { offsetDelete, refuseOffsetDelete } from "./offset-delete.ts";
import { offsetFetch, offsetFetchBytes, refuseOffsetFetch } from "./offset-fetch.ts";
import { offsetForLeaderEpoch, refuseOffsetForLeaderEpoch } from "./offset-for-leader-epoch.ts";
import {
  alterPartitionReassignments,
  listPartitionReassignments,
  refuseAlterPartitionReassignments,
  refuseListPartitionReassignments,
} from "./partition-reassignments.ts";
import { produce, refuseProduce } from "./produce.ts";
import { refuseSyncGroup, syncGroup } from "./sync-group.ts";
import { refuseUpdateFeatures, updateFeatures } from "./update-features.ts";

export const apiVersionsRoute: Route = route(apiVersionsApi, {
  versions: [0, 4],
  handle: (context, request, version, { session }) =>
    apiVersions(context, request, version, supported(), session.names),
  refuse: refuseApiVersions,
});

/** A topic's settings as CreateTopics tells them, and what is held while the topic is made. */
const CREATED_TOPIC_BYTES = 4 * KiB;

const LISTED_RESOURCE_BYTES = 300;

/** A fetch begins all its partitions in one turn, with a little more than 1 us for each. */
const FETCHED_ELEMENTS_MAX = 64 * KiB;

/** In the order of their numbers. */
export const ROUTES: readonly Route[] = [
  route(produceApi, { versions: [0, 13], isPipelined: true, handle: produce, refuse: refuseProduce }),
  route(fetchApi, {
    versions: [4, 18],
    elementsMax: FETCHED_ELEMENTS_MAX,
    responseBytes: fetchBytes,
    handle: fetch,
    refuse: refuseFetch,
  }),
  route(listOffsetsApi, { versions: [1, 11], handle: listOffsets, refuse: refuseListOffsets }),
  route(metadataApi, {
    versions: [0, 13],
    responseBytes: metadataBytes,
    handle: metadata,
    refuse: refuseMetadata,
  }),
  route(offsetCommitApi, { versions: [2, 10], handle: offsetCommit, refuse: refuseOffsetCommit }),
  route(offsetFetchApi, {
    versions: [1, 10],
    responseBytes: offsetFetchBytes,
    handle: offsetFetch,
    refuse: refuseOffsetFetch,
  }),
  route(findCoordinatorApi, {
    versions: [0, 6],
    responseBytes: findCoordinatorBytes,
    handle: findCoordinator,
    refuse: refuseFindCoordinator,
  }),
  route(joinGroupApi, { versions: [0, 9], handle: joinGroup, refuse: refuseJoinGroup }),
  route(heartbeatApi, { versions: [0, 4], handle: heartbeat, refuse: refuseHeartbeat }),
  route(leaveGroupApi, { versions: [0, 5], handle: leaveGroup, refuse: refuseLeaveGroup }),
  route(syncGroupApi, { versions: [0, 5], handle: syncGroup, refuse: refuseSyncGroup }),
  route(describeGroupsApi, {
    versions: [0, 6],
    responseBytes: describeGroupsBytes,
    handle: describeGroups,
    refuse: refuseDescribeGroups,
  }),
  route(listGroupsApi, {
    versions: [0, 5],
    responseBytes: listGroupsBytes,
    handle: listGroups,
    refuse: refuseListGroups,
  }),
  apiVersionsRoute,
  route(createTopicsApi, {
    versions: [2, 7],
    responseBytes: createTopicsBytes,
    handle: createTopics,
    refuse: refuseCreateTopics,
  }),
  route(deleteTopicsApi, { versions: [1, 6], handle: deleteTopics, refuse: refuseDeleteTopics }),
  route(deleteRecordsApi, { versions: [0, 2], handle: deleteRecords, refuse: refuseDeleteRecords }),
  route(initProducerIdApi, { versions: [0, 5], handle: initProducerId, refuse: refuseInitProducerId }),
  route(offsetForLeaderEpochApi, {
    versions: [2, 4],
    handle: offsetForLeaderEpoch,
    refuse: refuseOffsetForLeaderEpoch,
  }),
  route(describeConfigsApi, {
    versions: [1, 4],
    responseBytes: describeConfigsBytes,
    handle: describeConfigs,
    refuse: refuseDescribeConfigs,
  }),
  route(alterConfigsApi, { versions: [0, 2], handle: alterConfigs, refuse: refuseAlterConfigs }),
  route(alterReplicaLogDirsApi, {
    versions: [1, 2],
    handle: alterReplicaLogDirs,
    refuse: refuseAlterReplicaLogDirs,
  }),
  route(describeLogDirsApi, {
    versions: [1, 5],
    responseBytes: describeLogDirsBytes,
    handle: describeLogDirs,
    refuse: refuseDescribeLogDirs,
  }),
  route(createPartitionsApi, { versions: [0, 3], handle: createPartitions, refuse: refuseCreatePartitions }),
  route(deleteGroupsApi, { versions: [0, 2], handle: deleteGroups, refuse: refuseDeleteGroups }),
  route(electLeadersApi, { versions: [0, 2], handle: electLeaders, refuse: refuseElectLeaders }),
  route(incrementalAlterConfigsApi, {
    versions: [0, 1],
    handle: incrementalAlterConfigs,
    refuse: refuseAlterConfigs,
  }),
  route(alterPartitionReassignmentsApi, {
    versions: [0, 1],
    handle: alterPartitionReassignments,
    refuse: refuseAlterPartitionReassignments,
  }),
  route(listPartitionReassignmentsApi, {
    versions: [0, 0],
    handle: listPartitionReassignments,
    refuse: refuseListPartitionReassignments,
  }),
  route(offsetDeleteApi, { versions: [0, 0], handle: offsetDelete, refuse: refuseOffsetDelete }),
  route(describeClientQuotasApi, {
    versions: [0, 1],
    handle: describeClientQuotas,
    refuse: refuseDescribeClientQuotas,
  }),
  route(describeQuorumApi, { versions: [0, 2], handle: describeQuorum, refuse: refuseDescribeQuorum }),
  route(updateFeaturesApi, { versions: [0, 2], handle: updateFeatures, refuse: refuseUpdateFeatures }),
  route(describeClusterApi, { versions: [0, 2], handle: describeCluster, refuse: refuseDescribeCluster }),
  route(describeProducersApi, {
    versions: [0, 0],
    handle: describeProducers,
    refuse: refuseDescribeProducers,
  }),
  route(consumerGroupHeartbeatApi, {
    versions: [0, 1],
    handle: consumerGroupHeartbeat,
    refuse: refuseConsumerGroupHeartbeat,
  }),
  route(consumerGroupDescribeApi, {
    versions: [0, 1],
    responseBytes: consumerGroupDescribeBytes,
    handle: consumerGroupDescribe,
    refuse: refuseConsumerGroupDescribe,
  }),
  route(listConfigResourcesApi, {
    versions: [0, 1],
    responseBytes: listConfigResourcesBytes,
    handle: listConfigResources,
    refuse: refuseListConfigResources,
  }),
  route(describeTopicPartitionsApi, {
    versions: [0, 0],
    handle: describeTopicPartitions,
    refuse: refuseDescribeTopicPartitions,
  }),
];

const BY_KEY = new Map(ROUTES.map((entry) => [entry.key, entry]));
const SUPPORTED: readonly SupportedVersions[] = ROUTES.map(({ key, versionMin, versionMax }) => ({
  apiKey: key,
  minVersion: versionMin,
  maxVersion: versionMax,
}));

export function routeFor(key: number): Route | undefined {
  return BY_KEY.get(key);
}

/** The response, in version 0, to an ApiVersions request of a version that is not supported. */
export function unsupportedApiVersions(): unknown {
  return unsupportedApiVersionsResponse(SUPPORTED);
}

function createTopicsBytes(_context: KafkaContext, { topics }: CreateTopicsRequest): number {
  return topics.length * CREATED_TOPIC_BYTES;
}

function listConfigResourcesBytes({ broker }: KafkaContext): number {
  return broker.topics.count * LISTED_RESOURCE_BYTES;
}

function fetchBytes(context: KafkaContext, request: FetchRequest): number {
  return fetchedPartitions(context, request) * FETCHED_PARTITION_BYTES;
}

/** A function, because the table that it reads is still being built when the route is. */
function supported(): readonly SupportedVersions[] {
  return SUPPORTED;
}

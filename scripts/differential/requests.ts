/**
 * One full request for each API and version that the Kafka API supports, as values: what every client sends on a good day.
 * The mutations (mutations.ts) start from them.
 */

import { ROUTES } from "../../src/api/kafka/apis.ts";
import type { AnyApi } from "../../src/protocol/kafka/api.ts";
import { METADATA_PARTITION, METADATA_TOPIC } from "../../src/protocol/kafka/apis/describe-quorum.ts";
import { apiByKey } from "../../src/protocol/kafka/apis.ts";
import { BatchBuilder, type FinishOptions } from "../../src/protocol/record/builder.ts";

/** The names that a request may use. */
export interface Subjects {
  /** One that is there, with two partitions; in partition 0 the records of `fixtureBatch`. */
  readonly topic: string;
  readonly group: string;
  /** One that is not there. */
  readonly newTopic: string;
}

export interface SupportedApi {
  readonly api: AnyApi;
  readonly version: number;
}

/** A day in 2023: no time of arrival. */
export const RECORD_TIME_MS = 1_700_000_000_000;

/** Stands for the id of the request's topic, which each server has given it itself. */
export const ID_OF_TOPIC = "b0b0b0b0-b0b0-b0b0-b0b0-b0b0b0b0b0b0";

export const PARTITIONS = 2;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Every API and version of the table of the Kafka API. */
export function supportedApis(): SupportedApi[] {
  return ROUTES.flatMap(({ key, versionMin, versionMax }) => {
    const api = apiByKey(key)!;
    return Array.from({ length: versionMax - versionMin + 1 }, (_, index) => ({
      api,
      version: versionMin + index,
    }));
  });
}

/** A batch with a record for each value, a second apart. */
export function batch(values: readonly string[], options: FinishOptions = {}, atMs = RECORD_TIME_MS): Buffer {
  const builder = new BatchBuilder(BATCH_BYTES_MAX);
  for (const [index, text] of values.entries()) {
    const key = Buffer.from(`key-${index}`);
    const value = Buffer.from(text);
    const headers = index === 0 ? [{ key: "header", value: Buffer.from("h") }] : [];
    builder.append(atMs + index * 1000, key, 0, key.length, value, 0, value.length, headers);
  }
  return builder.finish(options);
}

/** What lies in partition 0 of a fixture: ten records in three batches. */
export function fixtureBatches(): Buffer[] {
  return [
    batch(["zero", "one", "two"]),
    batch(["three", "four", "five"], { codec: "gzip" }, RECORD_TIME_MS + 10_000),
    batch(["six", "seven", "eight", "nine"], {}, RECORD_TIME_MS + 20_000),
  ];
}

export function produceRequest(topic: string, records: Buffer | null, more: object = {}): object {
  return {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: topic, topicId: ID_OF_TOPIC, partitionData: [{ index: 0, records }] }],
    ...more,
  };
}

export function fetchRequest(topic: string, partition: object = {}, more: object = {}): object {
  return {
    maxWaitMs: 0,
    minBytes: 0,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        topicId: ID_OF_TOPIC,
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20, ...partition }],
      },
    ],
    ...more,
  };
}

type Maker = (subjects: Subjects, version: number) => object;

const MAKERS: Readonly<Record<string, Maker>> = {
  Produce: ({ topic }) => produceRequest(topic, batch(["a", "b", "c"])),
  Fetch: ({ topic }) => fetchRequest(topic),
  ListOffsets: ({ topic }) => ({
    topics: [
      {
        name: topic,
        partitions: [
          { partitionIndex: 0, timestamp: RECORD_TIME_MS + 1000 },
          { partitionIndex: 1, timestamp: -1 },
        ],
      },
    ],
  }),
  Metadata: ({ topic, newTopic }, version) => ({
    topics: [{ name: topic }, { name: newTopic }],
    // Before version 4 asking is creating.
    ...(version >= 4 ? { allowAutoTopicCreation: false } : { topics: [{ name: topic }] }),
  }),
  OffsetCommit: ({ topic, group }) => ({
    groupId: group,
    topics: [
      {
        name: topic,
        topicId: ID_OF_TOPIC,
        partitions: [
          { partitionIndex: 0, committedOffset: 3, committedMetadata: "a text" },
          { partitionIndex: 1, committedOffset: 0, committedMetadata: null },
        ],
      },
    ],
  }),
  OffsetFetch: ({ topic, group }, version) => {
    const topics = [{ name: topic, topicId: ID_OF_TOPIC, partitionIndexes: [0, 1] }];
    return version >= 8 ? { groups: [{ groupId: group, topics }] } : { groupId: group, topics };
  },
  FindCoordinator: ({ group }, version) =>
    version >= 4 ? { coordinatorKeys: [group, "other"] } : { key: group },
  // Of a member that is unknown, so that no group is left that the next case would meet.
  JoinGroup: ({ group }) => ({
    groupId: group,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: "nobody",
    protocolType: "consumer",
    // One topic, "t": metadata of a consumer that does not decode leaves Kafka's members waiting.
    protocols: [{ name: "range", metadata: Buffer.from("000100000001000174ffffffff", "hex") }],
  }),
  Heartbeat: ({ group }) => ({ groupId: group, generationId: 1, memberId: "nobody" }),
  LeaveGroup: ({ group }, version) =>
    version < 3
      ? { groupId: group, memberId: "nobody" }
      : { groupId: group, members: [{ memberId: "nobody" }] },
  SyncGroup: ({ group }) => ({ groupId: group, generationId: 1, memberId: "nobody", assignments: [] }),
  DescribeGroups: ({ group }) => ({ groups: [group] }),
  ListGroups: (_, version) => (version >= 4 ? { statesFilter: ["Stable"] } : {}),
  DeleteGroups: ({ group }) => ({ groupsNames: [group] }),
  OffsetDelete: ({ topic, group }) => ({
    groupId: group,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }],
  }),
  ApiVersions: (_, version) =>
    version >= 3 ? { clientSoftwareName: "differential", clientSoftwareVersion: "1.0.0" } : {},
  CreateTopics: ({ newTopic }) => ({
    topics: [
      {
        name: newTopic,
        numPartitions: 2,
        replicationFactor: 1,
        configs: [{ name: "cleanup.policy", value: "delete" }],
      },
    ],
    timeoutMs: 10_000,
  }),
  DeleteTopics: ({ topic }, version) => ({
    ...(version >= 6 ? { topics: [{ name: topic }] } : { topicNames: [topic] }),
    timeoutMs: 10_000,
  }),
  DeleteRecords: ({ topic }) => ({
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset: 0 }] }],
    timeoutMs: 10_000,
  }),
  ConsumerGroupHeartbeat: ({ topic, group }) => ({
    groupId: group,
    memberId: "a-member-id-of-some-22-",
    memberEpoch: 0,
    instanceId: "an-instance",
    rackId: "a-rack",
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: [topic],
    serverAssignor: "uniform",
    topicPartitions: [],
  }),
  ConsumerGroupDescribe: ({ group }) => ({ groupIds: [group], includeAuthorizedOperations: false }),
  InitProducerId: () => ({ transactionTimeoutMs: 60_000 }),
  DescribeConfigs: ({ topic }) => ({
    resources: [
      { resourceType: 2, resourceName: topic, configurationKeys: ["cleanup.policy", "preallocate"] },
    ],
    includeSynonyms: true,
  }),
  AlterConfigs: ({ topic }) => ({
    resources: [{ resourceType: 2, resourceName: topic, configs: [{ name: "retention.ms", value: "-1" }] }],
    validateOnly: true,
  }),
  IncrementalAlterConfigs: ({ topic }) => ({
    resources: [
      {
        resourceType: 2,
        resourceName: topic,
        configs: [{ name: "retention.ms", configOperation: 0, value: "-1" }],
      },
    ],
    validateOnly: true,
  }),
  DescribeClientQuotas: () => ({
    components: [{ entityType: "user", matchType: 0, match: "nobody" }],
    strict: false,
  }),
  UpdateFeatures: (_, version) => ({
    featureUpdates: [{ feature: "group.version", maxVersionLevel: 1 }],
    ...(version >= 1 ? { validateOnly: true } : {}),
  }),
  ListConfigResources: (_, version) => (version >= 1 ? { resourceTypes: [4] } : {}),
  DescribeLogDirs: ({ topic }) => ({ topics: [{ topic, partitions: [1] }] }),
  CreatePartitions: ({ topic, newTopic }) => ({
    topics: [
      { name: topic, count: PARTITIONS, assignments: null },
      { name: newTopic, count: 3, assignments: [{ brokerIds: [1] }] },
    ],
    timeoutMs: 10_000,
    validateOnly: true,
  }),
  AlterReplicaLogDirs: ({ topic }) => ({
    dirs: [{ path: "/none", topics: [{ name: topic, partitions: [0, 9] }] }],
  }),
  DescribeQuorum: () => ({
    topics: [{ topicName: METADATA_TOPIC, partitions: [{ partitionIndex: METADATA_PARTITION }] }],
  }),
  ElectLeaders: ({ topic }) => ({ topicPartitions: [{ topic, partitions: [0, 1] }], timeoutMs: 10_000 }),
  AlterPartitionReassignments: ({ topic }) => ({
    timeoutMs: 10_000,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, replicas: [1] }] }],
  }),
  ListPartitionReassignments: ({ topic }) => ({
    timeoutMs: 10_000,
    topics: [{ name: topic, partitionIndexes: [0] }],
  }),
  DescribeCluster: () => ({ includeClusterAuthorizedOperations: true }),
  DescribeProducers: ({ topic }) => ({ topics: [{ name: topic, partitionIndexes: [1] }] }),
  DescribeTopicPartitions: ({ topic, newTopic }) => ({ topics: [{ name: topic }, { name: newTopic }] }),
  OffsetForLeaderEpoch: ({ topic }) => ({
    topics: [{ topic, partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] }],
  }),
};

/** @throws when an API is supported that has no request here: add one */
export function fullRequest({ api, version }: SupportedApi, subjects: Subjects): object {
  const make = MAKERS[api.name];
  if (make === undefined) {
    throw new Error(
      `scripts/differential/requests.ts has no request for ${api.name}; every API that is supported needs one`,
    );
  }
  return make(subjects, version);
}

/** Whether the API changes a topic, so that each case needs its own. */
export function changesTopic(api: AnyApi): boolean {
  return [
    "Produce",
    "DeleteRecords",
    "DeleteTopics",
    "AlterConfigs",
    "IncrementalAlterConfigs",
    "CreatePartitions",
  ].includes(api.name);
}

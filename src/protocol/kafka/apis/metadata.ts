/**
 * Metadata (3): brokers, topics and who leads which partition; creates topics on the way when the client allows it.
 * Which topics: version 0 says "all" by an empty array, later versions by null, and there an empty array means none.
 */

import { defineApi } from "../api.ts";
import {
  array,
  bool,
  type Decoded,
  type Input,
  int16,
  int32,
  nullableArray,
  nullableString,
  string,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

/** Authorized operations that were not requested. */
export const OPERATIONS_UNKNOWN = -2147483648;

/** Kafka's operations: the bit of each in a set of authorized ones. */
const READ = 1 << 3;
const WRITE = 1 << 4;
const CREATE = 1 << 5;
const DELETE = 1 << 6;
const ALTER = 1 << 7;
const DESCRIBE = 1 << 8;
const CLUSTER_ACTION = 1 << 9;
const CONFIGS = (1 << 10) | (1 << 11);
const IDEMPOTENT_WRITE = 1 << 12;

/** All that there is for a topic, and for the cluster. */
export const TOPIC_OPERATIONS: number = READ | WRITE | CREATE | DELETE | ALTER | DESCRIBE | CONFIGS;
export const CLUSTER_OPERATIONS: number =
  CREATE | ALTER | DESCRIBE | CLUSTER_ACTION | CONFIGS | IDEMPOTENT_WRITE;

const request = {
  topics: nullableArray(
    "0+",
    {
      topicId: uuid("10+", { default: ZERO_UUID, ignorable: true }),
      name: nullableString("0+", { nullable: "10+" }),
    },
    { nullable: "1+" },
  ),
  allowAutoTopicCreation: bool("4+", { default: true }),
  includeClusterAuthorizedOperations: bool("8-10", { default: false }),
  includeTopicAuthorizedOperations: bool("8+", { default: false }),
};

const response = {
  throttleTimeMs: int32("3+", { default: 0, ignorable: true }),
  brokers: array("0+", {
    nodeId: int32("0+"),
    host: string("0+"),
    port: int32("0+"),
    rack: nullableString("1+", { default: null, ignorable: true }),
  }),
  clusterId: nullableString("2+", { default: null, ignorable: true }),
  controllerId: int32("1+", { default: -1, ignorable: true }),
  topics: array("0+", {
    errorCode: int16("0+"),
    name: nullableString("0+", { nullable: "12+" }),
    topicId: uuid("10+", { default: ZERO_UUID, ignorable: true }),
    isInternal: bool("1+", { default: false, ignorable: true }),
    partitions: array("0+", {
      errorCode: int16("0+"),
      partitionIndex: int32("0+"),
      leaderId: int32("0+"),
      leaderEpoch: int32("7+", { default: -1, ignorable: true }),
      replicaNodes: array("0+", int32("0+")),
      isrNodes: array("0+", int32("0+")),
      offlineReplicas: array("5+", int32("5+"), { default: [], ignorable: true }),
    }),
    topicAuthorizedOperations: int32("8+", { default: OPERATIONS_UNKNOWN, ignorable: true }),
  }),
  clusterAuthorizedOperations: int32("8-10", { default: OPERATIONS_UNKNOWN, ignorable: true }),
  errorCode: int16("13+", { default: 0, ignorable: true }),
};

export type MetadataRequest = Decoded<typeof request>;
export type MetadataResponse = Decoded<typeof response>;
export type MetadataRequestInput = Input<typeof request>;
export type MetadataResponseInput = Input<typeof response>;

export const metadataApi = defineApi({
  key: 3,
  name: "Metadata",
  versions: "0-13",
  flexibleFrom: 9,
  request,
  response,
});

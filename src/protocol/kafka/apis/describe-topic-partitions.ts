/**
 * DescribeTopicPartitions (75): topics with their partitions, a page at a time. No topics mean all of them. The cursor says where a page
 * begins, and in a response where the next one does; null: there is none.
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
  nullableStruct,
  string,
  uuid,
} from "../schema.ts";
import { OPERATIONS_UNKNOWN } from "./metadata.ts";

const cursor = { topicName: string("0+"), partitionIndex: int32("0+") };

const request = {
  topics: array("0+", { name: string("0+") }),
  responsePartitionLimit: int32("0+", { default: 2000 }),
  cursor: nullableStruct("0+", cursor, { default: null }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  topics: array("0+", {
    errorCode: int16("0+"),
    name: nullableString("0+"),
    topicId: uuid("0+"),
    isInternal: bool("0+", { default: false, ignorable: true }),
    partitions: array("0+", {
      errorCode: int16("0+"),
      partitionIndex: int32("0+"),
      leaderId: int32("0+"),
      leaderEpoch: int32("0+", { default: -1, ignorable: true }),
      replicaNodes: array("0+", int32("0+")),
      isrNodes: array("0+", int32("0+")),
      eligibleLeaderReplicas: nullableArray("0+", int32("0+"), { default: null }),
      lastKnownElr: nullableArray("0+", int32("0+"), { default: null }),
      offlineReplicas: array("0+", int32("0+"), { default: [] }),
    }),
    topicAuthorizedOperations: int32("0+", { default: OPERATIONS_UNKNOWN }),
  }),
  nextCursor: nullableStruct("0+", cursor, { default: null }),
};

export type DescribeTopicPartitionsRequest = Decoded<typeof request>;
export type DescribeTopicPartitionsResponse = Decoded<typeof response>;
export type DescribeTopicPartitionsRequestInput = Input<typeof request>;
export type DescribeTopicPartitionsResponseInput = Input<typeof response>;

export const describeTopicPartitionsApi = defineApi({
  key: 75,
  name: "DescribeTopicPartitions",
  versions: "0",
  flexibleFrom: 0,
  request,
  response,
});

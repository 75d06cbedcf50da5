/**
 * DescribeQuorum (55): who keeps the metadata of the cluster, and how far each of them is. Asked for the one partition of the
 * topic `__cluster_metadata`. Version 1 adds times, version 2 words for errors, directory ids and the listeners of the controllers.
 */

import { defineApi } from "../api.ts";
import {
  array,
  type Decoded,
  type Input,
  int16,
  int32,
  int64,
  nullableString,
  string,
  uint16,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

/** The topic and the partition that stand for the metadata. */
export const METADATA_TOPIC = "__cluster_metadata";
export const METADATA_PARTITION = 0;

const request = {
  topics: array("0+", {
    topicName: string("0+"),
    partitions: array("0+", { partitionIndex: int32("0+") }),
  }),
};

const replicaState = {
  replicaId: int32("0+"),
  replicaDirectoryId: uuid("2+", { default: ZERO_UUID, ignorable: true }),
  logEndOffset: int64("0+"),
  lastFetchTimestamp: int64("1+", { default: -1, ignorable: true }),
  lastCaughtUpTimestamp: int64("1+", { default: -1, ignorable: true }),
};

const response = {
  errorCode: int16("0+", { default: 0 }),
  errorMessage: nullableString("2+", { default: "", ignorable: true }),
  topics: array("0+", {
    topicName: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      errorCode: int16("0+"),
      errorMessage: nullableString("2+", { default: "", ignorable: true }),
      leaderId: int32("0+", { default: 0 }),
      leaderEpoch: int32("0+", { default: 0 }),
      highWatermark: int64("0+", { default: 0 }),
      currentVoters: array("0+", replicaState),
      observers: array("0+", replicaState),
    }),
  }),
  nodes: array(
    "2+",
    {
      nodeId: int32("2+"),
      listeners: array("2+", { name: string("2+"), host: string("2+"), port: uint16("2+") }),
    },
    { ignorable: true },
  ),
};

export type DescribeQuorumRequest = Decoded<typeof request>;
export type DescribeQuorumResponse = Decoded<typeof response>;
export type DescribeQuorumRequestInput = Input<typeof request>;
export type DescribeQuorumResponseInput = Input<typeof response>;

export const describeQuorumApi = defineApi({
  key: 55,
  name: "DescribeQuorum",
  versions: "0-2",
  flexibleFrom: 0,
  request,
  response,
});

/**
 * Fetch (1): record batches from partitions. Up to version 12 topics are named by name, from 13 by id. The batches of a
 * response are handed to the socket as they are, or are read as they are sent (see writer.ts). What only followers send from
 * version 15 on (their state, directory and high watermark, all tagged) is not declared, so it is passed over.
 */

import { defineApi } from "../api.ts";
import {
  array,
  type Decoded,
  type Input,
  int8,
  int16,
  int32,
  int64,
  nullableArray,
  nullableString,
  servedRecords,
  string,
  taggedStruct,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

const INT32_MAX = 0x7fff_ffff;

const request = {
  clusterId: nullableString("12+", { default: null, ignorable: true, tag: 0 }),
  replicaId: int32("0-14", { default: -1, ignorable: true }),
  maxWaitMs: int32("0+"),
  minBytes: int32("0+"),
  maxBytes: int32("3+", { default: INT32_MAX, ignorable: true }),
  isolationLevel: int8("4+", { default: 0, ignorable: true }),
  sessionId: int32("7+", { default: 0, ignorable: true }),
  sessionEpoch: int32("7+", { default: -1, ignorable: true }),
  topics: array("0+", {
    topic: string("0-12", { default: "", ignorable: true }),
    topicId: uuid("13+", { default: ZERO_UUID, ignorable: true }),
    partitions: array("0+", {
      partition: int32("0+"),
      currentLeaderEpoch: int32("9+", { default: -1, ignorable: true }),
      fetchOffset: int64("0+"),
      lastFetchedEpoch: int32("12+", { default: -1 }),
      logStartOffset: int64("5+", { default: -1, ignorable: true }),
      partitionMaxBytes: int32("0+"),
    }),
  }),
  forgottenTopicsData: array(
    "7+",
    {
      topic: string("7-12", { default: "", ignorable: true }),
      topicId: uuid("13+", { default: ZERO_UUID, ignorable: true }),
      partitions: array("7+", int32("7+")),
    },
    { default: [] },
  ),
  rackId: string("11+", { default: "", ignorable: true }),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  errorCode: int16("7+", { default: 0, ignorable: true }),
  sessionId: int32("7+", { default: 0 }),
  responses: array("0+", {
    topic: string("0-12", { default: "", ignorable: true }),
    topicId: uuid("13+", { default: ZERO_UUID, ignorable: true }),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      errorCode: int16("0+"),
      highWatermark: int64("0+"),
      lastStableOffset: int64("4+", { default: -1, ignorable: true }),
      logStartOffset: int64("5+", { default: -1, ignorable: true }),
      divergingEpoch: taggedStruct("12+", 0, {
        epoch: int32("12+", { default: -1 }),
        endOffset: int64("12+", { default: -1 }),
      }),
      currentLeader: taggedStruct("12+", 1, {
        leaderId: int32("12+", { default: -1 }),
        leaderEpoch: int32("12+", { default: -1 }),
      }),
      snapshotId: taggedStruct("12+", 2, {
        endOffset: int64("12+", { default: -1 }),
        epoch: int32("12+", { default: -1 }),
      }),
      abortedTransactions: nullableArray(
        "4+",
        {
          producerId: int64("4+"),
          firstOffset: int64("4+"),
        },
        { default: null, ignorable: true },
      ),
      preferredReadReplica: int32("11+", { default: -1 }),
      records: servedRecords("0+"),
    }),
  }),
  nodeEndpoints: array(
    "16+",
    {
      nodeId: int32("16+"),
      host: string("16+"),
      port: int32("16+"),
      rack: nullableString("16+", { default: null }),
    },
    { default: [], ignorable: true, tag: 0 },
  ),
};

export type FetchRequest = Decoded<typeof request>;
export type FetchResponse = Decoded<typeof response>;
export type FetchRequestInput = Input<typeof request>;
export type FetchResponseInput = Input<typeof response>;

export const fetchApi = defineApi({
  key: 1,
  name: "Fetch",
  versions: "4-18",
  flexibleFrom: 12,
  request,
  response,
});

/**
 * Produce (0): record batches for partitions. With acks 0 there is no response at all. Up to version 12
 * topics are named by name, from 13 by id.
 *
 * Versions 0 to 2 carry older record formats. They are decoded so that a server can refuse them partition by
 * partition; the bytes of `records` are opaque in every version.
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
  records,
  string,
  taggedStruct,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

const request = {
  transactionalId: nullableString("3+", { default: null }),
  acks: int16("0+"),
  timeoutMs: int32("0+"),
  topicData: array("0+", {
    name: string("0-12", { default: "", ignorable: true }),
    topicId: uuid("13+", { default: ZERO_UUID, ignorable: true }),
    partitionData: array("0+", {
      index: int32("0+"),
      records: records("0+"),
    }),
  }),
};

const response = {
  responses: array("0+", {
    name: string("0-12", { default: "", ignorable: true }),
    topicId: uuid("13+", { default: ZERO_UUID, ignorable: true }),
    partitionResponses: array("0+", {
      index: int32("0+"),
      errorCode: int16("0+"),
      baseOffset: int64("0+"),
      logAppendTimeMs: int64("2+", { default: -1, ignorable: true }),
      logStartOffset: int64("5+", { default: -1, ignorable: true }),
      recordErrors: array(
        "8+",
        {
          batchIndex: int32("8+"),
          batchIndexErrorMessage: nullableString("8+", { default: null }),
        },
        { default: [], ignorable: true },
      ),
      errorMessage: nullableString("8+", { default: null, ignorable: true }),
      currentLeader: taggedStruct("10+", 0, {
        leaderId: int32("10+", { default: -1 }),
        leaderEpoch: int32("10+", { default: -1 }),
      }),
    }),
  }),
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  nodeEndpoints: array(
    "10+",
    {
      nodeId: int32("10+"),
      host: string("10+"),
      port: int32("10+"),
      rack: nullableString("10+", { default: null }),
    },
    { default: [], ignorable: true, tag: 0 },
  ),
};

export type ProduceRequest = Decoded<typeof request>;
export type ProduceResponse = Decoded<typeof response>;
export type ProduceRequestInput = Input<typeof request>;
export type ProduceResponseInput = Input<typeof response>;

export const produceApi = defineApi({
  key: 0,
  name: "Produce",
  versions: "0-13",
  flexibleFrom: 9,
  request,
  response,
});

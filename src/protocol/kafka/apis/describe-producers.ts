/** DescribeProducers (61): the idempotent producers that partitions remember. */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, int64, nullableString, string } from "../schema.ts";

const request = {
  topics: array("0+", { name: string("0+"), partitionIndexes: array("0+", int32("0+")) }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      errorCode: int16("0+"),
      errorMessage: nullableString("0+", { default: null }),
      activeProducers: array("0+", {
        producerId: int64("0+"),
        producerEpoch: int32("0+"),
        lastSequence: int32("0+", { default: -1 }),
        lastTimestamp: int64("0+", { default: -1 }),
        coordinatorEpoch: int32("0+"),
        currentTxnStartOffset: int64("0+", { default: -1 }),
      }),
    }),
  }),
};

export type DescribeProducersRequest = Decoded<typeof request>;
export type DescribeProducersResponse = Decoded<typeof response>;
export type DescribeProducersRequestInput = Input<typeof request>;
export type DescribeProducersResponseInput = Input<typeof response>;

export const describeProducersApi = defineApi({
  key: 61,
  name: "DescribeProducers",
  versions: "0",
  flexibleFrom: 0,
  request,
  response,
});

/** AlterPartitionReassignments (45): moves partitions to other brokers; null replicas cancel a move that is under way. */

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
} from "../schema.ts";

const request = {
  timeoutMs: int32("0+", { default: 60_000 }),
  allowReplicationFactorChange: bool("1+", { default: true }),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      replicas: nullableArray("0+", int32("0+"), { default: null }),
    }),
  }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  allowReplicationFactorChange: bool("1+", { default: true, ignorable: true }),
  errorCode: int16("0+", { default: 0 }),
  errorMessage: nullableString("0+", { default: null }),
  responses: array("0+", {
    name: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      errorCode: int16("0+"),
      errorMessage: nullableString("0+"),
    }),
  }),
};

export type AlterPartitionReassignmentsRequest = Decoded<typeof request>;
export type AlterPartitionReassignmentsResponse = Decoded<typeof response>;
export type AlterPartitionReassignmentsRequestInput = Input<typeof request>;
export type AlterPartitionReassignmentsResponseInput = Input<typeof response>;

export const alterPartitionReassignmentsApi = defineApi({
  key: 45,
  name: "AlterPartitionReassignments",
  versions: "0-1",
  flexibleFrom: 0,
  request,
  response,
});

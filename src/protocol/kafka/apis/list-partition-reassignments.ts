/** ListPartitionReassignments (46): which partitions are being moved to other brokers. Null topics mean all of them. */

import { defineApi } from "../api.ts";
import {
  array,
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
  topics: nullableArray(
    "0+",
    { name: string("0+"), partitionIndexes: array("0+", int32("0+")) },
    { default: null },
  ),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  errorCode: int16("0+", { default: 0 }),
  errorMessage: nullableString("0+", { default: null }),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      replicas: array("0+", int32("0+")),
      addingReplicas: array("0+", int32("0+")),
      removingReplicas: array("0+", int32("0+")),
    }),
  }),
};

export type ListPartitionReassignmentsRequest = Decoded<typeof request>;
export type ListPartitionReassignmentsResponse = Decoded<typeof response>;
export type ListPartitionReassignmentsRequestInput = Input<typeof request>;
export type ListPartitionReassignmentsResponseInput = Input<typeof response>;

export const listPartitionReassignmentsApi = defineApi({
  key: 46,
  name: "ListPartitionReassignments",
  versions: "0",
  flexibleFrom: 0,
  request,
  response,
});

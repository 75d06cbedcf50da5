/**
 * DescribeCluster (60): brokers and controller, for administration clients.
 */

import { defineApi } from "../api.ts";
import {
  array,
  bool,
  type Decoded,
  type Input,
  int8,
  int16,
  int32,
  nullableString,
  string,
} from "../schema.ts";
import { OPERATIONS_UNKNOWN } from "./metadata.ts";

const request = {
  includeClusterAuthorizedOperations: bool("0+", { default: false }),
  endpointType: int8("1+", { default: 1 }),
  includeFencedBrokers: bool("2+", { default: false }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  errorCode: int16("0+"),
  errorMessage: nullableString("0+", { default: null }),
  endpointType: int8("1+", { default: 1, ignorable: true }),
  clusterId: string("0+"),
  controllerId: int32("0+", { default: -1 }),
  brokers: array("0+", {
    brokerId: int32("0+"),
    host: string("0+"),
    port: int32("0+"),
    rack: nullableString("0+", { default: null }),
    isFenced: bool("2+", { default: false }),
  }),
  clusterAuthorizedOperations: int32("0+", { default: OPERATIONS_UNKNOWN, ignorable: true }),
};

export type DescribeClusterRequest = Decoded<typeof request>;
export type DescribeClusterResponse = Decoded<typeof response>;
export type DescribeClusterRequestInput = Input<typeof request>;
export type DescribeClusterResponseInput = Input<typeof response>;

export const describeClusterApi = defineApi({
  key: 60,
  name: "DescribeCluster",
  versions: "0-2",
  flexibleFrom: 0,
  request,
  response,
});

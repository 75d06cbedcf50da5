/**
 * ElectLeaders (43): makes the preferred replica the leader (type 0), or any live one (1). Null partitions mean all of them.
 */

import { defineApi } from "../api.ts";
import {
  array,
  type Decoded,
  type Input,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  string,
} from "../schema.ts";

/** The types of elections. */
export const ELECT_PREFERRED = 0;
export const ELECT_UNCLEAN = 1;

const request = {
  electionType: int8("1+", { default: ELECT_PREFERRED }),
  topicPartitions: nullableArray("0+", { topic: string("0+"), partitions: array("0+", int32("0+")) }),
  timeoutMs: int32("0+", { default: 60_000 }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  errorCode: int16("1+", { default: 0, ignorable: true }),
  replicaElectionResults: array("0+", {
    topic: string("0+"),
    partitionResult: array("0+", {
      partitionId: int32("0+"),
      errorCode: int16("0+"),
      errorMessage: nullableString("0+"),
    }),
  }),
};

export type ElectLeadersRequest = Decoded<typeof request>;
export type ElectLeadersResponse = Decoded<typeof response>;
export type ElectLeadersRequestInput = Input<typeof request>;
export type ElectLeadersResponseInput = Input<typeof response>;

export const electLeadersApi = defineApi({
  key: 43,
  name: "ElectLeaders",
  versions: "0-2",
  flexibleFrom: 2,
  request,
  response,
});

/**
 * OffsetForLeaderEpoch (23): where an epoch ended, so that a client can tell that its position was cut away.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, int64, string } from "../schema.ts";

const request = {
  replicaId: int32("3+", { default: -2, ignorable: true }),
  topics: array("0+", {
    topic: string("0+"),
    partitions: array("0+", {
      partition: int32("0+"),
      currentLeaderEpoch: int32("2+", { default: -1, ignorable: true }),
      leaderEpoch: int32("0+"),
    }),
  }),
};

const response = {
  throttleTimeMs: int32("2+", { default: 0, ignorable: true }),
  topics: array("0+", {
    topic: string("0+"),
    partitions: array("0+", {
      errorCode: int16("0+"),
      partition: int32("0+"),
      leaderEpoch: int32("1+", { default: -1, ignorable: true }),
      endOffset: int64("0+", { default: -1 }),
    }),
  }),
};

export type OffsetForLeaderEpochRequest = Decoded<typeof request>;
export type OffsetForLeaderEpochResponse = Decoded<typeof response>;
export type OffsetForLeaderEpochRequestInput = Input<typeof request>;
export type OffsetForLeaderEpochResponseInput = Input<typeof response>;

export const offsetForLeaderEpochApi = defineApi({
  key: 23,
  name: "OffsetForLeaderEpoch",
  versions: "2-4",
  flexibleFrom: 4,
  request,
  response,
});

/**
 * ListOffsets (2): the offset for a timestamp, or for one of the special timestamps below. The response holds the first
 * record at or after the timestamp; nothing there is timestamp -1 and offset -1.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int8, int16, int32, int64, string } from "../schema.ts";

/** After the last record. */
export const TIMESTAMP_LATEST = -1;
/** The first record that is still there. */
export const TIMESTAMP_EARLIEST = -2;
/** The record with the largest timestamp; from version 7. */
export const TIMESTAMP_MAX = -3;
/** The first record on the broker's own disk; from version 8. */
export const TIMESTAMP_EARLIEST_LOCAL = -4;
/** The last record in tiered storage; from version 9. */
export const TIMESTAMP_LATEST_TIERED = -5;
/** The first record that is not in tiered storage yet; from version 11. */
export const TIMESTAMP_EARLIEST_UNTIERED = -6;

const request = {
  replicaId: int32("0+", { default: -1 }),
  isolationLevel: int8("2+", { default: 0, ignorable: true }),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      currentLeaderEpoch: int32("4+", { default: -1, ignorable: true }),
      timestamp: int64("0+"),
    }),
  }),
  timeoutMs: int32("10+", { default: 0, ignorable: true }),
};

const response = {
  throttleTimeMs: int32("2+", { default: 0, ignorable: true }),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      errorCode: int16("0+"),
      timestamp: int64("1+", { default: -1 }),
      offset: int64("1+", { default: -1 }),
      leaderEpoch: int32("4+", { default: -1, ignorable: true }),
    }),
  }),
};

export type ListOffsetsRequest = Decoded<typeof request>;
export type ListOffsetsResponse = Decoded<typeof response>;
export type ListOffsetsRequestInput = Input<typeof request>;
export type ListOffsetsResponseInput = Input<typeof response>;

export const listOffsetsApi = defineApi({
  key: 2,
  name: "ListOffsets",
  versions: "1-11",
  flexibleFrom: 6,
  request,
  response,
});

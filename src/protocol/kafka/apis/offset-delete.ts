/**
 * OffsetDelete (47): removes single committed offsets of a group. Never flexible, and alone in having the error code before the
 * throttle time.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, string } from "../schema.ts";

const request = {
  groupId: string("0+"),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", { partitionIndex: int32("0+") }),
  }),
};

const response = {
  errorCode: int16("0+"),
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", { partitionIndex: int32("0+"), errorCode: int16("0+") }),
  }),
};

export type OffsetDeleteRequest = Decoded<typeof request>;
export type OffsetDeleteResponse = Decoded<typeof response>;
export type OffsetDeleteRequestInput = Input<typeof request>;
export type OffsetDeleteResponseInput = Input<typeof response>;

export const offsetDeleteApi = defineApi({
  key: 47,
  name: "OffsetDelete",
  versions: "0",
  flexibleFrom: null,
  request,
  response,
});

/**
 * DeleteRecords (21): moves the log start offset of partitions up to `offset`; -1 is the high watermark. `lowWatermark` is the
 * log start offset afterwards.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, int64, string } from "../schema.ts";

const request = {
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", { partitionIndex: int32("0+"), offset: int64("0+") }),
  }),
  timeoutMs: int32("0+"),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  topics: array("0+", {
    name: string("0+"),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      lowWatermark: int64("0+"),
      errorCode: int16("0+"),
    }),
  }),
};

export type DeleteRecordsRequest = Decoded<typeof request>;
export type DeleteRecordsResponse = Decoded<typeof response>;
export type DeleteRecordsRequestInput = Input<typeof request>;
export type DeleteRecordsResponseInput = Input<typeof response>;

export const deleteRecordsApi = defineApi({
  key: 21,
  name: "DeleteRecords",
  versions: "0-2",
  flexibleFrom: 2,
  request,
  response,
});

/**
 * CreatePartitions (37): raises the number of partitions of topics to `count`. Null `assignments`: the broker chooses the replicas.
 */

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
  topics: array("0+", {
    name: string("0+"),
    count: int32("0+"),
    assignments: nullableArray("0+", { brokerIds: array("0+", int32("0+")) }, { default: null }),
  }),
  timeoutMs: int32("0+"),
  validateOnly: bool("0+", { default: false }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  results: array("0+", {
    name: string("0+"),
    errorCode: int16("0+"),
    errorMessage: nullableString("0+", { default: null }),
  }),
};

export type CreatePartitionsRequest = Decoded<typeof request>;
export type CreatePartitionsResponse = Decoded<typeof response>;
export type CreatePartitionsRequestInput = Input<typeof request>;
export type CreatePartitionsResponseInput = Input<typeof response>;

export const createPartitionsApi = defineApi({
  key: 37,
  name: "CreatePartitions",
  versions: "0-3",
  flexibleFrom: 2,
  request,
  response,
});

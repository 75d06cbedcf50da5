/**
 * IncrementalAlterConfigs (44): changes single settings of resources. `configOperation`: 0 set, 1 delete, 2 append to a list, 3 subtract
 * from a list.
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

const request = {
  resources: array("0+", {
    resourceType: int8("0+"),
    resourceName: string("0+"),
    configs: array("0+", {
      name: string("0+"),
      configOperation: int8("0+"),
      value: nullableString("0+", { default: null }),
    }),
  }),
  validateOnly: bool("0+"),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  responses: array("0+", {
    errorCode: int16("0+"),
    errorMessage: nullableString("0+", { default: null }),
    resourceType: int8("0+"),
    resourceName: string("0+"),
  }),
};

export type IncrementalAlterConfigsRequest = Decoded<typeof request>;
export type IncrementalAlterConfigsResponse = Decoded<typeof response>;
export type IncrementalAlterConfigsRequestInput = Input<typeof request>;
export type IncrementalAlterConfigsResponseInput = Input<typeof response>;

export const incrementalAlterConfigsApi = defineApi({
  key: 44,
  name: "IncrementalAlterConfigs",
  versions: "0-1",
  flexibleFrom: 1,
  request,
  response,
});

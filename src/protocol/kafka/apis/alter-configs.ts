/**
 * AlterConfigs (33): gives resources exactly the settings that are named, and takes all others away. IncrementalAlterConfigs has taken
 * its place; old clients still send it.
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
    configs: array("0+", { name: string("0+"), value: nullableString("0+") }),
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

export type AlterConfigsRequest = Decoded<typeof request>;
export type AlterConfigsResponse = Decoded<typeof response>;
export type AlterConfigsRequestInput = Input<typeof request>;
export type AlterConfigsResponseInput = Input<typeof response>;

export const alterConfigsApi = defineApi({
  key: 33,
  name: "AlterConfigs",
  versions: "0-2",
  flexibleFrom: 2,
  request,
  response,
});

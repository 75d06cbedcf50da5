/**
 * ListConfigResources (74): which resources of some types there are that have settings. Version 0 asks for client metrics (type 16)
 * alone; an empty list of types means all.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int8, int16, int32, string } from "../schema.ts";

const request = { resourceTypes: array("1+", int8("1+"), { default: [] }) };

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  errorCode: int16("0+"),
  configResources: array("0+", {
    resourceName: string("0+"),
    resourceType: int8("1+", { default: 16, ignorable: true }),
  }),
};

export type ListConfigResourcesRequest = Decoded<typeof request>;
export type ListConfigResourcesResponse = Decoded<typeof response>;
export type ListConfigResourcesRequestInput = Input<typeof request>;
export type ListConfigResourcesResponseInput = Input<typeof response>;

export const listConfigResourcesApi = defineApi({
  key: 74,
  name: "ListConfigResources",
  versions: "0-1",
  flexibleFrom: 0,
  request,
  response,
});

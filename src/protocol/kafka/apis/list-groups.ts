/**
 * ListGroups (16): the groups of a broker; from version 4 only those in the given states, from version 5 on
 * only those of the given types (none given: all).
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, string } from "../schema.ts";

const request = {
  statesFilter: array("4+", string("4+"), { default: [] }),
  typesFilter: array("5+", string("5+"), { default: [] }),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  errorCode: int16("0+"),
  groups: array("0+", {
    groupId: string("0+"),
    protocolType: string("0+"),
    groupState: string("4+", { default: "", ignorable: true }),
    groupType: string("5+", { default: "", ignorable: true }),
  }),
};

export type ListGroupsRequest = Decoded<typeof request>;
export type ListGroupsResponse = Decoded<typeof response>;
export type ListGroupsRequestInput = Input<typeof request>;
export type ListGroupsResponseInput = Input<typeof response>;

export const listGroupsApi = defineApi({
  key: 16,
  name: "ListGroups",
  versions: "0-5",
  flexibleFrom: 3,
  request,
  response,
});

/**
 * DeleteGroups (42): removes groups without members, and their offsets.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, string } from "../schema.ts";

const request = {
  groupsNames: array("0+", string("0+")),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  results: array("0+", { groupId: string("0+"), errorCode: int16("0+") }),
};

export type DeleteGroupsRequest = Decoded<typeof request>;
export type DeleteGroupsResponse = Decoded<typeof response>;
export type DeleteGroupsRequestInput = Input<typeof request>;
export type DeleteGroupsResponseInput = Input<typeof response>;

export const deleteGroupsApi = defineApi({
  key: 42,
  name: "DeleteGroups",
  versions: "0-2",
  flexibleFrom: 2,
  request,
  response,
});

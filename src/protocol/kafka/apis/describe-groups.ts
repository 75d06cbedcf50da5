/**
 * DescribeGroups (15): state, protocol and members of groups.
 */

import { defineApi } from "../api.ts";
import {
  array,
  bool,
  bytes,
  type Decoded,
  type Input,
  int16,
  int32,
  nullableString,
  string,
} from "../schema.ts";
import { OPERATIONS_UNKNOWN } from "./metadata.ts";

const request = {
  groups: array("0+", string("0+")),
  includeAuthorizedOperations: bool("3+", { default: false }),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  groups: array("0+", {
    errorCode: int16("0+"),
    errorMessage: nullableString("6+", { default: null, ignorable: true }),
    groupId: string("0+"),
    groupState: string("0+"),
    protocolType: string("0+"),
    protocolData: string("0+"),
    members: array("0+", {
      memberId: string("0+"),
      groupInstanceId: nullableString("4+", { default: null, ignorable: true }),
      clientId: string("0+"),
      clientHost: string("0+"),
      memberMetadata: bytes("0+"),
      memberAssignment: bytes("0+"),
    }),
    authorizedOperations: int32("3+", { default: OPERATIONS_UNKNOWN, ignorable: true }),
  }),
};

export type DescribeGroupsRequest = Decoded<typeof request>;
export type DescribeGroupsResponse = Decoded<typeof response>;
export type DescribeGroupsRequestInput = Input<typeof request>;
export type DescribeGroupsResponseInput = Input<typeof response>;

export const describeGroupsApi = defineApi({
  key: 15,
  name: "DescribeGroups",
  versions: "0-6",
  flexibleFrom: 5,
  request,
  response,
});

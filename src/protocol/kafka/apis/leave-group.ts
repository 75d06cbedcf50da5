/**
 * LeaveGroup (13): members leave for good: one up to version 2, several in `members` from version 3.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, nullableString, string } from "../schema.ts";

const request = {
  groupId: string("0+"),
  memberId: string("0-2", { default: "" }),
  members: array(
    "3+",
    {
      memberId: string("3+"),
      groupInstanceId: nullableString("3+", { default: null }),
      reason: nullableString("5+", { default: null, ignorable: true }),
    },
    { default: [] },
  ),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  errorCode: int16("0+"),
  members: array(
    "3+",
    {
      memberId: string("3+"),
      groupInstanceId: nullableString("3+"),
      errorCode: int16("3+"),
    },
    { default: [], ignorable: true },
  ),
};

export type LeaveGroupRequest = Decoded<typeof request>;
export type LeaveGroupResponse = Decoded<typeof response>;
export type LeaveGroupRequestInput = Input<typeof request>;
export type LeaveGroupResponseInput = Input<typeof response>;

export const leaveGroupApi = defineApi({
  key: 13,
  name: "LeaveGroup",
  versions: "0-5",
  flexibleFrom: 4,
  request,
  response,
});

/**
 * SyncGroup (14): the leader brings the assignments of a generation, and every member waits for its own. Assignments
 * are opaque to the broker.
 */

import { defineApi } from "../api.ts";
import { array, bytes, type Decoded, type Input, int16, int32, nullableString, string } from "../schema.ts";

const request = {
  groupId: string("0+"),
  generationId: int32("0+"),
  memberId: string("0+"),
  groupInstanceId: nullableString("3+", { default: null }),
  protocolType: nullableString("5+", { default: null, ignorable: true }),
  protocolName: nullableString("5+", { default: null, ignorable: true }),
  assignments: array("0+", { memberId: string("0+"), assignment: bytes("0+") }),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  errorCode: int16("0+"),
  protocolType: nullableString("5+", { default: null, ignorable: true }),
  protocolName: nullableString("5+", { default: null, ignorable: true }),
  assignment: bytes("0+"),
};

export type SyncGroupRequest = Decoded<typeof request>;
export type SyncGroupResponse = Decoded<typeof response>;
export type SyncGroupRequestInput = Input<typeof request>;
export type SyncGroupResponseInput = Input<typeof response>;

export const syncGroupApi = defineApi({
  key: 14,
  name: "SyncGroup",
  versions: "0-5",
  flexibleFrom: 4,
  request,
  response,
});

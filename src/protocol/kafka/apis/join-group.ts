/**
 * JoinGroup (11): a member enters a group or a new generation of it. Metadata is opaque to the broker. A first join
 * with an empty member id gets an id and error 79 from version 4 on.
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

const request = {
  groupId: string("0+"),
  sessionTimeoutMs: int32("0+"),
  rebalanceTimeoutMs: int32("1+", { default: -1, ignorable: true }),
  memberId: string("0+"),
  groupInstanceId: nullableString("5+", { default: null }),
  protocolType: string("0+"),
  protocols: array("0+", { name: string("0+"), metadata: bytes("0+") }),
  reason: nullableString("8+", { default: null, ignorable: true }),
};

const response = {
  throttleTimeMs: int32("2+", { default: 0, ignorable: true }),
  errorCode: int16("0+"),
  generationId: int32("0+", { default: -1 }),
  protocolType: nullableString("7+", { default: null, ignorable: true }),
  protocolName: nullableString("0+", { nullable: "7+" }),
  leader: string("0+"),
  skipAssignment: bool("9+", { default: false }),
  memberId: string("0+"),
  members: array("0+", {
    memberId: string("0+"),
    groupInstanceId: nullableString("5+", { default: null, ignorable: true }),
    metadata: bytes("0+"),
  }),
};

export type JoinGroupRequest = Decoded<typeof request>;
export type JoinGroupResponse = Decoded<typeof response>;
export type JoinGroupRequestInput = Input<typeof request>;
export type JoinGroupResponseInput = Input<typeof response>;

export const joinGroupApi = defineApi({
  key: 11,
  name: "JoinGroup",
  versions: "0-9",
  flexibleFrom: 6,
  request,
  response,
});

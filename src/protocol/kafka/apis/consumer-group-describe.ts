/**
 * ConsumerGroupDescribe (69, KIP-848): epochs, state and members of groups of the consumer protocol. Version 1 adds how each member
 * takes part: by which protocol.
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
  struct,
  uuid,
} from "../schema.ts";
import { OPERATIONS_UNKNOWN } from "./metadata.ts";

export const MEMBER_TYPE_UNKNOWN = -1;
export const MEMBER_TYPE_CLASSIC = 0;
export const MEMBER_TYPE_CONSUMER = 1;

const request = {
  groupIds: array("0+", string("0+")),
  includeAuthorizedOperations: bool("0+", { default: false }),
};

const assignment = {
  topicPartitions: array("0+", {
    topicId: uuid("0+"),
    topicName: string("0+"),
    partitions: array("0+", int32("0+")),
  }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  groups: array("0+", {
    errorCode: int16("0+"),
    errorMessage: nullableString("0+", { default: null }),
    groupId: string("0+"),
    groupState: string("0+"),
    groupEpoch: int32("0+"),
    assignmentEpoch: int32("0+"),
    assignorName: string("0+"),
    members: array("0+", {
      memberId: string("0+"),
      instanceId: nullableString("0+", { default: null }),
      rackId: nullableString("0+", { default: null }),
      memberEpoch: int32("0+"),
      clientId: string("0+"),
      clientHost: string("0+"),
      subscribedTopicNames: array("0+", string("0+")),
      subscribedTopicRegex: nullableString("0+", { default: null }),
      assignment: struct("0+", assignment),
      targetAssignment: struct("0+", assignment),
      memberType: int8("1+", { default: MEMBER_TYPE_UNKNOWN, ignorable: true }),
    }),
    authorizedOperations: int32("0+", { default: OPERATIONS_UNKNOWN }),
  }),
};

export type ConsumerGroupDescribeRequest = Decoded<typeof request>;
export type ConsumerGroupDescribeResponse = Decoded<typeof response>;
export type ConsumerGroupDescribeRequestInput = Input<typeof request>;
export type ConsumerGroupDescribeResponseInput = Input<typeof response>;

export const consumerGroupDescribeApi = defineApi({
  key: 69,
  name: "ConsumerGroupDescribe",
  versions: "0-1",
  flexibleFrom: 0,
  request,
  response,
});

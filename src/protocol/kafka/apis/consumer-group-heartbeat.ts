/**
 * ConsumerGroupHeartbeat (68, KIP-848): a member joins (epoch 0), goes on (its epoch), or leaves (-1, or -2 for a static member that
 * means to come back). A field that is null, or a timeout of -1, is as it was last said. Version 1 adds the regular expression.
 */

import { defineApi } from "../api.ts";
import {
  array,
  type Decoded,
  type Input,
  int16,
  int32,
  nullableArray,
  nullableString,
  nullableStruct,
  string,
  uuid,
} from "../schema.ts";

const request = {
  groupId: string("0+"),
  memberId: string("0+"),
  memberEpoch: int32("0+"),
  instanceId: nullableString("0+", { default: null }),
  rackId: nullableString("0+", { default: null }),
  rebalanceTimeoutMs: int32("0+", { default: -1 }),
  subscribedTopicNames: nullableArray("0+", string("0+"), { default: null }),
  subscribedTopicRegex: nullableString("1+", { default: null }),
  serverAssignor: nullableString("0+", { default: null }),
  topicPartitions: nullableArray(
    "0+",
    { topicId: uuid("0+"), partitions: array("0+", int32("0+")) },
    { default: null },
  ),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  errorCode: int16("0+"),
  errorMessage: nullableString("0+", { default: null }),
  memberId: nullableString("0+", { default: null }),
  memberEpoch: int32("0+"),
  heartbeatIntervalMs: int32("0+"),
  assignment: nullableStruct(
    "0+",
    { topicPartitions: array("0+", { topicId: uuid("0+"), partitions: array("0+", int32("0+")) }) },
    { default: null },
  ),
};

export type ConsumerGroupHeartbeatRequest = Decoded<typeof request>;
export type ConsumerGroupHeartbeatResponse = Decoded<typeof response>;
export type ConsumerGroupHeartbeatRequestInput = Input<typeof request>;
export type ConsumerGroupHeartbeatResponseInput = Input<typeof response>;

export const consumerGroupHeartbeatApi = defineApi({
  key: 68,
  name: "ConsumerGroupHeartbeat",
  versions: "0-1",
  flexibleFrom: 0,
  request,
  response,
});

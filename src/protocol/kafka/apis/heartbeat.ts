/**
 * Heartbeat (12): a member is alive; the response tells it when the group rebalances.
 */

import { defineApi } from "../api.ts";
import { type Decoded, type Input, int16, int32, nullableString, string } from "../schema.ts";

const request = {
  groupId: string("0+"),
  generationId: int32("0+"),
  memberId: string("0+"),
  groupInstanceId: nullableString("3+", { default: null }),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  errorCode: int16("0+"),
};

export type HeartbeatRequest = Decoded<typeof request>;
export type HeartbeatResponse = Decoded<typeof response>;
export type HeartbeatRequestInput = Input<typeof request>;
export type HeartbeatResponseInput = Input<typeof response>;

export const heartbeatApi = defineApi({
  key: 12,
  name: "Heartbeat",
  versions: "0-4",
  flexibleFrom: 4,
  request,
  response,
});

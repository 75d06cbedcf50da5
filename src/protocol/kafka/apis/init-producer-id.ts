/**
 * InitProducerId (22): an identity for an idempotent producer (transactional id null), or for a transactional one.
 */

import { defineApi } from "../api.ts";
import { type Decoded, type Input, int16, int32, int64, nullableString } from "../schema.ts";

const request = {
  transactionalId: nullableString("0+", { default: null }),
  transactionTimeoutMs: int32("0+"),
  producerId: int64("3+", { default: -1 }),
  producerEpoch: int16("3+", { default: -1 }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  errorCode: int16("0+"),
  producerId: int64("0+", { default: -1 }),
  producerEpoch: int16("0+"),
};

export type InitProducerIdRequest = Decoded<typeof request>;
export type InitProducerIdResponse = Decoded<typeof response>;
export type InitProducerIdRequestInput = Input<typeof request>;
export type InitProducerIdResponseInput = Input<typeof response>;

export const initProducerIdApi = defineApi({
  key: 22,
  name: "InitProducerId",
  versions: "0-5",
  flexibleFrom: 2,
  request,
  response,
});

/**
 * DeleteTopics (20): by name in `topicNames` up to version 5; by name or id in `topics` in version 6, where the one
 * that is not meant is null or the zero uuid.
 */

import { defineApi } from "../api.ts";
import {
  array,
  type Decoded,
  type Input,
  int16,
  int32,
  nullableString,
  string,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

const request = {
  topics: array(
    "6+",
    {
      name: nullableString("6+", { default: null }),
      topicId: uuid("6+", { default: ZERO_UUID }),
    },
    { default: [] },
  ),
  topicNames: array("0-5", string("0-5"), { default: [], ignorable: true }),
  timeoutMs: int32("0+"),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  responses: array("0+", {
    name: nullableString("0+", { nullable: "6+" }),
    topicId: uuid("6+", { default: ZERO_UUID, ignorable: true }),
    errorCode: int16("0+"),
    errorMessage: nullableString("5+", { default: null, ignorable: true }),
  }),
};

export type DeleteTopicsRequest = Decoded<typeof request>;
export type DeleteTopicsResponse = Decoded<typeof response>;
export type DeleteTopicsRequestInput = Input<typeof request>;
export type DeleteTopicsResponseInput = Input<typeof response>;

export const deleteTopicsApi = defineApi({
  key: 20,
  name: "DeleteTopics",
  versions: "1-6",
  flexibleFrom: 4,
  request,
  response,
});

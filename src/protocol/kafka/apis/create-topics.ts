/**
 * CreateTopics (19). Partitions and replication factor -1 mean the server's default (in every version, from Kafka 2.4
 * on); `assignments` excludes both. From version 5 the response describes the topic.
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
  nullableArray,
  nullableString,
  string,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

const request = {
  topics: array("0+", {
    name: string("0+"),
    numPartitions: int32("0+"),
    replicationFactor: int16("0+"),
    assignments: array(
      "0+",
      { partitionIndex: int32("0+"), brokerIds: array("0+", int32("0+")) },
      { default: [] },
    ),
    configs: array("0+", { name: string("0+"), value: nullableString("0+") }, { default: [] }),
  }),
  timeoutMs: int32("0+", { default: 60000 }),
  validateOnly: bool("1+", { default: false }),
};

const response = {
  throttleTimeMs: int32("2+", { default: 0, ignorable: true }),
  topics: array("0+", {
    name: string("0+"),
    topicId: uuid("7+", { default: ZERO_UUID, ignorable: true }),
    errorCode: int16("0+"),
    errorMessage: nullableString("1+", { default: null, ignorable: true }),
    topicConfigErrorCode: int16("5+", { default: 0, ignorable: true, tag: 0 }),
    numPartitions: int32("5+", { default: -1, ignorable: true }),
    replicationFactor: int16("5+", { default: -1, ignorable: true }),
    configs: nullableArray(
      "5+",
      {
        name: string("5+"),
        value: nullableString("5+"),
        readOnly: bool("5+"),
        configSource: int8("5+", { default: -1, ignorable: true }),
        isSensitive: bool("5+"),
      },
      { default: [], ignorable: true },
    ),
  }),
};

export type CreateTopicsRequest = Decoded<typeof request>;
export type CreateTopicsResponse = Decoded<typeof response>;
export type CreateTopicsRequestInput = Input<typeof request>;
export type CreateTopicsResponseInput = Input<typeof response>;

export const createTopicsApi = defineApi({
  key: 19,
  name: "CreateTopics",
  versions: "2-7",
  flexibleFrom: 5,
  request,
  response,
});

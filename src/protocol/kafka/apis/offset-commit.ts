/**
 * OffsetCommit (8): keeps how far a group has read. A client without membership commits with generation -1 and an
 * empty member id; from version 9 the generation may be the epoch of a member of the consumer protocol. From version 10 topics are
 * named by id. The retention time of versions 2 to 4 is for the server to ignore.
 */

import { defineApi } from "../api.ts";
import {
  array,
  type Decoded,
  type Input,
  int16,
  int32,
  int64,
  nullableString,
  string,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

const request = {
  groupId: string("0+"),
  generationIdOrMemberEpoch: int32("1+", { default: -1, ignorable: true }),
  memberId: string("1+", { default: "", ignorable: true }),
  groupInstanceId: nullableString("7+", { default: null }),
  retentionTimeMs: int64("2-4", { default: -1, ignorable: true }),
  topics: array("0+", {
    name: string("0-9", { default: "", ignorable: true }),
    topicId: uuid("10+", { default: ZERO_UUID, ignorable: true }),
    partitions: array("0+", {
      partitionIndex: int32("0+"),
      committedOffset: int64("0+"),
      committedLeaderEpoch: int32("6+", { default: -1, ignorable: true }),
      committedMetadata: nullableString("0+", { default: null }),
    }),
  }),
};

const response = {
  throttleTimeMs: int32("3+", { default: 0, ignorable: true }),
  topics: array("0+", {
    name: string("0-9", { default: "", ignorable: true }),
    topicId: uuid("10+", { default: ZERO_UUID, ignorable: true }),
    partitions: array("0+", { partitionIndex: int32("0+"), errorCode: int16("0+") }),
  }),
};

export type OffsetCommitRequest = Decoded<typeof request>;
export type OffsetCommitResponse = Decoded<typeof response>;
export type OffsetCommitRequestInput = Input<typeof request>;
export type OffsetCommitResponseInput = Input<typeof response>;

export const offsetCommitApi = defineApi({
  key: 8,
  name: "OffsetCommit",
  versions: "2-10",
  flexibleFrom: 8,
  request,
  response,
});

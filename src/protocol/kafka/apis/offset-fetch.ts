/**
 * OffsetFetch (9): what a group has committed. Null topics (from version 2) mean all that the group has.
 * Up to version 7 one group and its topics lie at the top; version 8 moves them into `groups`, and there the error code
 * too. From version 9 a member of the consumer protocol says which it is, and from version 10 topics are named by id. A caller fills the one or the other; giving what the version lacks is an error.
 */

import { defineApi } from "../api.ts";
import {
  array,
  bool,
  type Decoded,
  type Input,
  int16,
  int32,
  int64,
  nullableArray,
  nullableString,
  string,
  uuid,
  ZERO_UUID,
} from "../schema.ts";

const request = {
  groupId: string("0-7", { default: "" }),
  topics: nullableArray(
    "0-7",
    { name: string("0-7"), partitionIndexes: array("0-7", int32("0-7")) },
    { default: [], nullable: "2-7" },
  ),
  groups: array(
    "8+",
    {
      groupId: string("8+"),
      memberId: nullableString("9+", { default: null, ignorable: true }),
      memberEpoch: int32("9+", { default: -1, ignorable: true }),
      topics: nullableArray("8+", {
        name: string("8-9", { default: "", ignorable: true }),
        topicId: uuid("10+", { default: ZERO_UUID, ignorable: true }),
        partitionIndexes: array("8+", int32("8+")),
      }),
    },
    { default: [] },
  ),
  requireStable: bool("7+", { default: false }),
};

const response = {
  throttleTimeMs: int32("3+", { default: 0, ignorable: true }),
  topics: array(
    "0-7",
    {
      name: string("0-7"),
      partitions: array("0-7", {
        partitionIndex: int32("0-7"),
        committedOffset: int64("0-7"),
        committedLeaderEpoch: int32("5-7", { default: -1, ignorable: true }),
        metadata: nullableString("0-7"),
        errorCode: int16("0-7"),
      }),
    },
    { default: [] },
  ),
  errorCode: int16("2-7", { default: 0, ignorable: true }),
  groups: array(
    "8+",
    {
      groupId: string("8+"),
      topics: array("8+", {
        name: string("8-9", { default: "", ignorable: true }),
        topicId: uuid("10+", { default: ZERO_UUID, ignorable: true }),
        partitions: array("8+", {
          partitionIndex: int32("8+"),
          committedOffset: int64("8+"),
          committedLeaderEpoch: int32("8+", { default: -1, ignorable: true }),
          metadata: nullableString("8+"),
          errorCode: int16("8+"),
        }),
      }),
      errorCode: int16("8+", { default: 0 }),
    },
    { default: [] },
  ),
};

export type OffsetFetchRequest = Decoded<typeof request>;
export type OffsetFetchResponse = Decoded<typeof response>;
export type OffsetFetchRequestInput = Input<typeof request>;
export type OffsetFetchResponseInput = Input<typeof response>;

export const offsetFetchApi = defineApi({
  key: 9,
  name: "OffsetFetch",
  versions: "1-10",
  flexibleFrom: 6,
  request,
  response,
});

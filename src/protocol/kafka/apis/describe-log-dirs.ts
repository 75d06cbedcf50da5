/**
 * DescribeLogDirs (35): the directories in which a broker keeps partitions, with their sizes. Null topics mean all of them.
 * Version 5 says whether a directory takes no new partitions.
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
  string,
} from "../schema.ts";

const request = {
  topics: nullableArray("0+", { topic: string("0+"), partitions: array("0+", int32("0+")) }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  errorCode: int16("3+", { default: 0, ignorable: true }),
  results: array("0+", {
    errorCode: int16("0+"),
    logDir: string("0+"),
    topics: array("0+", {
      name: string("0+"),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        partitionSize: int64("0+"),
        offsetLag: int64("0+", { default: 0 }),
        isFutureKey: bool("0+", { default: false }),
      }),
    }),
    totalBytes: int64("4+", { default: -1, ignorable: true }),
    usableBytes: int64("4+", { default: -1, ignorable: true }),
    isCordoned: bool("5+", { default: false, ignorable: true }),
  }),
};

export type DescribeLogDirsRequest = Decoded<typeof request>;
export type DescribeLogDirsResponse = Decoded<typeof response>;
export type DescribeLogDirsRequestInput = Input<typeof request>;
export type DescribeLogDirsResponseInput = Input<typeof response>;

export const describeLogDirsApi = defineApi({
  key: 35,
  name: "DescribeLogDirs",
  versions: "1-5",
  flexibleFrom: 2,
  request,
  response,
});

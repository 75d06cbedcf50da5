/**
 * AlterReplicaLogDirs (34): moves a broker's replicas of partitions to another of its directories.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, int32, string } from "../schema.ts";

const request = {
  dirs: array("0+", {
    path: string("0+"),
    topics: array("0+", { name: string("0+"), partitions: array("0+", int32("0+")) }),
  }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  results: array("0+", {
    topicName: string("0+"),
    partitions: array("0+", { partitionIndex: int32("0+"), errorCode: int16("0+") }),
  }),
};

export type AlterReplicaLogDirsRequest = Decoded<typeof request>;
export type AlterReplicaLogDirsResponse = Decoded<typeof response>;
export type AlterReplicaLogDirsRequestInput = Input<typeof request>;
export type AlterReplicaLogDirsResponseInput = Input<typeof response>;

export const alterReplicaLogDirsApi = defineApi({
  key: 34,
  name: "AlterReplicaLogDirs",
  versions: "0-2",
  flexibleFrom: 2,
  request,
  response,
});

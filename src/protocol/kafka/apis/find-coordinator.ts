/**
 * FindCoordinator (10): which broker serves a group (key type 0) or a transactional id (1). Version 4 takes several
 * at once: `coordinatorKeys` and `coordinators` instead of the fields at the top.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int8, int16, int32, nullableString, string } from "../schema.ts";

const request = {
  key: string("0-3", { default: "" }),
  keyType: int8("1+", { default: 0 }),
  coordinatorKeys: array("4+", string("4+"), { default: [] }),
};

const response = {
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  errorCode: int16("0-3", { default: 0 }),
  errorMessage: nullableString("1-3", { default: null, ignorable: true }),
  nodeId: int32("0-3", { default: 0 }),
  host: string("0-3", { default: "" }),
  port: int32("0-3", { default: 0 }),
  coordinators: array(
    "4+",
    {
      key: string("4+"),
      nodeId: int32("4+"),
      host: string("4+"),
      port: int32("4+"),
      errorCode: int16("4+"),
      errorMessage: nullableString("4+", { default: null, ignorable: true }),
    },
    { default: [] },
  ),
};

export type FindCoordinatorRequest = Decoded<typeof request>;
export type FindCoordinatorResponse = Decoded<typeof response>;
export type FindCoordinatorRequestInput = Input<typeof request>;
export type FindCoordinatorResponseInput = Input<typeof response>;

export const findCoordinatorApi = defineApi({
  key: 10,
  name: "FindCoordinator",
  versions: "0-6",
  flexibleFrom: 3,
  request,
  response,
});

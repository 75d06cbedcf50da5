/** DescribeClientQuotas (48): the quotas of users, client ids and addresses that match a filter. `matchType`: 0 exact, 1 default, 2 any. */

import { defineApi } from "../api.ts";
import {
  array,
  bool,
  type Decoded,
  float64,
  type Input,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  string,
} from "../schema.ts";

const request = {
  components: array("0+", {
    entityType: string("0+"),
    matchType: int8("0+"),
    match: nullableString("0+"),
  }),
  strict: bool("0+"),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  errorCode: int16("0+"),
  errorMessage: nullableString("0+"),
  entries: nullableArray("0+", {
    entity: array("0+", { entityType: string("0+"), entityName: nullableString("0+") }),
    values: array("0+", { key: string("0+"), value: float64("0+") }),
  }),
};

export type DescribeClientQuotasRequest = Decoded<typeof request>;
export type DescribeClientQuotasResponse = Decoded<typeof response>;
export type DescribeClientQuotasRequestInput = Input<typeof request>;
export type DescribeClientQuotasResponseInput = Input<typeof response>;

export const describeClientQuotasApi = defineApi({
  key: 48,
  name: "DescribeClientQuotas",
  versions: "0-1",
  flexibleFrom: 1,
  request,
  response,
});

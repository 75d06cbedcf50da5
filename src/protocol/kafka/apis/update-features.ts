/**
 * UpdateFeatures (57): changes the finalized level of features of the cluster. `upgradeType`: 1 upgrade, 2 safe downgrade, 3 unsafe
 * downgrade. From version 2 one error stands for all features.
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
  nullableString,
  string,
} from "../schema.ts";

const request = {
  timeoutMs: int32("0+", { default: 60_000 }),
  featureUpdates: array("0+", {
    feature: string("0+"),
    maxVersionLevel: int16("0+"),
    allowDowngrade: bool("0", { default: false, ignorable: true }),
    upgradeType: int8("1+", { default: 1, ignorable: true }),
  }),
  validateOnly: bool("1+", { default: false, ignorable: true }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0 }),
  errorCode: int16("0+"),
  errorMessage: nullableString("0+"),
  results: array(
    "0-1",
    { feature: string("0+"), errorCode: int16("0+"), errorMessage: nullableString("0+") },
    { default: [], ignorable: true },
  ),
};

export type UpdateFeaturesRequest = Decoded<typeof request>;
export type UpdateFeaturesResponse = Decoded<typeof response>;
export type UpdateFeaturesRequestInput = Input<typeof request>;
export type UpdateFeaturesResponseInput = Input<typeof response>;

export const updateFeaturesApi = defineApi({
  key: 57,
  name: "UpdateFeatures",
  versions: "0-2",
  flexibleFrom: 0,
  request,
  response,
});

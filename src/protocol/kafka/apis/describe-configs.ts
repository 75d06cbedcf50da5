/**
 * DescribeConfigs (32): the settings of topics (resource type 2), brokers (4) and so on. Null keys mean every setting.
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
} from "../schema.ts";

const request = {
  resources: array("0+", {
    resourceType: int8("0+"),
    resourceName: string("0+"),
    configurationKeys: nullableArray("0+", string("0+")),
  }),
  includeSynonyms: bool("1+", { default: false }),
  includeDocumentation: bool("3+", { default: false }),
};

const response = {
  throttleTimeMs: int32("0+", { default: 0, ignorable: true }),
  results: array("0+", {
    errorCode: int16("0+"),
    errorMessage: nullableString("0+", { default: null }),
    resourceType: int8("0+"),
    resourceName: string("0+"),
    configs: array("0+", {
      name: string("0+"),
      value: nullableString("0+"),
      readOnly: bool("0+"),
      configSource: int8("1+", { default: -1, ignorable: true }),
      isSensitive: bool("0+"),
      synonyms: array(
        "1+",
        { name: string("1+"), value: nullableString("1+"), source: int8("1+") },
        { default: [], ignorable: true },
      ),
      configType: int8("3+", { default: 0, ignorable: true }),
      documentation: nullableString("3+", { default: null, ignorable: true }),
    }),
  }),
};

export type DescribeConfigsRequest = Decoded<typeof request>;
export type DescribeConfigsResponse = Decoded<typeof response>;
export type DescribeConfigsRequestInput = Input<typeof request>;
export type DescribeConfigsResponseInput = Input<typeof response>;

export const describeConfigsApi = defineApi({
  key: 32,
  name: "DescribeConfigs",
  versions: "1-4",
  flexibleFrom: 4,
  request,
  response,
});

/** UpdateFeatures, DescribeClientQuotas, and the features that ApiVersions tells. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { describeClientQuotasApi } from "../../../src/protocol/kafka/apis/describe-client-quotas.ts";
import { updateFeaturesApi } from "../../../src/protocol/kafka/apis/update-features.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

let api: TestKafkaApi;
let client: WireClient;
beforeAll(async () => {
  api = await openKafkaApi();
  client = await api.connect();
});
afterAll(() => api.stop());

test("the features are told with their levels, one whose lowest level is 0 only from version 4", async () => {
  const named = { clientSoftwareName: "test", clientSoftwareVersion: "1" };
  const feature = { name: "group.version", minVersion: 0, maxVersion: 1 };
  for (const [version, supportedFeatures] of [
    [3, []],
    [4, [feature]],
  ] as const) {
    expect(await client.ask(apiVersionsApi, version, named)).toMatchObject({
      supportedFeatures,
      finalizedFeaturesEpoch: 0,
      finalizedFeatures: [{ name: "group.version", maxVersionLevel: 1, minVersionLevel: 1 }],
    });
  }
});

test("a feature may be given the level that it has, and no other", async () => {
  const update = (version: number, feature: string, maxVersionLevel: number) =>
    client.ask(updateFeaturesApi, version, { featureUpdates: [{ feature, maxVersionLevel }] });
  expect(await update(1, "group.version", 1)).toMatchObject({
    errorCode: 0,
    results: [{ feature: "group.version", errorCode: 0, errorMessage: null }],
  });
  expect(await update(2, "group.version", 1)).toMatchObject({ errorCode: 0, results: [] });
  for (const [feature, level] of [
    ["group.version", 0],
    ["group.version", 2],
    ["no.such", 1],
  ] as const)
    expect((await update(2, feature, level)).errorCode).toBe(wireCode("INVALID_UPDATE_VERSION"));
});

test("nobody has a quota, and a filter that means nothing is refused", async () => {
  const describe = (...components: { entityType: string; matchType: number; match: string | null }[]) =>
    client.ask(describeClientQuotasApi, 1, { components, strict: false });
  expect(await describe()).toMatchObject({ errorCode: 0, errorMessage: "", entries: [] });
  const user = { entityType: "user", matchType: 0, match: "a" };
  expect(await describe(user)).toMatchObject({ errorCode: 0, entries: [] });
  const invalid = { errorCode: wireCode("INVALID_REQUEST"), entries: null };
  expect(await describe(user, user)).toMatchObject(invalid);
  expect(await describe({ ...user, match: null })).toMatchObject(invalid);
  expect(await describe({ ...user, matchType: 3 })).toMatchObject(invalid);
  expect(await describe({ ...user, matchType: 2 })).toMatchObject(invalid);
  expect(await describe(user, { entityType: "ip", matchType: 2, match: null })).toMatchObject(invalid);
  expect(await describe({ ...user, entityType: "x" })).toMatchObject({
    errorCode: wireCode("UNSUPPORTED_VERSION"),
  });
});

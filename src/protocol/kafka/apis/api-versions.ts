/**
 * ApiVersions (18): what a broker supports. The first request on every connection, before authentication.
 *
 * A broker that does not know the version responds in version 0 with error 35 and its list, so a client must look at
 * the error before it decodes: `apiVersionsResponseVersion`. Its response header never has tags (see api.ts).
 */

import { defineApi } from "../api.ts";
import { array, bool, type Decoded, type Input, int16, int32, int64, string } from "../schema.ts";

const request = {
  clientSoftwareName: string("3+", { default: "", ignorable: true }),
  clientSoftwareVersion: string("3+", { default: "", ignorable: true }),
};

const response = {
  errorCode: int16("0+"),
  apiKeys: array("0+", {
    apiKey: int16("0+"),
    minVersion: int16("0+"),
    maxVersion: int16("0+"),
  }),
  throttleTimeMs: int32("1+", { default: 0, ignorable: true }),
  supportedFeatures: array(
    "3+",
    {
      name: string("3+"),
      minVersion: int16("3+"),
      maxVersion: int16("3+"),
    },
    { default: [], ignorable: true, tag: 0 },
  ),
  finalizedFeaturesEpoch: int64("3+", { default: -1, ignorable: true, tag: 1 }),
  finalizedFeatures: array(
    "3+",
    {
      name: string("3+"),
      maxVersionLevel: int16("3+"),
      minVersionLevel: int16("3+"),
    },
    { default: [], ignorable: true, tag: 2 },
  ),
  zkMigrationReady: bool("3+", { default: false, ignorable: true, tag: 3 }),
};

export type ApiVersionsRequest = Decoded<typeof request>;
export type ApiVersionsResponse = Decoded<typeof response>;
export type ApiVersionsRequestInput = Input<typeof request>;
export type ApiVersionsResponseInput = Input<typeof response>;

export const apiVersionsApi = defineApi({
  key: 18,
  name: "ApiVersions",
  versions: "0-4",
  flexibleFrom: 3,
  request,
  response,
});

const UNSUPPORTED_VERSION_CODE = 35;

/** The version to decode a response in whose request had `version`; `position` is that of its header. */
export function apiVersionsResponseVersion(
  version: number,
  buffer: Buffer,
  position: number,
  end: number,
): number {
  if (end - position < 6) return version;
  return buffer.readInt16BE(position + 4) === UNSUPPORTED_VERSION_CODE ? 0 : version;
}

/**
 * ApiVersions: what this server speaks. The table comes from apis.ts. A client whose version of the request is not
 * known gets the list in version 0 with error 35, and asks again.
 *
 * From version 3 the client names its software; a name that breaks Kafka's rule is INVALID_REQUEST with an empty list. The
 * beginning of the name is kept for people who look at connections.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import type { ApiVersionsRequest, ApiVersionsResponseInput } from "../../protocol/kafka/apis/api-versions.ts";
import type { KafkaContext } from "./context.ts";
import { FEATURES, FINALIZED_FEATURES_EPOCH } from "./features.ts";
import type { PeerNames } from "./peer-names.ts";

/** The versions of one API. */
export interface SupportedVersions {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

const SOFTWARE_PATTERN = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
/** The first version in which the client names its software. */
const NAMED_FROM = 3;
/** Clients that speak an earlier version take a lowest level of 0 for an error: they are not told of the feature. */
const LEVEL_0_FROM = 4;

export function apiVersions(
  _context: KafkaContext,
  request: ApiVersionsRequest,
  version: number,
  supported: readonly SupportedVersions[],
  names: PeerNames,
): ApiVersionsResponseInput {
  const isNamed = isSoftwareName(request.clientSoftwareName) && isSoftwareName(request.clientSoftwareVersion);
  if (version >= NAMED_FROM && !isNamed) return refuseApiVersions(request, wireCode("INVALID_REQUEST"));
  if (isNamed) names.setSoftware(request.clientSoftwareName, request.clientSoftwareVersion);
  return {
    errorCode: NO_ERROR,
    apiKeys: supported,
    supportedFeatures: FEATURES.filter(({ minVersion }) => minVersion > 0 || version >= LEVEL_0_FROM),
    finalizedFeaturesEpoch: FINALIZED_FEATURES_EPOCH,
    finalizedFeatures: FEATURES.map(({ name, level }) => ({
      name,
      maxVersionLevel: level,
      minVersionLevel: level,
    })),
  };
}

export function refuseApiVersions(_request: ApiVersionsRequest, errorCode: number): ApiVersionsResponseInput {
  return { errorCode, apiKeys: [] };
}

/** The response, in version 0, to a version that is not supported. */
export function unsupportedApiVersionsResponse(
  supported: readonly SupportedVersions[],
): ApiVersionsResponseInput {
  return { errorCode: wireCode("UNSUPPORTED_VERSION"), apiKeys: supported };
}

function isSoftwareName(text: string): boolean {
  return SOFTWARE_PATTERN.test(text);
}

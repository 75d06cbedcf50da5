/**
 * UpdateFeatures: the levels of features are those of the release, so a request that would change one is refused, for every feature in
 * it, and one that asks for the level that there is succeeds.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import type {
  UpdateFeaturesRequest,
  UpdateFeaturesResponseInput,
} from "../../protocol/kafka/apis/update-features.ts";
import type { KafkaContext } from "./context.ts";
import { FEATURES } from "./features.ts";

const UPGRADE_TYPES: readonly number[] = [1, 2, 3];
/** Up to this version each feature has a result of its own. */
const RESULTS_UNTIL = 1;

export function updateFeatures(
  _context: KafkaContext,
  request: UpdateFeaturesRequest,
  version: number,
): UpdateFeaturesResponseInput {
  const faults = request.featureUpdates.map(({ feature, maxVersionLevel, upgradeType }) =>
    UPGRADE_TYPES.includes(upgradeType)
      ? faultOf(feature, maxVersionLevel)
      : `there is no upgrade type ${upgradeType}`,
  );
  const first = faults.find((fault) => fault !== null) ?? null;
  if (first === null) return answered(request, version, NO_ERROR, null);
  return answered(request, version, wireCode("INVALID_UPDATE_VERSION"), first);
}

export function refuseUpdateFeatures(
  request: UpdateFeaturesRequest,
  errorCode: number,
  version: number,
): UpdateFeaturesResponseInput {
  return answered(request, version, errorCode, null);
}

function faultOf(name: string, level: number): string | null {
  const feature = FEATURES.find((known) => known.name === name);
  if (feature === undefined) return `there is no feature ${name}`;
  return feature.level === level
    ? null
    : `the level of ${name} is ${feature.level}, which is that of this release and cannot be changed`;
}

function answered(
  { featureUpdates }: UpdateFeaturesRequest,
  version: number,
  errorCode: number,
  errorMessage: string | null,
): UpdateFeaturesResponseInput {
  if (version > RESULTS_UNTIL || errorCode !== NO_ERROR) return { errorCode, errorMessage };
  const results = featureUpdates.map(({ feature }) => ({ feature, errorCode, errorMessage: null }));
  return { errorCode, errorMessage, results };
}

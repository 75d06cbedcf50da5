/**
 * FindCoordinator: who serves a group or a transactional id. It is always this broker. A transactional client gets its
 * refusal from InitProducerId, where it is an error that it shows; here it would only look for another broker for ever.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import {
  type FindCoordinatorRequest,
  type FindCoordinatorResponseInput,
  findCoordinatorApi,
} from "../../protocol/kafka/apis/find-coordinator.ts";
import { type KafkaContext, placeFor } from "./context.ts";
import { encodedInTurns } from "./encode-turns.ts";
import type { Exchange } from "./exchange.ts";

const KEY_TYPE_TRANSACTION = 1;
/** The first version that asks for several keys. */
const BATCHED_FROM = 4;

/** A coordinator in a response, with an address for its host. */
const COORDINATOR_BYTES = 60;

export async function findCoordinator(
  context: KafkaContext,
  request: FindCoordinatorRequest,
  version: number,
  exchange: Exchange<FindCoordinatorResponseInput>,
): Promise<FindCoordinatorResponseInput> {
  if (request.keyType < 0 || request.keyType > KEY_TYPE_TRANSACTION) {
    return refuseFindCoordinator(request, wireCode("INVALID_REQUEST"), version);
  }
  const place = { ...placeFor(context, exchange.session.localHost), errorCode: NO_ERROR };
  if (version < BATCHED_FROM) return place;
  const coordinators = request.coordinatorKeys.map((key) => ({ key, ...place }));
  return {
    coordinators: await encodedInTurns(context, coordinators, () =>
      findCoordinatorApi.responseArray(version, "coordinators"),
    ),
  };
}

/** What a response takes beside the keys: each names this broker. */
export function findCoordinatorBytes(
  { advertised }: KafkaContext,
  { coordinatorKeys }: FindCoordinatorRequest,
): number {
  return coordinatorKeys.length * (COORDINATOR_BYTES + (advertised.host ?? "").length);
}

export function refuseFindCoordinator(
  request: FindCoordinatorRequest,
  errorCode: number,
  version: number,
): FindCoordinatorResponseInput {
  const nobody = { nodeId: -1, host: "", port: -1, errorCode };
  if (version < BATCHED_FROM) return nobody;
  return { coordinators: request.coordinatorKeys.map((key) => ({ key, ...nobody })) };
}

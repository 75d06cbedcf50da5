/**
 * InitProducerId: a number for an idempotent producer. Every call without a transactional id gets a new one with
 * epoch 0, also a call that names an old one: nobody else can have stored batches under the new number. Half of an old one
 * (a number without an epoch, or the reverse) is INVALID_REQUEST.
 *
 * A disk that refuses is COORDINATOR_LOAD_IN_PROGRESS, as Kafka responds while it has no numbers: the only error here that all
 * clients try again. So is a state that cannot be read or written before the next start: any other number ends a producer for good.
 *
 * Transactions are not supported: a transactional id is INVALID_REQUEST, which clients report as a fatal error, and the log says why.
 */

import { NO_ERROR, ObeliskError, wireCode } from "../../base/errors.ts";
import type {
  InitProducerIdRequest,
  InitProducerIdResponseInput,
} from "../../protocol/kafka/apis/init-producer-id.ts";
import type { KafkaContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";

/** A client without an old id. */
const NONE = -1;

export async function initProducerId(
  context: KafkaContext,
  request: InitProducerIdRequest,
  _version: number,
  { session }: Exchange<InitProducerIdResponseInput>,
): Promise<InitProducerIdResponseInput> {
  if (request.transactionalId !== null) {
    context.transactionWarning.tell({ address: session.address, client: session.names.clientId });
    return refuseInitProducerId(request, wireCode("INVALID_REQUEST"));
  }
  const isHalf = (request.producerId === NONE) !== (request.producerEpoch === NONE);
  if (isHalf) return refuseInitProducerId(request, wireCode("INVALID_REQUEST"));
  try {
    const producerId = await context.broker.allocateProducerId();
    return { errorCode: NO_ERROR, producerId, producerEpoch: 0 };
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    return refuseInitProducerId(request, wireCode("COORDINATOR_LOAD_IN_PROGRESS"));
  }
}

export function refuseInitProducerId(
  _request: InitProducerIdRequest,
  errorCode: number,
): InitProducerIdResponseInput {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}

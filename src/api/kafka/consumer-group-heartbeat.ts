/**
 * ConsumerGroupHeartbeat: membership in a group of the consumer protocol (KIP-848). What is decided stands in
 * src/consumer/heartbeat-groups; here it becomes a response. An error carries a sentence, which clients show.
 */

import { ObeliskError } from "../../base/errors.ts";
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from "../../protocol/kafka/apis/consumer-group-heartbeat.ts";
import type { KafkaContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";

type Response = ConsumerGroupHeartbeatResponseInput;

export function consumerGroupHeartbeat(
  context: KafkaContext,
  request: ConsumerGroupHeartbeatRequest,
  version: number,
  exchange: Exchange<Response>,
): Response | Promise<Response> {
  const peer = { clientId: exchange.clientId, clientHost: `/${exchange.session.remoteHost}` };
  try {
    const response = context.heartbeatGroups.heartbeat(request, version, peer);
    if (!(response instanceof Promise)) return { errorCode: 0, ...response };
    return response.then((durable) => ({ errorCode: 0, ...durable }), refusalOf);
  } catch (thrown) {
    return refusalOf(thrown);
  }
}

export function refuseConsumerGroupHeartbeat(
  _request: ConsumerGroupHeartbeatRequest,
  errorCode: number,
): Response {
  return { errorCode, memberEpoch: 0, heartbeatIntervalMs: 0 };
}

/** @throws what is no error of the protocol */
function refusalOf(thrown: unknown): Response {
  if (!(thrown instanceof ObeliskError) || thrown.wire < 0) throw thrown;
  return { errorCode: thrown.wire, errorMessage: thrown.message, memberEpoch: 0, heartbeatIntervalMs: 0 };
}

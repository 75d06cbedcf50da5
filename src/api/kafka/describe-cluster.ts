/**
 * DescribeCluster: this broker, which is the controller as well. Endpoints of controllers (type 2) are not told, as by Kafka's brokers:
 * MISMATCHED_ENDPOINT_TYPE; a type that there is not is UNSUPPORTED_ENDPOINT_TYPE.
 */

import { type ErrorCode, NO_ERROR, ObeliskError } from "../../base/errors.ts";
import type {
  DescribeClusterRequest,
  DescribeClusterResponseInput,
} from "../../protocol/kafka/apis/describe-cluster.ts";
import { CLUSTER_OPERATIONS, OPERATIONS_UNKNOWN } from "../../protocol/kafka/apis/metadata.ts";
import { type KafkaContext, placeFor } from "./context.ts";
import type { Exchange } from "./exchange.ts";

const BROKERS = 1;
const CONTROLLERS = 2;

export function describeCluster(
  context: KafkaContext,
  request: DescribeClusterRequest,
  _version: number,
  exchange: Exchange<DescribeClusterResponseInput>,
): DescribeClusterResponseInput {
  const { endpointType } = request;
  if (endpointType === CONTROLLERS) return refused("MISMATCHED_ENDPOINT_TYPE");
  if (endpointType !== BROKERS) return refused("UNSUPPORTED_ENDPOINT_TYPE");
  const { nodeId: brokerId, host, port } = placeFor(context, exchange.session.localHost);
  return {
    errorCode: NO_ERROR,
    endpointType,
    clusterId: context.broker.clusterId,
    controllerId: brokerId,
    brokers: [{ brokerId, host, port, rack: null }],
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? CLUSTER_OPERATIONS
      : OPERATIONS_UNKNOWN,
  };
}

export function refuseDescribeCluster(
  _request: DescribeClusterRequest,
  errorCode: number,
): DescribeClusterResponseInput {
  return { errorCode, clusterId: "", brokers: [] };
}

function refused(code: ErrorCode): DescribeClusterResponseInput {
  const { wire: errorCode, message: errorMessage } = new ObeliskError(code);
  return { errorCode, errorMessage, clusterId: "", brokers: [] };
}

/** DescribeClientQuotas: nobody has a quota yet, so nothing matches. Filters that Kafka refuses are refused. */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import type {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponseInput,
} from "../../protocol/kafka/apis/describe-client-quotas.ts";
import type { KafkaContext } from "./context.ts";

const ENTITY_TYPES: readonly string[] = ["user", "client-id", "ip"];
const MATCH_EXACT = 0;
const MATCH_ANY = 2;

export function describeClientQuotas(
  _context: KafkaContext,
  request: DescribeClientQuotasRequest,
): DescribeClientQuotasResponseInput {
  const fault = faultOf(request);
  if (fault !== null) return { errorCode: wireCode(fault.code), errorMessage: fault.detail, entries: null };
  return { errorCode: NO_ERROR, errorMessage: "", entries: [] };
}

export function refuseDescribeClientQuotas(
  _request: DescribeClientQuotasRequest,
  errorCode: number,
): DescribeClientQuotasResponseInput {
  return { errorCode, errorMessage: null, entries: null };
}

function faultOf({
  components,
}: DescribeClientQuotasRequest): { code: "INVALID_REQUEST" | "UNSUPPORTED_VERSION"; detail: string } | null {
  const types = new Set<string>();
  for (const { entityType, matchType, match } of components) {
    if (types.has(entityType)) return invalid(`the request names the entity type ${entityType} twice`);
    types.add(entityType);
    if (entityType === "") return invalid("an entity type has a name");
    if (!ENTITY_TYPES.includes(entityType))
      return { code: "UNSUPPORTED_VERSION", detail: `there is no entity type ${entityType}` };
    if (matchType < MATCH_EXACT || matchType > MATCH_ANY)
      return invalid(`there is no match type ${matchType}`);
    if (matchType === MATCH_EXACT && match === null) return invalid("an exact match needs a name");
    if (matchType !== MATCH_EXACT && match !== null) return invalid("only an exact match has a name");
  }
  const isMixed = types.has("ip") && (types.has("user") || types.has("client-id"));
  return isMixed ? invalid("addresses have no quotas together with users and client ids") : null;
}

function invalid(detail: string): { code: "INVALID_REQUEST"; detail: string } {
  return { code: "INVALID_REQUEST", detail };
}

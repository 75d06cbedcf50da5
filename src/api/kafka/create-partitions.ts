/**
 * CreatePartitions: raises the number of partitions of topics. They are there for everyone when it is answered.
 *
 * Topic by topic, as in Kafka: an unknown one is UNKNOWN_TOPIC_OR_PARTITION, a number that is no increase INVALID_PARTITIONS. Manual
 * assignments must be as many as partitions are added, each with this broker alone, else INVALID_REPLICA_ASSIGNMENT. A name that occurs
 * twice is refused, and answered once and first. Beyond the limit of partitions it is POLICY_VIOLATION, and so is a request for more than
 * 10,000 more of them, as a whole. With `validateOnly` the same is checked and nothing done.
 */

import { NO_ERROR, ObeliskError, toObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { Slices } from "../../base/loop/turns.ts";
import {
  type CreatePartitionsRequest,
  type CreatePartitionsResponseInput,
  createPartitionsApi,
} from "../../protocol/kafka/apis/create-partitions.ts";
import type { KafkaContext } from "./context.ts";
import { encodedInTurns } from "./encode-turns.ts";

type Order = CreatePartitionsRequest["topics"][number];
type Result = CreatePartitionsResponseInput["results"][number];

/** As for the topics that one request creates. */
const REQUEST_PARTITIONS_MAX = 10_000;
/** Topics that are checked, or begun, in one turn: about 2 ms. */
const SLICES = new Slices(100);

export async function createPartitions(
  context: KafkaContext,
  request: CreatePartitionsRequest,
  version: number,
): Promise<CreatePartitionsResponseInput> {
  const { orders, duplicates } = await ordersByName(context, request.topics);
  const twice = new ObeliskError("INVALID_REQUEST", { detail: "the request names the topic twice" });
  const tooMany = faultOfTotal(context, orders);
  const refusedFirst = duplicates.map((name) => refused(name, twice));
  const results = orders.map((order) =>
    tooMany === null ? addTo(context, order, request.validateOnly) : refused(order.name, tooMany),
  );
  const all = [...refusedFirst, ...(await Promise.all(results))];
  return {
    results: await encodedInTurns(context, all, () => createPartitionsApi.responseArray(version, "results")),
  };
}

export function refuseCreatePartitions(
  request: CreatePartitionsRequest,
  errorCode: number,
): CreatePartitionsResponseInput {
  return { results: request.topics.map(({ name }) => ({ name, errorCode, errorMessage: null })) };
}

/** The orders for names that stand there once, and the other names. */
async function ordersByName(
  { clock }: KafkaContext,
  requested: readonly Order[],
): Promise<{ orders: Order[]; duplicates: string[] }> {
  const share = new TurnShare(clock);
  const orders = new Map<string, Order>();
  const duplicates = new Set<string>();
  for (const order of requested) {
    if (share.isUsedUp) await share.rest();
    if (orders.has(order.name)) duplicates.add(order.name);
    orders.set(order.name, order);
  }
  for (const name of duplicates) orders.delete(name);
  return { orders: [...orders.values()], duplicates: [...duplicates] };
}

function faultOfTotal({ broker }: KafkaContext, orders: readonly Order[]): ObeliskError | null {
  let total = 0;
  for (const { name, count } of orders) {
    const before = broker.topics.get(name)?.partitions.length ?? count;
    total += Math.max(count - before, 0);
  }
  if (total <= REQUEST_PARTITIONS_MAX) return null;
  return new ObeliskError("POLICY_VIOLATION", {
    detail: `the request asks for ${total} more partitions at once`,
    remedy: "add the partitions in several requests",
    limit: REQUEST_PARTITIONS_MAX,
  });
}

async function addTo(context: KafkaContext, order: Order, isValidateOnly: boolean): Promise<Result> {
  const { name, count } = order;
  const { topics } = context.broker;
  await SLICES.next();
  try {
    await topics.addPartitions(name, count, true);
    checkAssignments(context, order);
    if (!isValidateOnly) await topics.addPartitions(name, count);
    return { name, errorCode: NO_ERROR, errorMessage: null };
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    return refused(name, error);
  }
}

/** @throws ObeliskError INVALID_REPLICA_ASSIGNMENT */
function checkAssignments({ broker }: KafkaContext, { name, count, assignments }: Order): void {
  if (assignments === null) return;
  const added = count - (broker.topics.get(name)?.partitions.length ?? 0);
  if (assignments.length !== added) {
    throw misassigned(`${added} partitions are added, and ${assignments.length} assignments are given`);
  }
  for (const { brokerIds } of assignments) {
    if (brokerIds.length !== 1 || brokerIds[0] !== broker.nodeId) {
      throw misassigned(`a partition is assigned to broker ${broker.nodeId}, once: it is the only one`);
    }
  }
}

function misassigned(detail: string): ObeliskError {
  return new ObeliskError("INVALID_REPLICA_ASSIGNMENT", { detail });
}

/** An unknown topic is told by its code alone, as in Kafka. */
function refused(name: string, { code, wire, message }: ObeliskError): Result {
  return { name, errorCode: wire, errorMessage: code === "UNKNOWN_TOPIC_OR_PARTITION" ? null : message };
}

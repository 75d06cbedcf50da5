/**
 * What a broker's error numbers mean to the client. Numbers of our table (base/errors.ts) become their own code;
 * numbers that only other brokers send keep their number in the facts and their name in the text.
 */

import { ERRORS, type ErrorFacts, errorCodeOf, NO_ERROR, ObeliskError } from "../base/errors.ts";

interface ForeignError {
  readonly name: string;
  readonly retriable: boolean;
}

/** Errors of Kafka's table that Obelisk's server never sends but a client of other brokers meets. */
const FOREIGN_ERRORS: ReadonlyMap<number, ForeignError> = new Map([
  [8, { name: "BROKER_NOT_AVAILABLE: the broker is not available", retriable: true }],
  [9, { name: "REPLICA_NOT_AVAILABLE: the replica is not available", retriable: true }],
  [13, { name: "NETWORK_EXCEPTION: the broker lost a connection", retriable: true }],
  [18, { name: "RECORD_LIST_TOO_LARGE: the batch is larger than a segment", retriable: false }],
  [19, { name: "NOT_ENOUGH_REPLICAS: too few replicas are in sync", retriable: true }],
  [20, { name: "NOT_ENOUGH_REPLICAS_AFTER_APPEND: too few replicas are in sync", retriable: true }],
  [29, { name: "TOPIC_AUTHORIZATION_FAILED: not allowed for this topic", retriable: false }],
  [30, { name: "GROUP_AUTHORIZATION_FAILED: not allowed for this group", retriable: false }],
  [31, { name: "CLUSTER_AUTHORIZATION_FAILED: not allowed for this cluster", retriable: false }],
  [41, { name: "NOT_CONTROLLER: this broker is not the controller", retriable: true }],
  [51, { name: "CONCURRENT_TRANSACTIONS: a transaction is still ending", retriable: true }],
  [88, { name: "UNSTABLE_OFFSET_COMMIT: offsets of an open transaction", retriable: true }],
  [89, { name: "THROTTLING_QUOTA_EXCEEDED: a quota is used up", retriable: true }],
]);

/** One number for every storage error; a full disk is what people meet. */
const STORAGE_DETAIL = "storage error at the broker: its disk is full, or cannot be written or read";

/** A broker that was just named as the coordinator returns this when it cannot store offsets. */
const COORDINATOR_DETAIL = "the broker cannot store the group's offsets now: its disk may be full or failing";

/** The error that a broker returned, with where it happened. `wire` must not be 0. */
export function brokerError(wire: number, facts: ErrorFacts = {}): ObeliskError {
  const code = errorCodeOf(wire);
  if (code === "KAFKA_STORAGE_ERROR") return new ObeliskError(code, { detail: STORAGE_DETAIL, ...facts });
  if (code === "NOT_COORDINATOR") return new ObeliskError(code, { detail: COORDINATOR_DETAIL, ...facts });
  if (ERRORS[code].wire === wire && wire !== ERRORS.UNKNOWN_SERVER_ERROR.wire)
    return new ObeliskError(code, facts);
  const foreign = FOREIGN_ERRORS.get(wire);
  const detail = facts.detail ?? foreign?.name ?? `the broker returned error ${wire}`;
  return new ObeliskError("UNKNOWN_SERVER_ERROR", { ...facts, detail, wire });
}

/** @throws ObeliskError when `wire` is an error */
export function checkResponse(wire: number, facts: ErrorFacts = {}): void {
  if (wire !== NO_ERROR) throw brokerError(wire, facts);
}

/** Whether the same request may succeed later. */
export function canRetry(error: ObeliskError): boolean {
  if (error.retriable) return true;
  return error.facts.wire !== undefined && FOREIGN_ERRORS.get(error.facts.wire)?.retriable === true;
}

/** A full or failing disk does not recover within a retry, and the metadata is not to blame. */
export function needsNewMetadata(error: ObeliskError): boolean {
  return error.code !== "KAFKA_STORAGE_ERROR" && error.code !== "CORRUPT_MESSAGE";
}

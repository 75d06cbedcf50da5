/**
 * Health as the Go Obelisk reported it: four components, an overall status, a summary.
 *
 *   buffer      appends to the log and to the ring of recent batches: success rate of the last operations
 *   batcher     syncs and the batches that single messages were gathered into: success rate, last flush
 *   storage     partitions that went offline or whose last append failed, whether the state takes changes, space, findings
 *   tcp_server  listeners and their connections
 *
 * A success rate below `threshold` is degraded, below half of it unhealthy. One unhealthy component makes the whole
 * unhealthy, and a load balancer then sends nobody any more. So a component is unhealthy only when the server as a whole cannot
 * serve: as long as some partitions take records, those that do not degrade it. A full disk concerns all, until there is room
 * again: that is seen by looking at the space, because nobody may append in the meantime. Times are ISO 8601.
 */

import type { Clock } from "../base/clock.ts";
import type { RefusalCause } from "../base/descriptors/descriptor-budget.ts";
import { OUTCOME_AGE_MS_MAX, type OutcomeWindow } from "../base/outcome-window.ts";
import { formatDuration, KiB } from "../base/units.ts";
import type { Broker } from "../broker/broker.ts";

/** Beside the batch itself: a block for its end, entries of its index. */
const ROOM_BYTES = 64 * KiB;

export type HealthStatus = "healthy" | "degraded" | "unhealthy";

export interface ComponentHealth {
  status: HealthStatus;
  details: Record<string, string | number | boolean | null>;
  last_check: string;
}

export interface HealthReport {
  status: HealthStatus;
  timestamp: string;
  uptime: string;
  components: Record<ComponentName, ComponentHealth>;
  summary: { total_components: number; healthy: number; degraded: number; unhealthy: number };
}

export const COMPONENTS = ["buffer", "batcher", "storage", "tcp_server"] as const;
export type ComponentName = (typeof COMPONENTS)[number];

/** What a listener reports about itself. */
export interface ListenerStatus {
  readonly name: string;
  readonly isListening: boolean;
  readonly connectionsActive: number;
  readonly connectionsTotal: number;
  readonly connectionErrors: number;
  /** Bytes over its connections; null where nobody counts them. */
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  /** Connections that had no place, by cause. */
  readonly connectionsRefused: Readonly<Record<RefusalCause, number>>;
}

export interface HealthParts {
  broker: Broker;
  listeners: () => readonly ListenerStatus[];
  threshold: number;
  /** When the server was started, by the monotonic clock. */
  startedMonotonicMs: number;
  clock: Clock;
}

export function reportHealth(parts: HealthParts, nowMs: number): HealthReport {
  const timestamp = new Date(nowMs).toISOString();
  const counters = parts.broker.counters;
  const monotonicMs = parts.clock.monotonicMs();
  const trouble = lookAtPartitions(parts.broker, monotonicMs);
  const { threshold } = parts;
  const { canServe } = trouble;
  const components = {
    buffer: { ...rateHealth(counters.appendOutcomes, threshold, canServe), last_check: timestamp },
    batcher: { ...batcherHealth(counters.flushOutcomes, threshold, canServe), last_check: timestamp },
    storage: { ...storageHealth(parts.broker, trouble), last_check: timestamp },
    tcp_server: { ...listenersHealth(parts.listeners()), last_check: timestamp },
  };
  const statuses = COMPONENTS.map((name) => components[name].status);
  const count = (status: HealthStatus) => statuses.filter((candidate) => candidate === status).length;
  return {
    status: count("unhealthy") > 0 ? "unhealthy" : count("degraded") > 0 ? "degraded" : "healthy",
    timestamp,
    uptime: formatDuration(monotonicMs - parts.startedMonotonicMs),
    components,
    summary: {
      total_components: COMPONENTS.length,
      healthy: count("healthy"),
      degraded: count("degraded"),
      unhealthy: count("unhealthy"),
    },
  };
}

type Judged = Omit<ComponentHealth, "last_check">;

function rateHealth(outcomes: OutcomeWindow, threshold: number, canServe: boolean): Judged {
  const rate = outcomes.successRate;
  const isBad = rate < threshold / 2 && !canServe;
  const status = rate >= threshold ? "healthy" : isBad ? "unhealthy" : "degraded";
  return { status, details: { success_rate: rate, threshold, operation_count: outcomes.operationCount } };
}

function batcherHealth(outcomes: OutcomeWindow, threshold: number, canServe: boolean): Judged {
  const judged = rateHealth(outcomes, threshold, canServe);
  const lastFlush = outcomes.lastSuccessAtMs === 0 ? null : new Date(outcomes.lastSuccessAtMs).toISOString();
  return { status: judged.status, details: { ...judged.details, last_flush: lastFlush } };
}

function storageHealth(broker: Broker, trouble: Trouble): Judged {
  const { partitions, offline, refusing, isFull, loss, ownFault, canServe, space } = trouble;
  const reason = loss ?? broker.state.refusal ?? ownFault;
  const isHealthy = offline === 0 && refusing === 0 && !isFull && reason === null;
  const status = isHealthy ? "healthy" : canServe ? "degraded" : "unhealthy";
  const details: Judged["details"] = {
    partitions,
    offline_partitions: offline,
    refusing_partitions: refusing,
    disk_full: isFull,
    findings: broker.engine.findingCount,
  };
  if (reason !== null) details["reason"] = reason;
  if (space !== undefined) {
    details["free_bytes"] = space.freeBytes;
    details["total_bytes"] = space.totalBytes;
  }
  return { status, details };
}

interface Trouble {
  partitions: number;
  offline: number;
  /** Online, but their last append has lately failed on the disk. */
  refusing: number;
  isFull: boolean;
  /** The data directory is lost: why. */
  loss: string | null;
  /** A fault of Obelisk itself that took a partition out of service: where, and what. */
  ownFault: string | null;
  /** Whether there is a partition that takes records, as far as can be known; true while there is none at all. */
  canServe: boolean;
  space: ReturnType<Broker["engine"]["space"]>;
}

/** O(partitions). */
function lookAtPartitions(broker: Broker, monotonicMs: number): Trouble {
  const space = broker.engine.space();
  const lastSuccessMs = broker.counters.appendOutcomes.lastSuccessMonotonicMs;
  let partitions = 0;
  let offline = 0;
  let refusing = 0;
  let isFull = false;
  let fault: string | null = null;
  for (const topic of broker.topics.all()) {
    for (const { topic: name, index, isUnavailable, diskRefusal, ownFault } of topic.partitions) {
      partitions += 1;
      if (ownFault !== null) fault ??= `a fault of Obelisk itself in partition ${name}-${index}: ${ownFault}`;
      if (isUnavailable) offline += 1;
      if (isUnavailable || diskRefusal === null) continue;
      const hasRoom = space === undefined || space.freeBytes >= diskRefusal.bytes + ROOM_BYTES;
      if (diskRefusal.isFull && hasRoom) continue;
      if (diskRefusal.isFull && diskRefusal.monotonicMs >= lastSuccessMs) isFull = true;
      if (monotonicMs - diskRefusal.monotonicMs <= OUTCOME_AGE_MS_MAX) refusing += 1;
    }
  }
  const { loss } = broker.engine;
  const canServe = loss === null && (partitions === 0 || (!isFull && offline + refusing < partitions));
  return { partitions, offline, refusing, isFull, loss, ownFault: fault, canServe, space };
}

function listenersHealth(listeners: readonly ListenerStatus[]): Judged {
  const closed = listeners.filter((listener) => !listener.isListening).length;
  const details: Judged["details"] = { listening: closed === 0 };
  for (const listener of listeners) details[`${listener.name}_connections`] = listener.connectionsActive;
  return { status: closed === 0 ? "healthy" : closed < listeners.length ? "degraded" : "unhealthy", details };
}

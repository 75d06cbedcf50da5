/**
 * Health as the Go Obelisk told it: four components, an overall status, a summary.
 *
 *   buffer      appends to the log and to the ring of recent batches: success rate of the last operations
 *   batcher     syncs and the batches that single messages were gathered into: success rate, last flush
 *   storage     partitions that went offline after a disk error, space, what recovery found
 *   tcp_server  listeners and their connections
 *
 * A success rate below `threshold` is degraded, below half of it unhealthy. One unhealthy component makes the whole
 * unhealthy. Times are ISO 8601.
 */

import type { OutcomeWindow } from "../base/outcome-window.ts";
import { formatDuration } from "../base/units.ts";
import type { Broker } from "../broker/broker.ts";

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

/** What a door tells about itself. */
export interface DoorStatus {
  readonly name: string;
  readonly isListening: boolean;
  readonly connectionsActive: number;
  readonly connectionsTotal: number;
  readonly connectionErrors: number;
}

export interface HealthParts {
  broker: Broker;
  doors: () => readonly DoorStatus[];
  threshold: number;
  startedAtMs: number;
}

export function reportHealth(parts: HealthParts, nowMs: number): HealthReport {
  const timestamp = new Date(nowMs).toISOString();
  const counters = parts.broker.counters;
  const components = {
    buffer: { ...rateHealth(counters.appendOutcomes, parts.threshold), last_check: timestamp },
    batcher: { ...batcherHealth(counters.flushOutcomes, parts.threshold), last_check: timestamp },
    storage: { ...storageHealth(parts.broker), last_check: timestamp },
    tcp_server: { ...doorsHealth(parts.doors()), last_check: timestamp },
  };
  const statuses = COMPONENTS.map((name) => components[name].status);
  const count = (status: HealthStatus) => statuses.filter((candidate) => candidate === status).length;
  return {
    status: count("unhealthy") > 0 ? "unhealthy" : count("degraded") > 0 ? "degraded" : "healthy",
    timestamp,
    uptime: formatDuration(nowMs - parts.startedAtMs),
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

function rateHealth(outcomes: OutcomeWindow, threshold: number): Judged {
  const rate = outcomes.successRate;
  const status = rate >= threshold ? "healthy" : rate >= threshold / 2 ? "degraded" : "unhealthy";
  return { status, details: { success_rate: rate, threshold, operation_count: outcomes.operationCount } };
}

function batcherHealth(outcomes: OutcomeWindow, threshold: number): Judged {
  const judged = rateHealth(outcomes, threshold);
  const lastFlush = outcomes.lastSuccessAtMs === 0 ? null : new Date(outcomes.lastSuccessAtMs).toISOString();
  return { status: judged.status, details: { ...judged.details, last_flush: lastFlush } };
}

function storageHealth(broker: Broker): Judged {
  const partitions = broker.topics.all().flatMap((topic) => topic.partitions);
  const offline = partitions.filter((partition) => partition.isOffline).length;
  const space = broker.engine.space();
  const status = offline === 0 ? "healthy" : offline < partitions.length ? "degraded" : "unhealthy";
  const details: Judged["details"] = {
    partitions: partitions.length,
    offline_partitions: offline,
    findings: broker.engine.findingCount,
  };
  if (space !== undefined) {
    details["free_bytes"] = space.freeBytes;
    details["total_bytes"] = space.totalBytes;
  }
  return { status, details };
}

function doorsHealth(doors: readonly DoorStatus[]): Judged {
  const closed = doors.filter((door) => !door.isListening).length;
  const details: Judged["details"] = { listening: closed === 0 };
  for (const door of doors) details[`${door.name}_connections`] = door.connectionsActive;
  return { status: closed === 0 ? "healthy" : closed < doors.length ? "degraded" : "unhealthy", details };
}

/**
 * Health as the Go Obelisk reported it: four components, an overall status, a summary.
 *
 *   buffer      appends to the log and to the ring of recent batches: success rate of the last operations
 *   batcher     syncs and the batches that single messages were gathered into: success rate, last flush
 *   storage     partitions that went offline or whose last append failed, whether the state takes changes, space, findings
 *   tcp_server  listeners and their connections, and whether the event loop stood still, in which everybody waits
 *
 * A success rate below `threshold` is degraded, below half of it unhealthy. One unhealthy component makes the whole
 * unhealthy, and a load balancer then sends nobody any more. So a component is unhealthy only when the server as a whole cannot
 * serve: as long as some partitions take records, those that do not degrade it. A full disk concerns all, until there is room
 * again: that is seen by looking at the space, because nobody may append in the meantime. A component that is not healthy says why and
 * what to do (`reason`, `remedy`). Times are ISO 8601.
 */

import type { Clock } from "../base/clock.ts";
import type { RefusalCause } from "../base/descriptors/descriptor-budget.ts";
import type { LoopStall } from "../base/loop/loop-watch.ts";
import type { OutcomeWindow } from "../base/outcome-window.ts";
import { formatDuration } from "../base/units.ts";
import type { Broker } from "../broker/broker.ts";
import { type Cause, lookAtPartitions, type Trouble } from "./partition-trouble.ts";

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
  /** The event loop stood still, a moment ago (base/loop/loop-watch.ts). */
  stall: () => LoopStall | null;
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
    buffer: { ...rateHealth("appends", counters.appendOutcomes, threshold, canServe), last_check: timestamp },
    batcher: { ...batcherHealth(counters.flushOutcomes, threshold, canServe), last_check: timestamp },
    storage: { ...storageHealth(parts.broker, trouble), last_check: timestamp },
    tcp_server: { ...listenersHealth(parts.listeners(), parts.stall()), last_check: timestamp },
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

function rateHealth(what: string, outcomes: OutcomeWindow, threshold: number, canServe: boolean): Judged {
  const rate = outcomes.successRate;
  const isBad = rate < threshold / 2 && !canServe;
  const status = rate >= threshold ? "healthy" : isBad ? "unhealthy" : "degraded";
  const details = { success_rate: rate, threshold, operation_count: outcomes.operationCount };
  if (status === "healthy") return { status, details };
  const reason = `of the latest ${what} ${Math.round(rate * 100)}% have succeeded`;
  return { status, details: { ...details, reason, remedy: "storage says what is wrong with the disk" } };
}

function batcherHealth(outcomes: OutcomeWindow, threshold: number, canServe: boolean): Judged {
  const judged = rateHealth("syncs", outcomes, threshold, canServe);
  const lastFlush = outcomes.lastSuccessAtMs === 0 ? null : new Date(outcomes.lastSuccessAtMs).toISOString();
  return { status: judged.status, details: { ...judged.details, last_flush: lastFlush } };
}

function storageHealth(broker: Broker, trouble: Trouble): Judged {
  const { partitions, offline, refusing, isFull, cause, canServe, space } = trouble;
  const status = cause === null ? "healthy" : canServe ? "degraded" : "unhealthy";
  const details: Judged["details"] = {
    partitions,
    offline_partitions: offline,
    refusing_partitions: refusing,
    disk_full: isFull,
    findings: broker.engine.findingCount,
  };
  tell(details, cause);
  if (space !== undefined) {
    details["free_bytes"] = space.freeBytes;
    details["total_bytes"] = space.totalBytes;
  }
  return { status, details };
}

function listenersHealth(listeners: readonly ListenerStatus[], stall: LoopStall | null): Judged {
  const closed = listeners.filter((listener) => !listener.isListening);
  const details: Judged["details"] = { listening: closed.length === 0 };
  for (const listener of listeners) details[`${listener.name}_connections`] = listener.connectionsActive;
  const isStalled = stall !== null;
  tell(details, closedOf(closed) ?? stalledOf(stall));
  if (closed.length === 0) return { status: isStalled ? "degraded" : "healthy", details };
  return { status: closed.length < listeners.length ? "degraded" : "unhealthy", details };
}

function closedOf(closed: readonly ListenerStatus[]): Cause | null {
  if (closed.length === 0) return null;
  const names = closed.map(({ name }) => name).join(", ");
  return { reason: `not listening: ${names}`, remedy: "the server is stopping: start it again" };
}

function stalledOf(stall: LoopStall | null): Cause | null {
  if (stall === null) return null;
  const { ms, work } = stall;
  return {
    reason: `the event loop stood still for ${formatDuration(ms)} (${work}): everybody has waited`,
    remedy:
      "obelisk_loop_turn_seconds_recent tells which work; `other` is a machine that paused or has no processor left",
  };
}

function tell(details: Judged["details"], cause: Cause | null): void {
  if (cause === null) return;
  details["reason"] = cause.reason;
  details["remedy"] = cause.remedy;
}

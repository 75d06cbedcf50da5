/**
 * Prometheus metrics, under the names the Go Obelisk gave them, and those that Obelisk adds. Everything is read from
 * plain counters when a scrape asks (`collect`): nothing here is called while messages flow.
 */

import { Counter, Gauge, Registry } from "prom-client";
import type { Histogram } from "../base/histogram.ts";
import { LONG_TURN_MS, type LoopTurns, type WorkTurns } from "../base/loop/loop-turns.ts";
import { COMPONENTS, type HealthParts, type HealthStatus, reportHealth } from "./health.ts";

const STATUS_VALUES: Record<HealthStatus, number> = { unhealthy: 0, degraded: 0.5, healthy: 1 };

/** What the listeners have done, in the names of their protocols. */
export interface ListenerActivity {
  /** Kafka requests by API. */
  readonly requests: ReadonlyMap<string, number>;
  /** Connections that sent what is no Kafka request. */
  readonly malformedRequests: number;
  /** Responses of the native protocol by their line. */
  readonly nativeResponses: readonly (readonly [string, number])[];
  /** Fetches that wait for records, and those that were throttled because too many waited. */
  readonly waitingFetches: number;
  readonly throttledFetches: number;
  /** Partitions with a committed offset, over all groups. */
  readonly committedOffsets: number;
  /** The memory that connections share, by what it is for. */
  readonly memory: readonly (readonly [string, MemoryActivity])[];
}

/** What a memory budget counts. */
export interface MemoryActivity {
  readonly usedBytes: number;
  readonly waitingCount: number;
  readonly waitedCount: number;
  readonly evictedCount: number;
}

export interface MetricsParts extends HealthParts {
  activity: () => ListenerActivity;
  loopTurns: LoopTurns;
  nowMs: () => number;
  residentBytes: () => number;
  logLinesLost: () => number;
}

/** A registry that reads `parts` at each scrape. */
export function createMetrics(parts: MetricsParts): Registry {
  const registry = new Registry();
  addMessageMetrics(registry, parts);
  addConnectionMetrics(registry, parts);
  addRefusalMetric(registry, parts);
  addActivityMetrics(registry, parts);
  addMemoryMetrics(registry, parts);
  addLoopMetrics(registry, parts);
  addHealthMetrics(registry, parts);
  addStorageMetrics(registry, parts);
  return registry;
}

function addMessageMetrics(registry: Registry, { broker }: MetricsParts): void {
  const counters = broker.counters;
  total(
    registry,
    "obelisk_messages_received_total",
    "Messages that arrived.",
    () => counters.messagesReceived,
  );
  total(
    registry,
    "obelisk_messages_stored_total",
    "Messages that were committed.",
    () => counters.messagesStored,
  );
  total(
    registry,
    "obelisk_messages_failed_total",
    "Messages that were refused.",
    () => counters.messagesFailed,
  );
  total(
    registry,
    "obelisk_bytes_stored_total",
    "Bytes of record batches written.",
    () => counters.bytesStored,
  );
  total(
    registry,
    "obelisk_duplicate_batches_total",
    "Batches that an idempotent producer sent again.",
    () => counters.duplicateBatches,
  );
  total(
    registry,
    "obelisk_retention_records_total",
    "Records deleted because their topics do not keep them any longer.",
    () => counters.retentionRecords,
  );
  total(
    registry,
    "obelisk_retention_bytes_total",
    "Bytes of record batches deleted so.",
    () => counters.retentionBytes,
  );
  total(registry, "obelisk_sync_failures_total", "Syncs that failed.", () => counters.syncFailures);
  histogram(registry, "obelisk_batch_size", "Messages in each stored batch.", counters.batchRecords);
  histogram(
    registry,
    "obelisk_flush_duration_seconds",
    "Seconds of each sync to disk.",
    counters.flushSeconds,
  );
}

function addConnectionMetrics(registry: Registry, { listeners }: MetricsParts): void {
  labelled(registry, "obelisk_active_connections", "Open connections.", "door", () =>
    listeners().map((listener) => [listener.name, listener.connectionsActive]),
  );
  labelled(
    registry,
    "obelisk_connections_total",
    "Connections accepted.",
    "door",
    () => listeners().map((listener) => [listener.name, listener.connectionsTotal]),
    Counter,
  );
  labelled(
    registry,
    "obelisk_connection_errors_total",
    "Connections refused or broken.",
    "door",
    () => listeners().map((listener) => [listener.name, listener.connectionErrors]),
    Counter,
  );
}

/** Two labels: which listener, and why. */
function addRefusalMetric(registry: Registry, { listeners }: MetricsParts): void {
  registry.registerMetric(
    new Counter({
      name: "obelisk_connections_refused_total",
      help: "Connections refused: cause connections-max (the setting), or descriptors (`ulimit -n` leaves no place).",
      labelNames: ["door", "cause"],
      registers: [],
      collect() {
        this.reset();
        for (const { name, connectionsRefused } of listeners())
          for (const [cause, count] of Object.entries(connectionsRefused))
            this.inc({ door: name, cause }, count);
      },
    }),
  );
}

function addActivityMetrics(registry: Registry, { activity }: MetricsParts): void {
  labelled(
    registry,
    "obelisk_requests_total",
    "Kafka requests.",
    "api",
    () => [...activity().requests],
    Counter,
  );
  total(
    registry,
    "obelisk_malformed_requests_total",
    "Connections closed because what they sent is no Kafka request.",
    () => activity().malformedRequests,
  );
  labelled(
    registry,
    "obelisk_native_answers_total",
    "Responses of the native protocol.",
    "answer",
    () => activity().nativeResponses,
    Counter,
  );
  gauge(
    registry,
    "obelisk_waiting_fetches",
    "Fetches that wait for records.",
    () => activity().waitingFetches,
  );
  total(
    registry,
    "obelisk_throttled_fetches_total",
    "Fetches that were throttled because too many waited.",
    () => activity().throttledFetches,
  );
  gauge(
    registry,
    "obelisk_committed_offsets",
    "Committed offsets of all groups.",
    () => activity().committedOffsets,
  );
}

/** Turns of the event loop, each under the work that took most of it. */
function addLoopMetrics(registry: Registry, { loopTurns }: MetricsParts): void {
  const rows = (read: (turns: WorkTurns) => number) => () =>
    Array.from(loopTurns.works, (turns) => [turns.work, read(turns)] as const);
  labelled(
    registry,
    "obelisk_loop_turn_seconds_max",
    "Longest turn of the event loop since the start, by the work that took most of it.",
    "work",
    rows(({ longestMs }) => longestMs / 1000),
  );
  labelled(
    registry,
    "obelisk_loop_turn_seconds_recent",
    "The same for this minute and the one before it.",
    "work",
    rows((turns) => turns.recentMs(loopTurns.nowMs) / 1000),
  );
  labelled(
    registry,
    "obelisk_loop_piece_seconds_max",
    "Longest that the work has taken without a pause since the start.",
    "work",
    rows(({ longestPieceMs }) => longestPieceMs / 1000),
  );
  labelled(
    registry,
    "obelisk_loop_long_turns_total",
    `Turns of more than ${LONG_TURN_MS} ms.`,
    "work",
    rows(({ longCount }) => longCount),
    Counter,
  );
}

function addMemoryMetrics(registry: Registry, { activity }: MetricsParts): void {
  const rows = (of: (memory: MemoryActivity) => number) => () =>
    activity().memory.map(([use, memory]) => [use, of(memory)] as const);
  const name = "obelisk_memory";
  const held = rows((memory) => memory.usedBytes);
  const waiting = rows((memory) => memory.waitingCount);
  const waits = rows((memory) => memory.waitedCount);
  const evictions = rows((memory) => memory.evictedCount);
  labelled(registry, `${name}_held_bytes`, "Bytes held of the memory that connections share.", "use", held);
  labelled(registry, `${name}_waiting`, "Requests and responses that wait for memory.", "use", waiting);
  labelled(registry, `${name}_waits_total`, "Times that memory was waited for.", "use", waits, Counter);
  const cut = "Connections cut because they held memory without moving while others waited.";
  labelled(registry, `${name}_evictions_total`, cut, "use", evictions, Counter);
}

function addHealthMetrics(registry: Registry, parts: MetricsParts): void {
  gauge(
    registry,
    "obelisk_health_status",
    "Overall health: 1 healthy, 0.5 degraded, 0 unhealthy.",
    () => STATUS_VALUES[reportHealth(parts, parts.nowMs()).status],
  );
  labelled(
    registry,
    "obelisk_component_health",
    "Health of each component, as obelisk_health_status.",
    "component",
    () => {
      const { components } = reportHealth(parts, parts.nowMs());
      return COMPONENTS.map((name) => [name, STATUS_VALUES[components[name].status]]);
    },
  );
}

function addStorageMetrics(registry: Registry, parts: MetricsParts): void {
  const { broker } = parts;
  gauge(registry, "obelisk_topics", "Topics.", () => broker.topics.count);
  gauge(registry, "obelisk_partitions", "Partitions.", () => broker.topics.partitionCount);
  gauge(registry, "obelisk_offline_partitions", "Partitions offline after a disk error.", () =>
    broker.topics
      .all()
      .reduce((sum, topic) => sum + topic.partitions.filter((each) => each.isUnavailable).length, 0),
  );
  gauge(
    registry,
    "obelisk_recovery_findings",
    "Findings of recovery since the start.",
    () => broker.engine.findingCount,
  );
  gauge(
    registry,
    "obelisk_recent_bytes",
    "Bytes of recent batches kept in memory.",
    () => broker.recent.bytes,
  );
  gauge(
    registry,
    "obelisk_disk_free_bytes",
    "Bytes free for the data directory.",
    () => broker.engine.space()?.freeBytes ?? 0,
  );
  total(
    registry,
    "obelisk_log_lines_lost_total",
    "Lines of the log that could not be written.",
    parts.logLinesLost,
  );
  gauge(registry, "process_resident_memory_bytes", "Resident memory of the process.", parts.residentBytes);
}

function total(registry: Registry, name: string, help: string, read: () => number): void {
  registry.registerMetric(
    new Counter({
      name,
      help,
      registers: [],
      collect() {
        this.reset();
        this.inc(read());
      },
    }),
  );
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      registers: [],
      collect() {
        this.set(read());
      },
    }),
  );
}

function labelled(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => readonly (readonly [string, number])[],
  Kind: typeof Gauge | typeof Counter = Gauge,
): void {
  registry.registerMetric(
    new Kind({
      name,
      help,
      labelNames: [label],
      registers: [],
      collect() {
        this.reset();
        for (const [value, amount] of read()) this.inc({ [label]: value }, amount);
      },
    }),
  );
}

/** prom-client's own histogram counts by itself; ours was counted already, so only its exposition is written here. */
function histogram(registry: Registry, name: string, help: string, source: Histogram): void {
  const metric = new Gauge({ name, help, registers: [] });
  const values = () => {
    const rows: { metricName: string; labels: Record<string, string | number>; value: number }[] = [];
    let cumulated = 0;
    for (const [index, count] of source.counts.entries()) {
      cumulated += count;
      rows.push({
        metricName: `${name}_bucket`,
        labels: { le: source.bounds[index] ?? "+Inf" },
        value: cumulated,
      });
    }
    rows.push({ metricName: `${name}_sum`, labels: {}, value: source.sum });
    rows.push({ metricName: `${name}_count`, labels: {}, value: source.count });
    return rows;
  };
  const get = async () => ({
    name,
    help,
    type: "histogram" as const,
    aggregator: "sum" as const,
    values: values(),
  });
  Object.assign(metric, { get });
  registry.registerMetric(metric);
}
